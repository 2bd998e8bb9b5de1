"""The coordinator of a BuildKit build: its request and its session, bound together.

The response of the build and the session are two connections. When one ends, the other is closed: an engine
that has lost its session may never end the response, and a session without its build is of no use.

`dockerproto.buildkit.session.serving` answers the engine's calls meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from dockerproto.buildkit.rpc.handler import Services
from dockerproto.buildkit.session.provisioning import SessionServices, prepare_services
from dockerproto.buildkit.session.serving import SessionServer
from dockerproto.credentials.source import CallCredentials
from dockerproto.engine import Engine
from dockerproto.errors import DockerError, NotFound, UnsupportedVersion
from dockerproto.http.connection import Connection, Connections, HTTPResponse
from dockerproto.http.http11 import SWITCHED, Head, WireRequest
from dockerproto.http.interfaces import Response
from dockerproto.messages.decoding import ErrorBody
from dockerproto.request.build import BuildKitBuild
from dockerproto.request.dialect import Dialect
from dockerproto.request.parameters import Parameter
from dockerproto.request.request import Request
from dockerproto.timeouts import Timer
from dockerproto.transport.local_work import Closable, LocalWork
from dockerproto.transport.runtime import Task
from dockerproto.versions import Version

_SESSIONS_DEPRECATED: Final = Version(1, 53)
"""API version that deprecated sessions over ``POST /session``; API 1.55 still serves them."""


async def build_in_session(
    engine: Engine,
    credentials: CallCredentials,
    build: BuildKitBuild,
    dialect: Dialect,
    work: LocalWork,
) -> Response:
    """Open a session, send the request of a build in it, and return its response.

    Raises:
        DockerError: The request or the handshake cannot be sent; an attachment cannot be read; the engine has
            no sessions.
    """

    async def send(session: BuildSession, name: str, services: SessionServices) -> Response:
        request = build.request(*_binding(name, services))
        return await engine.exchange(request, None, dialect, work.timer, session.send)

    engine.frame(build.request(), None, dialect)  # raises for what the engine lacks, before anything is read
    return await in_session(engine, credentials, build, dialect, work, send=send, more={})


async def in_session(
    engine: Engine,
    credentials: CallCredentials,
    build: BuildKitBuild,
    dialect: Dialect,
    work: LocalWork,
    *,
    send: Callable[[BuildSession, str, SessionServices], Awaitable[Response]],
    more: Services,
) -> Response:
    """Open a session, and return the response to what `send` sends in it, with the name of the session.

    Args:
        engine: The engine.
        credentials: Looks up credentials when the engine asks for them.
        build: The build, whose attachments the session serves.
        dialect: Dialect of the handshake.
        work: Work of the call.
        send: Sends the build.
        more: Services besides those for the attachments.

    Raises:
        DockerError: The handshake cannot be sent; an attachment cannot be read; the engine has no sessions.
    """
    timer = work.timer
    ping = await engine.introduce(timer)
    services = await prepare_services(
        engine.transport, credentials, build, work, more, requires_utf8=ping.requires_utf8
    )
    name = engine.transport.need_host("a build with BuildKit").unique()
    try:
        connection = await _open_session(engine, _handshake(name, services), dialect, timer)
        session = BuildSession(services, engine, connection)
    except BaseException:
        services.close()
        raise
    try:
        session.start()
        return await send(session, name, services)
    except BaseException as error:
        session.close()
        await session.wait()
        if isinstance(error, DockerError) and session.failure is not None:
            raise session.failure from session.failure.__cause__
        raise


class BuildSession:
    """An open session, beside the exchange of its build.

    It owns both connections. Its server does not refer to it, so a session that is lost, because an interrupt
    came at the moment when it was handed over, is collected, and thereby closed.
    """

    def __init__(self, services: SessionServices, engine: Engine, connection: Connection) -> None:
        self._task: Task | None = None
        self._server = SessionServer(services, engine.transport, connection)
        self._transport = engine.transport
        self._connections = engine.connections

    def __del__(self) -> None:
        if hasattr(self, "_server"):  # else an interrupt came before it was made
            self.close()

    @property
    def failure(self) -> DockerError | None:
        """Error with which the session broke, if it did."""
        self._server.check_connection()
        return self._server.failure

    @property
    def cause(self) -> Exception | None:
        """First failure while the engine was served."""
        return self._server.cause

    def start(self) -> None:
        """Begin to serve the engine."""
        self._task = self._transport.start(self._server.serve())

    async def send(self, request: WireRequest, timer: Timer) -> SessionResponse:
        """Send the request of the build on a connection of its own, and return the response."""
        connection = await self._connections.open(timer)
        self._server.bind(connection)
        head = await connection.request(request, timer)
        response = HTTPResponse(connection, head, timer, self._connections)
        self._server.bind(response)
        return SessionResponse(response, self)

    def bind(self, build: Closable) -> None:
        """Close the exchange of the build when the session ends, which may be the case already."""
        self._server.bind(build)

    def close(self) -> None:
        """Close both connections at once, which stops the engine; closing again has no effect."""
        self._server.close()
        if self._task is not None:
            self._task.cancel()
        else:
            self._server.release()

    async def wait(self) -> None:
        """Wait until all tasks of the session are over."""
        if self._task is not None:
            await self._task.wait()
        await self._server.wait_for_steps()


class SessionResponse:
    """The response to a build, at whose end the session is closed."""

    def __init__(self, response: Response, session: BuildSession) -> None:
        self._response = response
        self._session = session
        self.head: Head = response.head
        """Status and headers."""
        self.reused: bool | None = response.reused
        """True if an earlier request used the connection."""

    @property
    def cause(self) -> Exception | None:
        """First failure while the engine was served."""
        return self._session.cause

    async def receive(self) -> bytes:
        """Return the next bytes of the body, b"" at its end."""
        try:
            data = await self._response.receive()
        except DockerError:
            if (failure := self._session.failure) is not None:
                raise failure from failure.__cause__
            raise
        if not data:
            self._session.close()
            await self._session.wait()
        return data

    def close(self) -> None:
        """Close both connections at once, unless the body was read to its end."""
        self._response.close()
        self._session.close()

    async def settle(self) -> None:
        """Wait until all tasks of the session are over."""
        await self._session.wait()


def _binding(name: str, services: SessionServices) -> tuple[Parameter, ...]:
    """Return the parameters that bind a build to its session, which may serve the context."""
    return (
        Parameter("session", name),
        Parameter("remote", "client-session" if services.in_session else None),
        Parameter("dockerfile", services.dockerfile),
    )


def _handshake(name: str, services: SessionServices) -> Request:
    return Request(
        method="POST",
        path="/session",
        headers=(
            ("Connection", "Upgrade"),
            ("Upgrade", "h2c"),
            ("X-Docker-Expose-Session-Uuid", name),
            ("X-Docker-Expose-Session-Name", "dockerproto"),
            ("X-Docker-Expose-Session-Sharedkey", services.shared_key),
            *(("X-Docker-Expose-Session-Grpc-Method", method) for method in services.services),
        ),
        deprecated=_SESSIONS_DEPRECATED,
    )


async def _open_session(engine: Engine, handshake: Request, dialect: Dialect, timer: Timer) -> Connection:
    """Return a connection that is switched to the engine's calls."""
    return await switch(
        engine, handshake, dialect, timer, "this engine has no sessions, which builds with BuildKit need"
    )


