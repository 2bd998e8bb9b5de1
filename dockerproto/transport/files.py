"""Files of this machine, as sessions see them: what is sent to an engine, and what is written of it.

All of it blocks, and is called in worker threads. Paths inside are relative and clean, with "/" between
names; the root is the empty path.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import BinaryIO, Protocol

from msgspec import Struct

from dockerproto.buildcontext.entry import FileEntry
from dockerproto.sources import Source


class Opened(Protocol):
    """A file that is read."""

    def read(self, size: int, /) -> bytes:
        """Return at most so many bytes, none at the end. Raises OSError."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Node(Struct, frozen=True):
    """What is at a path, as the file system has it: it knows no hard links, but files with several names."""

    entry: FileEntry
    """What it is; `Entry.hard` is False."""
    identity: Hashable = None
    """The same for all names of one file; None if it has no other name."""


class FileSystem(Protocol):
    """Files to be sent. What is gone in the meantime is as if it had never been there, but for `open`."""

    def names(self, path: str, /) -> list[str]:
        """Return the names in a directory, in the order of their bytes. Raises OSError."""
        ...

    def look(self, path: str, /) -> Node | None:
        """Return what is at a path, None if nothing is. A symlink is not followed. Raises OSError."""
        ...

    def open(self, path: str, /) -> Opened:
        """Open a regular file. Raises OSError."""
        ...


class Archive(FileSystem, Protocol):
    """The files in a tar."""

    def close(self) -> None:
        """Let go of it."""
        ...


class Written(Protocol):
    """A file that is being written; nobody sees it until it is complete. Methods raise OSError."""

    def write(self, data: bytes, /) -> None:
        """Add to it."""
        ...

    def commit(self) -> None:
        """Put it in its place, complete."""
        ...

    def discard(self) -> None:
        """Remove what there is of it."""
        ...


class Destination(Protocol):
    """Where a tree is written to; what is there already is replaced, but for directories. Raises OSError.

    The entries are checked; what a path leads to by now is for the destination to check.
    """

    def prepare(self) -> None:
        """Make the root, if it is not there."""
        ...

    def directory(self, entry: FileEntry, /) -> None:
        """Make a directory that can be written to, unless there is one."""
        ...

    def symlink(self, entry: FileEntry, /) -> None:
        """Make a symlink."""
        ...

    def create(self, entry: FileEntry, /) -> Written:
        """Begin a regular file."""
        ...

    def link(self, entry: FileEntry, /) -> None:
        """Make a hard link to a file that was written before."""
        ...

    def settle(self, entry: FileEntry, /) -> None:
        """Give a directory its mode and time, as everything is in it."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class Disk(Protocol):
    """The files of this machine."""

    def directory(self, path: str, /) -> FileSystem:
        """Return the files in a directory. Raises OSError if there is none."""
        ...

    def archive(self, source: Source, /) -> Archive:
        """Return the files in a tar; raise UploadFailed."""
        ...

    def read(self, path: str, size: int, /) -> bytes:
        """Return at most so many bytes of a file; ``~`` is a home directory. Raises OSError."""
        ...

    def spool(self) -> BinaryIO:
        """Return a file that nobody else sees, which is gone when it is closed. Raises OSError."""
        ...

    def tree(self, path: str, /) -> Destination:
        """Return a directory as what a tree is written to."""
        ...

    def file(self, path: str, /) -> Written:
        """Begin to write a file. Raises OSError."""
        ...

    def identity(self, path: str, /) -> str:
        """Return what stands for a directory of this user on this machine, always the same."""
        ...
