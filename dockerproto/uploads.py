"""What is uploaded: any of the forms of a `Source`, as pieces of a bounded size.

A source that may block (a file, a path, an iterable) is read in worker threads, a piece at a time;
what is in memory already is not copied. An OSError of reading is an `UploadFailed`; any other
exception of the caller's own iterable comes out as it is.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Generator, Iterable
from contextlib import closing
from typing import Final, Protocol, cast

from dockerproto.errors import UploadFailed
from dockerproto.http11 import Buffer
from dockerproto.network import Network
from dockerproto.request import AsyncSource, Readable, Source

PIECE: Final = 2**20
"""The longest piece that is sent at once, in bytes; each is one call of a worker thread."""


class _Pieces(Protocol):
    async def next(self) -> Buffer:
        """Return the next bytes, none at the end; they may be overwritten by the next call."""
        ...

    async def close(self) -> None:
        """Let go of where they come from."""
        ...


class SlicedUpload:
    """The pieces of a source, none of them too long, none empty."""

    def __init__(self, source: AsyncSource, network: Network) -> None:
        self._pieces: Final[_Pieces] = (
            _AsyncPieces(source) if isinstance(source, AsyncIterable) else _BlockingPieces(source, network)
        )
        self._rest: memoryview = memoryview(b"")

    async def prepare(self) -> None:
        """Get the first piece: what cannot be read fails before anything is sent.

        Raises:
            TypeError: It yields something other than bytes.
            UploadFailed: It cannot be read.
        """
        try:
            await self._fill()
        except BaseException:
            await self.close()
            raise

    async def next(self) -> Buffer:
        """Return the next piece, empty at the end. Raises as `prepare`."""
        if not self._rest:
            await self._fill()
        piece, self._rest = self._rest[:PIECE], self._rest[PIECE:]
        return piece

    async def close(self) -> None:
        """Close a file that was opened here, or an async generator; the caller's file stays open."""
        await self._pieces.close()

    async def _fill(self) -> None:
        piece = await self._pieces.next()
        try:
            self._rest = memoryview(piece).cast("B")
        except TypeError:
            raise TypeError(f"what is uploaded yields bytes, not {type(piece).__name__}") from None


class _BlockingPieces:
    """The pieces of a source that may block."""

    def __init__(self, source: Source, network: Network) -> None:
        self._pieces: Final = _read(source, network)
        self._network: Final = network
        self._blocks: Final = not isinstance(source, bytes | bytearray | memoryview | list | tuple)
        self._reading = False
        self._closed = False

    async def next(self) -> Buffer:
        return await self._network.in_thread(self._next) if self._blocks else self._next()

    async def close(self) -> None:
        # A wait that was cancelled left its read to its thread, which then closes.
        self._closed = True
        if not self._reading:
            self._pieces.close()

    def _next(self) -> Buffer:
        self._reading = True
        try:
            return next(self._pieces, b"")
        except OSError as error:
            raise UploadFailed(0, f"cannot read what is to be uploaded: {error}") from error
        finally:
            self._reading = False
            if self._closed:
                self._pieces.close()


class _AsyncPieces:
    """The pieces of an async iterable."""

    def __init__(self, source: AsyncIterable[bytes]) -> None:
        self._pieces: Final[AsyncIterator[bytes]] = aiter(source)

    async def next(self) -> Buffer:
        async for piece in self._pieces:
            if piece:
                return piece
        return b""

    async def close(self) -> None:
        pieces: object = self._pieces
        if isinstance(pieces, AsyncGenerator):
            await cast("AsyncGenerator[bytes]", pieces).aclose()  # of what, isinstance cannot tell


def _read(source: Source, network: Network) -> Generator[Buffer]:
    if isinstance(source, bytes | bytearray | memoryview):
        yield memoryview(source)
    elif isinstance(source, str | os.PathLike):
        with closing(network.open_file(source)) as file:
            yield from _read(file, network)
    elif isinstance(source, Iterable) and not hasattr(source, "read"):
        try:
            yield from filter(None, source)
        finally:
            if isinstance(source, Generator):
                source.close()
    else:
        yield from _read_file(cast("Readable", source))  # it is an iterable too, of its lines


def _read_file(file: Readable) -> Generator[Buffer]:
    """Yield the pieces of a file: of one buffer if it can fill one, as fresh memory costs more."""
    readinto: Callable[[memoryview], int] | None = getattr(file, "readinto", None)
    if readinto is None:
        while piece := file.read(PIECE):
            yield piece
        return
    buffer = memoryview(bytearray(PIECE))
    while size := readinto(buffer):
        yield buffer[:size]
