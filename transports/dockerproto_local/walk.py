"""Directories as trees: what is in them, as it is sent.

The order depends on nothing but the names. Nothing is followed but a link that is the root itself. What
cannot be looked at is an error, as an image without it would be another one.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Generator, Iterator
from typing import Final

from dockerproto.buildcontext.dockerignore import Patterns
from dockerproto.buildcontext.entry import FileEntry, PathFilter
from dockerproto.errors import UploadFailed

_Links = dict[tuple[int, int], str]


def walk(
    root: str | os.PathLike[str], choice: PathFilter | None = None, *, parents: bool = True
) -> Generator[FileEntry]:
    """Yield the entries of a directory: without sockets, and owned by nobody in particular.

    Only the names of the directories on the way to the present entry are in memory.

    Args:
        root: The directory.
        choice: Which of its entries are taken; by default all.
        parents: Whether a directory that is not taken is yielded all the same before what is taken of it.

    Raises:
        UploadFailed: A directory or a file cannot be looked at, or is gone.
    """
    links: _Links = {}
    waiting: list[FileEntry] = []
    levels = [_Level(os.fspath(root), "", choice or Patterns([]).root, None)]
    while levels:
        level = levels[-1]
        for found, entry, below in level.entries(links):
            if below.taken:
                yield from waiting
                waiting.clear()
                yield entry
            elif parents:
                waiting.append(entry)
            if stat.S_ISDIR(entry.mode):
                levels.append(_Level(found.path, f"{entry.path}/", below, entry))
                break
        else:
            levels.pop()
            if waiting and waiting[-1] is level.entry:
                waiting.pop()


class _Level:
    """A directory that is being walked."""

    def __init__(self, path: str, prefix: str, choice: PathFilter, entry: FileEntry | None) -> None:
        self._rest: Final = _listing(path)
        self._prefix: Final = prefix
        self._choice: Final = choice
        self.entry: Final = entry

    def entries(self, links: _Links) -> Iterator[tuple[os.DirEntry[str], FileEntry, PathFilter]]:
        """Yield what is taken or looked into, from where it was left."""
        for found in self._rest:
            path = self._prefix + found.name
            below = self._choice.enter(found.name)
            if below.taken or (found.is_dir(follow_symlinks=False) and below.opens(path)):
                entry = _entry(found, path, links)
                if entry is not None:
                    yield found, entry, below


def _listing(path: str) -> Iterator[os.DirEntry[str]]:
    """Return what is in a directory, in the order of the names' bytes."""
    try:
        with os.scandir(path) as found:
            return iter(sorted(found, key=lambda each: os.fsencode(each.name)))
    except OSError as error:
        raise cannot_read(path, error) from error


def entry_at(root: str, path: str) -> FileEntry:
    """Return the entry of a file of a directory, alone.

    Raises:
        UploadFailed: It cannot be looked at.
    """
    where = f"{root}/{path}"
    try:
        return described(path, os.lstat(where), where)
    except OSError as error:
        raise cannot_read(where, error) from error


def _entry(found: os.DirEntry[str], path: str, links: _Links) -> FileEntry | None:
    """Return what is sent of a file, None for a socket."""
    try:
        status = found.stat(follow_symlinks=False)
        if stat.S_ISSOCK(status.st_mode):
            return None
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            first = links.setdefault((status.st_dev, status.st_ino), path)
            if first != path:
                mode = stat.S_IFREG | stat.S_IMODE(status.st_mode)
                return FileEntry(path=path, mode=mode, mtime=status.st_mtime_ns, target=first, hard=True)
        return described(path, status, found.path)
    except OSError as error:
        raise cannot_read(found.path, error) from error


def described(path: str, status: os.stat_result, where: str) -> FileEntry:
    """Return the entry of a path of a tree, which is at some place of this machine. Raises OSError."""
    mode, mtime = status.st_mode, status.st_mtime_ns
    if stat.S_ISREG(mode):
        return FileEntry(path=path, mode=mode, size=status.st_size, mtime=mtime)
    if stat.S_ISLNK(mode):
        target = os.readlink(where)  # noqa: PTH115  # half of the time
        return FileEntry(path=path, mode=mode, mtime=mtime, target=target)
    return FileEntry(path=path, mode=mode, mtime=mtime, device=_device(status))


def _device(status: os.stat_result) -> tuple[int, int]:
    device = stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode)
    return (os.major(status.st_rdev), os.minor(status.st_rdev)) if device else (0, 0)


def cannot_read(path: str, error: OSError) -> UploadFailed:
    """Return the error that a path cannot be read."""
    return UploadFailed(0, f"cannot read {path}: {error.strerror or error}")
