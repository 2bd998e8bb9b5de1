"""The machine as uploads, builds and sessions see it: files, environment variables, unique names.

Its methods block and are called in worker threads, except `variable` and `unique`. Paths inside a
`FileSystem` or a `Destination` are relative and clean, with "/" between names; the root is the empty path.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from os import PathLike
from typing import BinaryIO, Protocol, TypeAlias

from msgspec import Struct

from dockerproto.buildcontext.entry import FileEntry
from dockerproto.buildcontext.plan import BuildContext, ContextSource
from dockerproto.sources import Source
from dockerproto.transport.chunks import File

TimeLeft: TypeAlias = Callable[[], float | None]
"""Function that returns the seconds left to the call, None for no limit; once none are left, it raises.

What may take long calls it between its steps, and lets its exception pass: see ``LocalWork.time_left``.
"""


def no_limit() -> None:
    """Return None: a `TimeLeft` without a limit."""


class FileReader(Protocol):
    """A file that is open for reading."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, empty at the end. Raises OSError."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


class Node(Struct, frozen=True):
    """An entry as the file system has it: not a hard link, but with an identity shared by all its names."""

    entry: FileEntry
    """Metadata of the entry; `FileEntry.hard` is False."""
    identity: Hashable = None
    """Value shared by all names of one file; None if it has only one name."""


class FileSystem(Protocol):
    """Files to send. One that has disappeared counts as one that never existed, except in `open`."""

    def names(self, path: str, /) -> list[str]:
        """Return the names in a directory, in the order of their bytes. Raises OSError."""
        ...

    def look(self, path: str, /) -> Node | None:
        """Return the node at a path, None if nothing is there; symlinks are not followed. Raises OSError."""
        ...

    def open(self, path: str, /) -> FileReader:
        """Open a regular file. Raises OSError."""
        ...


class OpenFileSystem(FileSystem, Protocol):
    """The files in a directory or a tar that is open."""

    def close(self) -> None:
        """Close it, without waiting for a method that runs in another thread."""
        ...


class FileWriter(Protocol):
    """A file being written, which appears at its path only once it is complete. Its methods raise OSError."""

    def write(self, data: bytes, /) -> None:
        """Append data."""
        ...

    def commit(self) -> None:
        """Move the complete file to its path."""
        ...

    def discard(self) -> None:
        """Remove the incomplete file."""
        ...


class Destination(Protocol):
    """A directory to write a tree to. Existing entries except directories are replaced. Raises OSError.

    The caller has validated the entries; the destination must check that a path still leads inside.
    """

    def prepare(self) -> None:
        """Create the root unless it exists."""
        ...

    def directory(self, entry: FileEntry, /) -> None:
        """Create a writable directory unless it exists."""
        ...

    def symlink(self, entry: FileEntry, /) -> None:
        """Create a symlink."""
        ...

    def create(self, entry: FileEntry, /) -> FileWriter:
        """Begin to write a regular file."""
        ...

    def write(self, entry: FileEntry, data: bytes, /) -> None:
        """Write a regular file whose content is complete."""
        ...

    def link(self, entry: FileEntry, /) -> None:
        """Create a hard link to a file that was written before."""
        ...

    def settle(self, entry: FileEntry, /) -> None:
        """Set the mode and time of a directory whose content is complete."""
        ...

    def close(self) -> None:
        """Close the destination."""
        ...


class LayoutDirectory(Protocol):
    """A directory with an OCI layout. Its methods raise OSError, for symlinks in it too.

    The caller has validated the digests: ``sha256:`` and 64 hexadecimal digits.
    """

    def read_index(self) -> bytes | None:
        """Return the content of ``index.json``, None if it does not exist."""
        ...

    def update_index(self, update: Callable[[bytes | None], bytes], /) -> None:
        """Replace ``index.json``, of which `update` gets the content; other updates wait meanwhile."""
        ...

    def size(self, digest: str, /) -> int | None:
        """Return the size of a blob in bytes, None if it does not exist."""
        ...

    def open(self, digest: str, offset: int, /) -> FileReader:
        """Open a blob for reading, from an offset in bytes on."""
        ...

    def create(self, digest: str, /) -> FileWriter:
        """Begin to write a blob."""
        ...


class Host(Protocol):
    """The machine that the program runs on."""

    def variable(self, name: str, /) -> str | None:
        """Return an environment variable, None if it is not set."""
        ...

    def unique(self) -> str:
        """Return a unique text of letters and digits."""
        ...

    def open_file(self, path: str | PathLike[str], time_left: TimeLeft, /) -> File:
        """Open a file to upload. Raises OSError.

        If the file `SupportsFileRanges`, its ranges are passed to `ByteStream.send`.
        """
        ...

    def open_context(self, context: BuildContext, time_left: TimeLeft, /) -> ContextSource:
        """Find the Dockerfile and ignore file of a build context; return what can be sent of it."""
        ...

    def directory(self, path: str, /) -> OpenFileSystem:
        """Return the files in a directory. Raises OSError if it is not a directory."""
        ...

    def tar(self, source: Source, limit: int, time_left: TimeLeft, /) -> OpenFileSystem:
        """Return the files in a tar, with temporary files of at most `limit` bytes; raise UploadFailed."""
        ...

    def read(self, path: str, size: int, time_left: TimeLeft, /) -> bytes:
        """Return at most `size` bytes of a file; a leading ``~`` is a home directory. Raises OSError.

        The file may be a pipe, whose writer comes later.
        """
        ...

    def spool(self) -> BinaryIO:
        """Return a private temporary file, deleted when it is closed. Raises OSError."""
        ...

    def output_directory(self, path: str, /) -> Destination:
        """Return a directory to write a tree to."""
        ...

    def output_file(self, path: str, /) -> FileWriter:
        """Begin to write a file. Raises OSError."""
        ...

    def layout(self, path: str, /, *, create: bool) -> LayoutDirectory:
        """Return a directory with an OCI layout; `create` makes it unless it exists. Raises OSError."""
        ...

    def identity(self, path: str, /) -> str:
        """Return an identifier of this directory on this machine for this user, the same every time."""
        ...
