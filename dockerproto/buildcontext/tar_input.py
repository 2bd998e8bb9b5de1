"""The bytes of a tar, decompressed as they are read: plain, or compressed by gzip, bzip2 or xz."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Mapping
from typing import BinaryIO, Final, Protocol, cast

from dockerproto.sources import Readable

DECOMPRESSION_ERRORS: Final = (OSError, EOFError, zlib.error, lzma.LZMAError)
"""Errors of reading compressed data that is malformed or truncated."""
XZ_MEMORY: Final = 2**28
"""Limit on the memory for decompressing xz, in bytes: a header may ask for 4 GiB; `xz -9` takes 65 MiB."""
_CHUNK: Final = 2**16


class Seekable(Readable, Protocol):
    """A file that can be read repeatedly."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move to another position."""
        ...

    def tell(self) -> int:
        """Return the position."""
        ...


class _XZFile:
    """The content of an xz file; `lzma.LZMAFile` has no limit on its memory."""

    def __init__(self, file: Readable) -> None:
        self._file = file
        self._stream = _xz_stream()

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; empty at the end."""
        while True:
            if self._stream.eof:
                data = self._next_stream()
                if not data:
                    return b""
                self._stream = _xz_stream()
            else:
                data = self._file.read(_CHUNK) if self._stream.needs_input else b""
                if self._stream.needs_input and not data:
                    raise EOFError("compressed data ended before the end-of-stream marker")
            if content := self._stream.decompress(data, size):
                return content

    def _next_stream(self) -> bytes:
        """Return the start of the stream after this one, without the zeros that may be between them."""
        data = self._stream.unused_data.lstrip(b"\0")
        while not data and (chunk := self._file.read(_CHUNK)):
            data = chunk.lstrip(b"\0")
        return data


def _xz_stream() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)


_DECOMPRESSORS: Final[Mapping[bytes, Callable[[Readable], Readable]]] = {
    # Both are typed to take any BinaryIO, but only read.
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=cast("BinaryIO", file), mode="rb"),
    b"BZh": lambda file: bz2.BZ2File(cast("BinaryIO", file)),
    b"\xfd7zXZ\0": _XZFile,
}
_LONGEST_MAGIC: Final = max(map(len, _DECOMPRESSORS))


def decompress(file: Seekable) -> Readable | None:
    """Return the content of a compressed file from its position on, or None if it is not compressed."""
    start = file.tell()
    magic = file.read(_LONGEST_MAGIC)
    file.seek(start)
    for prefix, decompressor in _DECOMPRESSORS.items():
        if magic.startswith(prefix):
            return decompressor(file)
    return None


class TarInput:
    """The bytes of a tar, read forwards.

    Args:
        archive: The archive, at its position.
        content: The tar in it, if it is compressed.
        limit: Number of bytes that may be decompressed.
    """

    def __init__(self, archive: Seekable, content: Readable | None = None, limit: int = 0) -> None:
        self._archive = archive if content is None else None
        self._file: Readable = archive if content is None else content
        self._limit = limit
        self.position: int = 0
        """Number of bytes read and skipped."""

    @property
    def decompressed(self) -> int:
        """Number of bytes that were decompressed."""
        return self.position if self._archive is None else 0

    def read(self, size: int) -> bytes:
        """Return exactly `size` bytes, or fewer at the end of the file."""
        chunks = [b""]
        while size and (chunk := self._file.read(size)):
            chunks.append(chunk)
            size -= len(chunk)
            self.position += len(chunk)
        return b"".join(chunks)

    def skip(self, size: int) -> None:
        """Skip `size` bytes. Raises ValueError if more bytes were decompressed than the limit."""
        if self._archive is not None:
            self._archive.seek(size, 1)
            self.position += size
            return
        end = self.position + size
        while self.position < end and self.read(min(end - self.position, _CHUNK)):
            if self.position > self._limit:
                raise ValueError(f"more than {self._limit} bytes")
