"""A directory on this machine, as the file system of a build context."""

from __future__ import annotations

import errno
import os
import stat
from typing import BinaryIO, Final

from dockerproto.buildcontext.paths import in_order
from dockerproto.transport.host import Node
from dockerproto_local.walk import entry_from_stat

_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Directory:
    """The files in a directory.

    Args:
        path: The directory, or a symlink to it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._root = os.fspath(path)

    def names(self, path: str, /) -> list[str]:
        """Return the names in a directory; none if it has vanished."""
        try:
            return in_order(os.listdir(self._full_path(path)))  # noqa: PTH208  # names only
        except (FileNotFoundError, NotADirectoryError):
            if not path:
                raise
            return []

    def look(self, path: str, /) -> Node | None:
        """Return the node at a path, or None if nothing is there."""
        full = self._full_path(path)
        try:
            status = os.lstat(full)
            entry = entry_from_stat(path, status, full)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return Node(entry, (status.st_dev, status.st_ino) if status.st_nlink > 1 else None)

    def open(self, path: str, /) -> BinaryIO:
        """Open a regular file."""
        full = self._full_path(path)
        descriptor = os.open(full, _READ)  # O_NONBLOCK: it may have become a pipe meanwhile
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "Not a regular file any more", full)
        return os.fdopen(descriptor, "rb", buffering=0)

    def _full_path(self, path: str) -> str:
        return f"{self._root}/{path}"
