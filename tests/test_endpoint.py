"""Addresses of engines: the forms that are read, and those that are refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dockerproto.endpoint import DEFAULT_SOCKET, TCP, Address, Endpoint, UnixSocket
from dockerproto.errors import InvalidHost
from dockerproto.hosts import parse_host


@pytest.mark.parametrize(
    ("text", "address", "shown", "host"),
    [
        ("unix:///run/docker.sock", UnixSocket("/run/docker.sock"), "unix:///run/docker.sock", "docker"),
        ("unix://", UnixSocket(DEFAULT_SOCKET), "unix:///var/run/docker.sock", "docker"),
        ("unix://docker.sock", UnixSocket("docker.sock"), "unix://docker.sock", "docker"),
        ("unix:///a b#c?d", UnixSocket("/a b#c?d"), "unix:///a b#c?d", "docker"),
        (" unix:///x\n", UnixSocket("/x"), "unix:///x", "docker"),
        ("tcp://10.0.0.1:2376", TCP("10.0.0.1", 2376), "tcp://10.0.0.1:2376", "10.0.0.1:2376"),
        ("tcp://10.0.0.1", TCP("10.0.0.1", 2375), "tcp://10.0.0.1:2375", "10.0.0.1:2375"),
        (
            "tcp://engine.example:",
            TCP("engine.example", 2375),
            "tcp://engine.example:2375",
            "engine.example:2375",
        ),
        ("tcp://Engine:80", TCP("engine", 80), "tcp://engine:80", "engine:80"),
        ("tcp://localhost:65535", TCP("localhost", 65535), "tcp://localhost:65535", "localhost:65535"),
        ("tcp://[::1]:2377", TCP("::1", 2377), "tcp://[::1]:2377", "[::1]:2377"),
        ("tcp://[2001:DB8::1]", TCP("2001:db8::1", 2375), "tcp://[2001:db8::1]:2375", "[2001:db8::1]:2375"),
        ("\ttcp://h:1 ", TCP("h", 1), "tcp://h:1", "h:1"),
    ],
)
def test_forms(text: str, address: Address, shown: str, host: str) -> None:
    assert parse_host(text) == address
    assert (str(address), address.host) == (shown, host)
    assert parse_host(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "unix",
        "unix:",
        "unix:/run/docker.sock",
        "/run/docker.sock",
        "tcp",
        "tcp:10.0.0.1",
        "://",
        "http://10.0.0.1:2375",
        "https://10.0.0.1:2376",
        "ssh://me@10.0.0.1",
        "npipe:////./pipe/docker_engine",
        "fd://",
        "UNIX:///run/docker.sock",
        "10.0.0.1:2375",
        "localhost",
    ],
    ids=repr,
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(InvalidHost) as caught:
        parse_host(text)
    shown = repr(text.strip()) if "@" not in text else repr("…@10.0.0.1")
    expected = f"not the address of an engine, unix:///path or tcp://host[:port]: {shown}"
    assert (caught.value.status, caught.value.message) == (0, expected)


def test_a_password_is_not_shown() -> None:
    with pytest.raises(InvalidHost) as caught:
        parse_host("tcp://me:s3cret@engine.example:2375")
    assert "s3cret" not in repr(caught.value)


NO_TCP = [
    "tcp://",
    "tcp://:2375",
    "tcp://10.0.0.1:65536",
    "tcp://10.0.0.1:-1",
    "tcp://10.0.0.1:http",
    "tcp://10.0.0.1:2375/",
    "tcp://10.0.0.1:2375/v1.41",
    "tcp://10.0.0.1?x",
    "tcp://10.0.0.1#x",
    "tcp://me@10.0.0.1",
    "tcp://[::1",
    "tcp://[::1]x:1",
    "tcp://h:0",
    "tcp://a b:1",
    "tcp://h\\x:1",
    "unix://a\0b",
    "tcp://::1:2375",
    "tcp://h\n:1",
    "tcp://h\t:1",
    "tcp://h\r\nX-Evil: 1",
    "tcp://tcp://h:1",
]


@pytest.mark.parametrize("text", NO_TCP, ids=repr)
def test_what_is_no_port_of_a_host(text: str) -> None:
    with pytest.raises(InvalidHost, match=r"^not the address of an engine, .*: ") as caught:
        parse_host(text)
    assert isinstance(caught.value, ValueError)


HOSTS = st.one_of(
    st.from_regex(r"\A[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?\Z"),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
)


@settings(deadline=None)
@given(HOSTS, st.integers(1, 65535))
def test_a_port_of_a_host_is_read_as_it_is_written(name: str, port: int) -> None:
    address = TCP(name, port)
    assert parse_host(str(address)) == address
    assert address.host == str(address).removeprefix("tcp://")


@settings(deadline=None)
@given(st.text(max_size=30) | st.text(max_size=20).map("tcp://".__add__))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        address = parse_host(text)
    except InvalidHost as error:
        assert error.status == 0  # noqa: PT017
    else:
        assert str(address).startswith(("unix://", "tcp://"))


def test_an_endpoint_says_why() -> None:
    endpoint = Endpoint(UnixSocket("/x"), "DOCKER_HOST")
    assert (str(endpoint.address), endpoint.reason) == ("unix:///x", "DOCKER_HOST")
