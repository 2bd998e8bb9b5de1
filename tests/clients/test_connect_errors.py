"""Failed connections: the address, its origin, the reason, and what a person may do about it."""

from __future__ import annotations

import errno
import gc
import json
import re
import socket
import socketserver
import ssl
import threading
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest

import dockerproto_httpx
from dockerproto import (
    TLS,
    BadRequest,
    ConnectionFailed,
    DockerError,
    NotFound,
    ProtocolViolated,
    ServerError,
    TimedOut,
    Timeout,
    Unauthorized,
)
from dockerproto.endpoint.addresses import SSH, TCP, Address, Command, Endpoint, NamedPipe, UnixSocket
from dockerproto.endpoint.contexts import meta_path
from dockerproto.http.connecting import Target
from tests.conftest import Connect
from tests.support.facade import Transport
from tests.testbed.scripted import (
    Close,
    ScriptedEngine,
    Step,
    UntilClosed,
    chunk,
    json_response,
    response,
    stream_head,
    wait_until,
)

pytestmark = pytest.mark.anyio

DAEMON_IS_RUNNING = "is buildkitd running?"
ENGINE_IS_RUNNING = "is the engine running?"
IN_THE_GROUP = "is this user in the group `docker`?"
USES_TLS = "does this port use TLS?"


async def until(predicate: Callable[[], object]) -> None:
    await anyio.to_thread.run_sync(wait_until, predicate)


