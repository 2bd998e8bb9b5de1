"""The load of a build's image into an engine, without a file between.

The daemon sends the image as a tar, in a call of the session. Each chunk goes through a pipe into the request
of the load, which runs in a task of its own. While the engine does not read, the pipe is full, the call of
the session waits, and so does the daemon.
"""

# Who ends whom:
#
#     the load fails          the pipe breaks, so the daemon's call ends; the response raises the error
#     the daemon fails        the pipe breaks, so the load ends; the response has the daemon's error
#     the response is closed  the pipe breaks, so both end
#     the tar is complete     the load goes on, and the response ends with it

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Final

import msgspec

from dockerproto.buildkit.files.fsutil import BytesMessage
from dockerproto.buildkit.files.receiver import TarEnd, file_send
from dockerproto.buildkit.rpc.handler import OK, AsyncStep, Code, RpcError, Services, Step
from dockerproto.errors import ClientClosed, DockerError, OutputFailed, ProtocolViolated
from dockerproto.http.http11 import Head
from dockerproto.http.interfaces import Response
from dockerproto.messages.models import Message
from dockerproto.request.loading import ImageLoader, LoadMessages
from dockerproto.timeouts import Timer
from dockerproto.transport.pipe import BytePipe
from dockerproto.transport.runtime import Task
from dockerproto.transport.transport import Transport

PIPE_LIMIT: Final = 2**20
"""Bytes of the image in the pipe."""
LINES_LIMIT: Final = 2**20
"""Bytes of unread messages of the load; the oldest ones are dropped, as nothing waits for them."""
BATCH_BYTES: Final = 256 * 2**10
"""Bytes collected before they go into the pipe, if they have arrived."""


def check_loader(loader: ImageLoader | None, transport: Transport) -> None:
    """Raise TypeError if a client cannot load in the tasks of this transport."""
    if loader is not None and type(loader.transport) is not type(transport):
        raise TypeError(
            f"load must be a client of the same package: this one is over {transport.name}, "
            f"that over {loader.transport.name}"
        )


class Loading:
    """The load of one build's image.

    Args:
        loader: The engine.
        transport: Runs the load.
    """

    def __init__(self, loader: ImageLoader, transport: Transport) -> None:
        self._loader = loader
        self._transport = transport
        self._pipe = BytePipe(transport, PIPE_LIMIT)
        self._task: Task | None = None
        self._messages: LoadMessages | None = None
        self._mutex = transport.mutex()
        self._lines = deque[bytes]()
        self._size = 0
        self._news = transport.signal()
        self._over = False
        self.failure: Exception | None = None
        """Error of the load, unless it is a consequence of the build's end."""

    @property
    def services(self) -> Services:
        """The service to which the daemon sends the image."""
        return file_send({0: self._receive})

    async def rest(self, timer: Timer) -> bytes:
        """Return the next messages of the load, one per line; b"" at its end.

        Raises:
            ProtocolViolated: The daemon has sent no image.
            TimedOut: A limit of the timer passed.
        """
        if self._task is None:
            raise ProtocolViolated(0, "BuildKit ended the build without sending the image to load")
        while not self._over and not self._lines:
            limit = timer.left("idle")
            try:
                await self._news.wait(limit)
            except TimeoutError as error:
                raise timer.timeout_error("idle") from error
        with self._mutex:
            lines = b"".join(self._lines)
            self._lines.clear()
            self._size = 0
        return lines

    def close(self) -> None:
        """End the load, unless it is over; closing again has no effect."""
        self._pipe.fail(ClientClosed(0, "the build is over"))
        if self._messages is not None and not self._over:
            self._messages.abort()
        if self._task is not None:
            self._task.cancel()

    async def settle(self) -> None:
        """Wait until the load has ended."""
        if self._task is not None:
            await self._task.wait()

    def _receive(self) -> TarToPipe:
        if self._task is not None:
            raise RpcError(Code.ALREADY_EXISTS, "the image was sent before")
        self._task = self._transport.start(self._load(), leave=True)
        return TarToPipe(self._pipe)

    async def _load(self) -> None:
        """Load the image, and note the outcome."""
        try:
            self._messages = self._loader.load(self._pipe)
            async with self._messages as messages:
                async for message in messages:
                    self._add(message)
        except Exception as error:  # noqa: BLE001  # raised by the response
            if self._pipe.failure is None:
                self.failure = error
        finally:
            self._over = True
            self._pipe.fail(self.failure or ClientClosed(0, "the load is over"))
            self._news.set()

    def _add(self, message: Message) -> None:
        line = msgspec.json.encode(message) + b"\n"
        with self._mutex:
            self._lines.append(line)
            self._size += len(line)
            while self._size > LINES_LIMIT and len(self._lines) > 1:
                self._size -= len(self._lines.popleft())
        self._news.set()


class TarToPipe:
    """Handler of the call that sends the image.

    Args:
        pipe: The pipe to the load.
    """

    def __init__(self, pipe: BytePipe) -> None:
        self._pipe = pipe
        self._data = bytearray()
        self._end = TarEnd()
        self._complete = self._passed = False

    def receive(self, message: bytes) -> bool:
        """Take a chunk of the tar, and return True until there is a batch for the pipe."""
        data = BytesMessage.decode(message).data
        self._end.add(data)
        self._data += data
        return len(self._data) < BATCH_BYTES

    def end(self) -> None:
        """Note that the daemon sends no more.

        Raises:
            OutputFailed: The tar is truncated: BuildKit ends the call normally when it fails.
        """
        self._end.check()
        self._complete = True

    def next(self) -> Step:
        """Return a step that writes into the pipe; it raises the error of the load."""
        if self._data:
            data, self._data = bytes(self._data), bytearray()
            return AsyncStep(partial(self._pipe.write, data), lambda _: None)
        if self._complete:
            self._passed = True
            self._pipe.finish()
            return OK
        return None

    def close(self) -> None:
        """Break the pipe, unless the tar is complete."""
        if not self._passed:
            self._pipe.fail(OutputFailed(0, "the build ended before it had sent its whole image"))


class LoadingResponse:
    """The response to a build and to the load of its image.

    Args:
        build: The response to the build.
        loading: The load.
        timer: Limits of the call.
    """

    def __init__(self, build: Response, loading: Loading, timer: Timer) -> None:
        self._build = build
        self._loading = loading
        self._timer = timer
        self._built = False
        self.head: Head = build.head
        """Status and headers."""
        self.reused: bool | None = build.reused
        """True if an earlier request used the connection."""

    @property
    def cause(self) -> Exception | None:
        """First failure while the daemon was served."""
        return self._build.cause

    async def receive(self) -> bytes:
        """Return the next messages, b"" at the end of both.

        Raises:
            DockerError: The load failed, or a connection broke.
        """
        try:
            data = await self._receive()
        except BaseException as error:
            failure = self._loading.failure
            self.close()
            if failure is not None and isinstance(error, DockerError):
                raise failure from failure.__cause__
            raise
        return data

    def close(self) -> None:
        """Close all connections at once; closing again has no effect."""
        self._build.close()
        self._loading.close()

    async def settle(self) -> None:
        """Wait until all tasks are over."""
        await self._build.settle()
        await self._loading.settle()

    async def _receive(self) -> bytes:
        data = b"" if self._built else await self._build.receive()
        self._check()
        if not data:
            self._built = True
            data = await self._loading.rest(self._timer)
            self._check()
        return data

    def _check(self) -> None:
        """Raise the failure of the load: that of the build is its consequence."""
        failure = self._loading.failure
        if failure is not None:
            raise failure from failure.__cause__
