"""Write the output of a build into a directory, or as a tar.

All work is relative to open directories, one name at a time, and no symlink is followed: a symlink that
appears meanwhile is an error. A file is written under a temporary name that begins with ``.dockerproto-``;
when it is complete, it replaces what was there.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import Final

from msgspec import Struct

from dockerproto.buildcontext.entry import FileEntry
from dockerproto_local.small_files import regular_mode

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NOT_A_DIRECTORY: Final = (errno.ENOTDIR, errno.ELOOP)
"""Errors of systems for a symlink where a directory is expected."""
_CLOSED: Final = -1
_PREFIX: Final = secrets.token_hex(8)
_numbers: Final = count()


class PartialFile:
    """A file that has a temporary name until it is complete.

    Args:
        directory: Descriptor of its directory, which is closed with the file.
        name: Final name in the directory.
        finish: Called with the file's descriptor when the file is complete; until then, only its owner may
            open it.
    """

    def __init__(self, directory: int, name: str, finish: Callable[[int], None]) -> None:
        self._directory = directory
        self._name = name
        self._set_metadata = finish
        self._temporary = _temporary_name()
        try:
            self._file = os.open(self._temporary, _NEW, 0o600, dir_fd=directory)
        except BaseException:
            os.close(directory)
            raise

    def write(self, data: bytes, /) -> None:
        """Append data. Raises OSError with the name of the file."""
        _write(self._file, data, self._name)

    def commit(self) -> None:
        """Finish the file and give it its final name. Raises OSError."""
        self._set_metadata(self._file)
        _replace(self._directory, self._temporary, self._name)
        self._close()

    def discard(self) -> None:
        """Remove the file."""
        try:
            _unlink(self._directory, self._temporary)
        finally:
            self._close()

    def _close(self) -> None:
        os.close(self._file)
        os.close(self._directory)


def create_tar(path: str | os.PathLike[str]) -> PartialFile:
    """Open a tar for writing. An existing file keeps its permissions; a symlink to a file stays.

    Raises:
        OSError: The file cannot be created, or something other than a file is there.
    """
    target = Path(os.path.realpath(path))
    mode = regular_mode(target)
    directory = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        mode = new_file_mode(directory) if mode is None else mode
    except BaseException:
        os.close(directory)
        raise
    return PartialFile(directory, target.name, partial(os.fchmod, mode=stat.S_IMODE(mode)))


class OutputDirectory:
    """A directory that a tree is written to; see `dockerproto.transport.host.Destination`.

    Args:
        path: The directory, which is created if it does not exist.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._root = _CLOSED
        self._last = _OpenDirectory()

    def prepare(self) -> None:
        """Open the directory, creating it if it does not exist."""
        self._path.mkdir(parents=True, exist_ok=True)
        self._root = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def directory(self, entry: FileEntry, /) -> None:
        """Create a writable directory, unless it exists."""
        parent, name = self._locate(entry.path)
        try:
            os.mkdir(name, 0o700, dir_fd=parent)
        except FileExistsError:
            _replace_by_directory(parent, name)

    def symlink(self, entry: FileEntry, /) -> None:
        """Create a symlink."""
        parent, name = self._locate(entry.path)
        temporary = _temporary_name()
        os.symlink(entry.target, temporary, dir_fd=parent)
        os.utime(temporary, ns=(entry.mtime, entry.mtime), dir_fd=parent, follow_symlinks=False)
        _replace(parent, temporary, name)

    def create(self, entry: FileEntry, /) -> PartialFile:
        """Open a regular file for writing."""
        parent, name = self._locate(entry.path)
        return PartialFile(os.dup(parent), name, partial(_set_metadata, entry))

    def write(self, entry: FileEntry, data: bytes, /) -> None:
        """Write a regular file."""
        parent, name = self._locate(entry.path)
        temporary = _temporary_name()
        file = os.open(temporary, _NEW, 0o600, dir_fd=parent)
        try:
            _write(file, data, name)
            _set_metadata(entry, file)
        except BaseException:
            _unlink(parent, temporary)
            raise
        finally:
            os.close(file)
        _replace(parent, temporary, name)

    def link(self, entry: FileEntry, /) -> None:
        """Create a hard link to a file that was written before."""
        directory, target = self._locate(entry.target)
        source = os.dup(directory)
        try:
            parent, name = self._locate(entry.path)
            temporary = _temporary_name()
            os.link(target, temporary, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
            _replace(parent, temporary, name)
            _unlink(parent, temporary)  # it is still there if both were names of the same file
        finally:
            os.close(source)

    def settle(self, entry: FileEntry, /) -> None:
        """Set the mode and time of a directory that has all its contents."""
        _set_metadata(entry, self._open(entry.path))

    def close(self) -> None:
        """Close the directory; repeating it has no effect, as a call may be closed by two threads."""
        last, self._last = self._last, _OpenDirectory()
        root, self._root = self._root, _CLOSED
        last.close()
        if root != _CLOSED:
            os.close(root)

    def _locate(self, path: str) -> tuple[int, str]:
        """Return the open directory of a path, valid until the next call, and the name in it."""
        directory, _, name = path.rpartition("/")
        return self._open(directory), name

    def _open(self, path: str) -> int:
        """Return an open directory, valid until the next call."""
        if not path:
            return self._root
        if self._last.path != path:
            opened = _OpenDirectory(path, self._open_path(path))
            self._last.close()
            self._last = opened
        return self._last.descriptor

    def _open_path(self, path: str) -> int:
        current = os.dup(self._root)
        for name in path.split("/"):
            try:
                following = os.open(name, _DIRECTORY, dir_fd=current)
            except OSError as error:
                raise OSError(
                    error.errno, f"cannot write into this directory ({error.strerror})", path
                ) from error
            finally:
                os.close(current)
            current = following
        return current


class _OpenDirectory(Struct, frozen=True):
    """The directory that was used last, kept open because the next entry is likely in it too."""

    path: str = ""
    descriptor: int = _CLOSED

    def close(self) -> None:
        if self.descriptor != _CLOSED:
            os.close(self.descriptor)


def _replace_by_directory(parent: int, name: str) -> None:
    """Make a directory where something exists: a directory is kept, anything else is replaced."""
    try:
        descriptor = os.open(name, _DIRECTORY, dir_fd=parent)
    except OSError as error:
        if error.errno not in _NOT_A_DIRECTORY:
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
    """Give a complete file its final name; remove it if that fails."""
    try:
        _rename(directory, temporary, name)
    except BaseException:
        _unlink(directory, temporary)
        raise


def _rename(directory: int, temporary: str, name: str) -> None:
    try:
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except IsADirectoryError:
        try:
            os.rmdir(name, dir_fd=directory)
        except OSError as error:
            raise OSError(error.errno, "a directory that is not empty is in the way", name) from error
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)


def _unlink(directory: int, name: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)


def _write(file: int, data: bytes, name: str) -> None:
    """Write all of the data. Raises OSError with the name of the file."""
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(file, view) :]
    except OSError as error:
        raise OSError(error.errno, error.strerror, name) from error


def _set_metadata(entry: FileEntry, descriptor: int) -> None:
    os.fchmod(descriptor, stat.S_IMODE(entry.mode))
    os.utime(descriptor, ns=(entry.mtime, entry.mtime))


def new_file_mode(directory: int) -> int:
    """Return the mode that a new file gets, by an empty one: to read the umask, it must be changed."""
    name = _temporary_name()
    probe = os.open(name, _NEW, 0o666, dir_fd=directory)
    try:
        return os.fstat(probe).st_mode
    finally:
        os.close(probe)
        _unlink(directory, name)


def _temporary_name() -> str:
    """Return a name that nobody else chooses, nor this program after a fork."""
    return f".dockerproto-{_PREFIX}-{os.getpid():x}-{next(_numbers):x}"