@contextmanager
def answering(reply: bytes) -> Generator[int]:
    """Serve a port that sends the same bytes to everybody who has said something."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)
            self.request.sendall(reply)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


REASONS: list[tuple[Address, OSError, str]] = [
    (
        UnixSocket("/x"),
        FileNotFoundError(errno.ENOENT, "No such file or directory"),
        f"no such file or directory; {ENGINE_IS_RUNNING}",
    ),
    (
        UnixSocket("/x"),
        ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"),
        f"connection refused; {ENGINE_IS_RUNNING}",
    ),
    (
        UnixSocket("/x"),
        PermissionError(errno.EACCES, "Permission denied"),
        f"permission denied; {IN_THE_GROUP}",
    ),
    (
        UnixSocket("/x"),
        PermissionError(errno.EPERM, "Operation not permitted"),
        f"operation not permitted; {IN_THE_GROUP}",
    ),
    (UnixSocket("/x"), OSError("AF_UNIX path too long"), "AF_UNIX path too long"),
    (
        UnixSocket("/x"),
        NotADirectoryError(errno.ENOTDIR, "Not a directory", "/x"),
        "[Errno 20] Not a directory: '/x'",
    ),
    (
        TCP("h", 1),
        ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)"),
        f"connection refused; {ENGINE_IS_RUNNING}",
    ),
    (TCP("h", 1), OSError(errno.EHOSTUNREACH, "No route to host"), "no route to host"),
    (TCP("h", 1), PermissionError(errno.EACCES, "Permission denied"), "permission denied"),
    (TCP("h", 1), OSError(), "OSError"),
    (
        SSH("h"),
        FileNotFoundError(errno.ENOENT, "No such file", "ssh"),
        "the program ssh is missing; is OpenSSH installed?",
    ),
    (SSH("h"), ConnectionRefusedError("Host key verification failed."), "Host key verification failed."),
    (
        NamedPipe("//./pipe/x"),
        OSError("named pipes exist on Windows only"),
        "named pipes exist on Windows only",
    ),
]


REASONS_ON_DAEMONS: list[tuple[Address, OSError, str]] = [
    (
        UnixSocket("/x"),
        PermissionError(errno.EACCES, "Permission denied"),
        "permission denied; may this user use the socket?",
    ),
    (
        TCP("h", 1),
        ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"),
        f"connection refused; {DAEMON_IS_RUNNING}",
    ),
    (
        TCP("h", 1),
        ssl.SSLError(1, "[SSL] tlsv1 alert no application protocol (_ssl.c:1006)"),
        "the server refuses HTTP/2; is it a BuildKit daemon?",
    ),
    (
        TCP("h", 1),
        ConnectionRefusedError("[SSL: X] tlsv13 alert certificate required (_ssl.c:2580)"),
        "the daemon requires a certificate of the client; pass tls=TLS(certificate=..., key=...)",
    ),
    (
        Command(("/x/kubectl", "exec"), "kube-pod://b"),
        FileNotFoundError(errno.ENOENT, "No such file", "/x/kubectl"),
        "the program /x/kubectl is missing; is it installed, and in PATH?",
    ),
]


@pytest.mark.parametrize(("address", "error", "reason"), REASONS_ON_DAEMONS)
def test_the_reason_and_the_advice_on_daemons(address: Address, error: OSError, reason: str) -> None:
    target = Target(address, "from BUILDKIT_HOST", daemon=True)
    assert target.error(error).message == f"cannot connect to {address} (from BUILDKIT_HOST): {reason}"


@pytest.mark.parametrize(("address", "error", "reason"), REASONS)
def test_the_reason_and_the_advice(address: Address, error: OSError, reason: str) -> None:
    failed = Target(address, "from DOCKER_HOST").error(error)
    assert failed.message == f"cannot connect to {address} (from DOCKER_HOST): {reason}"
    assert failed.status == 0


@pytest.mark.parametrize(
    ("endpoint", "origin"),
    [
        (Endpoint(UnixSocket("/x"), "url="), "from url="),
        (
            Endpoint(UnixSocket("/x"), "the first standard socket that exists"),
            "the first standard socket that exists",
        ),
        (Endpoint(TCP("h", 1), "DOCKER_CONTEXT", "work"), "from Docker context 'work', DOCKER_CONTEXT"),
    ],
)
def test_an_endpoint_tells_its_origin(endpoint: Endpoint, origin: str) -> None:
    assert endpoint.origin == origin
    assert str(Target(endpoint.address, origin)) == f"{endpoint.address} ({origin})"


def test_an_address_may_have_no_origin() -> None:
    assert str(Target(UnixSocket("/x"))) == "unix:///x"


async def fails(docker: Any, message: str) -> None:
    """Check that whatever connects first fails with this message."""
    for call in (docker.images.list, docker.images.pull("busybox", stream=True).rest, docker.ping):
        with pytest.raises(ConnectionFailed) as raised:
            await call()
        assert raised.value.message == message
        assert isinstance(raised.value.__cause__, OSError)


async def test_no_socket(connect: Connect, tmp_path: Path) -> None:
    url = f"unix://{tmp_path}/none.sock"
    async with connect(url) as docker:
        await fails(
            docker, f"cannot connect to {url} (from url=): no such file or directory; {ENGINE_IS_RUNNING}"
        )


async def test_a_socket_without_an_engine(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    async with connect() as docker:
        await fails(
            docker,
            f"cannot connect to unix://{path} (from DOCKER_HOST): connection refused; {ENGINE_IS_RUNNING}",
        )


async def test_a_socket_of_other_users(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deny(*_: object) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("dockerproto_local.stream._try_connect", deny)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    meta = tmp_path / meta_path("work")
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"Endpoints": {"docker": {"Host": "unix:///x"}}}))
    (tmp_path / "config.json").write_text('{"currentContext": "work"}')
    async with connect() as docker:
        origin = "from Docker context 'work', currentContext of config.json"
        await fails(docker, f"cannot connect to unix:///x ({origin}): permission denied; {IN_THE_GROUP}")


async def test_a_port_without_an_engine(connect: Connect, refusing_port: int) -> None:
    url = f"tcp://127.0.0.1:{refusing_port}"
    async with connect(url) as docker:
        await fails(docker, f"cannot connect to {url} (from url=): connection refused; {ENGINE_IS_RUNNING}")


async def test_a_port_without_tls(connect: Connect) -> None:
    with answering(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n") as port:
        url = f"tcp://127.0.0.1:{port}"
        async with connect(url, tls=TLS(verify=False)) as docker:
            await fails(docker, f"cannot connect to {url} (from url=): the response is not TLS; {USES_TLS}")


async def test_a_port_that_closes_instead_of_tls(connect: Connect) -> None:
    with answering(b"") as port:
        url = f"tcp://127.0.0.1:{port}"
        async with connect(url, tls=TLS(verify=False)) as docker:
            await fails(
                docker, f"cannot connect to {url} (from url=): closed during the TLS handshake; {USES_TLS}"
            )


async def test_ssh_that_cannot_log_in(
    connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/sh\necho "me@host: Permission denied (publickey)." >&2\nexit 255\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    async with connect("ssh://me@host") as docker:
        await fails(
            docker,
            "cannot connect to ssh://me@host (from url=): me@host: Permission denied (publickey).",
        )


async def test_no_ssh(connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    async with connect("ssh://me@host") as docker:
        reason = "the program ssh is missing; is OpenSSH installed?"
        await fails(docker, f"cannot connect to ssh://me@host (from url=): {reason}")


async def test_a_connection_that_takes_too_long(connect: Connect, tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as full, socket.socket(socket.AF_UNIX) as waiting:
        full.bind(str(path))
        full.listen(0)
        waiting.connect(str(path))
        async with connect(f"unix://{path}") as docker:
            with pytest.raises(TimedOut) as raised:
                await docker.images.list(timeout=Timeout(connect=0.05))
    assert raised.value.message == (
        f"cannot connect to unix://{path} (from url=): no progress for 0.05 s (connect)"
    )


HTML = {"Content-Type": "text/html", "Server": "nginx"}
OTHERS: dict[str, tuple[list[Step], str]] = {
    "a web server": ([response(200, b"<html>", HTML)], "its response to a ping has no API version"),
    "a web server without the page": ([response(404, b"<html>", HTML)], "[404] <html>"),
    "a web server that redirects": ([response(302, b"", HTML)], "[302] a redirect, which is not followed"),
    "a server without GET": ([response(405, b"no", HTML)], "[405] no"),
    "an ssh server": ([b"SSH-2.0-OpenSSH_9.2p1\r\n", UntilClosed()], "SSH-2.0-OpenSSH_9.2p1"),
    "a mail server": ([b"220 mail.example ESMTP\r\n", UntilClosed()], "invalid HTTP response"),
    "a TLS server": ([b"\x15\x03\x01\x00\x02\x02\x46", Close()], USES_TLS),
}


@pytest.mark.parametrize("other", OTHERS)
async def test_what_is_no_engine(scripted: ScriptedEngine, connect: Connect, other: str) -> None:
    reply, reason = OTHERS[other]
    scripted.script("GET", "/_ping", reply)
    async with connect(scripted.url) as docker:
        start = f"{scripted.url} (from url=) is not a Docker Engine: "
        for call in (docker.ping, docker.images.list, docker.images.pull("busybox", stream=True).rest):
            with pytest.raises(ProtocolViolated, match=f"^{re.escape(start)}") as raised:
                await call()
            assert reason in raised.value.message
            assert len(raised.value.message) < len(start) + 250


WITH_TLS: dict[str, list[Step]] = {
    "Go": [b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n", Close()],
    "nginx": [response(400, b"<h1>The plain HTTP request was sent to HTTPS port</h1>", HTML)],
}


@pytest.mark.parametrize("server", WITH_TLS)
async def test_what_wants_tls(scripted: ScriptedEngine, connect: Connect, server: str) -> None:
    scripted.script("GET", "/_ping", WITH_TLS[server])
    async with connect(scripted.url) as docker:
        for call in (docker.ping, docker.images.list):
            with pytest.raises(BadRequest) as raised:
                await call()
            assert raised.value.message.startswith(f"{scripted.url} (from url=) uses TLS: ")
            assert raised.value.message.endswith("; pass tls= or an https:// address")


IN_FRONT: dict[str, tuple[bytes, type[DockerError]]] = {
    "a proxy that asks who it is": (json_response({"message": "log in"}, 401), Unauthorized),
    "a proxy without its engine": (response(502, b"bad gateway", HTML), ServerError),
    "an engine without the path": (response(404, b"page not found", {"Api-Version": "1.41"}), NotFound),
}


@pytest.mark.parametrize("case", IN_FRONT)
async def test_what_may_be_an_engine(scripted: ScriptedEngine, connect: Connect, case: str) -> None:
    reply, error = IN_FRONT[case]
    scripted.script("GET", "/_ping", reply)
    async with connect(scripted.url) as docker:
        with pytest.raises(error, match=r"^\[\d+\] "):
            await docker.ping()


async def test_a_proxy_may_ping_for_a_known_version(scripted: ScriptedEngine, connect: Connect) -> None:
    scripted.script("GET", "/_ping", response(200, b"OK", HTML))
    scripted.script("POST", "/images/create", json_response({"status": "done"}))
    async with connect(scripted.url, api_version="1.41") as docker:
        assert await docker.images.pull("busybox", tag="") == [{"status": "done"}]
        with pytest.raises(ProtocolViolated, match="not a Docker Engine"):
            await docker.ping()


async def test_a_client_that_is_never_closed_names_itself(
    scripted: ScriptedEngine, connect: Connect, transport: Transport
) -> None:
    docker = connect(scripted.url)
    await docker.ping()
    name = re.escape(f"unclosed <Docker at {scripted.url} ({transport})>")
    with pytest.warns(ResourceWarning, match=f"^{name}$") as warned:
        del docker
        await until(lambda: gc.collect() >= 0 and len(warned))
    await until(lambda: scripted.connections_open == 0)


async def test_a_client_without_connections_need_not_be_closed(connect: Connect, tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        connect("unix:///x")
        docker = connect(f"unix://{tmp_path}/none.sock")
        with pytest.raises(ConnectionFailed):
            await docker.ping()
        del docker
        gc.collect()
    assert not warned


async def test_a_stream_keeps_its_client(scripted: ScriptedEngine, connect: Connect) -> None:
    scripted.script("POST", "/images/create", [stream_head(), chunk(b'{"status":"a"}\n'), UntilClosed()])
    docker = connect(scripted.url)
    stream = docker.images.pull("busybox", stream=True)
    assert await anext(stream) == {"status": "a"}
    client = docker.client
    del docker
    gc.collect()
    assert scripted.connections_open
    client.close()


def connect_error(*, explicit: bool) -> httpx.ConnectError:
    """Make an exception as httpx does of one of the operating system's, which leaves its sockets unclosed."""
    made, cause = httpx.ConnectError("no"), FileNotFoundError(errno.ENOENT, "No such file or directory")
    if explicit:
        made.__cause__ = cause
    else:
        made.__context__ = cause
    return made


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (
            connect_error(explicit=True),
            ConnectionFailed,
            f"no such file or directory; {ENGINE_IS_RUNNING}",
        ),
        (
            connect_error(explicit=False),
            ConnectionFailed,
            f"no such file or directory; {ENGINE_IS_RUNNING}",
        ),
        (httpx.ConnectTimeout("timed out"), TimedOut, "timed out"),
        (httpx.ConnectError("no way"), ConnectionFailed, "no way"),
        (httpx.ConnectError(""), ConnectionFailed, "ConnectError"),
    ],
)
def test_errors_of_another_transport(error: Exception, kind: type[DockerError], reason: str) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    other = httpx.MockTransport(fail)
    with dockerproto_httpx.Docker("unix:///x", transport=other) as docker, pytest.raises(kind) as raised:
        docker.ping()
    assert raised.value.message == f"cannot connect to unix:///x (from url=): {reason}"
