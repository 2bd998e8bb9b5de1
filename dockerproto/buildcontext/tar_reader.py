"""Find one file of a tar by its path, reading headers and skipping contents.

It supports the forms that tars of build contexts have: ustar, pax and GNU, plain or compressed by gzip,
bzip2 or xz. In a malformed archive nothing is found. Nothing is decompressed before it is needed.

Why not `tarfile`? Measured on Python 3.11 over the same files, it takes three times as long (135 ms against
42 ms for 10,000 members, 159 ms against 57 ms with gzip), gives up on files whose read() returns less than
was asked for, takes negative and malformed sizes for 0, and reads a pax header into memory whatever its size:
a gzip file of 1.4 MB can take 325 MiB and 2 seconds, against 22 MiB and 0.1 seconds here.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import posixpath
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, BinaryIO, Final, Protocol, cast

from msgspec import Struct

from dockerproto.sources import Readable

READ_LIMIT: Final = 2**20
"""Limit on the bytes read of a file or of an extension header."""

_BLOCK: Final = 512
_SIZE_LIMIT: Final = 2**60
"""More than any file system's largest file, and less than the largest file offset."""
_MAX_LINKS: Final = 8
"""Limit on the links followed one after another."""
_SKIP_CHUNK: Final = 2**16
_USTAR: Final = b"ustar\0"
_RECORD: Final = re.compile(rb"(\d{1,10}) ([^=\n]+)=")

_FILES: Final = (b"0", b"\0", b"7")
_HARD_LINK: Final = b"1"
_SYMLINK: Final = b"2"
_WITHOUT_CONTENT: Final = (_HARD_LINK, _SYMLINK, b"3", b"4", b"5", b"6")
_PAX: Final = b"x"
_GNU: Final[Mapping[bytes, str]] = {b"L": "path", b"K": "linkpath"}

_EXTENSIONS: Final = (_PAX, *_GNU)

_READ_ERRORS: Final = (OSError, EOFError, zlib.error, lzma.LZMAError, TypeError)
"""Errors of reading and decompressing; TypeError comes from a file opened in text mode."""
_DECOMPRESSORS: Final[Mapping[bytes, Callable[[BinaryIO], Readable]]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file, mode="rb"),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
}
_LONGEST_MAGIC: Final = max(map(len, _DECOMPRESSORS))


class Seekable(Readable, Protocol):
    """A file that can be read repeatedly."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move to another position."""
        ...

    def tell(self) -> int:
        """Return the position."""
        ...


class BytesFile:
    """A read-only file over bytes, without copying them all."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._position = 0

    def read(self, size: int, /) -> bytes:
        """Return the next bytes."""
        chunk = bytes(self._data[self._position : self._position + size])
        self._position += len(chunk)
        return chunk

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move to another position; whence is 0 or 1."""
        self._position = offset + (self._position if whence else 0)
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position


class _Header(Struct, frozen=True):
    """The fields of a header that are used here."""

    path: str
    kind: bytes
    size: int
    target: str


class _TarInput:
    """The bytes of a tar, decompressed as they are read."""

    def __init__(self, archive: Seekable) -> None:
        start = archive.tell()
        magic = archive.read(_LONGEST_MAGIC)
        archive.seek(start)
        decompress = next((each for prefix, each in _DECOMPRESSORS.items() if magic.startswith(prefix)), None)
        self._archive = archive if decompress is None else None
        # The decompressors are typed to take any BinaryIO, but only read.
        self._file: Readable = archive if decompress is None else decompress(cast("BinaryIO", archive))

    def read(self, size: int) -> bytes:
        """Return exactly `size` bytes, or fewer at the end of the file."""
        chunks = [b""]
        while size and (chunk := self._file.read(size)):
            chunks.append(chunk)
            size -= len(chunk)
        return b"".join(chunks)

    def skip(self, size: int) -> None:
        """Skip `size` bytes."""
        if self._archive is not None:
            self._archive.seek(size, 1)
            return
        while size and (chunk := self._file.read(min(size, _SKIP_CHUNK))):
            size -= len(chunk)


