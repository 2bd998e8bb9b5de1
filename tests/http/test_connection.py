"""A connection without a transport: when one is too old, and when sending fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest

from dockerproto import ClientClosed, ConnectionFailed, Timeout, UnixSocket
from dockerproto.endpoint.addresses import Address
from dockerproto.http.connecting import Target
from dockerproto.http.connection import Connection, Connections
from dockerproto.http.http11 import WireRequest
from dockerproto.http.pool import Pool
from dockerproto.timeouts import Timer
from dockerproto.transport.chunks import Chunk
from dockerproto.transport.runtime import Lock, run
from dockerproto.transport.streams import ByteStream
from dockerproto.transport.transport import Transport

TARGET = Target(UnixSocket("/x"))

T = TypeVar("T")

PART = bytes(20)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
REJECTION = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{}"
PING = WireRequest("GET", "/_ping", [("Host", "docker")])
DELETE = WireRequest("DELETE", "/images/x", [("Host", "docker")])


class FakeStream(ByteStream):
    """A connection that responds to every request with the same bytes, if it can be sent."""

    def __init__(self) -> None:
        self.broken = False
        self.closed = False
        self.taken = 0
        self.room: int | None = None
        """Bytes to receive before it responds; None: all, and it responds on request."""
        self.early = b""
        """Its response when it has no more room."""
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

    def close(self) -> None:
        self.closed = True


class FakeTransport(Transport):
    """A transport with a clock of its own."""

    def __init__(self) -> None:
        self.time = 0.0
        self.streams: list[FakeStream] = []

    async def connect(self, address: Address, timeout: float | None) -> FakeStream:
        self.streams.append(FakeStream())
        return self.streams[-1]

    async def in_thread(self, function: Callable[[], T]) -> T:
        raise NotImplementedError

    def lock(self) -> Lock:
        raise NotImplementedError

    def now(self) -> float:
        return self.time


class Parts:
    """A body of three parts."""

    def __init__(self) -> None:
        self._parts = [PART] * 3

    async def next(self) -> bytes:
        return self._parts.pop() if self._parts else b""

    async def close(self) -> None:
        raise NotImplementedError


def exchange(connections: Connections, transport: FakeTransport, message: WireRequest) -> None:
    response = run(connections.send(message, Timer(Timeout(), transport.now)))
    assert run(response.receive()) == b""


@pytest.fixture
def transport() -> FakeTransport:
    return FakeTransport()


@pytest.fixture
def connections(transport: FakeTransport) -> Connections:
    return Connections(transport, UnixSocket("/x"))


@pytest.mark.parametrize(("seconds", "opened"), [(59, 1), (61, 2)])
def test_an_idle_connection_is_kept_for_a_minute(
    transport: FakeTransport, connections: Connections, seconds: float, opened: int
) -> None:
    exchange(connections, transport, PING)
    transport.time += seconds
    exchange(connections, transport, PING)
    assert len(transport.streams) == opened
    assert [stream.closed for stream in transport.streams] == [True, False][-opened:]


def test_what_could_not_be_sent_is_sent_again_if_it_may(
    transport: FakeTransport, connections: Connections
) -> None:
    exchange(connections, transport, PING)
    transport.streams[0].broken = True
    exchange(connections, transport, PING)
    assert [stream.closed for stream in transport.streams] == [True, False]
    transport.streams[1].broken = True
    with pytest.raises(ConnectionFailed, match="gone"):
        exchange(connections, transport, DELETE)
    assert transport.streams[1].closed


def test_one_that_the_engine_has_closed_is_not_taken(
    transport: FakeTransport, connections: Connections
) -> None:
    exchange(connections, transport, PING)
    transport.streams[0].ended = True
    exchange(connections, transport, DELETE)
    assert [stream.closed for stream in transport.streams] == [True, False]


def test_an_engine_that_rejects_an_upload_gets_no_more_of_it(transport: FakeTransport) -> None:
    def post(stream: FakeStream) -> int:
        upload = WireRequest("POST", "/images/load", [("Host", "docker")], Parts())
        connection = Connection(stream, TARGET, Pool[Connection]())
        return run(connection.request(upload, Timer(Timeout(), transport.now))).status

    whole = FakeStream()
    assert post(whole) == 200
    body = 3 * len(b"14\r\n" + PART + b"\r\n") + len(b"0\r\n\r\n")
    for room in range(whole.taken - body, whole.taken):
        rejecting = FakeStream()
        rejecting.room, rejecting.early = room, REJECTION
        assert (post(rejecting), rejecting.taken) == (400, room)


def test_a_connection_that_is_lost_closes_itself(transport: FakeTransport, connections: Connections) -> None:
    timer = Timer(Timeout(), transport.now)
    response = run(connections.send(PING, timer))
    assert not transport.streams[0].closed
    del response
    assert transport.streams[0].closed
    Connection.__new__(Connection)  # an interrupt came before it had a stream


def test_a_response_gives_its_connection_away_once(
    transport: FakeTransport, connections: Connections
) -> None:
    timer = Timer(Timeout(), transport.now)
    response = run(connections.send(PING, timer))
    assert [run(response.receive()) for _ in range(2)] == [b"", b""]
    response.close()
    with pytest.raises(ClientClosed, match="read to its end"):
        response.detach()
    assert not transport.streams[0].closed
    exchange(connections, transport, PING)
    assert len(transport.streams) == 1
    detached = run(connections.send(PING, timer)).detach()
    assert not transport.streams[0].closed
    detached.close()
