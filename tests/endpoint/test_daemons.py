"""Addresses of BuildKit daemons: what they stand for, and what is rejected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from dockerproto import TCP, TLS, Address, Command, InvalidHost, UnixSocket
from dockerproto.endpoint.daemons import DEFAULT_DAEMON, daemon_endpoint, parse_daemon

DIAL = ("buildctl", "dial-stdio")
SSH = ("ssh", "-o", "ConnectTimeout=30", "-T")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("unix:///run/x.sock", UnixSocket("/run/x.sock")),
        (" unix://@x ", UnixSocket("@x")),
        ("tcp://builder.example:1234", TCP("builder.example", 1234)),
        ("tcp://[::1]:1234", TCP("::1", 1234)),
    ],
)
def test_sockets_and_ports(text: str, address: Address) -> None:
    assert parse_daemon(text) == address


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("docker-container://b.1_x-y", ("docker", "exec", "-i", "b.1_x-y", *DIAL)),
        ("docker-container://b?context=me@far", ("docker", "--context=me@far", "exec", "-i", "b", *DIAL)),
        ("podman-container://b", ("podman", "exec", "-i", "b", *DIAL)),
        ("kube-pod://b-0.x", ("kubectl", "exec", "-i", "b-0.x", "--", *DIAL)),
        (
            "kube-pod://b?container=c&namespace=n&context=arn%3Ax%2Fy",
            (
                *("kubectl", "--context=arn:x/y", "--namespace=n"),
                *("exec", "--container=c", "-i", "b", "--", *DIAL),
            ),
        ),
        ("ssh://h", (*SSH, "--", "h", "buildctl dial-stdio")),
        (
            "ssh://me@h:22/run/x y",
            (*SSH, "-l", "me", "-p", "22", "--", "h", "buildctl --addr 'unix:///run/x y' dial-stdio"),
        ),
    ],
)
def test_commands(text: str, command: tuple[str, ...]) -> None:
    address = parse_daemon(text)
    assert isinstance(address, Command)
    assert (address.command, address.program) == (command, command[0])
    assert (address.host, address.prefix) == ("docker", "")
    if not text.startswith("ssh"):
        assert str(address) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "builder:1234", "http://h:1", "npipe:////./pipe/x", "nerdctl-container://x"),
        *("unix://", "unix://x", "unix:///a://b"),
        *("tcp://h", "tcp://h:", "tcp://h:0", "tcp://h:65536", "tcp://h:1/", "tcp://h:1/x", "tcp://-h:1"),
        *("ssh://", "ssh://-oProxyCommand=x", "ssh://h?x=1", "ssh://h/\n/x"),
        *("docker-container://", "docker-container://-x", "docker-container://x/y", "docker-container://x y"),
        *("docker-container://x?context=", "docker-container://x?y=1", "docker-container://x?context"),
        *("docker-container://x?context=a&context=b", "docker-container://x?context=%00"),
        *("docker-container://x?context=%ff", "docker-container://%2dx"),
        *("podman-container://", "podman-container://-x", "podman-container://x?context=y"),
        *("kube-pod://", "kube-pod://a_b", "kube-pod://-x", "kube-pod://X", "kube-pod://x?namespace=-n"),
        *("kube-pod://x?container=a_b", "kube-pod://x?namespace=a%20b", "kube-pod://x?pod=y"),
    ],
)
def test_what_is_rejected(text: str) -> None:
    with pytest.raises(
        InvalidHost, match=r"^invalid address of a BuildKit daemon '.*'; expected unix:///path, "
    ):
        parse_daemon(text)


def test_a_password_is_not_shown() -> None:
    with pytest.raises(InvalidHost, match="'…@h:1'") as raised:
        parse_daemon("tcp://me:secret@h:1")
    assert raised.value.__context__ is None


@pytest.mark.parametrize(
    ("address", "environment", "origin", "text"),
    [
        (None, {}, "the default socket", DEFAULT_DAEMON),
        (None, {"BUILDKIT_HOST": " "}, "the default socket", DEFAULT_DAEMON),
        (None, {"BUILDKIT_HOST": "tcp://h:1"}, "from BUILDKIT_HOST", "tcp://h:1"),
        ("tcp://i:2", {"BUILDKIT_HOST": "tcp://h:1"}, "from address=", "tcp://i:2"),
    ],
)
def test_the_source_of_an_address(
    address: str | None, environment: Mapping[str, str], origin: str, text: str
) -> None:
    endpoint = daemon_endpoint(address, None, environment, None)
    assert (endpoint.origin, str(endpoint.address), endpoint.tls) == (origin, text, None)


def test_a_command_of_the_program_stays_secret() -> None:
    endpoint = daemon_endpoint(None, ["kubectl", "--token=secret"], {"BUILDKIT_HOST": "x"}, None)
    assert str(endpoint.address) == "the command 'kubectl'"
    assert "secret" not in repr(endpoint)
    assert endpoint.origin == "from command="


def test_tls_is_for_ports() -> None:
    assert daemon_endpoint("tcp://h:1", None, {}, TLS(ca="x")).tls == TLS(ca="x")
    assert daemon_endpoint(None, None, {"BUILDKIT_HOST": "tcp://h:1"}, TLS()).tls == TLS()
    for address, command in ((None, None), ("ssh://h", None), (None, ["x"])):
        with pytest.raises(ValueError, match=r"^tls is for daemons at tcp:// addresses, not for "):
            daemon_endpoint(address, command, {}, TLS())


@pytest.mark.parametrize(
    ("address", "command", "error", "message"),
    [
        ("unix:///x", ["x"], ValueError, "address= and command= both name a daemon"),
        (None, "kubectl exec", TypeError, "command must be a sequence of str: the program and its arguments"),
        (None, ["x", 1], TypeError, "command must be a sequence of str: the program and its arguments"),
        (None, [], ValueError, "command must begin with a program"),
        (None, [""], ValueError, "command must begin with a program"),
    ],
)
def test_an_invalid_command(address: Any, command: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{message}$"):
        daemon_endpoint(address, command, {}, None)
