"""A directory with an OCI layout: blobs by digest, and ``index.json``, which names manifests.

Everything is opened name by name below the directory, and no symlink is followed. A file is written under a
temporary name, and replaces what was there once it is complete; so readers never see a part of one.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from io import FileIO
from pathlib import Path
from typing import Final

from dockerproto_local.beneath import Beneath
from dockerproto_local.output_directory import PartialFile, new_file_mode
from dockerproto_local.small_files import check_regular, read_open

_INDEX: Final = "index.json"
_VERSION_FILE: Final = "oci-layout"
_VERSION: Final = b'{"imageLayoutVersion":"1.0.0"}'
_ABSENT: Final = (FileNotFoundError, NotADirectoryError)


class OCILayout:
    """A directory with an OCI layout; see `dockerproto.transport.host.LayoutDirectory`.

    Each method opens what it needs and closes it, so there is nothing to close in the end.

    Args:
        path: The directory, or a symlink to it.
        create: True to create it, and the directories for blobs in it, unless they exist.

    Raises:
        OSError: It cannot be opened, or not be created.
    """

    def __init__(self, path: str | os.PathLike[str], *, create: bool) -> None:
        self._path = Path(path).absolute()
        if create:
            self._path.mkdir(parents=True, exist_ok=True)
        with Beneath(self._path) as tree:
            root = tree.directory("")
            for directory in ("blobs", "blobs/sha256") if create else ():
                with suppress(FileExistsError):
                    os.mkdir(directory, dir_fd=root)
                root = tree.directory("")

    def read_index(self) -> bytes | None:
        """Return the content of ``index.json``, None if it does not exist.

        Raises:
            OSError: It cannot be read, is not a regular file, or is larger than `small_files.READ_LIMIT`.
        """
        with Beneath(self._path) as tree:
            return self._read_index(tree)

    def update_index(self, update: Callable[[bytes | None], bytes], /) -> None:
        """Replace ``index.json``; processes that do so at the same time wait for each other."""
        with Beneath(self._path) as tree:
            root = tree.directory("")
            with suppress(OSError):  # a file system without locks
                fcntl.flock(root, fcntl.LOCK_EX)  # until the directory is closed
            content = update(self._read_index(tree))
            if not _exists(tree, _VERSION_FILE):
                _write(tree, _VERSION_FILE, _VERSION)
            _write(tree, _INDEX, content)

    def size(self, digest: str, /) -> int | None:
        """Return the size of a blob in bytes, None if it does not exist."""
        with Beneath(self._path) as tree:
            try:
                directory, name = tree.parent(_blob(digest))
                status = os.stat(name, dir_fd=directory, follow_symlinks=False)
            except _ABSENT:
                return None
            return status.st_size if stat.S_ISREG(status.st_mode) else None

    def open(self, digest: str, offset: int, /) -> FileIO:
        """Open a blob for reading, from an offset in bytes on."""
        path = _blob(digest)
        with Beneath(self._path) as tree:
            file = FileIO(check_regular(tree.open_file(path), path))
        file.seek(offset)
        return file

    def create(self, digest: str, /) -> PartialFile:
        """Begin to write a blob."""
        with Beneath(self._path) as tree:
            return _create(tree, _blob(digest))

    def _read_index(self, tree: Beneath) -> bytes | None:
        try:
            descriptor = tree.open_file(_INDEX)
        except FileNotFoundError:
            return None
        return read_open(descriptor, str(self._path / _INDEX))


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _exists(tree: Beneath, name: str) -> bool:
    return name in os.listdir(tree.directory(""))  # noqa: PTH208  # names only


def _write(tree: Beneath, name: str, content: bytes) -> None:
    file = _create(tree, name)
    try:
        file.write(content)
        file.commit()
    except BaseException:
        file.discard()
        raise


def _create(tree: Beneath, path: str) -> PartialFile:
    directory, name = tree.parent(path)
    mode = stat.S_IMODE(new_file_mode(directory))
    return PartialFile(os.dup(directory), name, partial(os.fchmod, mode=mode))
