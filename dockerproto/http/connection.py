"""HTTP exchanges over byte streams, and the connections of a client, with its pool of idle ones.

Any error closes the connection; a connection is reused only if its last exchange ended properly. OSError and
TimeoutError of byte streams are converted to the library's own errors here and nowhere else.

A connection has one owner at a time: the pool while it is idle, else the call or response that uses it. One
that has lost its owner, because an interrupt came at the moment when it changed hands, closes itself.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

from dockerproto.endpoint.addresses import Address
from dockerproto.errors import ClientClosed, ConnectionFailed, DockerError, ProtocolViolated
from dockerproto.http.connecting import ENGINE, Target
from dockerproto.http.http11 import Exchange, Head, Upload, WireRequest
from dockerproto.http.log import LOG
from dockerproto.http.pool import Pool
from dockerproto.http.proxying import check_credentials, forwarded
from dockerproto.timeouts import Phase, Timer
from dockerproto.transport.chunks import Buffer, Chunk, FileRange
from dockerproto.transport.scoped import Scoped
from dockerproto.transport.streams import ByteStream
from dockerproto.transport.transport import Transport

AHEAD_LIMIT: Final = 16 * 2**20
"""Limit of the response bytes that are kept while the request is still being sent."""


class Connection:
    """One connection to the engine."""

    def __init__(self, stream: ByteStream, target: Target, pool: Pool[Connection]) -> None:
        self._stream = stream
        self.pool: Final = pool
        """Pool of the scope that opened the connection."""
        self._target = target
        self._exchange = Exchange(target.peer)
        self._head: Head | None = None
        self._ahead = 0
        self._requests = 0
        self._closed = False

    async def request(self, request: WireRequest, timer: Timer) -> Head:
        """Send a request, and return the head of its response.

        Raises:
            ConnectionFailed: The connection broke.
            DockerError: The request is not valid HTTP.
            ProtocolViolated: The response is not valid HTTP, or its head is too long.
            TimedOut: A limit of the timer passed.
        """
        self._ahead = 0
        self._requests += 1
        try:
            await self._send(self._exchange.start(request), timer)
            if request.upload is not None:
                await self._send_body(request.upload, timer)
        except ConnectionFailed:
            # An engine that rejects an upload early responds first, then resets the connection.
            if request.upload is None:
                raise
        timer.mark()
        while self._head is None:
            self._exchange.feed(await self._receive(timer, "response"))
            self._head = self._exchange.head()
        head, self._head = self._head, None
        return head

    def received(self) -> bytes | None:
        """Return the bytes of the body received so far, b"" at its end, None if `receive` must wait."""
        return self._exchange.body()

    async def receive(self, timer: Timer) -> bytes:
        """Return the next bytes of the body, b"" at its end. Raises as `request`."""
        while (data := self._exchange.body()) is None:
            self._exchange.feed(await self._receive(timer, "idle"))
        return data

    def detach(self) -> tuple[ByteStream, bytes]:
        """Return the byte stream after a switch to another protocol, and the bytes received since."""
        return self._stream, self._exchange.trailing_data

    async def send_switched(self, data: memoryview, timer: Timer) -> memoryview:
        """After a switch to another protocol, send data, and return the rest, to be sent after receiving.

        Raises:
            ConnectionFailed: The connection broke.
            TimedOut: A limit of the timer passed.
        """
        limit = timer.left("idle")
        try:
            return data[await self._stream.send(data, limit) :]
        except OSError as error:
            raise self._failure(error, timer, "idle") from error

    async def receive_switched(self, timer: Timer) -> bytes:
        """After a switch to another protocol, return the next bytes. Raises as `send_switched`."""
        return bytes(await self._receive(timer, "idle"))

    @property
    def peer(self) -> str:
        """The server, as messages name it."""
        return self._target.peer

    @property
    def untouched(self) -> bool:
        """True if no byte of a response to the last request has been received."""
        return self._exchange.untouched

    @property
    def reused(self) -> bool:
        """True if the connection had another request before the last one."""
        return self._requests > 1

    @property
    def reusable(self) -> bool:
        """True if the last exchange ended properly, so that another may follow."""
        return self._exchange.reusable

    def readable(self) -> Awaitable[bool]:
        """Return, without waiting, True if bytes or the end of the connection followed the response."""
        return self._stream.readable()

    @property
    def lost(self) -> bool:
        """True if the engine has closed the connection, even if bytes are unread."""
        return not self._closed and self._stream.hung_up()

    def close(self) -> None:
        """Close the connection at once; closing it again has no effect."""
        self._closed = True
        self._stream.close()

    def __del__(self) -> None:
        stream: ByteStream | None = getattr(self, "_stream", None)
        if stream is not None:  # else an interrupt came before it had one
            stream.close()

    async def _send_body(self, upload: Upload, timer: Timer) -> None:
        """Send the body; stop if the engine rejects it before its end."""
        while data := await upload.next():
            if not await self._wants_more(timer):
                return
            for part in self._exchange.chunk(data):
                if not await self._send(part, timer):
                    return
        await self._send(self._exchange.finish(), timer)

    async def _send(self, data: Chunk, timer: Timer) -> bool:
        """Send data; return False if the engine has rejected the request.

        Engines from 29.5 on may respond while they read: unless their response is read, they stop reading.
        """
        rest = data if isinstance(data, FileRange) else memoryview(data)
        while rest:
            limit = timer.left("idle")
            try:
                rest = rest[await self._stream.send(rest, limit) :]
            except OSError as error:
                raise self._failure(error, timer, "idle") from error
            if rest and not await self._wants_more(timer):
                return False
        return True

    async def _wants_more(self, timer: Timer) -> bool:
        """Read the bytes that have arrived; return False if they reject the request or end the connection."""
        while await self._stream.readable():
            data = await self._receive(timer, "idle")
            self._ahead += len(data)
            if self._ahead > AHEAD_LIMIT:
                message = (
                    f"{self._target.peer} sent more than {AHEAD_LIMIT} bytes before the request was read"
                )
                raise ProtocolViolated(0, message)
            self._exchange.feed(data)
            self._head = self._head or self._exchange.head()
            if not data or (self._head is not None and self._head.is_error):
                return False
        return True

    async def _receive(self, timer: Timer, phase: Phase) -> Buffer:
        limit = timer.left(phase)
        try:
            return await self._stream.receive(limit)
        except OSError as error:
            raise self._failure(error, timer, phase) from error

    def _failure(self, error: OSError, timer: Timer, phase: Phase) -> DockerError:
        """Return the library's own exception for an exception of the byte stream."""
        if isinstance(error, TimeoutError):
            return timer.timeout_error(phase)
        if isinstance(error, ConnectionRefusedError):  # ssh and TLS servers refuse late
            return self._target.error(error)
        return ConnectionFailed(0, f"the connection to {self.peer} broke: {error}")


