"""Hosts of every kind, on all three clients: they connect, or an error of the library says why not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from dockerproto import ConnectionFailed, InvalidHost
from tests.conftest import Connect
from tests.testbed.scripted import ScriptedEngine, json_response

pytestmark = pytest.mark.anyio


@contextmanager
def forwarded(listener: socket.socket, engine: ScriptedEngine) -> Generator[None]:
    """Lead the first connection of a listener to an engine, for one request."""

    def serve() -> None:
        with (
            suppress(OSError),  # nobody connected
            listener.accept()[0] as client,
            socket.socket(socket.AF_UNIX) as there,
        ):
            there.connect(str(engine.socket))
            there.sendall(client.recv(65536))
            client.sendall(there.recv(65536))
            client.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    with listener:
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


async def test_an_abstract_socket(scripted: ScriptedEngine, connect: Connect) -> None:
    name = f"dockerproto-{scripted.socket.name}"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"\0{name}")
    listener.listen()
    with forwarded(listener, scripted):
        async with connect(f"unix://@{name}") as docker:
            assert (await docker.ping()).api_version == "1.41"


async def test_an_abstract_socket_that_nobody_has(connect: Connect) -> None:
    async with connect("unix://@dockerproto-none") as docker:
        with pytest.raises(ConnectionFailed, match=r"unix://@dockerproto-none .*: connection refused"):
            await docker.ping()


async def test_an_international_host_name(
    scripted: ScriptedEngine, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = socket.getaddrinfo

    def getaddrinfo(host: str, *args: Any, **kwargs: Any) -> Any:
        return resolve("127.0.0.1" if host == "xn--9ca.example" else host, *args, **kwargs)

    monkeypatch.setattr("socket.getaddrinfo", getaddrinfo)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    with forwarded(listener, scripted):
        async with connect(f"tcp://É.example:{port}") as docker:
            assert (await docker.ping()).api_version == "1.41"
    assert scripted.requests[-1].headers["host"] == f"xn--9ca.example:{port}"


async def test_a_name_that_httpx_does_not_take(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", getaddrinfo)
    async with connect("tcp://xn--zz") as docker:
        with pytest.raises(ConnectionFailed, match=r"tcp://xn--zz:2375 .*: name or service not known"):
            await docker.ping()


async def test_a_long_target(scripted: ScriptedEngine, connect: Connect) -> None:
    scripted.script("GET", "/images/json", json_response([]))
    async with connect(scripted.url) as docker:
        assert await docker.images.list(query={"x": "y" * 70_000}) == []
    assert scripted.requests[-1].query == {"x": ["y" * 70_000]}


@pytest.mark.parametrize("host", ["::1", "fd12::1", "a..b", "h."])
async def test_any_host_of_ssh(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/sh\necho "called with $*" >&2\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    async with connect(f"ssh://me@[{host}]" if ":" in host else f"ssh://me@{host}") as docker:
        with pytest.raises(ConnectionFailed, match=f"called with .* -- {host} docker system dial-stdio"):
            await docker.ping()


async def test_the_reason_of_a_failed_connection(connect: Connect, refusing_port: int) -> None:
    for name in ("127.0.0.1", "localhost"):
        async with connect(f"tcp://{name}:{refusing_port}") as docker:
            with pytest.raises(
                ConnectionFailed,
                match=f"cannot connect to tcp://{name}:{refusing_port} .*: connection refused",
            ):
                await docker.ping()


async def test_a_name_without_an_address(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", getaddrinfo)
    async with connect("tcp://engine.test") as docker:
        with pytest.raises(ConnectionFailed, match=r"tcp://engine\.test:2375 .*: name or service not known"):
            await docker.ping()


@pytest.mark.parametrize(
    "host", ["a..b", "a" * 64, ".a", "é..b", "[::1%25lo]", "[::a..b]", "ß", "TCP://h", "a\uff1a1"], ids=repr
)
def test_a_host_that_no_resolver_takes(connect: Connect, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    url = host if "://" in host else f"tcp://{host}"
    monkeypatch.setenv("DOCKER_HOST", url)
    for arguments in ((), (url,)):
        with pytest.raises(InvalidHost, match="invalid engine address"):
            connect(*arguments)
