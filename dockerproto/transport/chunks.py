"""Chunks of a request body: bytes, or a range of a file that the operating system sends by sendfile()."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol, TypeAlias, runtime_checkable

from msgspec import Struct

Buffer: TypeAlias = bytes | bytearray | memoryview


class FileRange(Struct, frozen=True):
    """A range of the bytes of a file, sliced as bytes are.

    >>> chunk = FileRange(file=3, offset=100, size=50)
    >>> len(chunk), chunk[20:]
    (50, FileRange(file=3, offset=120, size=30))
    """

    file: int
    """Descriptor of the file, which stays open while the range is in use."""
    offset: int
    """Position of the first byte in the file."""
    size: int
    """Number of bytes."""

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, part: slice) -> FileRange:
        start, stop, _ = part.indices(self.size)
        return FileRange(self.file, self.offset + start, max(0, stop - start))


Chunk: TypeAlias = Buffer | FileRange
"""The unit of a body that is sent."""


class File(Protocol):
    """A file that is open for reading; its methods block and raise OSError."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, empty at the end."""
        ...

    def seekable(self) -> bool:
        """Return True if the file supports `seek` and `tell`."""
        ...

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move to a position and return it."""
        ...

    def tell(self) -> int:
        """Return the position."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


@runtime_checkable
class SupportsFileRanges(Protocol):
    """A file whose ranges can be passed to `ByteStream.send` instead of bytes."""

    def ranges(self) -> Generator[FileRange]:
        """Yield the ranges of the file and move to the end of the last one; blocks."""
        ...
