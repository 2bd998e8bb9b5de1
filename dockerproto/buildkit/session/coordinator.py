"""The coordinator of a BuildKit build: its request and its session, bound together.

The response of the build and the session are two connections, or one that carries both. When one ends, the
other is closed: an engine that has lost its session may never end the response, and a session without its
build is of no use.

`dockerproto.buildkit.session.serving` answers the engine's calls meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Protocol

from dockerproto.buildkit.rpc.handler import Services
from dockerproto.buildkit.session.provisioning import SessionServices, prepare_services
from dockerproto.buildkit.session.serving import Bare, Link, SessionServer
from dockerproto.credentials.source import CallCredentials
from dockerproto.engine import Engine
from dockerproto.errors import DockerError, UnsupportedVersion
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
from dockerproto.transport.runtime import Runtime, Task
from dockerproto.transport.transport import Transport
from dockerproto.versions import Version

_SESSIONS_DEPRECATED: Final = Version(1, 53)
"""API version that deprecated sessions over ``POST /session``; API 1.55 still serves them."""
UPGRADE: Final = (("Connection", "Upgrade"), ("Upgrade", "h2c"))
"""Headers of a request that switches its connection to HTTP/2."""
_MISSING: Final = (404, 501)
"""Statuses of an engine that does not know a request."""
NO_SESSIONS: Final = "this engine has no sessions, which builds with BuildKit need"
"""Message for an engine that has neither ``POST /session`` nor the Control API."""


class Way(Protocol):
    """A way to do a build: the connection of its session, and its request."""

    @property
    def services(self) -> Services:
        """Services of the session, besides those for the attachments."""
        ...

    async def requires_utf8(self) -> bool:
        """Return True if the server rejects names of files that are not UTF-8."""
        ...

    async def link(self, name: str, services: SessionServices) -> Link:
        """Return the connection of the session."""
        ...

    async def send(self, session: BuildSession, name: str, services: SessionServices) -> Response:
        """Send the request in the session, and return its response."""
        ...

    def close(self) -> None:
        """Close all connections, unless the session has them; repeating it has no effect."""


async def build_in_session(
    engine: Engine,
    credentials: CallCredentials,
    build: BuildKitBuild,
    dialect: Dialect,
    work: LocalWork,
    *,
    otherwise: Callable[[], Awaitable[Way]],
) -> Response:
    """Open a session, send the request of a build in it, and return its response.

    An engine without ``POST /session`` does the build in the way that `otherwise` returns.

    Raises:
        DockerError: The request or the handshake cannot be sent; an attachment cannot be read; the engine has
            no sessions.
    """
    engine.frame(build.request(), None, dialect)  # raises for what the engine lacks, before anything is read
    way = _ByBuild(engine, build, dialect, work, otherwise)
    return await in_session(engine.transport, credentials, build, way, work)


async def in_session(
    transport: Transport, credentials: CallCredentials, build: BuildKitBuild, way: Way, work: LocalWork
) -> Response:
    """Open a session, and return the response to the request of a build in it.

    Raises:
        DockerError: The session cannot be opened; an attachment cannot be read; the request cannot be sent.
    """
    session: BuildSession | None = None
    try:
        requires_utf8 = await way.requires_utf8()
        services = await prepare_services(
            transport, credentials, build, work, way.services, requires_utf8=requires_utf8
        )
        name = transport.need_host("a build with BuildKit").unique()
        try:
            session = BuildSession(services, transport, await way.link(name, services))
        except BaseException:
            services.close()
            raise
        session.start()
        return await way.send(session, name, services)
    except BaseException as error:
        way.close()
        if session is not None:
            session.close()
            await session.wait()
            if isinstance(error, DockerError) and session.failure is not None:
                raise session.failure from session.failure.__cause__
        raise


class _ByBuild:
    """A build by ``POST /build``, in a session by ``POST /session``, or in another way without that."""

    def __init__(
        self,
        engine: Engine,
        build: BuildKitBuild,
        dialect: Dialect,
        work: LocalWork,
        otherwise: Callable[[], Awaitable[Way]],
    ) -> None:
        self._engine = engine
        self._build = build
        self._dialect = dialect
        self._timer = work.timer
        self._otherwise = otherwise
        self._other: Way | None = None
        self.services: Services = {}

    async def requires_utf8(self) -> bool:
        return (await self._engine.introduce(self._timer)).requires_utf8

    async def link(self, name: str, services: SessionServices) -> Link:
        link = await open_session(self._engine, name, services, self._dialect, self._timer)
        if link is not None:
            return link
        self._other = await self._otherwise()
        return await self._other.link(name, services)

    async def send(self, session: BuildSession, name: str, services: SessionServices) -> Response:
        if self._other is not None:
            return await self._other.send(session, name, services)
        request = self._build.request(*_binding(name, services))
        send = partial(session.send, self._engine.connections)
        return await self._engine.exchange(request, None, self._dialect, self._timer, send)

    def close(self) -> None:
        if self._other is not None:
            self._other.close()


async def open_session(
    engine: Engine, name: str, services: SessionServices, dialect: Dialect, timer: Timer
) -> Link | None:
    """Open a session by ``POST /session``; return None if the engine does not have that.

    Raises:
        DockerError: The engine rejects the session.
        UnsupportedVersion: The API version has no sessions.
    """
    if not engine.buildkit.has_sessions:
        return None
    handshake = Request(
        method="POST",
        path="/session",
        headers=(*UPGRADE, *announcement(name, services)),
        deprecated=_SESSIONS_DEPRECATED,
    )
    try:
        connection = await switch(engine, handshake, dialect, timer, NO_SESSIONS)
    except UnsupportedVersion as error:
        if error.status not in _MISSING:
            raise
        engine.buildkit.has_sessions = False
        return None
    return Link(connection, Bare(connection.detach()[1]))


class BuildSession:
    """An open session, beside the exchange of its build.

    It owns all connections. Its server does not refer to it, so a session that is lost, because an interrupt
    came at the moment when it was handed over, is collected, and thereby closed.
    """

    def __init__(self, services: SessionServices, runtime: Runtime, link: Link) -> None:
        self._task: Task | None = None
        self._server = SessionServer(services, runtime, link)
        self._runtime = runtime

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
        self._task = self._runtime.start(self._server.serve())

    async def send(self, connections: Connections, request: WireRequest, timer: Timer) -> SessionResponse:
        """Send the request of the build on a connection of its own, and return the response."""
        connection = await connections.open(timer)
        self._server.bind(connection)
        head = await connection.request(request, timer)
        response = HTTPResponse(connection, head, timer, connections)
        self._server.bind(response)
        return SessionResponse(response, self)

    def bind(self, build: Closable) -> None:
        """Close the exchange of the build when the session ends, which may be the case already."""
        self._server.bind(build)

    def close(self) -> None:
        """Close all connections at once, which stops the engine; closing again has no effect."""
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
        """Close all connections at once, unless the body was read to its end."""
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


def announcement(name: str, services: SessionServices) -> tuple[tuple[str, str], ...]:
    """Return the headers, or the metadata of a call, that announce a session."""
    return (
        ("X-Docker-Expose-Session-Uuid", name),
        ("X-Docker-Expose-Session-Name", "dockerproto"),
        ("X-Docker-Expose-Session-Sharedkey", services.shared_key),
        *(("X-Docker-Expose-Session-Grpc-Method", method) for method in services.services),
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
    except DockerError as error:
        if error.status not in _MISSING:
            raise
        raise UnsupportedVersion(error.status, f"{refusal}: {error.message}") from error
    finally:
        response.close()