def find_file(archive: Seekable, path: str) -> bytes | None:
    """Return the beginning of a file in a tar, following links, or None if the tar has no such file.

    The tar begins at the file's position, which changes. Of several entries with one path the first is used.
    """
    start = archive.tell()
    path = _normalize(path)
    with suppress(*_READ_ERRORS):
        for _ in range(_MAX_LINKS):
            archive.seek(start)
            result = _search(_TarInput(archive), path)
            if not isinstance(result, str):
                return result
            path = result
    return None


def _search(tar: _TarInput, path: str) -> bytes | str | None:
    """Return the content of the entry at a path, or for a link the path of its target."""
    entry = next((each for each in _headers(tar) if _normalize(each.path) == path), None)
    if entry is None:
        return None
    if entry.kind == _SYMLINK:
        return _normalize(posixpath.join(posixpath.dirname(path), entry.target))
    if entry.kind == _HARD_LINK:
        return _normalize(entry.target)
    return tar.read(min(entry.size, READ_LIMIT)) if entry.kind in _FILES else None


def _headers(tar: _TarInput) -> Iterator[_Header]:
    """Yield the header of each entry, with the input at the start of its content."""
    overrides: dict[str, str] = {}
    while entry := _parse_header(tar.read(_BLOCK), overrides):
        padded_size = -(-entry.size // _BLOCK) * _BLOCK
        if entry.kind in _EXTENSIONS:
            content = tar.read(min(entry.size, READ_LIMIT))
            tar.skip(padded_size - len(content))
            overrides |= (
                _parse_pax_records(content) if entry.kind == _PAX else {_GNU[entry.kind]: _decode(content)}
            )
        else:
            yield entry
            tar.skip(padded_size)
            overrides = {}


def _parse_header(header: bytes, overrides: Mapping[str, str]) -> _Header | None:
    """Parse a header and apply the overrides; return None at the end or if the header is invalid."""
    fields, checksum, kind = header[:148] + header[156:], header[148:156], header[156:157]
    if len(header) < _BLOCK or _parse_number(checksum) != sum(fields) + 8 * ord(" "):
        return None
    has_size = kind not in _EXTENSIONS and "size" in overrides
    size = _parse_size(overrides["size"]) if has_size else _parse_number(header[124:136])
    if size is None:
        return None
    prefix = _decode(header[345:500]) if header[257:263] == _USTAR else ""
    path = overrides.get("path", f"{prefix}/{_decode(header[:100])}")
    target = overrides.get("linkpath", _decode(header[157:257]))
    return _Header(path, kind, 0 if kind in _WITHOUT_CONTENT else size, target)


def _parse_pax_records(content: bytes) -> dict[str, str]:
    """Parse the records of a pax header: length, name and value each."""
    records: dict[str, str] = {}
    position = 0
    while match := _RECORD.match(content, position):
        end = position + int(match[1])
        records[_decode(match[2])] = _decode(content[match.end() : end - 1])
        position = max(end, match.end())
    return records


def _parse_number(field: bytes) -> int | None:
    """Parse a number, octal or, if its first bit is set, binary; return None if it is not a size."""
    if field[:1] >= b"\x80":
        return _parse_size(int.from_bytes(field) - (0x80 << 8 * (len(field) - 1)))
    return _parse_size(field.strip(b" \0") or b"0", 8)


def _parse_size(*number: Any) -> int | None:
    """Return the size that int() makes of its arguments, or None if it is invalid."""
    try:
        size = int(*number)
    except ValueError:
        return None
    return size if 0 <= size < _SIZE_LIMIT else None


def _decode(field: bytes) -> str:
    return field.partition(b"\0")[0].decode(errors="surrogateescape")


def _normalize(path: str) -> str:
    return posixpath.normpath(f"/{path.lstrip('/')}")
