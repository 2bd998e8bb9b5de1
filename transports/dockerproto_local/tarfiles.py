"""A tar as the file system of a build context: its members appear as if the tar were unpacked.

Headers are read once; contents are read on demand. A tar that is compressed or not seekable is first copied
into a temporary file, which is limited, as the tar may be somebody else's.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from io import SEEK_END, BufferedReader, BytesIO
from threading import Lock
from typing import IO, BinaryIO, Final, cast

from dockerproto.buildcontext.limits import (
    CONTEXT_LIMIT,
    DEFAULT_LIMITS,
    Limits,
    TreeMeter,
    check_context,
    display_path,
)
from dockerproto.buildcontext.misuse import HEAD_SIZE, check_archive
from dockerproto.buildcontext.tar_headers import read_headers
from dockerproto.buildcontext.tar_input import DECOMPRESSION_ERRORS, TarInput, decompress
from dockerproto.buildcontext.tar_members import TarMember, read_member
from dockerproto.buildcontext.tar_sparse import Segment
from dockerproto.errors import TimedOut, UploadFailed
from dockerproto.sources import Source
from dockerproto.transport.file_tree import FileTree
from dockerproto.transport.host import FileReader, TimeLeft, no_limit
from dockerproto_local.file_ranges import LocalFile

CHUNK_SIZE: Final = 256 * 2**10
"""Bytes copied at once into a temporary file."""
_ZSTANDARD: Final = b"\x28\xb5\x2f\xfd"


class TarFiles(FileTree):
    """The files in a tar. Close it when the build is over.

    Args:
        source: The tar, plain or compressed by gzip, bzip2 or xz. A seekable file is read in place; it must
            not be used meanwhile, and is not closed.
        limit: Limit in bytes of a temporary file, and of the total size of sparse files, whose holes take no
            space in the tar.
        limits: Limits on the members.
        time_left: See `TimeLeft`.

    Raises:
        UploadFailed: The tar cannot be read, is malformed or a Dockerfile, or has a member that cannot be
            unpacked; or it exceeds a limit.
    """

    def __init__(
        self,
        source: Source,
        limit: int = CONTEXT_LIMIT,
        limits: Limits = DEFAULT_LIMITS,
        time_left: TimeLeft = no_limit,
    ) -> None:
        super().__init__()
        self._limit = limit
        self._time_left = time_left
        self._lock = Lock()
        self._owned_files: list[IO[bytes]] = []
        try:
            self._read_members(self._decompress(self._make_seekable(source)), limits)
        except TimedOut:  # which is an OSError
            self.close()
            raise
        except (*DECOMPRESSION_ERRORS, ValueError) as error:
            self.close()
            raise UploadFailed(0, f"cannot read the tar of the build context: {error}") from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close all files opened here, and remove the temporary file."""
        while self._owned_files:
            self._owned_files.pop().close()

    def _make_seekable(self, source: Source) -> IO[bytes]:
        """Return the source as a seekable file."""
        if isinstance(source, bytes | bytearray | memoryview):
            return BytesIO(source)
        if isinstance(source, str | os.PathLike):
            source = BufferedReader(LocalFile(source, self._time_left))
            self._owned_files.append(source)
        if _can_seek(source):
            return cast("IO[bytes]", source)  # it is seekable, so it is a file
        return self._spool(_chunks(source))

    def _decompress(self, file: IO[bytes]) -> IO[bytes]:
        """Return the tar as an uncompressed file."""
        start = file.tell()
        head = file.read(HEAD_SIZE)
        file.seek(start)
        check_archive(head)
        if head.startswith(_ZSTANDARD):
            raise ValueError("Zstandard compression is not supported")
        content = decompress(file)
        return file if content is None else self._spool(iter(partial(content.read, CHUNK_SIZE), b""))

    def _spool(self, chunks: Iterable[bytes]) -> BinaryIO:
        spool = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `close`
        self._owned_files.append(spool)
        size = 0
        for chunk in chunks:
            size += len(chunk)
            check_context(size, self._limit)
            self._time_left()
            spool.write(chunk)
        spool.seek(0)
        return spool

    def _read_members(self, file: IO[bytes], limits: Limits) -> None:
        """Add an entry for each member."""
        start = file.tell()
        file.seek(0, SEEK_END)
        size = file.tell() - start
        file.seek(start)
        if not size:
            raise ValueError("it is empty")
        tar, meter, holes = TarInput(file), TreeMeter(limits), 0
        for header in read_headers(tar):
            self._time_left()
            member = read_member(header, tar, limits)
            if member.end > size:
                raise ValueError(f"it is truncated in {display_path(header.path)}")
            holes += member.holes
            check_context(holes, self._limit)
            if member.entry.path:
                self._add(member, partial(_Member, file, start, member, self._lock), meter)
        if tar.position > size:
            raise ValueError("it is truncated")

    def _add(self, member: TarMember, content: Callable[[], FileReader], meter: TreeMeter) -> None:
        meter.add(member.entry)
        # A few bytes of a tar make hundreds of directories, or of segments of a sparse file.
        meter.count(self.add(member.entry, content) + len(member.segments[1:]))


class _Member:
    """An open member; members share the position of the tar's file, so reads hold a lock."""

    def __init__(self, file: IO[bytes], start: int, member: TarMember, lock: Lock) -> None:
        self._file = file
        self._entry = member.entry
        self._lock = lock
        self._offset = 0
        self._segments: Iterator[Segment] = iter(member.segments)
        self._data_start = 0
        """Start of the segment that contains the offset or follows it."""
        self._data_end: int = 0
        self._position = start + member.position
        """Position of the next data in the tar."""

    def read(self, size: int, /) -> bytes:
        if self._offset == self._data_end:
            self._data_start, length = next(self._segments, (self._entry.size, 0))
            self._data_end = self._data_start + length
        if self._offset < self._data_start:
            data = bytes(min(size, self._data_start - self._offset))
        else:
            data = self._read_data(min(size, self._data_end - self._offset))
        self._offset += len(data)
        return data

    def _read_data(self, size: int) -> bytes:
        with self._lock:
            self._file.seek(self._position)
            data = self._file.read(size)
        if size and not data:
            raise OSError(f"the tar of the build context is truncated in {display_path(self._entry.path)}")
        self._position += len(data)
        return data

    def close(self) -> None:
        """Do nothing: the file is that of the tar."""


def _can_seek(source: object) -> bool:
    seekable = getattr(source, "seekable", None)
    return bool(seekable and seekable())


def _chunks(source: Source) -> Iterator[bytes]:
    read = getattr(source, "read", None)
    if read is not None:
        return iter(partial(read, CHUNK_SIZE), b"")
    return iter(cast("Iterable[bytes]", source))  # the only remaining kind of Source
