"""A connection to the Control API: moves the bytes of its calls.

The task that waits for a reply moves them. While nobody reads the messages of a build, the engine must wait,
as it does with ``POST /build``. Once the connection carries a session too, the task that serves the session
moves all bytes, and notifies the one that waits for a reply.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from dockerproto.buildkit.control.calls import Call, Calls
from dockerproto.buildkit.control.tunnel import Tunnel
from dockerproto.buildkit.control.ways import Way, control_ways
from dockerproto.buildkit.session.coordinator import NO_SESSIONS, UPGRADE, switch
from dockerproto.buildkit.session.serving import Link
from dockerproto.engine import Engine
from dockerproto.errors import ConnectionFailed, DockerError, ProtocolViolated
from dockerproto.http.connection import Connection, Connections
from dockerproto.http.log import LOG
from dockerproto.request.build import SolveBuild
from dockerproto.request.buildkit_access import ON_THIS_MACHINE, CallHeaders
from dockerproto.request.dialect import Dialect
from dockerproto.request.request import Request
from dockerproto.timeouts import Timer
from dockerproto.transport.runtime import Signal
from dockerproto.versions import Version

_DEPRECATED: Final = Version(1, 53)
"""API version that deprecated ``POST /grpc``; API 1.55 still serves it."""
_HANDSHAKE: Final = Request(
    method=SolveBuild.method,
    path=SolveBuild.path,
    headers=UPGRADE,
    since=Version(1, 39),
    deprecated=_DEPRECATED,
)
_NO_CONTROL: Final = "this engine has no Control API of BuildKit"


class HTTP2Refused(Exception):
    """A server does not speak HTTP/2; never raised out of the library.

    Args:
        reason: The first error on the connection.
    """

    def __init__(self, reason: DockerError) -> None:
        super().__init__(reason.message)
        self.reason: Final = reason
        """The first error on the connection."""


class ControlConnection:
    """A connection to the Control API.

    Args:
        connections: The connections to the server, of which this is one.
        connection: The connection, on which HTTP/2 is spoken from now on.
        headers: Headers of every call.

    Raises:
        ProtocolViolated: The bytes that came with the response to the handshake are invalid HTTP/2.
    """

    def __init__(
        self, connections: Connections, connection: Connection, headers: CallHeaders = ON_THIS_MACHINE
    ) -> None:
        self.calls: Final = Calls(connections.transport.mutex(), headers, connections.target.peer)
        """Calls on the connection."""
        self._connections = connections
        self._connection = connection
        self._stream, received = connection.detach()
        self._tunnel: tuple[Tunnel, Signal] | None = None
        if received:
            self.calls.feed(received)

    async def greet(self, timer: Timer) -> None:
        """Begin to speak HTTP/2.

        Raises:
            HTTP2Refused: The server speaks another protocol, or hangs up.
            TimedOut: It says nothing within a limit of the timer.
        """
        try:
            while not self.calls.started:
                await self.move(timer)
        except (ConnectionFailed, ProtocolViolated) as error:
            if self.calls.started:
                raise
            raise HTTP2Refused(error) from error

    def open_tunnel(self, metadata: Iterable[tuple[str, str]]) -> Link:
        """Start a session in this connection, and return it; whoever serves it moves the bytes of both."""
        news = self._connections.transport.signal()
        tunnel = Tunnel(self.calls, metadata, news.set)
        self._tunnel = tunnel, news
        return Link(self._connection, tunnel)

    async def send(self, timer: Timer) -> None:
        """Send what there is to send; while that must wait for the engine, receive. Raises as `move`."""
        if self._tunnel is not None:
            self._stream.wake()
            return
        data = memoryview(self.calls.data_to_send())
        while data := await self._connection.send_switched(data, timer):
            self.calls.feed(await self._connection.receive_switched(timer))

    async def move(self, timer: Timer) -> None:
        """Send what there is to send, then wait for bytes of the engine, and pass them to the calls.

        Raises:
            ClientClosed: The caller runs in another event loop or process than the one that opened it.
            ConnectionFailed: The connection broke, or the engine closed it.
            ProtocolViolated: The engine does not follow the protocol.
            TimedOut: A limit of the timer passed.
        """
        self._connections.check(self._connection)
        await self.send(timer)
        if self._tunnel is not None:
            await _wait(*self._tunnel, timer)
        else:
            self.calls.feed(await self._connection.receive_switched(timer))

    async def reply(self, call: Call, timer: Timer) -> bytes:
        """Return the reply to a unary call. Raises as `move`, and ServerError for a call that failed."""
        while call.ended is None:
            await self.move(timer)
        return self.calls.reply(call)

    def close(self) -> None:
        """Close the connection at once, which stops the engine; closing again has no effect."""
        if self._tunnel is not None:
            self._tunnel[0].closed = True  # first, as the session may be served in another thread
        self._connection.close()


async def _wait(tunnel: Tunnel, news: Signal, timer: Timer) -> None:
    """Wait until something came for a call other than the session."""
    if not tunnel.closed:
        limit = timer.left("idle")
        try:
            await news.wait(limit)
        except TimeoutError as error:
            raise timer.timeout_error("idle") from error
    if tunnel.closed:
        raise ConnectionFailed(0, "the connection of the build is closed")


async def open_control(engine: Engine, dialect: Dialect, timer: Timer) -> ControlConnection:
    """Return a new connection to the Control API of an engine.

    Raises:
        DockerError: The engine cannot be connected to, or rejects the request.
        UnsupportedVersion: The engine has no such API.
    """
    if Way.HTTP2 in control_ways(engine.buildkit, dialect.version):
        connections = engine.connections
        connection = await connections.open_new(timer)
        try:
            return await open_http2(connections, connection, engine.buildkit.headers, timer)
        except HTTP2Refused as refused:
            LOG.debug("HTTP/2 with prior knowledge is refused: %s", refused)
        engine.buildkit.refuses_http2 = True
    return await _open_upgraded(engine, dialect, timer)


async def open_http2(
    connections: Connections, connection: Connection, headers: CallHeaders, timer: Timer
) -> ControlConnection:
    """Return a new connection as one to the Control API, by HTTP/2 with prior knowledge; close it otherwise.

    Args:
        connections: The connections to the server.
        connection: The new one.
        headers: Headers of every call.
        timer: Limits of the wait for the server's first bytes.

    Raises:
        HTTP2Refused: The server does not speak HTTP/2.
        TimedOut: It says nothing within a limit of the timer.
    """
    try:
        control = ControlConnection(connections, connection, headers)
        await control.greet(timer)
    except BaseException:
        connection.close()
        raise
    return control


async def _open_upgraded(engine: Engine, dialect: Dialect, timer: Timer) -> ControlConnection:
    refusal = _NO_CONTROL if engine.buildkit.has_sessions else NO_SESSIONS
    connection = await switch(engine, _HANDSHAKE, dialect, timer, refusal)
    try:
        return ControlConnection(engine.connections, connection)
    except BaseException:
        connection.close()
        raise
