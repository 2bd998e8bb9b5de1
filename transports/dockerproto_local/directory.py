"""A directory of this machine, as the file system of a context."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

from dockerproto.buildkit.filesystem import in_order
from dockerproto.disk import Node
from dockerproto.tree import Entry

_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Directory:
    """The files in a directory.

    Args:
        path: The directory; it may be a symlink to one.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._root: Final = Path(path)

    def names(self, path: str, /) -> list[str]:
        """Return the names in a directory; none, if it is there no more."""
        try:
            return in_order(os.listdir(self._root / path))  # noqa: PTH208  # names only
        except (FileNotFoundError, NotADirectoryError):
            if not path:
                raise
            return []

    def look(self, path: str, /) -> Node | None:
        """Return what is at a path, None if nothing is."""
        full = self._root / path
        try:
            found = full.lstat()
            target = os.readlink(full) if stat.S_ISLNK(found.st_mode) else ""  # noqa: PTH115  # as it is
        except (FileNotFoundError, NotADirectoryError):
            return None
        entry = Entry(
            path=path,
            mode=found.st_mode,
            size=found.st_size if stat.S_ISREG(found.st_mode) else 0,
            mtime=found.st_mtime_ns,
            target=target,
            device=_device(found),
        )
        return Node(entry, (found.st_dev, found.st_ino) if found.st_nlink > 1 else None)

    def open(self, path: str, /) -> BinaryIO:
        """Open a regular file."""
        full = self._root / path
        descriptor = os.open(full, _READ)  # does not wait, if it has become a pipe
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "No regular file any more", str(full))
        return os.fdopen(descriptor, "rb", buffering=0)


def _device(found: os.stat_result) -> tuple[int, int]:
    if stat.S_ISBLK(found.st_mode) or stat.S_ISCHR(found.st_mode):
        return os.major(found.st_rdev), os.minor(found.st_rdev)
    return 0, 0
