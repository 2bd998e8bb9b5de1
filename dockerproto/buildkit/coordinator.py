"""The session of a build, beside it: what moves its bytes, and what binds the two together.

The build's answer and the session are two connections. Whichever ends, the other is closed: an engine that
has lost a session may never end its answer, and a session without its build is of no use to anybody.

One task moves the bytes of the session, and nothing else: what a call has to wait for, is done beside it. So
the engine's question whether the session is alive is answered whatever a lookup or a disk is waiting for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from dockerproto.buildkit.handler import AsyncStep, BlockingStep
from dockerproto.buildkit.provisioning import SessionServices, prepare_services
from dockerproto.buildkit.session import ServedCall, Session
from dockerproto.client import Client, Response
from dockerproto.errors import ConnectionFailed, DockerError, NotFound, UnsupportedVersion
from dockerproto.http.connection import Connection
from dockerproto.http.connection import HTTPResponse as PlainAnswer
from dockerproto.http.http11 import SWITCHED, Head, WireRequest
from dockerproto.messages.decoding import ErrorBody
from dockerproto.request.attachments import BuildAttachments
from dockerproto.request.parameters import Parameter
from dockerproto.request.request import Request
from dockerproto.timeouts import Timer
from dockerproto.transport.runtime import Task
from dockerproto.transport.streams import ByteStream


async def open_in_session(
    client: Client, request: Request, offer: BuildAttachments, timer: Timer
) -> Response:
    """Open a session, then send the request of a build in it, and return its answer.

    Raises:
        DockerError: Either cannot be sent; what is offered cannot be read; the engine has no sessions.
    """
    await client.message(request, None, timer)  # what the engine does not have is refused before all else
    offered = await prepare_services(client, request, offer)
    name = client.network.need_host("a build with BuildKit").unique()
    try:
        connection = await _upgraded(client, _handshake(name, offered), timer)
    except BaseException:
        offered.close()
        raise
    attendance = BuildSession(offered, client, connection)
    try:
        return await client.exchange(_within(request, name, offered), timer, attendance.send)
    except BaseException as error:
        attendance.close()
        await attendance.wait()
        if isinstance(error, DockerError) and attendance.failure is not None:
            raise attendance.failure from attendance.failure.__cause__
        raise


class BuildSession:
    """A session that is open, beside the exchange of its build."""

    def __init__(self, offered: SessionServices, client: Client, connection: Connection) -> None:
        self._offered: Final = offered
        self._session: Final = Session(offered.services)
        self._network: Final = client.network
        self._connections: Final = client.connections
        self._connection: Final = connection
        self._build: Connection | None = None
        self._closed = False
        self._steps: Final = dict[ServedCall, Task]()
        """What is being done outside for the calls."""
        self._outcomes: Final = deque[tuple[ServedCall, Callable[[], None]]]()
        """What came of it, to be handed in."""
        self._disk: Final = client.network.lock()
        """Whose turn it is to block a worker thread."""
        self._failure: DockerError | None = None
        self._task: Final = client.network.start(self._serve())

    @property
    def failure(self) -> DockerError | None:
        """Why the session broke, if it did."""
        self._look()
        return self._failure

    @property
    def cause(self) -> Exception | None:
        """What went wrong first while the engine was served."""
        return self._session.failure or self._failure

    async def send(self, message: WireRequest, timer: Timer) -> Response:
        """Send the request of the build, and return its answer."""
        self._build = connection = await self._connections.open(timer)
        if self._closed:
            connection.close()
        head = await connection.request(message, timer)
        return SessionResponse(PlainAnswer(connection, head, timer, self._connections), self)

    def end(self) -> None:
        """Close the session: the build is over, and its connection is not in use any more."""
        self._build = None
        self.close()

    def close(self) -> None:
        """Close both connections at once, at which the engine stops, after a look whether it has left."""
        self._look()
        self._closed = True
        self._drop()
        self._task.cancel()

    async def wait(self) -> None:
        """Wait until nothing of it runs any more."""
        await self._task.wait()
        for step in list(self._steps.values()):
            await step.wait()

    async def _serve(self) -> None:
        """Serve the engine until either side closes the connection."""
        try:
            await self._pump()
        except Exception as error:  # noqa: BLE001  # the build's answer is where it can be raised
            if not (self._closed and isinstance(error, OSError)):  # as it would be, closed here
                self._fail(error)
        finally:
            for step in self._steps.values():
                step.cancel()
            self._session.close()
            self._offered.close()
            self._closed = True
            self._drop()

    def _look(self) -> None:
        """Take note that the engine has closed the session, even if nobody has read as far as that."""
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
        stream, data = self._connection.switched()
        while True:
            self._session.feed(data)
            while (step := self._session.advance()) is not None:
                self._begin(stream, *step)
            await self._send(stream, self._session.data_to_send())
            await stream.ready()
            data = await _received(stream) if await stream.readable() else b""
            await self._hand_in()

    async def _send(self, stream: ByteStream, data: bytes) -> None:
        """Send data; what comes while it cannot go out is read, as the engine may wait for that."""
        while data:
            data = data[await stream.send(data, None) :]
            if data:
                self._session.feed(await _received(stream))

    def _begin(self, stream: ByteStream, call: ServedCall, step: BlockingStep | AsyncStep) -> None:
        """Have a step done beside the session; what waits is left to itself, if it has to be."""
        doing = self._do(stream, call, step)
        self._steps[call] = self._network.start(doing, leave=isinstance(step, AsyncStep))

    async def _do(self, stream: ByteStream, call: ServedCall, step: BlockingStep | AsyncStep) -> None:
        try:
            result = await (step.run() if isinstance(step, AsyncStep) else self._work(call, step))
        except Exception as error:  # noqa: BLE001  # any ends the call, and tells the engine why
            outcome = partial(self._session.fail, call, error)
        else:
            outcome = partial(self._session.done, call, step, result)
        self._outcomes.append((call, outcome))
        stream.wake()

    async def _work(self, call: ServedCall, step: BlockingStep) -> Any:
        """Do a step that blocks, when those before it are done."""
        await self._disk.acquire(None)
        try:
            return await self._network.in_thread(partial(call.run, step))
        finally:
            self._disk.release()

    async def _hand_in(self) -> None:
        """Hand in what came of the steps that are over."""
        while self._outcomes:
            call, outcome = self._outcomes.popleft()
            await self._steps.pop(call).wait()
            outcome()


class SessionResponse:
    """The answer to a build, whose session ends with it."""

    def __init__(self, answer: Response, attendance: BuildSession) -> None:
        self._answer: Final = answer
        self._attendance: Final = attendance
        self.head: Final[Head] = answer.head

    @property
    def cause(self) -> Exception | None:
        """What went wrong first while the engine was served."""
        return self._attendance.cause

    async def receive(self) -> bytes:
        """Return the next bytes of the body, b"" at its end."""
        try:
            data = await self._answer.receive()
        except DockerError:
            if (failure := self._attendance.failure) is not None:
                raise failure from failure.__cause__
            raise
        if not data:
            self._attendance.end()
            await self._attendance.wait()
        return data

    def close(self) -> None:
        """Close both connections at once, unless the answer was read to its end."""
        self._answer.close()
        self._attendance.close()

    async def settle(self) -> None:
        """Wait until nothing of the session runs any more."""
        await self._attendance.wait()


async def _received(stream: ByteStream) -> bytes:
    data = await stream.receive(None)
    if not data:
        raise _lost()
    return bytes(data)


def _lost() -> ConnectionResetError:
    return ConnectionResetError("the engine closed the connection")


def _within(request: Request, name: str, offered: SessionServices) -> Request:
    """Return the request of a build in a session, which may have the context."""
    query = (
        *request.query,
        Parameter("session", name),
        Parameter("remote", "client-session" if offered.in_session else None),
        Parameter("dockerfile", offered.dockerfile),
    )
    return replace(request, query=query, context=None, body=None, headers=(), auths={})


def _handshake(name: str, offered: SessionServices) -> Request:
    return Request(
        method="POST",
        path="/session",
        headers=(
            ("Connection", "Upgrade"),
            ("Upgrade", "h2c"),
            ("X-Docker-Expose-Session-Uuid", name),
            ("X-Docker-Expose-Session-Name", "dockerproto"),
            ("X-Docker-Expose-Session-Sharedkey", offered.shared_key),
            *(("X-Docker-Expose-Session-Grpc-Method", method) for method in offered.services),
        ),
    )


async def _upgraded(client: Client, request: Request, timer: Timer) -> Connection:
    """Return a connection that was turned over to the engine's calls."""
    connection = await client.connections.open(timer)
    try:
        head = await connection.request(await client.message(request, None, timer), timer)
    except BaseException:
        client.connections.drop(connection)
        raise
    if head.status != SWITCHED:
        await _refused(PlainAnswer(connection, head, timer, client.connections))
    return connection


async def _refused(answer: Response) -> None:
    decoder = ErrorBody(answer.head.status)
    try:
        while data := await answer.receive():
            decoder.feed(data)
        decoder.feed(b"")
    except NotFound as error:
        message = f"this engine has no sessions, which builds with BuildKit need: {error.message}"
        raise UnsupportedVersion(error.status, message) from error
    finally:
        answer.close()