class HTTPResponse:
    """A response whose head has arrived; see `dockerproto.http.interfaces.Response`."""

    def __init__(self, connection: Connection, head: Head, timer: Timer, owner: Connections) -> None:
        self._connection: Connection | None = connection
        self._owner = owner
        self._timer = timer
        self.head: Head = head
        """Status and headers."""
        self.reused: bool = connection.reused
        """True if an earlier request used the connection, False for a new one."""

    async def receive(self) -> bytes:
        """Return the next bytes of the body, b"" at its end."""
        if (connection := self._connection) is None:
            return b""
        try:
            data = connection.received()
            if data is None:
                self._owner.check(connection)
                data = await connection.receive(self._timer)
        except BaseException:
            self.close()
            raise
        if not data:
            self._connection = None
            self._owner.give(connection)
        return data

    def detach(self) -> Connection:
        """Return the connection, which the caller closes from now on."""
        connection, self._connection = self._connection, None
        if connection is None:
            raise ClientClosed(0, "the response was read to its end")
        return connection

    def close(self) -> None:
        """Close the connection at once, unless the body was read to its end."""
        if self._connection is not None:
            self._connection.close()

    async def settle(self) -> None:
        """Do nothing: no task serves this response."""

    @property
    def cause(self) -> None:
        """None: the engine calls no service of the client for this response."""


