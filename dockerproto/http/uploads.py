"""Uploads: any form of a `Source`, sent in chunks of a bounded size.

A source that may block (a file, a path, an iterable) is read in worker threads, one chunk at a time; data in
memory is not copied. An OSError while reading becomes an `UploadFailed`; any other exception of the caller's
own iterable is raised unchanged.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Generator, Iterable
from functools import partial
from typing import Final, Protocol, TypeAlias, TypeVar, cast, runtime_checkable

from dockerproto.errors import DockerError, UploadFailed
from dockerproto.sources import AsyncSource, Readable, Source, close_generator
from dockerproto.transport.chunks import Buffer, Chunk, File, FileRange, SupportsFileRanges
from dockerproto.transport.local_work import LocalWork
from dockerproto.transport.transport import Transport

CHUNK_LIMIT: Final = 2**20
"""Longest chunk that is sent at once, in bytes."""
READ_SIZE: Final = 4 * CHUNK_LIMIT
"""Bytes that one call in a worker thread reads of a file object; chunk by chunk it took a seventh longer."""

T = TypeVar("T")
_Readable: TypeAlias = Buffer | Readable | Iterable[bytes]


@runtime_checkable
class KnowsDockerfile(Protocol):
    """A build context that knows its Dockerfile, so no tar is searched for it; the context is read ahead."""

    def dockerfile(self, path: str, /) -> bytes | None:
        """Return the Dockerfile at a path of the context, None if it is missing.

        It may block. It is called in a worker thread, before the first chunk of the context is read, and
        only if there are credentials to look up.
        """
        ...


class _Chunks(Protocol):
    async def next(self) -> Chunk:
        """Return the next chunk, empty at the end; the next call may overwrite it."""
        ...

    async def dockerfile(self, path: str) -> bytes | None:
        """Return the Dockerfile if it can be read without losing any chunk, otherwise None."""
        ...

    async def head(self, size: int) -> bytes | None:
        """Return the first bytes if the first chunk may be a range of a file, otherwise None."""
        ...

    async def close(self) -> None:
        """Close the source."""
        ...


class SlicedUpload:
    """The chunks of a source; each has at most `CHUNK_LIMIT` bytes, only the last is empty."""

    def __init__(
        self,
        source: AsyncSource,
        transport: Transport,
        work: LocalWork,
        on_upload: Callable[[int], None] | None = None,
    ) -> None:
        self._source = source
        self._work = work
        self._chunks: _Chunks = (
            _AsyncChunks(source, work)
            if isinstance(source, AsyncIterable)
            else _BlockingChunks(source, transport, work)
        )
        self._rest: memoryview | FileRange = memoryview(b"")
        self._size = 0
        self._on_upload = on_upload

    async def dockerfile(self, *paths: str) -> bytes | None:
        """Return the beginning of the Dockerfile at the first path of a build context that exists.

        Return None if it is missing, or if the source can be read only once. A malformed tar is not an error
        here: the engine reports it. It is called before the first chunk is read.

        Raises:
            UploadFailed: The source cannot be read.
        """
        for path in paths:
            if (dockerfile := await self._dockerfile(path)) is not None:
                return dockerfile
        return None

    async def _dockerfile(self, path: str) -> bytes | None:
        if isinstance(self._source, KnowsDockerfile):
            read = partial(self._source.dockerfile, path)
            return await self._work.in_thread(partial(_convert_errors, read))
        return await self._chunks.dockerfile(path)

    async def head(self, size: int) -> bytes:
        """Return the first bytes of the source, `size` at most, before the first chunk; they are sent too.

        Raises:
            TypeError: The source yields something other than bytes.
            UploadFailed: The source cannot be read.
        """
        head = await self._chunks.head(size)
        if head is None:
            await self._fill()
            head = bytes(cast("memoryview", self._rest)[:size])  # only a seekable file has ranges
        return head

    async def prepare(self) -> None:
        """Read the first chunk, unless `head` did: an unreadable source fails before anything is sent.

        Raises:
            TypeError: The source yields something other than bytes.
            UploadFailed: The source cannot be read.
        """
        if not self._rest:
            await self._fill()

    async def next(self) -> Chunk:
        """Return the next chunk, empty at the end; the one before has been sent. Raises as `prepare` does."""
        if self._size and self._on_upload is not None:
            self._on_upload(self._size)
        if not self._rest:
            await self._fill()
        chunk, self._rest = self._rest[:CHUNK_LIMIT], self._rest[CHUNK_LIMIT:]
        self._size += len(chunk)
        return chunk

    async def close(self) -> None:
        """Close an async generator, or a file that was opened here; the caller's own file stays open."""
        await self._chunks.close()

    async def _fill(self) -> None:
        chunk = await self._chunks.next()
        try:
            self._rest = chunk if isinstance(chunk, FileRange) else memoryview(chunk).cast("B")
        except TypeError:
            message = f"an upload must yield bytes, not {type(chunk).__name__}"
            raise TypeError(message) from None


