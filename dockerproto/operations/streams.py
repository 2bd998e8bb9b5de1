"""Streams: items of a response as they arrive; the only receiving loop of the library.

`Stream` drives an `AsyncStream` on a blocking transport, without an event loop (see
`dockerproto.transport.runtime.run`). Both are objects, not generators: ``close``, the end of a ``with``,
the end of the response or any error closes them, and closing never waits for the engine.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Iterator
from functools import partial
from itertools import chain
from os import PathLike, fspath
from types import TracebackType
from typing import ClassVar, Generic, Self, TypeVar

from dockerproto.client import Client
from dockerproto.errors import (
    ClientClosed,
    DockerError,
    DockerStreamError,
    OutputFailed,
    StepFailed,
    StreamOutputFailed,
)
from dockerproto.http.interfaces import Response
from dockerproto.messages.decoding import Decoder, Decoders, decoder_for
from dockerproto.messages.models import Message
from dockerproto.messages.reduce import Collector, Reducer
from dockerproto.operations.advice import advise
from dockerproto.operations.saving import SavedFile
from dockerproto.operations.tail import Tail
from dockerproto.request.build import SolveBuild
from dockerproto.request.control_call import AnyRequest
from dockerproto.transport.local_work import LocalWork
from dockerproto.transport.runtime import run

T = TypeVar("T")
R = TypeVar("R")


class AsyncStream(Generic[T]):
    """Items of a response as they arrive, on an async client, for ``async with`` and ``async for``.

    Entering the ``async with`` sends the request; without one, the first item does. Leaving a stream early
    closes it, which stops the engine.
    """

    kept_count: ClassVar[int] = 1000
    """Number of items kept for a later exception; fewer if they are long."""

    def __init__(self, client: Client, request: AnyRequest, decoders: Decoders[T], name: str = "") -> None:
        self._name = name
        self._client = client
        self._request = request
        self._decoders = decoders
        self._requests = deque[AnyRequest]((request,))
        """Requests to send: the first one, then those that follow it."""
        self._work: LocalWork | None = None
        self._credentials = client.credentials.for_call()
        self._response: Response | None = None
        self._decoder: Decoder[T] | None = None
        self.ready: Iterator[T] = iter(())
        """Decoded items: taking one neither waits nor fails."""
        self._items: Iterator[T] = iter(())
        self._taken_items: list[T] = []
        self._tail = Tail[T](self.kept_count)
        self._reading = False
        self._ended = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._request.method} {self._request.path}>"

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        for item in self.ready:
            return item
        try:
            while True:
                for item in self._items:
                    self._taken_items.append(item)
                    return item
                if self._ended:
                    raise StopAsyncIteration
                await self._read()
                for item in self.ready:
                    return item
        except DockerError as error:
            await self._fail(error, self._tail.items())
            raise

    async def rest(self) -> list[T]:
        """Return all remaining items in a list; an exception carries those before it."""
        items = list(self.ready)
        try:
            items.extend(self._items)
            while not self._ended:
                await self._read()
                items.extend(self.ready)
                items.extend(self._items)
        except DockerError as error:
            await self._fail(error, items)
            raise
        return items

    async def close(self) -> None:
        """Close the stream, which stops the engine; closing again has no effect.

        This waits for the session of a build, which ends at once, but never for the engine.
        """
        self.abort()
        if self._response is not None:
            await self._response.settle()

    def abort(self) -> None:
        """Close the stream without waiting for anything."""
        self._ended = True
        self.ready = self._items = iter(())
        if self._response is not None:
            self._response.close()

    async def begin(self) -> None:
        """Send the request, unless that was done before."""
        if self._response is None and not self._ended:
            try:
                await self._read()
            except DockerError as error:
                await self._fail(error, [])
                raise

    async def __aenter__(self) -> Self:
        await self.begin()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()

    def __del__(self) -> None:
        if getattr(self, "_ended", True):
            return
        if self._response is None:
            name = self._name or repr(self)
            warning = f"stream {name!r} was never started: iterate over it, or close it"
            self._warn(RuntimeWarning(warning))
            return
        self.abort()
        if not self._client.closed:
            self._warn(ResourceWarning(f"{self!r} was not closed"))

    def _warn(self, warning: Warning) -> None:
        # tracemalloc of Python 3.11 has no trace of plain objects, but the call that made the stream made
        # its request too.
        warnings.warn(warning, stacklevel=1, source=self._request)

    async def _read(self) -> None:
        """Send the request, or read on; any error closes the stream."""
        if self._reading:
            raise ClientClosed(0, "this stream is already being read by another task")
        try:
            self._reading = True
            await self._step()
        except BaseException:
            await self.close()
            raise
        finally:
            self._reading = False

    async def _step(self) -> None:
        if self._response is None or self._decoder is None:
            self._response = await self._send_next()
            status, limit = self._response.head.status, self._client.configuration.message_limit
            self._decoder = decoder_for(status, self._decoders, limit)
            if status in self._decoders:
                return
        data = await self._response.receive()
        while data and self._response.head.status not in self._decoders:
            self._decoder.feed(data)
            data = await self._response.receive()
        items = self._decoder.feed(data)
        if not data:
            self._decoder = None
            self._ended = not self._requests
        if isinstance(items, list | tuple):
            self.ready = iter(items)
        else:
            self._items, items = iter(items), []
            self._taken_items = items
        if self.kept_count:
            self._tail.begin(items, len(data))

    async def _send_next(self) -> Response:
        """Send the next request, within the limits of the call that the first one began."""
        self._request = request = self._requests.popleft()
        self._work = self._work or self._client.begin(request.timeout, request.pace)
        response = await self._client.open(request, self._credentials, self._work)
        if isinstance(request, SolveBuild):
            self._requests.extend(request.options.following(self._client.buildkit.worker))
        return response

    async def _fail(self, error: DockerError, previous: list[T]) -> None:
        await self.close()
        advise(error, self._request, self._credentials)
        if self._response is not None and error.__cause__ is None:
            error.__cause__ = self._response.cause
        if self.kept_count:
            error.messages = previous
        _shorten(error)
        if (failure := _output_failure(error)) is not None:
            raise failure from error.__cause__


def _shorten(error: DockerError) -> None:
    """Replace the frames of decoders, which tell nothing about an error of the engine, by its failed step."""
    if isinstance(error, DockerStreamError):
        error.__traceback__ = None
    if error.step is not None:
        from dockerproto.operations.notes import step_note  # noqa: PLC0415  # only for failed builds

        error.add_note(step_note(error.step))


def _output_failure(error: DockerError) -> StreamOutputFailed | None:
    """Return the error for an output that cannot be written; the engine's own may be no more than "EOF"."""
    cause = error.__cause__
    if not isinstance(error, DockerStreamError) or isinstance(error, StepFailed):
        return None
    if not isinstance(cause, OutputFailed) or not isinstance(cause.__cause__, OSError):
        return None  # a truncated tar is the consequence of the engine's error
    failure = StreamOutputFailed(cause.message, error_detail=error.error_detail)
    failure.messages, failure.step = error.messages, error.step
    failure.add_note(f"the engine reported: {error.message}")
    return failure


