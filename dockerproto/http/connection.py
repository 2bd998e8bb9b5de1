"""Exchanges over connections: an `Exchange` and a byte stream, and the pool of them.

Whatever goes wrong closes the connection; only one whose exchange ended properly is used again.
OSError and TimeoutError of the byte streams become the library's own errors here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

from dockerproto.endpoint.addresses import Address
from dockerproto.errors import ClientClosed, ConnectionFailed, DockerError, ProtocolViolated
from dockerproto.http.http11 import Exchange, Head, Upload, WireRequest
from dockerproto.http.log import LOG
from dockerproto.http.pool import Pool
from dockerproto.timeouts import Phase, Timer
from dockerproto.transport.chunks import Buffer, Chunk, FileRange
from dockerproto.transport.streams import ByteStream
from dockerproto.transport.transport import Transport

AHEAD_LIMIT: Final = 16 * 2**20
"""How much of an answer is kept until its request is sent, in bytes."""


class Connection:
    """One connection to the engine."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream: Final = stream
        self._exchange: Final = Exchange()
        self._head: Head | None = None
        self._ahead = 0
        self._requests = 0
        self._closed = False

    async def request(self, message: WireRequest, timer: Timer) -> Head:
        """Send a request, and return the head of its answer."""
        self._ahead = 0
        self._requests += 1
        try:
            await self._send(self._exchange.start(message), timer)
            if message.upload is not None:
                await self._send_body(message.upload, timer)
        except ConnectionFailed:
            # An engine that refuses in the middle of an upload answers, then resets the connection.
            if message.upload is None:
                raise
        timer.mark()
        while self._head is None:
            self._exchange.feed(await self._receive(timer, "response"))
            self._head = self._exchange.head()
        head, self._head = self._head, None
        return head

    async def receive(self, timer: Timer) -> bytes:
        """Return the next bytes of the body, b"" at its end."""
        while (data := self._exchange.body()) is None:
            self._exchange.feed(await self._receive(timer, "idle"))
        return data

    def switched(self) -> tuple[ByteStream, bytes]:
        """Return the stream of a connection that was turned over to another protocol, and what came."""
        return self._stream, self._exchange.beyond

    @property
    def untouched(self) -> bool:
        """Whether no byte of an answer to the last request has come."""
        return self._exchange.untouched

    @property
    def reused(self) -> bool:
        """True if the connection had another request before the last one."""
        return self._requests > 1

    @property
    def finished(self) -> bool:
        """Whether the last exchange ended properly, so that another may follow."""
        return self._exchange.reusable

    def readable(self) -> Awaitable[bool]:
        """Whether something came after the answer, if only the end."""
        return self._stream.readable()

    @property
    def lost(self) -> bool:
        """Whether the engine has closed it, however much of what came before is still unread."""
        return not self._closed and self._stream.hung_up()

    def close(self) -> None:
        """Close the connection, at once."""
        self._closed = True
        self._stream.close()

    async def _send_body(self, upload: Upload, timer: Timer) -> None:
        """Send the body, unless the engine refuses before its end."""
        while data := await upload.next():
            if not await self._wanted(timer):
                return
            for piece in self._exchange.chunk(data):
                if not await self._send(piece, timer):
                    return
        await self._send(self._exchange.finish(), timer)

    async def _send(self, data: Chunk, timer: Timer) -> bool:
        """Send data, and return whether the engine still wants more; what it says meanwhile is read.

        Engines from 29.5 on may answer while they read: one that is not heard would not read on.
        """
        rest = data if isinstance(data, FileRange) else memoryview(data)
        while rest:
            limit = timer.left("idle")
            try:
                rest = rest[await self._stream.send(rest, limit) :]
            except OSError as error:
                raise _failure(error, timer, "idle") from error
            if rest and not await self._wanted(timer):
                return False
        return True

    async def _wanted(self, timer: Timer) -> bool:
        """Read what the engine says already, and return whether it wants the rest of the body."""
        while await self._stream.readable():
            data = await self._receive(timer, "idle")
            self._ahead += len(data)
            if self._ahead > AHEAD_LIMIT:
                raise ProtocolViolated(0, f"{AHEAD_LIMIT} bytes of an answer before the request was read")
            self._exchange.feed(data)
            self._head = self._head or self._exchange.head()
            if not data or (self._head is not None and self._head.refused):
                return False
        return True

    async def _receive(self, timer: Timer, phase: Phase) -> Buffer:
        limit = timer.left(phase)
        try:
            return await self._stream.receive(limit)
        except OSError as error:
            raise _failure(error, timer, phase) from error