class _BlockingChunks:
    """The chunks of a source that may block."""

    def __init__(self, source: Source, transport: Transport, work: LocalWork) -> None:
        self._source = _File(source, transport, work) if isinstance(source, str | os.PathLike) else source
        self._chunks = _read(self._source)
        self._work = work
        self._blocks = not isinstance(source, bytes | bytearray | memoryview | list | tuple)
        self._read_ahead = READ_SIZE if isinstance(source, KnowsDockerfile) else 0
        self._waiting = deque[Chunk]()
        self._reading = False
        self._closed = False

    async def next(self) -> Chunk:
        if not self._waiting:
            read = partial(self._guard, self._take)
            self._waiting.extend(await self._work.in_thread(read) if self._blocks else self._take())
        return self._waiting.popleft()

    async def dockerfile(self, path: str) -> bytes | None:
        return await self._work.in_thread(partial(self._guard, partial(_find, self._source, path)))

    async def head(self, size: int) -> bytes | None:
        if not isinstance(self._source, _File):
            return None
        return await self._work.in_thread(partial(self._guard, partial(self._source.peek, size)))

    async def close(self) -> None:
        # A cancelled wait leaves its read to the worker thread, which then closes the source.
        self._closed = True
        if not self._reading:
            self._release()

    def _take(self) -> list[Chunk]:
        """Return the next chunk; of a directory as many as make up `READ_SIZE`, to call fewer threads."""
        chunks, size = list[Chunk](), 0
        for chunk in self._chunks:
            chunks.append(chunk)
            size += len(chunk)
            if size >= self._read_ahead:
                return chunks
        return [*chunks, b""]

    def _guard(self, read: Callable[[], T]) -> T:
        """Read, then close the source if `close` was called meanwhile."""
        self._reading = True
        try:
            return _convert_errors(read)
        finally:
            self._reading = False
            if self._closed:
                self._release()

    def _release(self) -> None:
        self._chunks.close()
        if isinstance(self._source, _File):
            self._source.close()


class _AsyncChunks:
    """The chunks of an async iterable."""

    def __init__(self, source: AsyncIterable[bytes], work: LocalWork) -> None:
        self._chunks: AsyncIterator[bytes] = aiter(source)
        self._work = work

    async def next(self) -> Buffer:
        return await self._work.wait(self._next)

    async def _next(self) -> Buffer:
        async for chunk in self._chunks:
            if chunk:
                return chunk
        return b""

    async def dockerfile(self, path: str) -> None:
        """Return None: the source can be read only once."""

    async def head(self, size: int) -> None:
        """Return None: chunks are in memory."""

    async def close(self) -> None:
        await close_generator(self._chunks)


class _File:
    """The file at a path, opened at its first use and only once, as it may be a pipe."""

    def __init__(self, path: str | os.PathLike[str], transport: Transport, work: LocalWork) -> None:
        host = transport.need_host("an upload of a path")
        self._open = partial(host.open_file, path, work.time_left)
        self._file: File | None = None

    def read(self, size: int, /) -> bytes:
        return self.open().read(size)

    def seekable(self) -> bool:
        return self.open().seekable()

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self.open().seek(offset, whence)

    def tell(self) -> int:
        return self.open().tell()

    def peek(self, size: int) -> bytes | None:
        """Return the first bytes, or None if the file is not seekable."""
        if not self.seekable():
            return None
        head = self.read(size)
        self.seek(0)
        return head

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def open(self) -> File:
        """Return the file; open it at the first call."""
        if self._file is None:
            self._file = self._open()
        return self._file


def _read(source: _Readable) -> Generator[Chunk]:
    if isinstance(source, bytes | bytearray | memoryview):
        yield memoryview(source)
    elif isinstance(source, Iterable) and not hasattr(source, "read"):
        chunks = iter(source)
        try:
            yield from filter(None, chunks)
        finally:
            if isinstance(chunks, Generator):
                chunks.close()
    else:
        # A file is iterable too, by lines.
        if isinstance(source, _File) and isinstance(file := source.open(), SupportsFileRanges):
            yield from file.ranges()
        yield from _read_file(cast("Readable", source))


def _read_file(file: Readable) -> Generator[Buffer]:
    """Yield the chunks of a file, in one buffer if it has `readinto`, as new memory costs more."""
    readinto: Callable[[memoryview], int] | None = getattr(file, "readinto", None)
    if readinto is None:
        while chunk := file.read(READ_SIZE):
            yield chunk
        return
    buffer = memoryview(bytearray(READ_SIZE))
    while size := readinto(buffer):
        yield buffer[:size]


def _find(source: _Readable, path: str) -> bytes | None:
    """Return a file of a tar in memory or in a seekable file, whose position is then restored."""
    from dockerproto.buildcontext.tar_input import Seekable  # noqa: PLC0415  # it loads all decompressors
    from dockerproto.buildcontext.tar_reader import BytesFile, find_file  # noqa: PLC0415

    if isinstance(source, bytes | bytearray | memoryview):
        return find_file(BytesFile(memoryview(source).cast("B")), path)
    seekable: Callable[[], bool] | None = getattr(source, "seekable", None)
    if seekable is None or not seekable():
        return None
    file = cast("Seekable", source)  # seekable() says so
    start = file.tell()
    try:
        return find_file(file, path)
    finally:
        file.seek(start)


def _convert_errors(read: Callable[[], T]) -> T:
    try:
        return read()
    except DockerError:  # such as TimedOut, which is an OSError
        raise
    except OSError as error:
        raise UploadFailed(0, f"cannot read the data to upload: {error}") from error