class AsyncProgress(AsyncStream[Message], Generic[R]):
    """Messages of an operation as they arrive, and its result at the end, on an async client."""

    def __init__(
        self,
        client: Client,
        request: AnyRequest,
        decoders: Decoders[Message],
        reducer: Reducer[R],
        name: str = "",
    ) -> None:
        self._collector = Collector(reducer)
        super().__init__(client, request, self._collector.wrap(decoders), name)

    @property
    def result(self) -> R:
        """Result of the operation, once all messages are read.

        Raises:
            NotFinished: Messages remain, or the operation failed.
        """
        return self._collector.result()

    async def _fail(self, error: DockerError, previous: list[Message]) -> None:
        self._collector.explain(error)
        await super()._fail(error, previous)


class AsyncDownload(AsyncStream[bytes]):
    """Bytes of an archive, on an async client: iterate over them, or `read` them."""

    kept_count = 0

    async def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes, b"" at the end; all remaining bytes if `size` is negative."""
        if size < 0:
            return b"".join(await self.rest())
        async for data in self:
            self._put_back(data[size:])
            return data[:size]
        return b""

    async def save(self, path: str | PathLike[str]) -> int:
        """Write the remaining bytes to a file, and return their number.

        The file is written in worker threads, and gets its name when it is complete. A file that was there
        before is replaced then, and keeps its permissions. An error or cancellation leaves no file.

        Raises:
            ClientClosed: The download was closed before it was complete.
            OutputFailed: The file cannot be written, or something other than a file is there.
        """
        transport, name = self._client.transport, fspath(path)
        create = partial(transport.need_host("a file to save to").output_file, name)
        await self.begin()
        file = SavedFile(name, create, transport, self._opened())
        try:
            await file.open()
            async for data in self:
                await file.write(data)
            self._check_end()
            return await file.commit()
        except BaseException:
            await self.close()
            await file.abandon()
            raise

    def _opened(self) -> LocalWork:
        """Return the work of the call; raise ClientClosed if the download was closed before it began."""
        if self._work is None:
            raise ClientClosed(0, "the download was closed")
        return self._work

    def _check_end(self) -> None:
        """Raise ClientClosed unless the response was read to its end."""
        if self._decoder is not None:
            raise ClientClosed(0, "the download was closed before it was complete")

    def _put_back(self, data: bytes) -> None:
        if data:
            self.ready: Iterator[bytes] = chain((data,), self.ready)


class Stream(Generic[T]):
    """Items of a response as they arrive, on a blocking client, for ``with`` and ``for``.

    Entering the ``with`` sends the request; without one, the first item does. Leaving a stream early
    closes it, which stops the engine.
    """

    def __init__(self, stream: AsyncStream[T]) -> None:
        self._stream = stream

    def __repr__(self) -> str:
        return repr(self._stream).replace("Async", "", 1)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        for item in self._stream.ready:
            return item
        try:
            return run(self._stream.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None

    def rest(self) -> list[T]:
        """Return all remaining items in a list; an exception carries those before it."""
        return run(self._stream.rest())

    def close(self) -> None:
        """Close the stream, which stops the engine; closing again has no effect."""
        run(self._stream.close())

    def __enter__(self) -> Self:
        try:
            run(self._stream.begin())
        except BaseException:
            self._stream.abort()  # an interrupt may come when the request has just been sent
            raise
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()


class Progress(Stream[Message], Generic[R]):
    """Messages of an operation as they arrive, and its result at the end, on a blocking client."""

    def __init__(self, stream: AsyncProgress[R]) -> None:
        super().__init__(stream)
        self._progress = stream

    @property
    def result(self) -> R:
        """Result of the operation, once all messages are read.

        Raises:
            NotFinished: Messages remain, or the operation failed.
        """
        return self._progress.result


class Download(Stream[bytes]):
    """Bytes of an archive, on a blocking client: iterate over them, or `read` them as from a file.

    ``tarfile.open(fileobj=download, mode="r|")`` and ``shutil.copyfileobj(download, file)`` work.
    """

    def __init__(self, stream: AsyncDownload) -> None:
        super().__init__(stream)
        self._download = stream

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes, b"" at the end; all remaining bytes if `size` is negative."""
        return run(self._download.read(size))

    def save(self, path: str | PathLike[str]) -> int:
        """Write the remaining bytes to a file, and return their number.

        The file gets its name when it is complete. A file that was there before is replaced then, and keeps
        its permissions. An error or interrupt leaves no file.

        Raises:
            ClientClosed: The download was closed before it was complete.
            OutputFailed: The file cannot be written, or something other than a file is there.
        """
        return run(self._download.save(path))
