"""The files of this machine, for sessions."""

from __future__ import annotations

import os
import tempfile
import uuid
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, cast

from dockerproto.sources import Source
from dockerproto_local.directory import Directory
from dockerproto_local.output_directory import OutputDirectory, PartialFile, create_tar
from dockerproto_local.tarfiles import TarFiles


class LocalDisk:
    """The files of this machine; see `dockerproto.transport.files.Disk`."""

    def directory(self, path: str, /) -> Directory:
        """Return the files in a directory."""
        os.listdir(path)  # noqa: PTH208  # raises what there is to raise
        return Directory(path)

    def archive(self, source: Source, /) -> TarFiles:
        """Return the files in a tar."""
        return TarFiles(source)

    def read(self, path: str, size: int, /) -> bytes:
        """Return at most so many bytes of a file."""
        with open(os.path.expanduser(path), "rb") as file:  # noqa: PTH111, PTH123  # it never raises
            return file.read(size)

    def spool(self) -> BinaryIO:
        """Return a file that nobody else sees."""
        return cast("BinaryIO", tempfile.TemporaryFile())  # it is one, in all but its type

    def tree(self, path: str, /) -> OutputDirectory:
        """Return a directory as what a tree is written to."""
        return OutputDirectory(path)

    def file(self, path: str, /) -> PartialFile:
        """Begin to write a file."""
        return create_tar(path)

    def identity(self, path: str, /) -> str:
        """Return what stands for a directory of this user on this machine."""
        text = f"{_machine()}\0{os.getuid()}\0{os.path.realpath(path)}"
        return sha256(os.fsencode(text)).hexdigest()


def _machine() -> str:
    """Return what identifies this machine."""
    try:
        return Path("/etc/machine-id").read_text(encoding="ascii")
    except (OSError, ValueError):
        return f"{uuid.getnode():x}"
