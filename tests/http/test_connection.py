"""A connection without a network: when one is too old, and when sending fails."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from dockerproto import ConnectionFailed, Timeout, UnixSocket
from dockerproto.buildcontext.plan import BuildContext, ContextSource
from dockerproto.endpoint.addresses import Address
from dockerproto.http.connection import Connection, Connections
from dockerproto.http.http11 import WireRequest
from dockerproto.timeouts import Timer
from dockerproto.transport.chunks import Chunk, File
from dockerproto.transport.files import Disk
from dockerproto.transport.network import Lock, Task, run

T = TypeVar("T")

PIECE = bytes(20)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
REFUSAL = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{}"
PING = WireRequest("GET", "/_ping", [("Host", "docker")])
DELETE = WireRequest("DELETE", "/images/x", [("Host", "docker")])


class FakeStream:
    """A connection that answers every request with the same bytes, if it can be sent."""

    def __init__(self) -> None:
        self.broken = False
        self.closed = False
        self.taken = 0
        self.room: int | None = None
        """How many bytes are taken before it speaks; None: all, and it speaks when it is asked."""
        self.early = b""
        """What it says when it has no more room."""
        self.ended = False

    async def send(self, data: Chunk, timeout: float | None) -> int:
        if self.broken:
            raise BrokenPipeError("gone")
        sent = len(data) if self.room is None else min(len(data), self.room - self.taken)
        self.taken += sent
        return sent

    async def receive(self, timeout: float | None) -> bytes:
        said, self.early = self.early, b""
        return said or (b"" if self.broken or self.ended else OK)

    async def readable(self) -> bool:
        return self.ended or (self.taken == self.room and bool(self.early))

    async def ready(self) -> None:
        raise NotImplementedError

    def wake(self) -> None:
        raise NotImplementedError

    def hung_up(self) -> bool:
        raise NotImplementedError

    def close(self) -> None:
        self.closed = True


class FakeNetwork:
    """A network with a clock of its own."""

    def __init__(self) -> None:
        self.time = 0.0
        self.streams: list[FakeStream] = []

    async def connect(self, address: Address, timeout: float | None) -> FakeStream:
        self.streams.append(FakeStream())
        return self.streams[-1]

    async def in_thread(self, function: Callable[[], T]) -> T:
        raise NotImplementedError

    def open_file(self, path: str | os.PathLike[str]) -> File:
        raise NotImplementedError

    def open_context(self, context: BuildContext) -> ContextSource:
        raise NotImplementedError

    def lock(self) -> Lock:
        raise NotImplementedError

    def start(self, coroutine: Coroutine[Any, Any, None], *, leave: bool = False) -> Task:
        raise NotImplementedError

    def variable(self, name: str) -> str | None:
        raise NotImplementedError

    def disk(self) -> Disk:
        raise NotImplementedError

    def unique(self) -> str:
        raise NotImplementedError

    def now(self) -> float:
        return self.time


class Pieces:
    """A body of three pieces."""

    def __init__(self) -> None:
        self._pieces = [PIECE] * 3

    async def next(self) -> bytes:
        return self._pieces.pop() if self._pieces else b""

    async def close(self) -> None:
        raise NotImplementedError


def exchange(connections: Connections, network: FakeNetwork, message: WireRequest) -> None:
    answer = run(connections.send(message, Timer(Timeout(), network.now)))
    assert run(answer.receive()) == b""


@pytest.fixture
def network() -> FakeNetwork:
    return FakeNetwork()


@pytest.fixture
def connections(network: FakeNetwork) -> Connections:
    return Connections(network, UnixSocket("/x"))


@pytest.mark.parametrize(("seconds", "opened"), [(59, 1), (61, 2)])
def test_an_idle_connection_is_kept_for_a_minute(
    network: FakeNetwork, connections: Connections, seconds: float, opened: int
) -> None:
    exchange(connections, network, PING)
    network.time += seconds
    exchange(connections, network, PING)
    assert len(network.streams) == opened
    assert [stream.closed for stream in network.streams] == [True, False][-opened:]


def test_what_could_not_be_sent_is_sent_again_if_it_may(
    network: FakeNetwork, connections: Connections
) -> None:
    exchange(connections, network, PING)
    network.streams[0].broken = True
    exchange(connections, network, PING)
    assert [stream.closed for stream in network.streams] == [True, False]
    network.streams[1].broken = True
    with pytest.raises(ConnectionFailed, match="gone"):
        exchange(connections, network, DELETE)
    assert network.streams[1].closed


def test_one_that_the_engine_has_closed_is_not_taken(network: FakeNetwork, connections: Connections) -> None:
    exchange(connections, network, PING)
    network.streams[0].ended = True
    exchange(connections, network, DELETE)
    assert [stream.closed for stream in network.streams] == [True, False]


def test_an_engine_that_refuses_gets_no_more_wherever_it_does(network: FakeNetwork) -> None:
    def post(stream: FakeStream) -> int:
        upload = WireRequest("POST", "/images/load", [("Host", "docker")], Pieces())
        return run(Connection(stream).request(upload, Timer(Timeout(), network.now))).status

    whole = FakeStream()
    assert post(whole) == 200
    body = 3 * len(b"14\r\n" + PIECE + b"\r\n") + len(b"0\r\n\r\n")
    for room in range(whole.taken - body, whole.taken):
        refusing = FakeStream()
        refusing.room, refusing.early = room, REFUSAL
        assert (post(refusing), refusing.taken) == (400, room)
