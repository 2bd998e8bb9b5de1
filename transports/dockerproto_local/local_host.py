"""This machine: files, environment variables, unique names. Rarely used modules are imported on use."""

from __future__ import annotations

import os
import uuid
from typing import BinaryIO, cast

from dockerproto.buildcontext.plan import BuildContext, ContextSource
from dockerproto.sources import Source
from dockerproto.transport.host import (
    Destination,
    FileWriter,
    LayoutDirectory,
    OpenFileSystem,
    TimeLeft,
)
from dockerproto_local.file_ranges import LocalFile
from dockerproto_local.small_files import pipe_seconds, read_any, read_regular

# ruff: noqa: PLC0415  # a program that needs no session does not load its modules


class LocalHost:
    """The machine that the program runs on; see `dockerproto.transport.host.Host`."""

    def variable(self, name: str, /) -> str | None:
        """Return an environment variable, None if it is not set."""
        return os.environ.get(name)

    def unique(self) -> str:
        """Return a unique text of letters and digits."""
        return uuid.uuid4().hex

    def open_file(self, path: str | os.PathLike[str], time_left: TimeLeft, /) -> LocalFile:
        """Open a file to upload."""
        return LocalFile(path, time_left)

    def open_context(self, context: BuildContext, time_left: TimeLeft, /) -> ContextSource:
        """Find the Dockerfile and ignore file of a build context; return what can be sent of it."""
        from dockerproto_local.build_context import open_context

        return open_context(context, time_left)

    def directory(self, path: str, /) -> OpenFileSystem:
        """Return the files in a directory."""
        from dockerproto_local.directory import Directory

        os.listdir(path)  # noqa: PTH208  # raises the OSError of a path that is not a readable directory
        return Directory(path)

    def tar(self, source: Source, limit: int, time_left: TimeLeft, /) -> OpenFileSystem:
        """Return the files in a tar."""
        from dockerproto_local.tarfiles import TarFiles

        return TarFiles(source, limit, time_left=time_left)

    def read(self, path: str, size: int, time_left: TimeLeft, /) -> bytes:
        """Return at most `size` bytes of a file."""
        path = os.path.expanduser(path)  # noqa: PTH111  # Path.expanduser() may raise
        return read_any(path, size, pipe_seconds(time_left))

    def spool(self) -> BinaryIO:
        """Return a private temporary file."""
        import tempfile

        return cast("BinaryIO", tempfile.TemporaryFile())  # typeshed types it as a private wrapper

    def output_directory(self, path: str, /) -> Destination:
        """Return a directory to write a tree to."""
        from dockerproto_local.output_directory import OutputDirectory

        return OutputDirectory(path)

    def output_file(self, path: str, /) -> FileWriter:
        """Begin to write a file."""
        from dockerproto_local.output_directory import create_tar

        return create_tar(path)

    def layout(self, path: str, /, *, create: bool) -> LayoutDirectory:
        """Return a directory with an OCI layout."""
        from dockerproto_local.oci_layout import OCILayout

        return OCILayout(path, create=create)

    def identity(self, path: str, /) -> str:
        """Return an identifier of this directory on this machine for this user."""
        from hashlib import sha256

        text = f"{_machine_id()}\0{os.getuid()}\0{os.path.realpath(path)}"
        return sha256(os.fsencode(text)).hexdigest()


def _machine_id() -> str:
    try:
        return read_regular("/etc/machine-id").decode("ascii")
    except (OSError, ValueError):
        return f"{uuid.getnode():x}"
