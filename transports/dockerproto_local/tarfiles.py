"""A tar as the file system of a context: its members are the files, as if it had been unpacked.

Its headers are read once; contents are read when they are asked for. What is compressed, or cannot be
read from any place, is put into a temporary file first.
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
from dockerproto.buildkit.filesystem import Tree
from dockerproto.errors import UploadFailed
from dockerproto.sources import Source
from dockerproto.transport.files import Opened

PIECE: Final = 256 * 2**10
"""How many bytes are copied at once into a temporary file."""
_BLOCK: Final = 512
_TYPES: Final = {
    tarfile.DIRTYPE: stat.S_IFDIR,
    tarfile.SYMTYPE: stat.S_IFLNK,
    tarfile.CHRTYPE: stat.S_IFCHR,
    tarfile.BLKTYPE: stat.S_IFBLK,
    tarfile.FIFOTYPE: stat.S_IFIFO,
}
_COMPRESSED: Final[dict[bytes, Callable[[IO[bytes]], IO[bytes]]]] = {
    b"\x1f\x8b": lambda file: cast("IO[bytes]", gzip.GzipFile(fileobj=file)),  # it reads, as they do
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
}
_ZSTANDARD: Final = b"\x28\xb5\x2f\xfd"
_LONGEST_MAGIC: Final = 6
_BROKEN: Final = (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError)


class TarFiles(Tree):
    """The files in a tar. Close it when the build is over.

    Args:
        source: The tar, plain or compressed by gzip, bzip2 or xz. A file that can be read from any place
            is read from where it is, and must not be used meanwhile; it is not closed.

    Raises:
        UploadFailed: It cannot be read, or it is no tar, or has what cannot be unpacked.
    """

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._lock: Final = Lock()
        self._opened: Final[list[IO[bytes]]] = []
        try:
            self._read(self._plain(self._seekable(source)))
        except _BROKEN as error:
            self.close()
            raise UploadFailed(0, f"the tar of the context cannot be read: {error}") from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close what was opened, and remove the temporary file."""
        while self._opened:
            self._opened.pop().close()

    def _seekable(self, source: Source) -> IO[bytes]:
        """Return a file that can be read from any place."""
        if isinstance(source, bytes | bytearray | memoryview):
            return BytesIO(source)
        if isinstance(source, str | os.PathLike):
            self._opened.append(open(source, "rb"))  # noqa: SIM115, PTH123  # it is closed by close
            return self._opened[-1]
        if _can_seek(source):
            return cast("IO[bytes]", source)  # it can, so it is one
        return self._spooled(_pieces(source))

    def _plain(self, file: IO[bytes]) -> IO[bytes]:
        """Return a file that is not compressed."""
        start = file.tell()
        head = file.read(_LONGEST_MAGIC)
        file.seek(start)
        if head.startswith(_ZSTANDARD):
            raise ValueError("it is compressed by Zstandard, which is not supported")
        for magic, decompress in _COMPRESSED.items():
            if head.startswith(magic):
                return self._spooled(iter(partial(decompress(file).read, PIECE), b""))
        return file

    def _spooled(self, pieces: Iterable[bytes]) -> BinaryIO:
        spool = tempfile.TemporaryFile()  # noqa: SIM115  # it is closed by close
        self._opened.append(spool)
        for piece in pieces:
            spool.write(piece)
        spool.seek(0)
        return spool

    def _read(self, file: IO[bytes]) -> None:
        """Read the headers."""
        archive = tarfile.open(fileobj=file, mode="r:", encoding="utf-8", errors="surrogateescape")  # noqa: SIM115  # the file is closed by close
        while (member := archive.next()) is not None:
            if path := _path(member.name):
                self.add(_entry(path, member), partial(self._content, archive, member))
        # The tarfile module takes a damaged header for the end.
        file.seek(archive.offset)
        if file.read(_BLOCK).strip(b"\0"):
            raise ValueError(f"the header at byte {archive.offset} is damaged")

    def _content(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> Opened:
        file = cast("IO[bytes]", archive.extractfile(member))  # there is one, as it is a regular file
        return _Content(member.name, file, self._lock)


class _Content:
    """A member that is read; several may be, but the file that they are in has one position."""

    def __init__(self, name: str, file: IO[bytes], lock: Lock) -> None:
        self._name: Final = name
        self._file: Final = file
        self._lock: Final = lock

    def read(self, size: int, /) -> bytes:
        with self._lock:
            try:
                return self._file.read(size)
            except tarfile.ReadError as error:
                raise OSError(f"the tar of the context ends before {self._name!r} does") from error

    def close(self) -> None:
        self._file.close()


def _entry(path: str, member: tarfile.TarInfo) -> FileEntry:
    kind = _TYPES.get(member.type, stat.S_IFREG)
    hard = member.islnk()
    return FileEntry(
        path=path,
        mode=kind | stat.S_IMODE(member.mode),
        size=0 if hard or kind != stat.S_IFREG else member.size,
        mtime=int(member.mtime * 10**9),
        target=_path(member.linkname) if hard else member.linkname if member.issym() else "",
        hard=hard,
        device=(member.devmajor, member.devminor),
    )


def _path(name: str) -> str:
    """Return a name as a path below the root, which is the empty path."""
    names = [each for each in name.split("/") if each not in ("", ".")]
    if ".." in names:
        raise ValueError(f"{name!r} may lead out of the context")
    return "/".join(names)


def _can_seek(source: object) -> bool:
    seekable = getattr(source, "seekable", None)
    return bool(seekable and seekable())


def _pieces(source: Source) -> Iterator[bytes]:
    read = getattr(source, "read", None)
    if read is not None:
        return iter(partial(read, PIECE), b"")
    return iter(cast("Iterable[bytes]", source))  # nothing else is left of a Source
