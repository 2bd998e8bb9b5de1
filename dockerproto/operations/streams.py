"""Streams: items of an answer as they come; the only loop of the library.

`Stream` is `AsyncStream` on a blocking transport, driven without an event loop: see `network`. Both
are objects, not generators: they are closed by ``close``, at the end of a ``with``, at the end of the
answer or by whatever goes wrong, and closing never waits.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import chain
from types import TracebackType
from typing import ClassVar, Final, Generic, Self, TypeVar

from dockerproto.client import Client, Response
from dockerproto.errors import ClientClosed, DockerError
from dockerproto.messages.decoding import Decoder, Decoders, decoder_for
from dockerproto.messages.models import Message
from dockerproto.messages.reduce import Collector, Reducer
from dockerproto.operations.tail import Tail
from dockerproto.request.request import Request
from dockerproto.transport.runtime import run

T = TypeVar("T")
R = TypeVar("R")


class AsyncStream(Generic[T]):
    """Items as they come, on an async client: ``async with`` it, ``async for`` over it.

    The request is sent when the ``async with`` is entered, or at the first item without one. A stream
    that is left early is closed, at which the engine stops.
    """

    kept: ClassVar[int] = 1000
    """How many items are kept for the exception that may come; of long ones fewer."""

    def __init__(self, client: Client, request: Request, decoders: Decoders[T]) -> None:
        self._client: Final = client
        self._request: Final = request
        self._decoders: Final = decoders
        self._answer: Response | None = None
        self._decoder: Decoder[T] | None = None
        self.ready: Iterator[T] = iter(())
        """Items that are here already: to take one neither waits nor fails."""
        self._items: Iterator[T] = iter(())
        self._block: list[T] = []
        self._last: Final = Tail[T](self.kept)
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
                    self._block.append(item)
                    return item
                if self._ended:
                    raise StopAsyncIteration
                await self._read()
                for item in self.ready:
                    return item
        except DockerError as error:
            await self._fail(error, self._last.items())
            raise

    async def rest(self) -> list[T]:
        """Return all items that are left, in a list; an exception has those that came before it."""
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
        """Close the stream, at which the engine stops what it was doing; again does nothing.

        The engine is not waited for; the session of a build is, which ends at once.
        """
        self.abort()
        if self._answer is not None:
            await self._answer.settle()

    def abort(self) -> None:
        """Close the stream without waiting for anything."""
        self._ended = True
        self.ready = self._items = iter(())
        if self._answer is not None:
            self._answer.close()

    async def __aenter__(self) -> Self:
        if self._answer is None and not self._ended:
            await self._read()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()

    def __del__(self) -> None:
        if getattr(self, "_ended", True) or self._answer is None:
            return
        self.abort()
        warnings.warn(f"{self!r} was not closed", ResourceWarning, stacklevel=1, source=self)

    async def _read(self) -> None:
        """Send the request, or read on; whatever goes wrong closes the stream."""
        if self._reading:
            raise ClientClosed(0, "two at once read one stream")
        self._reading = True
        try:
            await self._step()
        except BaseException:
            await self.close()
            raise
        finally:
            self._reading = False

    async def _step(self) -> None:
        if self._answer is None or self._decoder is None:
            self._answer = await self._client.open(self._request)
            status, limit = self._answer.head.status, self._client.configuration.message_limit
            self._decoder = decoder_for(status, self._decoders, limit)
            if status in self._decoders:
                return
        data = await self._answer.receive()
        while data and self._answer.head.status not in self._decoders:
            self._decoder.feed(data)
            data = await self._answer.receive()
        self._ended = not data
        items = self._decoder.feed(data)
        if isinstance(items, list | tuple):
            self.ready = iter(items)
        else:
            self._items, items = iter(items), []
            self._block = items
        if self.kept:
            self._last.begin(items, len(data))

    async def _fail(self, error: DockerError, before: list[T]) -> None:
        await self.close()
        if self._answer is not None and error.__cause__ is None:
            error.__cause__ = self._answer.cause
        if self.kept:
            error.messages = before


class AsyncProgress(AsyncStream[Message], Generic[R]):
    """The messages of an operation as they come, on an async client, and its result at the end."""

    def __init__(
        self, client: Client, request: Request, decoders: Decoders[Message], fold: Reducer[R]
    ) -> None:
        self._folding: Final = Collector(fold)
        super().__init__(client, request, self._folding.watched(decoders))

    @property
    def result(self) -> R:
        """What came of the operation, once all messages are read.

        Raises:
            NotFinished: They are not, or the operation failed.
        """
        return self._folding.result()


class AsyncDownload(AsyncStream[bytes]):
    """The bytes of an archive, on an async client: iterate over it, or `read` it."""

    kept = 0

    async def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes, b"" at the end; all that are left if it is negative."""
        if size < 0:
            return b"".join(await self.rest())
        async for data in self:
            self._put_back(data[size:])
            return data[:size]
        return b""

    def _put_back(self, data: bytes) -> None:
        if data:
            self.ready: Iterator[bytes] = chain((data,), self.ready)


class Stream(Generic[T]):
    """Items as they come, on a blocking client: ``with`` it, ``for`` over it.

    The request is sent when the ``with`` is entered, or at the first item without one. A stream that
    is left early is closed, at which the engine stops.
    """

    def __init__(self, stream: AsyncStream[T]) -> None:
        self._stream: Final = stream

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
        """Return all items that are left, in a list; an exception has those that came before it."""
        return run(self._stream.rest())

    def close(self) -> None:
        """Close the stream, at which the engine stops what it was doing; again does nothing."""
        run(self._stream.close())

    def __enter__(self) -> Self:
        run(self._stream.__aenter__())
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()


class Progress(Stream[Message], Generic[R]):
    """The messages of an operation as they come, on a blocking client, and its result at the end."""

    def __init__(self, stream: AsyncProgress[R]) -> None:
        super().__init__(stream)
        self._progress: Final = stream

    @property
    def result(self) -> R:
        """What came of the operation, once all messages are read.

        Raises:
            NotFinished: They are not, or the operation failed.
        """
        return self._progress.result


class Download(Stream[bytes]):
    """The bytes of an archive, on a blocking client: iterate over it, or `read` it as a file.

    ``tarfile.open(fileobj=download, mode="r|")`` and ``shutil.copyfileobj(download, file)`` work.
    """

    def __init__(self, stream: AsyncDownload) -> None:
        super().__init__(stream)
        self._download: Final = stream

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes, b"" at the end; all that are left if it is negative."""
        return run(self._download.read(size))