class Connections:
    """The connections to one address, in a pool for each scope: a process and an event loop.

    The origin of the address and the name of the server, `peer`, are for messages.

    Args:
        transport: Transport that connects.
        address: The address.
        origin: Source of the address as a phrase, for messages.
        peer: Name of the server, for messages.
        daemon: True if it is a BuildKit daemon.
    """

    def __init__(
        self,
        transport: Transport,
        address: Address,
        origin: str = "",
        *,
        peer: str = ENGINE,
        daemon: bool = False,
    ) -> None:
        self.transport: Final = transport
        """Transport that connects."""
        self.used: bool = False
        """True once a connection was made."""
        self.target: Final = Target(address, origin, peer, daemon)
        """Address, origin and name of the server, for messages."""
        self._closed = False
        self._pools = Scoped(transport, self._make_pool, _close_pool)

    async def send(self, request: WireRequest, timer: Timer) -> HTTPResponse:
        """Send a request, and return its response as soon as the head has arrived.

        A GET or HEAD is sent once more, on a new connection, if the engine has closed the idle one
        that it was sent on.

        Raises:
            ClientClosed: `close` was called, or another event loop uses the connections.
            DockerError: Errors of `Connection.request`, or the connection cannot be made.
        """
        pool = self._pools.get()
        idle = await self._take(pool)
        if idle is not None:
            try:
                return await self._exchange(idle, request, timer)
            except ConnectionFailed:
                if not (request.repeatable and idle.untouched):
                    raise
                message = "%s %s: sent again, as the kept connection was closed"
                LOG.debug(message, request.method, request.path)
        return await self._exchange(await self._connect(pool, timer), request, timer)

    async def open(self, timer: Timer) -> Connection:
        """Return an idle or new connection; the caller gives it back or closes it. Raises as `send`."""
        pool = self._pools.get()
        return await self._take(pool) or await self._connect(pool, timer)

    async def open_new(self, timer: Timer) -> Connection:
        """Return a new connection, for another protocol; the caller closes it. Raises as `send`."""
        return await self._connect(self._pools.get(), timer)

    def enter_scope(self) -> None:
        """Begin a call in the process and event loop of the caller.

        Raises:
            ClientClosed: Another event loop uses the connections.
            UnsupportedTransport: The caller does not run in an event loop of the transport.
        """
        self._pools.get()

    def check(self, connection: Connection) -> None:
        """Raise ClientClosed unless a connection belongs to the scope of the caller."""
        if self._pools.get() is not connection.pool:
            raise ClientClosed(0, "a stream must be read in the process and event loop that opened it")

    def give(self, connection: Connection) -> None:
        """Keep a connection for reuse after its response has been read, or close it."""
        if not (connection.reusable and connection.pool.give(connection, self.transport.now())):
            connection.close()

    def close(self) -> None:
        """Close all connections, including those in use."""
        self._closed = True
        for pool in self._pools.values():
            _close_pool(pool)

    def retire(self) -> None:
        """Close the idle connections, and each of the others once its response is read."""
        for pool in self._pools.values():
            pool.limit = 0
            while (connection := pool.take()) is not None:
                connection.close()

    def _make_pool(self) -> Pool[Connection]:
        return Pool[Connection](closed=self._closed)

    async def _exchange(self, connection: Connection, request: WireRequest, timer: Timer) -> HTTPResponse:
        try:
            head = await connection.request(forwarded(request, self.target.address), timer)
            check_credentials(head, self.target)
        except BaseException:
            connection.close()
            raise
        return HTTPResponse(connection, head, timer, self)

    async def _take(self, pool: Pool[Connection]) -> Connection | None:
        for expired in pool.expired(self.transport.now()):
            expired.close()
        while (connection := pool.take()) is not None:
            if not await connection.readable():
                return connection
            connection.close()
        return None

    async def _connect(self, pool: Pool[Connection], timer: Timer) -> Connection:
        limit = timer.left("connect")
        try:
            stream = await self.transport.connect(self.target.address, limit)
        except TimeoutError as error:
            raise self.target.timeout_error(timer) from error
        except OSError as error:
            raise self.target.error(error) from error
        connection = Connection(stream, self.target, pool)
        self.used = True
        pool.add(connection)
        if pool.closed:  # perhaps just now, by another thread, before the pool knew the connection
            connection.close()
            raise ClientClosed(0, "the client is closed")
        return connection


def _close_pool(pool: Pool[Connection]) -> None:
    for connection in pool.close():
        connection.close()