class HTTPResponse:
    """An answer whose head has arrived."""

    def __init__(self, connection: Connection, head: Head, timer: Timer, owner: Connections) -> None:
        self.connection: Final = connection
        """Connection that it arrives on."""
        self._owner: Final = owner
        self._timer: Final = timer
        self._done = False
        self.head: Head = head
        """Status and headers."""

    @property
    def reused(self) -> bool:
        """True if an earlier request used the connection, False for a new one."""
        return self.connection.reused

    async def receive(self) -> bytes:
        """Return the next bytes of the body, b"" at its end; not to be called after that."""
        try:
            data = await self.connection.receive(self._timer)
        except BaseException:
            self.close()
            raise
        if not data:
            self._done = True
            self._owner.give(self.connection)
        return data

    def close(self) -> None:
        """Close the connection at once, unless the answer was read to its end."""
        if not self._done:
            self._done = True
            self._owner.drop(self.connection)

    async def settle(self) -> None:
        """Do nothing: nothing was started for it."""

    @property
    def cause(self) -> None:
        """Nothing: what the engine does for it, it does alone."""


class Connections:
    """The connections to one address."""

    def __init__(self, network: Transport, address: Address) -> None:
        self._network: Final = network
        self._address: Final = address
        self._pool: Final = Pool[Connection]()
        self._open: Final = set[Connection]()

    async def send(self, message: WireRequest, timer: Timer) -> HTTPResponse:
        """Send a message, and return its answer.

        A message that may be repeated is sent again, once and on a fresh connection, if the engine
        closed the idle one that it was sent on.
        """
        idle = await self._take()
        if idle is not None:
            try:
                return await self._exchange(idle, message, timer)
            except ConnectionFailed:
                if not (message.repeatable and idle.untouched):
                    raise
                path, _, _ = message.target.partition("?")
                LOG.debug("%s %s: sent again, as the kept connection was closed", message.method, path)
        return await self._exchange(await self._connect(timer), message, timer)

    async def open(self, timer: Timer) -> Connection:
        """Return a connection that is the caller's until it gives it back or drops it."""
        return await self._take() or await self._connect(timer)

    def give(self, connection: Connection) -> None:
        """Take back a connection whose answer has been read."""
        if not (connection.finished and self._pool.give(connection, self._network.now())):
            self.drop(connection)

    def drop(self, connection: Connection) -> None:
        """Close a connection."""
        self._open.discard(connection)
        connection.close()

    def close(self) -> None:
        """Close all connections, those in use too."""
        for connection in (*self._pool.close(), *self._open.copy()):
            self.drop(connection)

    async def _exchange(self, connection: Connection, message: WireRequest, timer: Timer) -> HTTPResponse:
        try:
            head = await connection.request(message, timer)
        except BaseException:
            self.drop(connection)
            raise
        return HTTPResponse(connection, head, timer, self)

    async def _take(self) -> Connection | None:
        for expired in self._pool.expired(self._network.now()):
            self.drop(expired)
        while (connection := self._pool.take()) is not None:
            if not await connection.readable():
                return connection
            self.drop(connection)
        return None

    async def _connect(self, timer: Timer) -> Connection:
        limit = timer.left("connect")
        try:
            stream = await self._network.connect(self._address, limit)
        except OSError as error:
            raise _failure(error, timer, "connect", f"cannot connect to {self._address}") from error
        if self._pool.closed:
            stream.close()
            raise ClientClosed(0, "the client was closed")
        connection = Connection(stream)
        self._open.add(connection)
        return connection


def _failure(
    error: OSError, timer: Timer, phase: Phase, what: str = "the connection to the engine broke"
) -> DockerError:
    """Return the library's own exception for one of a byte stream."""
    if isinstance(error, TimeoutError):
        return timer.timeout_error(phase)
    return ConnectionFailed(0, f"{what}: {error}")
