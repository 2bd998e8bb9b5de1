"""The serving of a session: moves its bytes, and runs the steps of the engine's calls.

One task moves the bytes and nothing else; the steps run beside it. So the engine's health checks are
answered, whatever a credentials lookup or a disk is waiting for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from msgspec import Struct

from dockerproto.buildkit.rpc.handler import AsyncStep, BlockingStep
from dockerproto.buildkit.rpc.http2 import MAX_CALLS
from dockerproto.buildkit.session.provisioning import SessionServices
from dockerproto.buildkit.session.session import ServedCall, Session
from dockerproto.errors import ConnectionFailed, DockerError
from dockerproto.http.connection import Connection
from dockerproto.transport.local_work import Closable
from dockerproto.transport.runtime import Runtime, Task
from dockerproto.transport.streams import ByteStream


class Framing(Protocol):
    """The bytes of a session among those of its connection."""

    @property
    def failure(self) -> DockerError | None:
        """Error of the connection itself, if that ended it."""
        ...

    @property
    def closed(self) -> bool:
        """True once this side has closed the connection, for another reason than the session."""
        ...

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the connection, if any, and return those of the session."""
        ...

    def frame(self, produce: Callable[[], bytes]) -> bytes:
        """Return the bytes to send on the connection; `produce` returns those of the session."""
        ...

    def close(self) -> None:
        """Note that nobody moves the bytes of the connection any more."""
        ...


class Bare:
    """A connection with nothing but the session.

    Args:
        first: Bytes that were received with the response to the handshake.
    """

    failure: None = None
    """None: an error of the connection is one of the session."""
    closed: bool = False
    """False: only the session can end the connection."""

    def __init__(self, first: bytes) -> None:
        self._first = first

    def feed(self, data: bytes) -> bytes:
        """Return the bytes."""
        first, self._first = self._first, b""
        return first + data

    def frame(self, produce: Callable[[], bytes]) -> bytes:
        """Return the bytes of the session."""
        return produce()

    def close(self) -> None:
        """Do nothing."""


class Link(Struct, frozen=True):
    """The connection of a session."""

    connection: Connection
    """The connection, which may carry more than the session."""
    framing: Framing
    """The session's bytes in it."""


class SessionServer:
    """Serves the engine on one connection, until either side closes it."""

    def __init__(self, services: SessionServices, runtime: Runtime, link: Link) -> None:
        self._services = services
        self._session = Session(services.services)
        self._runtime = runtime
        self._connection = link.connection
        self._framing = link.framing
        self._build: Closable | None = None
        self._closed = False
        self._steps = dict[ServedCall, Task]()
        """Running step of each call."""
        self._outcomes = deque[tuple[ServedCall, Callable[[], None]]]()
        """Outcomes of steps, to be passed to the session."""
        self._worker = runtime.worker()
        """Runs the blocking steps, one at a time."""
        self.failure: DockerError | None = None
        """Error with which the session broke, if it did."""

    @property
    def cause(self) -> Exception | None:
        """First failure while the engine was served."""
        return self._session.failure or self.failure

    def bind(self, build: Closable) -> None:
        """Close the exchange of the build when the session ends, which may be the case already."""
        self._build = build
        if self._closed:
            build.close()

    def close(self) -> None:
        """Close both connections at once; first note whether the engine has left."""
        self.check_connection()
        self._closed = True
        self._drop()

    def release(self) -> None:
        """Release the resources of all calls and services."""
        self._session.close()
        self._services.close()

    def check_connection(self) -> None:
        """Fail if the engine has closed the session, however much of what it sent is unread."""
        if not self._closed and self._connection.lost:
            self._fail(_lost(self._connection))

    async def wait_for_steps(self) -> None:
        """Wait until no step is running."""
        for step in list(self._steps.values()):
            await step.wait()
        await self._worker.wait()

    async def serve(self) -> None:
        """Serve the engine until either side closes the connection."""
        try:
            await self._pump()
        except Exception as error:  # noqa: BLE001  # raised by the response of the build
            closed = self._closed or self._framing.closed
            if not (closed and isinstance(error, OSError)):  # expected after a close on this side
                self._fail(error)
        finally:
            for step in self._steps.values():
                step.cancel()
            self._worker.close()
            self.release()
            self._closed = True
            self._drop()
            self._framing.close()

    def _fail(self, error: Exception) -> None:
        failure = ConnectionFailed(0, f"the session of the build broke: {error}")
        failure.__cause__ = error
        self.failure = self.failure or self._framing.failure or failure

    def _drop(self) -> None:
        self._connection.close()
        if self._build is not None:
            self._build.close()

    async def _pump(self) -> None:
        """Move bytes and steps; each turn ends when the connection is readable or a step is over.

        The steps of calls that the engine aborted run on: while they are many, none is added to them.
        """
        stream, _ = self._connection.detach()
        data = b""
        while True:
            self._session.feed(self._framing.feed(data))
            await self._advance(stream)
            await stream.ready()
            data = await _receive(stream, self._connection) if await stream.readable() else b""
            await self._collect()

    async def _advance(self, stream: ByteStream) -> None:
        """Start steps and send messages until all calls wait, for a step or for the engine."""
        data = b"at first"
        while data:
            while len(self._steps) < MAX_CALLS and (step := self._session.advance()) is not None:
                self._start(stream, *step)
            data = self._framing.frame(self._session.data_to_send)
            await self._send(stream, memoryview(data))

    async def _send(self, stream: ByteStream, data: memoryview) -> None:
        """Send data; while it cannot go out, receive, as the engine may be waiting for that."""
        while data:
            data = data[await stream.send(data, None) :]
            if data:
                await stream.ready()
                self._session.feed(self._framing.feed(await _receive(stream, self._connection)))

    def _start(self, stream: ByteStream, call: ServedCall, step: BlockingStep | AsyncStep) -> None:
        """Start a step beside the session; one that may wait for long is not waited for at the end."""
        if isinstance(step, AsyncStep):
            task = self._runtime.start(self._wait(stream, call, step), leave=True)
        else:
            task = self._worker.submit(partial(self._block, call, step), stream.wake)
        self._steps[call] = task

    async def _wait(self, stream: ByteStream, call: ServedCall, step: AsyncStep) -> None:
        with self._reporting(call):
            self._report(call, partial(self._session.done, call, step, await step.run()))
        stream.wake()

    def _block(self, call: ServedCall, step: BlockingStep) -> None:
        """Run a blocking step, in a worker thread."""
        with self._reporting(call):
            self._report(call, partial(self._session.done, call, step, call.run(step)))

    @contextmanager
    def _reporting(self, call: ServedCall) -> Generator[None]:
        """Report any error: it ends the call, and the engine is told."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  # as said
            self._report(call, partial(self._session.fail, call, error))

    def _report(self, call: ServedCall, outcome: Callable[[], None]) -> None:
        self._outcomes.append((call, outcome))

    async def _collect(self) -> None:
        """Pass the outcomes of steps that are over to the session."""
        while self._outcomes:
            call, outcome = self._outcomes.popleft()
            await self._steps.pop(call).wait()
            outcome()


async def _receive(stream: ByteStream, connection: Connection) -> bytes:
    try:
        data = await stream.receive(None)
    except OSError as error:
        raise ConnectionResetError(f"the connection to {connection.peer} broke: {error}") from error
    if not data:
        raise _lost(connection)
    return bytes(data)


def _lost(connection: Connection) -> ConnectionResetError:
    return ConnectionResetError(f"{connection.peer} closed the connection")
