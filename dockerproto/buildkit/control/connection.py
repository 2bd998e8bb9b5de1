"""A connection to the Control API: moves the bytes of its calls.

The task that waits for a reply moves them. While nobody reads the messages of a build, the engine must wait,
as it does with ``POST /build``.
"""

from __future__ import annotations

from typing import Final

from dockerproto.buildkit.control.calls import Call, Calls
from dockerproto.buildkit.session.coordinator import switch
from dockerproto.engine import Engine
from dockerproto.http.connection import Connection, Connections
from dockerproto.request.build import SolveBuild
from dockerproto.request.dialect import Dialect
from dockerproto.request.request import Request
from dockerproto.timeouts import Timer
from dockerproto.versions import Version

_DEPRECATED: Final = Version(1, 53)
"""API version that deprecated ``POST /grpc``; API 1.55 still serves it."""
_HANDSHAKE: Final = Request(
    method=SolveBuild.method,
    path=SolveBuild.path,
    headers=(("Connection", "Upgrade"), ("Upgrade", "h2c")),
    since=Version(1, 39),
    deprecated=_DEPRECATED,
)


class ControlConnection:
    """A connection to the Control API.

    Raises:
        ProtocolViolated: The bytes that came with the response to the handshake are invalid HTTP/2.
    """

    def __init__(self, connection: Connection, owner: Connections) -> None:
        self.calls: Final = Calls()
        """Calls on the connection."""
        self._connection = connection
        self._owner = owner
        _, received = connection.detach()
        if received:
            self.calls.feed(received)

    async def send(self, timer: Timer) -> None:
        """Send what there is to send; while that must wait for the engine, receive. Raises as `move`."""
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
        self._owner.check(self._connection)
        await self.send(timer)
        self.calls.feed(await self._connection.receive_switched(timer))

    async def reply(self, call: Call, timer: Timer) -> bytes:
        """Return the reply to a unary call. Raises as `move`, and ServerError for a call that failed."""
        while call.ended is None:
            await self.move(timer)
        return self.calls.reply(call)

    def close(self) -> None:
        """Close the connection at once, which stops the engine; closing again has no effect."""
        self._connection.close()


async def open_control(engine: Engine, dialect: Dialect, timer: Timer) -> ControlConnection:
    """Return a new connection to the Control API of an engine.

    Raises:
        DockerError: The engine cannot be connected to, or rejects the request.
        UnsupportedVersion: The engine has no such API.
    """
    refusal = "this engine has no Control API of BuildKit"
    connection = await switch(engine, _HANDSHAKE, dialect, timer, refusal)
    try:
        return ControlConnection(connection, engine.connections)
    except BaseException:
        connection.close()
        raise
