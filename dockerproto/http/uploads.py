"""What is uploaded: any of the forms of a `Source`, as pieces of a bounded size.

A source that may block (a file, a path, an iterable) is read in worker threads, a piece at a time;
what is in memory already is not copied. An OSError of reading is an `UploadFailed`; any other
exception of the caller's own iterable comes out as it is.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Generator, Iterable
from functools import partial
from typing import Final, Protocol, TypeAlias, TypeVar, cast, runtime_checkable

from dockerproto.errors import UploadFailed
from dockerproto.sources import AsyncSource, Readable, Source
from dockerproto.transport.chunks import Buffer, Chunk, File, FileRange, SupportsFileRanges
from dockerproto.transport.network import Network

PIECE: Final = 2**20
"""The longest piece that is sent at once, in bytes."""
READ: Final = 4 * PIECE
"""How much of a file object one call of a worker thread reads; in pieces it took a seventh more."""

T = TypeVar("T")
_Readable: TypeAlias = Buffer | Readable | Iterable[bytes]


@runtime_checkable
class KnowsDockerfile(Protocol):
    """A context that can tell its Dockerfile, so that it is not looked for in a tar; it is read ahead."""

    def dockerfile(self, path: str, /) -> bytes | None:
        """Return the Dockerfile at a path of the context, None if there is none.

        It may block, and is called in a worker thread, before the first piece of the context is asked
        for; never, if there are no credentials to look up.
        """
        ...


class _Pieces(Protocol):
    async def next(self) -> Chunk:
        """Return the next bytes, none at the end; they may be overwritten by the next call."""
        ...

    async def dockerfile(self, path: str) -> bytes | None:
        """Return the Dockerfile, if it can be had without losing any piece."""
        ...

    async def close(self) -> None:
        """Let go of where they come from."""
        ...


class SlicedUpload:
    """The pieces of a source, none of them too long, none empty."""

    def __init__(
        self, source: AsyncSource, network: Network, on_upload: Callable[[int], None] | None = None
    ) -> None:
        self._source: Final = source
        self._network: Final = network
        self._pieces: Final[_Pieces] = (
            _AsyncPieces(source) if isinstance(source, AsyncIterable) else _BlockingPieces(source, network)
        )
        self._rest: memoryview | FileRange = memoryview(b"")
        self._taken = 0
        self._on_upload: Final = on_upload

    async def dockerfile(self, path: str) -> bytes | None:
        """Return the beginning of the Dockerfile at a path of a context, before its first piece.

        None if it has none, or can be read only once. A tar that is malformed is no error here, but one
        of the engine's.

        Raises:
            UploadFailed: It cannot be read.
        """
        if isinstance(self._source, KnowsDockerfile):
            tell = partial(self._source.dockerfile, path)
            return await self._network.in_thread(partial(_checked, tell))
        return await self._pieces.dockerfile(path)

    async def prepare(self) -> None:
        """Get the first piece: what cannot be read fails before anything is sent.

        Raises:
            TypeError: It yields something other than bytes.
            UploadFailed: It cannot be read.
        """
        await self._fill()

    async def next(self) -> Chunk:
        """Return the next piece, empty at the end: the one before it is sent. Raises as `prepare`."""
        if self._taken and self._on_upload is not None:
            self._on_upload(self._taken)
        if not self._rest:
            await self._fill()
        piece, self._rest = self._rest[:PIECE], self._rest[PIECE:]
        self._taken += len(piece)
        return piece

    async def close(self) -> None:
        """Close a file that was opened here, or an async generator; the caller's file stays open."""
        await self._pieces.close()

    async def _fill(self) -> None:
        piece = await self._pieces.next()
        try:
            self._rest = piece if isinstance(piece, FileRange) else memoryview(piece).cast("B")
        except TypeError:
            raise TypeError(f"what is uploaded yields bytes, not {type(piece).__name__}") from None


