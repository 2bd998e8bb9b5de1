"""A directory on this machine, as the file system of a build context."""

from __future__ import annotations

import os
from collections.abc import Callable
from io import FileIO
from threading import Lock
from typing import TypeVar

from dockerproto.buildcontext.paths import in_order
from dockerproto.transport.host import Node
from dockerproto_local.beneath import Beneath
from dockerproto_local.small_files import check_regular
from dockerproto_local.walk import entry_from_stat

T = TypeVar("T")


class Directory:
    """The files in a directory. Close it when the build is over.

    Args:
        path: The directory, or a symlink to it.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._root = os.fspath(path)
        self._tree = Beneath(path)
        self._lock = Lock()
        self._closed = False

    def names(self, path: str, /) -> list[str]:
        """Return the names in a directory; none if it has vanished."""
        try:
            return in_order(self._use(_list, path))
        except (FileNotFoundError, NotADirectoryError):
            if not path:
                raise
            return []

    def look(self, path: str, /) -> Node | None:
        """Return the node at a path, or None if nothing is there."""
        try:
            return self._use(_look, path)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def open(self, path: str, /) -> FileIO:
        """Open a regular file."""
        return self._use(_open, path)

    def close(self) -> None:
        """Close all directories, without waiting: if one is in use, the thread that uses it closes them."""
        self._closed = True
        if self._lock.acquire(blocking=False):
            self._tree.close()
            self._lock.release()

    def _use(self, function: Callable[[Beneath, str], T], path: str) -> T:
        """Call a function with the tree; an OSError names the full path."""
        try:
            with self._lock:
                return function(self._tree, path)
        except OSError as error:
            error.filename = f"{self._root}/{path}"
            raise
        finally:
            if self._closed:
                self.close()


def _list(tree: Beneath, path: str) -> list[str]:
    return os.listdir(tree.directory(path))  # noqa: PTH208  # names only


def _look(tree: Beneath, path: str) -> Node:
    directory, name = tree.parent(path)
    status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    entry = entry_from_stat(path, status, directory)
    return Node(entry, (status.st_dev, status.st_ino) if status.st_nlink > 1 else None)


def _open(tree: Beneath, path: str) -> FileIO:
    return FileIO(check_regular(tree.open_file(path), path))
