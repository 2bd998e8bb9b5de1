"""Walk directories, yielding their entries in the order in which they are sent.

The order depends on the names only. No symlink is followed, except the root itself. An entry that cannot be
read is an error: an image built without it would be a different one.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Generator, Iterator
from typing import Final

from dockerproto.buildcontext.dockerignore import Patterns
from dockerproto.buildcontext.entry import FileEntry, PathFilter
from dockerproto.errors import UploadFailed

_FirstPaths = dict[tuple[int, int], str]


def walk(
    root: str | os.PathLike[str], path_filter: PathFilter | None = None, *, parents: bool = True
) -> Generator[FileEntry]:
    """Yield the entries of a directory, without sockets and without owners.

    Only the names in the directories above the current entry are in memory.

    Args:
        root: The directory.
        path_filter: Decides which entries are included; by default all are.
        parents: Yield excluded directories too, before the first included entry in them.

    Raises:
        UploadFailed: A directory or a file cannot be read, or has vanished.
    """
    first_paths: _FirstPaths = {}
    unsent: list[FileEntry] = []
    levels = [_Level(os.fspath(root), "", path_filter or Patterns([]).root, None)]
    while levels:
        level = levels[-1]
        for child, entry, child_filter in level.entries(first_paths):
            if child_filter.included:
                yield from unsent
                unsent.clear()
                yield entry
            elif parents:
                unsent.append(entry)
            if stat.S_ISDIR(entry.mode):
                levels.append(_Level(child.path, f"{entry.path}/", child_filter, entry))
                break
        else:
            levels.pop()
            if unsent and unsent[-1] is level.entry:
                unsent.pop()


class _Level:
    """A directory that is being walked."""

    def __init__(self, path: str, prefix: str, path_filter: PathFilter, entry: FileEntry | None) -> None:
        self._children = _sorted_children(path)
        self._prefix = prefix
        self._filter = path_filter
        self.entry: Final = entry

    def entries(self, first_paths: _FirstPaths) -> Iterator[tuple[os.DirEntry[str], FileEntry, PathFilter]]:
        """Yield the entries that are included or searched, continuing after the last one."""
        for child in self._children:
            path = self._prefix + child.name
            child_filter = self._filter.enter(child.name)
            if child_filter.included or (child.is_dir(follow_symlinks=False) and child_filter.descends(path)):
                entry = _entry_or_link(child, path, first_paths)
                if entry is not None:
                    yield child, entry, child_filter


def _sorted_children(path: str) -> Iterator[os.DirEntry[str]]:
    """Return the entries of a directory, in the order of the names' bytes."""
    try:
        with os.scandir(path) as children:
            return iter(sorted(children, key=lambda each: os.fsencode(each.name)))
    except OSError as error:
        raise cannot_read(path, error) from error


def entry_at(root: str, path: str) -> FileEntry:
    """Return the entry of a single path.

    Raises:
        UploadFailed: It cannot be read.
    """
    full_path = f"{root}/{path}"
    try:
        return entry_from_stat(path, os.lstat(full_path), full_path)
    except OSError as error:
        raise cannot_read(full_path, error) from error


def _entry_or_link(child: os.DirEntry[str], path: str, first_paths: _FirstPaths) -> FileEntry | None:
    """Return the entry to send for a path, a hard link if its file was sent before, or None for a socket."""
    try:
        status = child.stat(follow_symlinks=False)
        if stat.S_ISSOCK(status.st_mode):
            return None
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            first = first_paths.setdefault((status.st_dev, status.st_ino), path)
            if first != path:
                mode = stat.S_IFREG | stat.S_IMODE(status.st_mode)
                return FileEntry(path=path, mode=mode, mtime=status.st_mtime_ns, target=first, hard=True)
        return entry_from_stat(path, status, child.path)
    except OSError as error:
        raise cannot_read(child.path, error) from error


def entry_from_stat(path: str, status: os.stat_result, full_path: str) -> FileEntry:
    """Return the entry of a path, from its stat result and its full path. Raises OSError."""
    mode, mtime = status.st_mode, status.st_mtime_ns
    if stat.S_ISREG(mode):
        return FileEntry(path=path, mode=mode, size=status.st_size, mtime=mtime)
    if stat.S_ISLNK(mode):
        target = os.readlink(full_path)  # noqa: PTH115  # takes half as long as pathlib
        return FileEntry(path=path, mode=mode, mtime=mtime, target=target)
    return FileEntry(path=path, mode=mode, mtime=mtime, device=_device(status))


def _device(status: os.stat_result) -> tuple[int, int]:
    device = stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode)
    return (os.major(status.st_rdev), os.minor(status.st_rdev)) if device else (0, 0)


def cannot_read(path: str, error: OSError) -> UploadFailed:
    """Return the error for a path that cannot be read."""
    return UploadFailed(0, f"cannot read {path}: {error.strerror or error}")
