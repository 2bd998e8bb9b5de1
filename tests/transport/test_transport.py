"""A transport with the required methods only: what it lacks is a clear error, and all else works."""

from __future__ import annotations

import inspect
import runpy
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from dockerproto import UnsupportedTransport
from dockerproto.docker import AsyncDocker
from dockerproto.transport.runtime import Runtime, run
from dockerproto.transport.streams import ByteStream
from dockerproto.transport.transport import Connector, Transport

REPLAY: Any = runpy.run_path(str(Path(__file__).parents[2] / "docs/examples/replay.py"))["Replay"]
PING = b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 0\r\n\r\n"
BUILT = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 35\r\n\r\n"
    b'{"stream":"Successfully built ab"}\n'
)


def test_an_author_implements_eight_methods() -> None:
    assert Transport.__abstractmethods__ == {"connect", "in_thread", "lock", "now"}
    assert Connector.__abstractmethods__ | Runtime.__abstractmethods__ == Transport.__abstractmethods__
    assert ByteStream.__abstractmethods__ == {"send", "receive", "readable", "close"}


async def nothing() -> None:
    raise NotImplementedError


def test_sessions_are_rejected() -> None:
    transport = REPLAY([])
    coroutine = nothing()
    with pytest.raises(UnsupportedTransport, match=r"^Replay has no method start\(\), which sessions need$"):
        transport.start(coroutine)
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED
    stream = run(transport.connect(None, None))
    with pytest.raises(UnsupportedTransport, match=r"^ReplayStream has no method ready\(\)"):
        run(stream.ready())
    with pytest.raises(UnsupportedTransport, match=r"^ReplayStream has no method wake\(\)"):
        stream.wake()
    assert not stream.hung_up()


Operation = Callable[[AsyncDocker], Coroutine[Any, Any, Any]]
NEED_HOST: dict[str, Operation] = {
    "an upload of a path": lambda docker: docker.images.import_image("image.tar"),
    "a directory as the build context": lambda docker: docker.images.build(path="."),
    "a build with BuildKit": lambda docker: docker.images.build(fileobj=b"", builder="buildkit"),
}


@pytest.mark.parametrize(("purpose", "operation"), NEED_HOST.items(), ids=NEED_HOST)
def test_what_needs_a_host_names_it(purpose: str, operation: Operation) -> None:
    message = f"^{purpose}: Replay is a transport without a host, which this needs$"
    docker = REPLAY([PING]).docker()
    with pytest.raises(UnsupportedTransport, match=message):
        run(operation(docker))
    run(docker.close())


def test_a_build_of_bytes_needs_no_host() -> None:
    replay = REPLAY([BUILT])
    docker = replay.docker()
    built = run(docker.images.build(fileobj=b"tar"))
    run(docker.close())
    assert [message["stream"] for message in built] == ["Successfully built ab"]
    assert b"POST /v1.41/build" in replay.sent