class _BlockingPieces:
    """The pieces of a source that may block."""

    def __init__(self, source: Source, network: Network) -> None:
        self._source: Final = _File(source, network) if isinstance(source, str | os.PathLike) else source
        self._pieces: Final = _read(self._source)
        self._network: Final = network
        self._blocks: Final = not isinstance(source, bytes | bytearray | memoryview | list | tuple)
        self._at_once: Final = READ if isinstance(source, KnowsDockerfile) else 0
        self._taken: Final = deque[Chunk]()
        self._reading = False
        self._closed = False

    async def next(self) -> Chunk:
        if not self._taken:
            do = partial(self._do, self._take)
            self._taken.extend(await self._network.in_thread(do) if self._blocks else self._take())
        return self._taken.popleft()

    async def dockerfile(self, path: str) -> bytes | None:
        return await self._network.in_thread(partial(self._do, partial(_find, self._source, path)))

    async def close(self) -> None:
        # A wait that was cancelled left its read to its thread, which then closes.
        self._closed = True
        if not self._reading:
            self._release()

    def _take(self) -> list[Chunk]:
        """Take the next piece, or as many as may be read ahead: what is read of a directory does not wait."""
        pieces, size = list[Chunk](), 0
        for piece in self._pieces:
            pieces.append(piece)
            size += len(piece)
            if size >= self._at_once:
                return pieces
        return [*pieces, b""]

    def _do(self, read: Callable[[], T]) -> T:
        self._reading = True
        try:
            return _checked(read)
        finally:
            self._reading = False
            if self._closed:
                self._release()

    def _release(self) -> None:
        self._pieces.close()
        if isinstance(self._source, _File):
            self._source.close()


class _AsyncPieces:
    """The pieces of an async iterable."""

    def __init__(self, source: AsyncIterable[bytes]) -> None:
        self._pieces: Final[AsyncIterator[bytes]] = aiter(source)

    async def next(self) -> Buffer:
        async for piece in self._pieces:
            if piece:
                return piece
        return b""

    async def dockerfile(self, path: str) -> None:
        """Return nothing: it can be read only once."""

    async def close(self) -> None:
        pieces: object = self._pieces
        if isinstance(pieces, AsyncGenerator):
            await cast("AsyncGenerator[bytes]", pieces).aclose()  # of what, isinstance cannot tell


class _File:
    """The file of a path, opened when it is first used: once, as it may be a pipe."""

    def __init__(self, path: str | os.PathLike[str], network: Network) -> None:
        self._open: Final = partial(network.open_file, path)
        self._opened: File | None = None

    def read(self, size: int, /) -> bytes:
        return self.opened().read(size)

    def seekable(self) -> bool:
        return self.opened().seekable()

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self.opened().seek(offset, whence)

    def tell(self) -> int:
        return self.opened().tell()

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()

    def opened(self) -> File:
        """Open it, if it is not open yet."""
        if self._opened is None:
            self._opened = self._open()
        return self._opened


def _read(source: _Readable) -> Generator[Chunk]:
    if isinstance(source, bytes | bytearray | memoryview):
        yield memoryview(source)
    elif isinstance(source, Iterable) and not hasattr(source, "read"):
        pieces = iter(source)
        try:
            yield from filter(None, pieces)
        finally:
            if isinstance(pieces, Generator):
                pieces.close()
    else:
        # A file is an iterable too, of its lines.
        if isinstance(source, _File) and isinstance(opened := source.opened(), SupportsFileRanges):
            yield from opened.parts()
        yield from _read_file(cast("Readable", source))


def _read_file(file: Readable) -> Generator[Buffer]:
    """Yield the pieces of a file: of one buffer if it can fill one, as fresh memory costs more."""
    readinto: Callable[[memoryview], int] | None = getattr(file, "readinto", None)
    if readinto is None:
        while piece := file.read(READ):
            yield piece
        return
    buffer = memoryview(bytearray(READ))
    while size := readinto(buffer):
        yield buffer[:size]


def _find(source: _Readable, path: str) -> bytes | None:
    """Return a file of a tar that is in memory or in a file, which then is where it was."""
    from dockerproto.buildcontext.tar_reader import BytesFile, Seekable, find_file  # noqa: PLC0415  # with all that decompresses

    if isinstance(source, bytes | bytearray | memoryview):
        return find_file(BytesFile(memoryview(source).cast("B")), path)
    seekable: Callable[[], bool] | None = getattr(source, "seekable", None)
    if seekable is None or not seekable():
        return None
    file = cast("Seekable", source)  # as it says
    start = file.tell()
    try:
        return find_file(file, path)
    finally:
        file.seek(start)


def _checked(read: Callable[[], T]) -> T:
    try:
        return read()
    except OSError as error:
        raise UploadFailed(0, f"cannot read what is to be uploaded: {error}") from error
