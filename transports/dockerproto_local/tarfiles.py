"""A tar as the file system of a build context: its members appear as if the tar were unpacked.

Headers are read once; contents are read on demand. A tar that is compressed or not seekable is first copied
into a temporary file.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import stat
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from io import BytesIO
from threading import Lock
from typing import IO, BinaryIO, Final, cast

from dockerproto.buildcontext.entry import FileEntry
from dockerproto.buildcontext.misuse import HEAD_SIZE, check_archive
from dockerproto.errors import UploadFailed
from dockerproto.sources import Source
from dockerproto.transport.file_tree import FileTree
from dockerproto.transport.host import FileReader

CHUNK_SIZE: Final = 256 * 2**10
"""Bytes copied at once into a temporary file."""
_BLOCK: Final = 512
_FILE_TYPES: Final = {
    tarfile.DIRTYPE: stat.S_IFDIR,
    tarfile.SYMTYPE: stat.S_IFLNK,
    tarfile.CHRTYPE: stat.S_IFCHR,
    tarfile.BLKTYPE: stat.S_IFBLK,
    tarfile.FIFOTYPE: stat.S_IFIFO,
}
_DECOMPRESSORS: Final[dict[bytes, Callable[[IO[bytes]], IO[bytes]]]] = {
    b"\x1f\x8b": lambda file: cast(
        "IO[bytes]", gzip.GzipFile(fileobj=file)
    ),  # GzipFile is no IO[bytes], but reads like one
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
}
_ZSTANDARD: Final = b"\x28\xb5\x2f\xfd"
_READ_ERRORS: Final = (
    *(tarfile.TarError, zlib.error, lzma.LZMAError),
    *(EOFError, OSError, OverflowError, ValueError),
)


class TarFiles(FileTree):
    """The files in a tar. Close it when the build is over.

    Args:
        source: The tar, plain or compressed by gzip, bzip2 or xz. A seekable file is read in place; it must
            not be used meanwhile, and is not closed.

    Raises:
        UploadFailed: The tar cannot be read, is malformed or a Dockerfile, or has a member that cannot be
            unpacked.
    """

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._lock = Lock()
        self._owned_files: list[IO[bytes]] = []
        try:
            self._read_headers(self._decompress(self._make_seekable(source)))
        except _READ_ERRORS as error:
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
            source = open(source, "rb")  # noqa: SIM115, PTH123  # closed by `close`
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
        for magic, decompress in _DECOMPRESSORS.items():
            if head.startswith(magic):
                return self._spool(iter(partial(decompress(file).read, CHUNK_SIZE), b""))
        return file

    def _spool(self, chunks: Iterable[bytes]) -> BinaryIO:
        spool = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `close`
        self._owned_files.append(spool)
        for chunk in chunks:
            spool.write(chunk)
        spool.seek(0)
        return spool

    def _read_headers(self, file: IO[bytes]) -> None:
        """Add an entry for each header."""
        archive = tarfile.open(fileobj=file, mode="r:", encoding="utf-8", errors="surrogateescape")  # noqa: SIM115  # its file is closed by `close`
        while (member := archive.next()) is not None:
            if path := _clean_path(member.name):
                self.add(_entry_from_member(path, member), partial(self._open_member, archive, member))
        # The tarfile module treats a damaged header as the end of the tar.
        file.seek(archive.offset)
        if file.read(_BLOCK).strip(b"\0"):
            raise ValueError(f"damaged header at byte {archive.offset}")

    def _open_member(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> FileReader:
        file = cast("IO[bytes]", archive.extractfile(member))  # a regular file has one
        return _Member(member.name, file, self._lock)


class _Member:
    """An open member; members share the position of the tar's file, so reads hold a lock."""

    def __init__(self, name: str, file: IO[bytes], lock: Lock) -> None:
        self._name = name
        self._file = file
        self._lock = lock

    def read(self, size: int, /) -> bytes:
        with self._lock:
            try:
                return self._file.read(size)
            except tarfile.ReadError as error:
                raise OSError(f"the tar of the build context is truncated in {self._name!r}") from error

    def close(self) -> None:
        self._file.close()


def _entry_from_member(path: str, member: tarfile.TarInfo) -> FileEntry:
    file_type = _FILE_TYPES.get(member.type, stat.S_IFREG)
    hard = member.islnk()
    return FileEntry(
        path=path,
        mode=file_type | stat.S_IMODE(member.mode),
        size=0 if hard or file_type != stat.S_IFREG else member.size,
        mtime=int(member.mtime * 10**9),
        target=_clean_path(member.linkname) if hard else member.linkname if member.issym() else "",
        hard=hard,
        device=(member.devmajor, member.devminor),
    )


def _clean_path(name: str) -> str:
    """Return a name as a path below the root; the root is the empty path."""
    names = [each for each in name.split("/") if each not in ("", ".")]
    if ".." in names:
        raise ValueError(f"{name!r} must not contain '..'")
    return "/".join(names)


def _can_seek(source: object) -> bool:
    seekable = getattr(source, "seekable", None)
    return bool(seekable and seekable())


def _chunks(source: Source) -> Iterator[bytes]:
    read = getattr(source, "read", None)
    if read is not None:
        return iter(partial(read, CHUNK_SIZE), b"")
    return iter(cast("Iterable[bytes]", source))  # the only remaining kind of Source
