"""Walk directories, yielding their entries in the order in which they are sent.

The order depends on the names only. No symlink is followed, except the root itself, even if one replaces a
directory meanwhile. An entry that cannot be read is an error: an image built without it would be another one.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Generator, Iterator
from typing import Final

from dockerproto.buildcontext.dockerignore import Patterns
from dockerproto.buildcontext.entry import FileEntry, PathFilter
from dockerproto.buildcontext.limits import check_path
from dockerproto.errors import UploadFailed
from dockerproto.transport.host import TimeLeft, no_limit
from dockerproto_local.beneath import Beneath


def walk(
    root: str | os.PathLike[str],
    path_filter: PathFilter | None = None,
    time_left: TimeLeft = no_limit,
    *,
    parents: bool = True,
) -> Generator[FileEntry]:
    """Yield the entries of a directory, without sockets and without owners.

    Only the names in the directories above the current entry are in memory.

    Args:
        root: The directory.
        path_filter: Decides which entries are included; by default all are.
        time_left: See `TimeLeft`.
        parents: Yield excluded directories too, before the first included entry in them.

    Raises:
        UploadFailed: A directory or a file cannot be read, or has vanished.
    """
    unsent: list[FileEntry] = []
    with _Tree(root) as tree:
        levels = [_Level(tree, path_filter or Patterns([]).root, None)]
        while levels:
            time_left()
            level = levels[-1]
            for entry, child_filter in level.entries():
                if child_filter.included:
                    yield from unsent
                    unsent.clear()
                    yield entry
                elif parents:
                    unsent.append(entry)
                if stat.S_ISDIR(entry.mode):
                    levels.append(_Level(tree, child_filter, entry))
                    break
            else:
                levels.pop()
                if unsent and unsent[-1] is level.entry:
                    unsent.pop()


class _Tree(Beneath):
    """The directory that is walked, with errors that name the full path."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        super().__init__(root)
        self._first_paths: dict[tuple[int, int], str] = {}

    def children(self, path: str) -> Iterator[tuple[str, bool]]:
        """Return the names in a directory, in the order of their bytes, and whether each is a directory."""
        try:
            with os.scandir(self.directory(path)) as children:
                named = [(each.name, each.is_dir(follow_symlinks=False)) for each in children]
        except OSError as error:
            raise self._cannot_read(path, error) from error
        return iter(sorted(named, key=lambda each: os.fsencode(each[0])))

    def entry(self, path: str, directory: int, name: str) -> FileEntry | None:
        """Return the entry for a path, a hard link if its file was sent before, or None for a socket."""
        try:
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
            if stat.S_ISSOCK(status.st_mode):
                return None
            if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
                first = self._first_paths.setdefault((status.st_dev, status.st_ino), path)
                if first != path:
                    mode = stat.S_IFREG | stat.S_IMODE(status.st_mode)
                    return FileEntry(path=path, mode=mode, mtime=status.st_mtime_ns, target=first, hard=True)
            return entry_from_stat(path, status, directory)
        except OSError as error:
            raise self._cannot_read(path, error) from error

    def _cannot_read(self, path: str, error: OSError) -> UploadFailed:
        return cannot_read(f"{self._root}/{path}" if path else self._root, error)


class _Level:
    """A directory that is being walked."""

    def __init__(self, tree: _Tree, path_filter: PathFilter, entry: FileEntry | None) -> None:
        self._path = "" if entry is None else entry.path
        self._tree = tree
        self._children = tree.children(self._path)
        self._prefix = f"{self._path}/" if entry is not None else ""
        self._filter = path_filter
        self.entry: Final = entry

    def entries(self) -> Iterator[tuple[FileEntry, PathFilter]]:
        """Yield the entries that are included or searched, continuing after the last one."""
        directory = self._tree.directory(self._path)
        for name, is_directory in self._children:
            path = self._prefix + name
            child_filter = self._filter.enter(name)
            if child_filter.included or (is_directory and child_filter.descends(path)):
                check_path(path)
                entry = self._tree.entry(path, directory, name)
                if entry is not None:
                    yield entry, child_filter


def entry_at(root: str, path: str) -> FileEntry:
    """Return the entry of a single path.

    Raises:
        UploadFailed: It cannot be read.
    """
    try:
        with Beneath(root) as tree:
            directory, name = tree.parent(path)
            return entry_from_stat(path, os.stat(name, dir_fd=directory, follow_symlinks=False), directory)
    except OSError as error:
        raise cannot_read(f"{root}/{path}", error) from error


def entry_from_stat(path: str, status: os.stat_result, directory: int) -> FileEntry:
    """Return the entry of a path, from its stat result and its open directory. Raises OSError."""
    mode, mtime = status.st_mode, status.st_mtime_ns
    if stat.S_ISREG(mode):
        return FileEntry(path=path, mode=mode, size=status.st_size, mtime=mtime)
    if stat.S_ISLNK(mode):
        target = os.readlink(path.rpartition("/")[2], dir_fd=directory)
        return FileEntry(path=path, mode=mode, mtime=mtime, target=target)
    return FileEntry(path=path, mode=mode, mtime=mtime, device=_device(status))


def _device(status: os.stat_result) -> tuple[int, int]:
    device = stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode)
    return (os.major(status.st_rdev), os.minor(status.st_rdev)) if device else (0, 0)


def cannot_read(path: str, error: OSError) -> UploadFailed:
    """Return the error for a path that cannot be read."""
    return UploadFailed(0, f"cannot read {path}: {error.strerror or error}")