async def switch(
    engine: Engine, handshake: Request, dialect: Dialect, timer: Timer, refusal: str
) -> Connection:
    """Return a connection of its own that is switched to another protocol.

    Args:
        engine: The engine.
        handshake: Request for the switch.
        dialect: Dialect of the request.
        timer: Limits of the call.
        refusal: Message for an engine that does not know the request.

    Raises:
        DockerError: The engine rejects the request.
        UnsupportedVersion: It does not know the request.
    """
    send = partial(_send_on_own_connection, engine.connections)
    response = await engine.exchange(handshake, None, dialect, timer, send)
    if response.head.status != SWITCHED:
        await _raise_refusal(response, refusal)
    return response.detach()


async def _send_on_own_connection(
    connections: Connections, request: WireRequest, timer: Timer
) -> HTTPResponse:
    connection = await connections.open(timer)
    try:
        head = await connection.request(request, timer)
    except BaseException:
        connection.close()
        raise
    return HTTPResponse(connection, head, timer, connections)


async def _raise_refusal(response: Response, refusal: str) -> None:
    body = ErrorBody(response.head.status)
    try:
        while data := await response.receive():
            body.feed(data)
        body.feed(b"")
    except NotFound as error:
        raise UnsupportedVersion(error.status, f"{refusal}: {error.message}") from error
    finally:
        response.close()
