"""Open what is below a directory name by name, so that no symlink leads out of it.

A process that may change a build context may replace a directory by a symlink at any moment. So each name is
opened relative to the open directory above it, and no symlink is followed, except the root itself: what has
become one is an error. That costs little, as the next path is likely in the same directory.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Final, Self

from dockerproto_local.small_files import FLAGS

_ROOT: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_DIRECTORY: Final = _ROOT | os.O_NOFOLLOW
_FILE: Final = FLAGS | os.O_NOFOLLOW
_KEPT_OPEN: Final = 64
"""Limit on the directories kept open, as systems limit descriptors; deeper ones are opened again."""


class Beneath:
    """The directories below a root, opened as needed; close it in the end.

    Args:
        root: Path of a directory, or of a symlink to it.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = os.fspath(root)
        self._kept: list[tuple[str, int]] = []
        """Paths and descriptors of the root and of directories on the way to the last one."""
        self._path: str | None = None
        """Path of the last directory."""
        self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def directory(self, path: str) -> int:
        """Return the descriptor of a directory, valid until the next call; the root is the empty path.

        Raises:
            OSError: A name on the way is missing or not a directory.
        """
        if path != self._path:
            self._change(path)
        return self._descriptor

    def parent(self, path: str) -> tuple[int, str]:
        """Return the descriptor of a path's directory, valid until the next call, and the name in it."""
        directory, _, name = path.rpartition("/")
        return self.directory(directory), name

    def open_file(self, path: str) -> int:
        """Open a file without waiting, and return its descriptor.

        Raises:
            OSError: It cannot be opened, or is a symlink.
        """
        directory, _, name = path.rpartition("/")
        if directory != self._path:  # as in `directory`; a call for each of many small files is noticeable
            self._change(directory)
        return os.open(name, _FILE, dir_fd=self._descriptor)

    def close(self) -> None:
        """Close all directories."""
        self._path = None
        while self._kept:
            os.close(self._kept.pop()[1])

    def _change(self, path: str) -> None:
        self._path = None
        if not self._kept:
            self._kept.append(("", os.open(self._root, _ROOT)))
        while (last := self._kept[-1][0]) and last != path and not path.startswith(f"{last}/"):
            os.close(self._kept.pop()[1])
        if last != path:
            self._descend(last, path)
        self._path, self._descriptor = path, self._kept[-1][1]

    def _descend(self, last: str, path: str) -> None:
        at = len(last) + 1 if last else 0
        while at <= len(path):
            end = path.find("/", at)
            end = len(path) if end < 0 else end
            self._kept.append((path[:end], _open_directory(path[at:end], self._kept[-1][1])))
            at = end + 1
            if len(self._kept) > _KEPT_OPEN:
                os.close(self._kept.pop(1)[1])


def _open_directory(name: str, parent: int) -> int:
    try:
        return os.open(name, _DIRECTORY, dir_fd=parent)
    except NotADirectoryError:  # also for a symlink, which must not look like something that has vanished
        if stat.S_ISLNK(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name) from None
        raise
