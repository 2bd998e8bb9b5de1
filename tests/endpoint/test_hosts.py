"""Addresses of engines: the forms that are read, and those that are refused."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerproto.endpoint.addresses import (
    DEFAULT_PIPE,
    DEFAULT_SOCKET,
    SSH,
    TCP,
    Address,
    Endpoint,
    NamedPipe,
    UnixSocket,
)
from dockerproto.endpoint.hosts import parse_context_host, parse_host, wants_tls
from dockerproto.errors import InvalidHost

FORMS = [
    ("unix:///run/docker.sock", UnixSocket("/run/docker.sock"), "unix:///run/docker.sock", "docker"),
    ("unix://", UnixSocket(DEFAULT_SOCKET), "unix:///var/run/docker.sock", "docker"),
    ("unix://docker.sock", UnixSocket("docker.sock"), "unix://docker.sock", "docker"),
    ("unix:///a b#c?d@e", UnixSocket("/a b#c?d@e"), "unix:///a b#c?d@e", "docker"),
    (" unix:///x\n", UnixSocket("/x"), "unix:///x", "docker"),
    ("tcp://10.0.0.1:2376", TCP("10.0.0.1", 2376), "tcp://10.0.0.1:2376", "10.0.0.1:2376"),
    ("tcp://10.0.0.1", TCP("10.0.0.1", 2375), "tcp://10.0.0.1:2375", "10.0.0.1:2375"),
    ("tcp://a.example:", TCP("a.example", 2375), "tcp://a.example:2375", "a.example:2375"),
    ("tcp://Engine:80", TCP("engine", 80), "tcp://engine:80", "engine:80"),
    ("tcp://localhost:65535", TCP("localhost", 65535), "tcp://localhost:65535", "localhost:65535"),
    ("tcp://[::1]:2377", TCP("::1", 2377), "tcp://[::1]:2377", "[::1]:2377"),
    ("tcp://[::1]:", TCP("::1", 2375), "tcp://[::1]:2375", "[::1]:2375"),
    ("tcp://[2001:DB8::1]", TCP("2001:db8::1", 2375), "tcp://[2001:db8::1]:2375", "[2001:db8::1]:2375"),
    ("\ttcp://h:1 ", TCP("h", 1), "tcp://h:1", "h:1"),
    ("tcp://", TCP("localhost", 2375), "tcp://localhost:2375", "localhost:2375"),
    ("tcp://:7", TCP("localhost", 7), "tcp://localhost:7", "localhost:7"),
    ("tcp://:", TCP("localhost", 2375), "tcp://localhost:2375", "localhost:2375"),
    ("10.0.0.1:1234", TCP("10.0.0.1", 1234), "tcp://10.0.0.1:1234", "10.0.0.1:1234"),
    ("localhost", TCP("localhost", 2375), "tcp://localhost:2375", "localhost:2375"),
    (":7", TCP("localhost", 7), "tcp://localhost:7", "localhost:7"),
    ("h:7/a/b", TCP("h", 7, "/a/b"), "tcp://h:7/a/b", "h:7"),
    ("[::1]:7/a", TCP("::1", 7, "/a"), "tcp://[::1]:7/a", "[::1]:7"),
    ("tcp://h/a%20b/", TCP("h", 2375, "/a%20b"), "tcp://h:2375/a%20b", "h:2375"),
    ("tcp://h:1/", TCP("h", 1), "tcp://h:1", "h:1"),
    ("tcp://h:1/v1.41", TCP("h", 1, "/v1.41"), "tcp://h:1/v1.41", "h:1"),
    ("tcp://h:1/..a/.b", TCP("h", 1, "/..a/.b"), "tcp://h:1/..a/.b", "h:1"),
    ("tcp://h.", TCP("h.", 2375), "tcp://h.:2375", "h.:2375"),
    ("tcp://é:1", TCP("xn--9ca", 1), "tcp://xn--9ca:1", "xn--9ca:1"),
    (
        "BÜCHER.example",
        TCP("xn--bcher-kva.example", 2375),
        "tcp://xn--bcher-kva.example:2375",
        "xn--bcher-kva.example:2375",
    ),
    ("tcp://例え.jp:1/x", TCP("xn--r8jz45g.jp", 1, "/x"), "tcp://xn--r8jz45g.jp:1/x", "xn--r8jz45g.jp:1"),
    ("tcp://a。b:1", TCP("a.b", 1), "tcp://a.b:1", "a.b:1"),
    ("https://é", TCP("xn--9ca", 443), "tcp://xn--9ca:443", "xn--9ca:443"),
    ("tcp://{}:1".format("a" * 63), TCP("a" * 63, 1), f"tcp://{'a' * 63}:1", f"{'a' * 63}:1"),
    ("unix://@name", UnixSocket("@name"), "unix://@name", "docker"),
    ("unix://@/a/b", UnixSocket("@/a/b"), "unix://@/a/b", "docker"),
    ("unix:///\udcff", UnixSocket("/\udcff"), "unix:///\udcff", "docker"),
    ("ssh://[::1]", SSH("::1"), "ssh://[::1]", "[::1]"),
    ("http://h", TCP("h", 80), "tcp://h:80", "h:80"),
    ("http://h:2375/x", TCP("h", 2375, "/x"), "tcp://h:2375/x", "h:2375"),
    ("https://h", TCP("h", 443), "tcp://h:443", "h:443"),
    ("https://[::1]:2376", TCP("::1", 2376), "tcp://[::1]:2376", "[::1]:2376"),
    ("ssh://h", SSH("h"), "ssh://h", "h"),
    ("ssh://h/", SSH("h", path="/"), "ssh://h/", "h"),
    ("ssh://H:", SSH("H"), "ssh://H", "H"),
    ("ssh://@h", SSH("h"), "ssh://h", "h"),
    ("ssh://me@h:22", SSH("h", "me", 22), "ssh://me@h:22", "h"),
    ("ssh://me@[fd12::1]:22", SSH("fd12::1", "me", 22), "ssh://me@[fd12::1]:22", "[fd12::1]"),
    ("ssh://a@b@h", SSH("h", "a@b"), "ssh://a%40b@h", "h"),
    ("ssh://h/run/a b", SSH("h", path="/run/a b"), "ssh://h/run/a%20b", "h"),
    ("ssh://h/%3f%23%25", SSH("h", path="/?#%"), "ssh://h/%3F%23%25", "h"),
    ("npipe://", NamedPipe(DEFAULT_PIPE), "npipe:////./pipe/docker_engine", "docker"),
    ("npipe:////./pipe/x", NamedPipe("//./pipe/x"), "npipe:////./pipe/x", "docker"),
]


@pytest.mark.parametrize(("text", "address", "shown", "host"), FORMS, ids=[repr(each[0]) for each in FORMS])
def test_forms(text: str, address: Address, shown: str, host: str) -> None:
    assert parse_host(text) == address
    assert (str(address), address.host) == (shown, host)
    assert parse_host(str(address)) == address
    assert address.prefix in shown


@pytest.mark.parametrize(
    ("text", "plain", "encrypted", "stored", "stored_encrypted"),
    [
        ("tcp://h", 2375, 2376, 80, 443),
        ("http://h", 80, 80, 80, 443),
        ("https://h", 443, 443, 443, 443),
        ("tcp://h:5", 5, 5, 5, 5),
    ],
)
def test_ports(text: str, plain: int, encrypted: int, stored: int, stored_encrypted: int) -> None:
    read = (
        parse_host(text),
        parse_host(text, tls=True),
        parse_context_host(text, tls=False),
        parse_context_host(text, tls=True),
    )
    assert read == tuple(TCP("h", port) for port in (plain, encrypted, stored, stored_encrypted))
    assert wants_tls(f" {text}") == text.startswith("https:")


def test_the_host_of_a_context_has_a_scheme() -> None:
    with pytest.raises(InvalidHost, match="invalid engine address 'h:1'"):
        parse_context_host("h:1", tls=False)


ACCEPTED = (
    "expected unix:///path, tcp://host[:port][/prefix], http://…, https://…, "
    "ssh://[user@]host[:port][/path], npipe:////./pipe/name"
)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "unix:",
            "unix:/run/docker.sock",
            "/run/docker.sock",
            "tcp:10.0.0.1",
            "ssh:22",
            "://",
            "some///invalid/host",
        ),
        *(
            "UNIX:///run/docker.sock",
            "TCP://h:1",
            "Http://h",
            "SSH://h",
            "Npipe://",
            "udp://h:1",
            "file:///x",
            "something with spaces",
            "h:http",
        ),
        *(
            "unix://tcp://h",
            "unix://a\0b",
            "unix:///\ud800",
            "unix://a\udfff",
            "npipe://a\nb",
            "::1",
            "::1:2375",
        ),
    ],
    ids=repr,
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(InvalidHost) as caught:
        parse_host(text)
    message = f"invalid engine address {text.strip()!r}; {ACCEPTED}"
    assert (caught.value.status, caught.value.message) == (0, message)
    assert isinstance(caught.value, ValueError)


def test_only_a_daemon_is_handed_a_socket() -> None:
    for text in ("fd://", "fd://3"):
        with pytest.raises(InvalidHost, match="fd:// is for daemons"):
            parse_host(text)


@pytest.mark.parametrize("scheme", ["tcp", "http", "https", "ssh", "unknown"])
def test_a_password_is_not_shown(scheme: str) -> None:
    for text in ("me:s3cret@h:1", "me:s3/cr@et@h:1", "me%3As3cret@h", ":s3cret@h"):
        with pytest.raises(InvalidHost) as caught:
            parse_host(f"{scheme}://{text}")
        assert "cret" not in repr(caught.value)
        assert "…@h" in caught.value.message
        assert caught.value.__cause__ is caught.value.__context__ is None


NO_TCP = [
    *("a..b", ".a", ".", "a" * 64, f"a.{'b' * 64}:1", "é..b", "é" * 64, "xn--é"),
    *("[::a..b]", "[:::]", "[1:2]", f"[{'1' * 64}:]", "[::1%25lo]", "[::1%lo]", "[fe80::1%25eth0]:2375"),
    *("ß", "faß.example", "ς", "a\u200db"),  # Python and Go encode them differently
    *("\u2100", "a\uff1a1", "\uff1a\uff1a1", "a\uff20b", "a\xa0b", "é\ud800", "a\u2028b"),
    "%C3%A9",
    *("h:65536", "h:-1", "h:http", "h:0", "h:123456", "h:\u0661"),
    *("h?x", "h#x", "h:1/a?b", "h:1/a#b", "me@h"),
    *("[::1", "[::1]x:1", "[]:1", "[g]:1", "::1:2375", "-h"),
    *("a b:1", "h\\x:1", "h\n:1", "h\t:1", "h\0", "h:1\r\nX-Evil: 1", "//h:1", "x://h:1"),
    *(
        "h//",
        "h/a//b",
        "h/../x",
        "h/.",
        "h/a/..",
        "h/a b",
        "h/%",
        "h/%0",
        "h/a\r\nX-Evil: 1",
        "h/é",
        "h/a\\b",
    ),
]


@pytest.mark.parametrize("text", NO_TCP, ids=repr)
def test_what_is_no_port_of_a_host(text: str) -> None:
    for scheme in ("", "tcp://", "http://", "https://"):
        with pytest.raises(InvalidHost, match=r"^invalid engine address .*; expected unix:"):
            parse_host(scheme + text)


@pytest.mark.parametrize(
    "address",
    [("", 1), ("h", 0), ("h", 65536), ("h\r\nX: 1", 1), ("h", 1, "x"), ("h", 1, "/a\r\nX: 1"), ("h", 1, "/")],
    ids=repr,
)
def test_what_cannot_be_sent_is_no_address(address: Any) -> None:
    with pytest.raises(InvalidHost, match="invalid TCP address"):
        TCP(*address)


NO_SSH = [
    *("", "/path", ":22", ":22/path", "-oProxyCommand=x", "-h", "-a@h", "%2Da@h"),
    *("me:@h", "me:password@h", ":password@h", "me%3Apassword@h"),
    *("h?x=1", "h#x", "h/a?b", "h/a#b"),
    *("h:0", "h:65536", "h:x", "h:-1"),
    *("$(x)@h", "`x`@h", "a b@h", "a;b@h", "%25h@h", "a'b@h", "a%0ab@h", "é@h"),
    *("$(x)", "`x`", "a b", "a;b", "a'b", "%68", "[::1", "h\n", "é", "a@-h"),
    *("h/\0", "h/a\nb", "h/\x1b", "h/%00", "h/%0a", "h/\x7f"),
]


@pytest.mark.parametrize("text", NO_SSH, ids=repr)
def test_what_is_no_machine_to_reach_by_ssh(text: str) -> None:
    with pytest.raises(InvalidHost, match="invalid engine address"):
        parse_host(f"ssh://{text}$" if text.endswith("\n") else f"ssh://{text}")


@pytest.mark.parametrize(
    ("host", "options"),
    [
        ("-oProxyCommand=x", {}),
        ("", {}),
        ("h", {"user": "-x"}),
        ("h", {"port": 0}),
        ("h", {"path": "relative"}),
        ("h", {"path": "/a\nb"}),
        ("h", {"path": "/\ud800"}),
    ],
    ids=repr,
)
def test_ssh_is_given_nothing_dangerous(host: str, options: Any) -> None:
    with pytest.raises(InvalidHost, match="invalid ssh address"):
        SSH(host, **options)


@pytest.mark.parametrize(
    ("address", "arguments"),
    [
        (SSH("h"), ["--", "h", "docker system dial-stdio"]),
        (SSH("h", path="/"), ["--", "h", "docker system dial-stdio"]),
        (SSH("h", path="//"), ["--", "h", "docker system dial-stdio"]),
        (SSH("h", "me"), ["-l", "me", "--", "h", "docker system dial-stdio"]),
        (SSH("fd12::1", port=22), ["-p", "22", "--", "fd12::1", "docker system dial-stdio"]),
        (
            SSH("h", "me", 10022, "/run/docker.sock"),
            ["-l", "me", "-p", "10022", "--", "h", "docker --host=unix:///run/docker.sock system dial-stdio"],
        ),
        (SSH("h", path="/a b"), ["--", "h", "docker '--host=unix:///a b' system dial-stdio"]),
        (SSH("h", path="/$(x)"), ["--", "h", "docker '--host=unix:///$(x)' system dial-stdio"]),
        (SSH("h", path="/a;b"), ["--", "h", "docker '--host=unix:///a;b' system dial-stdio"]),
    ],
    ids=str,
)
def test_the_arguments_of_ssh(address: SSH, arguments: list[str]) -> None:
    assert address.command == ("ssh", "-o", "ConnectTimeout=30", "-T", *arguments)


@given(st.from_regex(r"\A/[^\0-\x1f\x7f]*\Z").filter(lambda path: path.strip("/") != ""))
def test_the_remote_command_is_four_words_whatever_the_path(path: str) -> None:
    words = shlex.split(SSH("h", path=path).command[-1])
    assert words == ["docker", f"--host=unix://{path}", "system", "dial-stdio"]


HOSTS = st.one_of(
    st.from_regex(r"\A[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?\Z"),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
)


PORTS = st.integers(1, 65535)
PATHS = st.text(st.characters(blacklist_categories=("Cc", "Cs")), min_size=1, max_size=20)
ADDRESSES: st.SearchStrategy[Address] = st.one_of(
    st.builds(TCP, HOSTS, PORTS, st.from_regex(r"\A(/[a-z0-9_~!$&'()*+,;=:@-]{1,5}|/%[0-9A-F]{2}){0,3}\Z")),
    st.builds(
        SSH,
        HOSTS,
        st.from_regex(r"\A([a-z_][a-z0-9_.+~@=,-]{0,10})?\Z"),
        st.none() | PORTS,
        PATHS.map("/".__add__) | st.just(""),
    ),
    PATHS.filter(lambda path: path == path.rstrip() and "://" not in path).map(UnixSocket),
    PATHS.filter(lambda path: path == path.rstrip()).map(NamedPipe),
)


@given(ADDRESSES)
def test_an_address_is_read_as_it_is_written(address: Address) -> None:
    assert parse_host(str(address)) == address
    assert parse_context_host(str(address), tls=True) == address


SCHEMES = ["", "tcp://", "https://", "ssh://", "npipe://", "unix://"]


@given(st.builds(str.__add__, st.sampled_from(SCHEMES), st.text(max_size=20)))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        address = parse_host(text)
    except InvalidHost as error:
        assert error.status == 0  # noqa: PT017
    else:
        assert str(address).startswith(("unix://", "tcp://", "ssh://", "npipe://"))
        assert not set("\r\n \0") & set(address.host + address.prefix)
        assert parse_host(str(address)) == address


def test_an_endpoint_says_why() -> None:
    endpoint = Endpoint(UnixSocket("/x"), "DOCKER_HOST")
    assert (str(endpoint.address), endpoint.reason) == ("unix:///x", "DOCKER_HOST")
