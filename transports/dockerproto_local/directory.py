"""A directory of this machine, as the file system of a context."""

from __future__ import annotations

import errno
import os
import stat
from typing import BinaryIO, Final

from dockerproto.buildkit.filesystem import in_order
from dockerproto.transport.files import Node
from dockerproto_local.walk import described

_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Directory:
    """The files in a directory.

    Args:
        path: The directory; it may be a symlink to one.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._root: Final = os.fspath(path)

    def names(self, path: str, /) -> list[str]:
        """Return the names in a directory; none, if it is there no more."""
        try:
            return in_order(os.listdir(self._full(path)))  # noqa: PTH208  # names only
        except (FileNotFoundError, NotADirectoryError):
            if not path:
                raise
            return []

    def look(self, path: str, /) -> Node | None:
        """Return what is at a path, None if nothing is."""
        full = self._full(path)
        try:
            found = os.lstat(full)
            entry = described(path, found, full)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return Node(entry, (found.st_dev, found.st_ino) if found.st_nlink > 1 else None)

    def open(self, path: str, /) -> BinaryIO:
        """Open a regular file."""
        full = self._full(path)
        descriptor = os.open(full, _READ)  # does not wait, if it has become a pipe
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "No regular file any more", full)
        return os.fdopen(descriptor, "rb", buffering=0)

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}"
