"""Pieces of a body that is sent: bytes, or a part of a file, which the system can send from where it is."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol, TypeAlias, runtime_checkable

from msgspec import Struct

Buffer: TypeAlias = bytes | bytearray | memoryview


class FileRange(Struct, frozen=True):
    """Bytes of a file; a part of them is sliced as that of bytes is.

    >>> part = FileRange(file=3, offset=100, size=50)
    >>> len(part), part[20:]
    (50, FileRange(file=3, offset=120, size=30))
    """

    file: int
    """The descriptor of the file, which is open as long as the part is in use."""
    offset: int
    """Where in the file they begin."""
    size: int
    """How many they are."""

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, part: slice) -> FileRange:
        start, stop, _ = part.indices(self.size)
        return FileRange(self.file, self.offset + start, max(0, stop - start))


Chunk: TypeAlias = Buffer | FileRange
"""What is sent at once."""


class File(Protocol):
    """A file that is open for reading; its methods block, and raise OSError."""

    def read(self, size: int, /) -> bytes:
        """Return some bytes, none at the end."""
        ...

    def seekable(self) -> bool:
        """Whether it can be read from anywhere."""
        ...

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place."""
        ...

    def tell(self) -> int:
        """Return the place."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


@runtime_checkable
class SupportsFileRanges(Protocol):
    """A file whose parts can be sent without being read, by the connections of its network."""

    def parts(self) -> Generator[FileRange]:
        """Yield them, and go to where they end; it blocks."""
        ...
