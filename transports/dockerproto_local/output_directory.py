"""Where the output of a build is written: into a directory, or as a tar.

Everything is done relative to directories that are open, a name at a time, and no symlink is followed: one
that is put in the way meanwhile is an error. What is written has a name of its own, beginning with
``.dockerproto-``, until it is complete; then it replaces what was there.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from msgspec import Struct

from dockerproto.buildcontext.entry import FileEntry

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_DIRECTORY: Final = (errno.ENOTDIR, errno.ELOOP)
"""What systems say of a symlink, where a directory is wanted."""
_CLOSED: Final = -1


class PartialFile:
    """A file that nobody sees under its name until it is complete.

    Args:
        directory: The directory that it is in, open; it is closed with the file.
        name: Its name there.
        finish: What is done to it when all of it is there, by its descriptor.
        mode: Its permissions until then.
    """

    def __init__(self, directory: int, name: str, finish: Callable[[int], None], mode: int = 0o600) -> None:
        self._directory = directory
        self._name: Final = name
        self._finish: Final = finish
        self._temporary: Final = _temporary_name()
        try:
            self._file = os.open(self._temporary, _NEW, mode, dir_fd=directory)
        except BaseException:
            os.close(directory)
            raise

    def write(self, data: bytes, /) -> None:
        """Add to it. Raises OSError."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]

    def commit(self) -> None:
        """Give it its name. Raises OSError."""
        self._finish(self._file)
        _replace(self._directory, self._temporary, self._name)
        self._close()

    def discard(self) -> None:
        """Remove it."""
        try:
            _remove(self._directory, self._temporary)
        finally:
            self._close()

    def _close(self) -> None:
        os.close(self._file)
        os.close(self._directory)


def create_tar(path: str | os.PathLike[str]) -> PartialFile:
    """Begin a tar. A file that is there keeps its permissions; a symlink to one is kept.

    Raises:
        OSError: It cannot be made, or what is there is no file.
    """
    target = Path(os.path.realpath(path))
    finish: Callable[[int], None] = _leave
    with suppress(FileNotFoundError):
        mode = target.stat().st_mode
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "No regular file", str(path))
        finish = partial(os.fchmod, mode=stat.S_IMODE(mode))
    directory = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    return PartialFile(directory, target.name, finish, 0o666)


class DirectoryOutput:
    """A directory that a tree is written to; see `dockerproto.buildkit.receiver.Destination`.

    Args:
        path: The directory, which is made if it is not there.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path: Final = Path(path)
        self._root = _CLOSED
        self._near = _Near()

    def prepare(self) -> None:
        """Make the directory, if it is not there, and open it."""
        self._path.mkdir(parents=True, exist_ok=True)
        self._root = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def directory(self, entry: FileEntry, /) -> None:
        """Make a directory that can be written to, unless there is one."""
        parent, name = self._place(entry.path)
        try:
            os.mkdir(name, 0o700, dir_fd=parent)
        except FileExistsError:
            _make_way(parent, name)

    def symlink(self, entry: FileEntry, /) -> None:
        """Make a symlink."""
        parent, name = self._place(entry.path)
        temporary = _temporary_name()
        os.symlink(entry.target, temporary, dir_fd=parent)
        os.utime(temporary, ns=(entry.mtime, entry.mtime), dir_fd=parent, follow_symlinks=False)
        _replace(parent, temporary, name)

    def create(self, entry: FileEntry, /) -> PartialFile:
        """Begin a regular file."""
        parent, name = self._place(entry.path)
        return PartialFile(os.dup(parent), name, partial(_finish, entry))

    def link(self, entry: FileEntry, /) -> None:
        """Make a hard link to a file that was written before."""
        directory, target = self._place(entry.target)
        source = os.dup(directory)
        try:
            parent, name = self._place(entry.path)
            temporary = _temporary_name()
            os.link(target, temporary, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
            _replace(parent, temporary, name)
        finally:
            os.close(source)

    def settle(self, entry: FileEntry, /) -> None:
        """Give a directory its mode and time, as everything is in it."""
        _finish(entry, self._open(entry.path))

    def close(self) -> None:
        """Let go of the directory."""
        self._near.close()
        if self._root != _CLOSED:
            os.close(self._root)
        self._root = _CLOSED

    def _place(self, path: str) -> tuple[int, str]:
        """Return the directory that a path is in, open until the next call, and its name there."""
        directory, _, name = path.rpartition("/")
        return self._open(directory), name

    def _open(self, path: str) -> int:
        """Return a directory, open until the next call."""
        if not path:
            return self._root
        if self._near.path != path:
            found = _Near(path, self._walk(path))
            self._near.close()
            self._near = found
        return self._near.descriptor

    def _walk(self, path: str) -> int:
        current = os.dup(self._root)
        for name in path.split("/"):
            try:
                following = os.open(name, _DIRECTORY, dir_fd=current)
            except OSError as error:
                raise OSError(error.errno, f"no directory to write to ({error.strerror})", path) from error
            finally:
                os.close(current)
            current = following
        return current


class _Near(Struct, frozen=True):
    """The directory in which something was done last."""

    path: str = ""
    descriptor: int = _CLOSED

    def close(self) -> None:
        if self.descriptor != _CLOSED:
            os.close(self.descriptor)


def _make_way(parent: int, name: str) -> None:
    """Make a directory where something is: a directory is kept, anything else replaced."""
    try:
        descriptor = os.open(name, _DIRECTORY, dir_fd=parent)
    except OSError as error:
        if error.errno not in _NO_DIRECTORY:
            raise
        os.unlink(name, dir_fd=parent)
        os.mkdir(name, 0o700, dir_fd=parent)
        return
    try:
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
        if mode & stat.S_IRWXU != stat.S_IRWXU:
            os.fchmod(descriptor, mode | stat.S_IRWXU)
    finally:
        os.close(descriptor)


def _replace(directory: int, temporary: str, name: str) -> None:
    """Give something that is complete its name; remove it if that cannot be."""
    try:
        _rename(directory, temporary, name)
    finally:
        # It is there still if that failed, or if both are names of one file.
        _remove(directory, temporary)


def _rename(directory: int, temporary: str, name: str) -> None:
    try:
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except IsADirectoryError:
        try:
            os.rmdir(name, dir_fd=directory)
        except OSError as error:
            raise OSError(error.errno, "a directory is in the way that is not empty", name) from error
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)


def _remove(directory: int, name: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)


def _finish(entry: FileEntry, descriptor: int) -> None:
    os.fchmod(descriptor, stat.S_IMODE(entry.mode))
    os.utime(descriptor, ns=(entry.mtime, entry.mtime))


def _leave(_: int) -> None:
    """Do nothing to a file."""


def _temporary_name() -> str:
    return f".dockerproto-{secrets.token_hex(8)}"
