"""The coordinator of a BuildKit build: its request and its session, bound together.

The response of the build and the session are two connections. When one ends, the other is closed: an engine
that has lost its session may never end the response, and a session without its build is of no use.

One task moves the bytes of the session and nothing else; the steps of calls run beside it. So the engine's
health checks are answered, whatever a credentials lookup or a disk is waiting for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from dockerproto.buildkit.handler import AsyncStep, BlockingStep
from dockerproto.buildkit.http2 import MAX_CALLS
from dockerproto.buildkit.provisioning import SessionServices, prepare_services
from dockerproto.buildkit.session import ServedCall, Session
from dockerproto.credentials.source import CallCredentials
from dockerproto.engine import Engine
from dockerproto.errors import ConnectionFailed, DockerError, NotFound, UnsupportedVersion
from dockerproto.http.connection import Connection, Connections, HTTPResponse
from dockerproto.http.http11 import SWITCHED, Head, WireRequest
from dockerproto.http.interfaces import Response
from dockerproto.messages.decoding import ErrorBody
from dockerproto.request.build import BuildKitBuild
from dockerproto.request.dialect import Dialect
from dockerproto.request.parameters import Parameter
from dockerproto.request.request import Request
from dockerproto.timeouts import Timer
from dockerproto.transport.local_work import LocalWork
from dockerproto.transport.runtime import Task
from dockerproto.transport.streams import ByteStream
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
    engine.frame(build.request(), None, dialect)  # raises for what the engine lacks, before anything is read
    timer = work.timer
    ping = await engine.introduce(timer)
    services = await prepare_services(
        engine.transport, credentials, build, work, requires_utf8=ping.requires_utf8
    )
    name = engine.transport.need_host("a build with BuildKit").unique()
    try:
        connection = await _open_session(engine, _handshake(name, services), dialect, timer)
    except BaseException:
        services.close()
        raise
    session = BuildSession(services, engine, connection)
    try:
        request = build.request(*_binding(name, services))
        return await engine.exchange(request, None, dialect, timer, session.send)
    except BaseException as error:
        session.close()
        await session.wait()
        if isinstance(error, DockerError) and session.failure is not None:
            raise session.failure from session.failure.__cause__
        raise


class BuildSession:
    """An open session, beside the exchange of its build."""

    def __init__(self, services: SessionServices, engine: Engine, connection: Connection) -> None:
        self._services = services
        self._session = Session(services.services)
        self._transport = engine.transport
        self._connections = engine.connections
        self._connection = connection
        self._build: Connection | None = None
        self._closed = False
        self._steps = dict[ServedCall, Task]()
        """Running step of each call."""
        self._outcomes = deque[tuple[ServedCall, Callable[[], None]]]()
        """Outcomes of steps, to be passed to the session."""
        self._blocking = engine.transport.lock()
        """Lock that lets one step at a time block a worker thread."""
        self._failure: DockerError | None = None
        self._task = engine.transport.start(self._serve())

    @property
    def failure(self) -> DockerError | None:
        """Error with which the session broke, if it did."""
        self._check_connection()
        return self._failure

    @property
    def cause(self) -> Exception | None:
        """First failure while the engine was served."""
        return self._session.failure or self._failure

    async def send(self, request: WireRequest, timer: Timer) -> SessionResponse:
        """Send the request of the build on a connection of its own, and return the response."""
        self._build = connection = await self._connections.open(timer)
        if self._closed:
            connection.close()
        head = await connection.request(request, timer)
        return SessionResponse(HTTPResponse(connection, head, timer, self._connections), self)

    def end(self) -> None:
        """Close the session at the end of the build, whose connection is free again."""
        self._build = None
        self.close()

    def close(self) -> None:
        """Close both connections at once, which stops the engine; first note whether the engine has left."""
        self._check_connection()
        self._closed = True
        self._drop()
        self._task.cancel()

    async def wait(self) -> None:
        """Wait until all tasks of the session are over."""
        await self._task.wait()
        for step in list(self._steps.values()):
            await step.wait()

    async def _serve(self) -> None:
        """Serve the engine until either side closes the connection."""
        try:
            await self._pump()
        except Exception as error:  # noqa: BLE001  # raised by the response of the build
            if not (self._closed and isinstance(error, OSError)):  # expected after a close on this side
                self._fail(error)
        finally:
            for step in self._steps.values():
                step.cancel()
            self._session.close()
            self._services.close()
            self._closed = True
            self._drop()

    def _check_connection(self) -> None:
        """Fail if the engine has closed the session, however much of what it sent is unread."""
        if not self._closed and self._connection.lost:
            self._fail(_lost())

    def _fail(self, error: Exception) -> None:
        failure = ConnectionFailed(0, f"the session of the build broke: {error}")
        failure.__cause__ = error
        self._failure = self._failure or failure

    def _drop(self) -> None:
        self._connections.drop(self._connection)
        if self._build is not None:
            self._connections.drop(self._build)

    async def _pump(self) -> None:
        """Move bytes and steps; each turn ends when the connection is readable or a step is over.

        The steps of calls that the engine aborted run on: while they are many, none is added to them.
        """
        stream, data = self._connection.detach()
        while True:
            self._session.feed(data)
            while len(self._steps) < MAX_CALLS and (step := self._session.advance()) is not None:
                self._start(stream, *step)
            await self._send(stream, self._session.data_to_send())
            await stream.ready()
            data = await _receive(stream) if await stream.readable() else b""
            await self._collect()

    async def _send(self, stream: ByteStream, data: bytes) -> None:
        """Send data; while it cannot go out, receive, as the engine may be waiting for that."""
        while data:
            data = data[await stream.send(data, None) :]
            if data:
                await stream.ready()
                self._session.feed(await _receive(stream))

    def _start(self, stream: ByteStream, call: ServedCall, step: BlockingStep | AsyncStep) -> None:
        """Start a step beside the session; one that may wait for long is not waited for at the end."""
        running = self._run(stream, call, step)
        self._steps[call] = self._transport.start(running, leave=isinstance(step, AsyncStep))

    async def _run(self, stream: ByteStream, call: ServedCall, step: BlockingStep | AsyncStep) -> None:
        try:
            result = await (step.run() if isinstance(step, AsyncStep) else self._block(call, step))
        except Exception as error:  # noqa: BLE001  # any error ends the call, and is reported to the engine
            outcome = partial(self._session.fail, call, error)
        else:
            outcome = partial(self._session.done, call, step, result)
        self._outcomes.append((call, outcome))
        stream.wake()

    async def _block(self, call: ServedCall, step: BlockingStep) -> Any:
        """Run a blocking step in a worker thread, after those before it."""
        await self._blocking.acquire(None)
        try:
            return await self._transport.in_thread(partial(call.run, step))
        finally:
            self._blocking.release()

    async def _collect(self) -> None:
        """Pass the outcomes of steps that are over to the session."""
        while self._outcomes:
            call, outcome = self._outcomes.popleft()
            await self._steps.pop(call).wait()
            outcome()


class SessionResponse:
    """The response to a build, at whose end the session is closed."""

    def __init__(self, response: HTTPResponse, session: BuildSession) -> None:
        self._response = response
        self._session = session
        self.head: Head = response.head
        """Status and headers."""
        self.reused: bool = response.reused
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
            self._session.end()
            await self._session.wait()
        return data

    def close(self) -> None:
        """Close both connections at once, unless the body was read to its end."""
        self._response.close()
        self._session.close()

    async def settle(self) -> None:
        """Wait until all tasks of the session are over."""
        await self._session.wait()


async def _receive(stream: ByteStream) -> bytes:
    data = await stream.receive(None)
    if not data:
        raise _lost()
    return bytes(data)


def _lost() -> ConnectionResetError:
    return ConnectionResetError("the engine closed the connection")


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
    send = partial(_send_on_own_connection, engine.connections)
    response = await engine.exchange(handshake, None, dialect, timer, send)
    if response.head.status != SWITCHED:
        await _raise_refusal(response)
    return response.connection


async def _send_on_own_connection(
    connections: Connections, request: WireRequest, timer: Timer
) -> HTTPResponse:
    connection = await connections.open(timer)
    try:
        head = await connection.request(request, timer)
    except BaseException:
        connections.drop(connection)
        raise
    return HTTPResponse(connection, head, timer, connections)


async def _raise_refusal(response: Response) -> None:
    body = ErrorBody(response.head.status)
    try:
        while data := await response.receive():
            body.feed(data)
        body.feed(b"")
    except NotFound as error:
        message = f"this engine has no sessions, which builds with BuildKit need: {error.message}"
        raise UnsupportedVersion(error.status, message) from error
    finally:
        response.close()
