"""One file of a tar, found by its path: the headers are read, and what is between them is passed over.

Read are the forms that tars of contexts have: ustar, pax and that of GNU, plain or compressed as engines
take them. In what is malformed nothing is found; no byte is unpacked before it is needed.
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

LARGEST: Final = 2**20
"""How much is read of a file, or of a header that goes with another, in bytes."""

_BLOCK: Final = 512
_END_OF_SIZES: Final = 2**60
"""Below what a file system can have, and what an offset may be."""
_LINKS: Final = 8
"""How many links are followed, one to the next."""
_PASSED: Final = 2**16
_USTAR: Final = b"ustar\0"
_RECORD: Final = re.compile(rb"(\d{1,10}) ([^=\n]+)=")

_FILES: Final = (b"0", b"\0", b"7")
_HARD_LINK: Final = b"1"
_SYMLINK: Final = b"2"
_WITHOUT_CONTENT: Final = (_HARD_LINK, _SYMLINK, b"3", b"4", b"5", b"6")
_PAX: Final = b"x"
_GNU: Final[Mapping[bytes, str]] = {b"L": "path", b"K": "linkpath"}

_ABOUT_OTHERS: Final = (_PAX, *_GNU)

_BROKEN: Final = (OSError, EOFError, zlib.error, lzma.LZMAError, TypeError)
"""What reading raises; TypeError if it is not bytes that are read."""
_COMPRESSED: Final[Mapping[bytes, Callable[[BinaryIO], Readable]]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file, mode="rb"),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
}
_LONGEST_MAGIC: Final = max(map(len, _COMPRESSED))


class Seekable(Readable, Protocol):
    """A file that can be read again."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to another place."""
        ...

    def tell(self) -> int:
        """Return the place."""
        ...


class Memory:
    """Bytes as a file, without a copy of them."""

    def __init__(self, data: memoryview) -> None:
        self._data: Final = data
        self._position = 0

    def read(self, size: int, /) -> bytes:
        """Return the next bytes."""
        piece = bytes(self._data[self._position : self._position + size])
        self._position += len(piece)
        return piece

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to another place; whence is 0 or 1."""
        self._position = offset + (self._position if whence else 0)
        return self._position

    def tell(self) -> int:
        """Return the place."""
        return self._position


class _Entry(Struct, frozen=True):
    """What a header says."""

    path: str
    kind: bytes
    size: int
    target: str


class _Tape:
    """A tar, unpacked as it is read."""

    def __init__(self, archive: Seekable) -> None:
        start = archive.tell()
        magic = archive.read(_LONGEST_MAGIC)
        archive.seek(start)
        unpack = next((each for prefix, each in _COMPRESSED.items() if magic.startswith(prefix)), None)
        self._archive: Final = archive if unpack is None else None
        # What unpacks wants a file of all kinds, but only reads.
        self._file: Final[Readable] = archive if unpack is None else unpack(cast("BinaryIO", archive))

    def read(self, size: int) -> bytes:
        """Return so many bytes, fewer at the end only."""
        pieces = [b""]
        while size and (piece := self._file.read(size)):
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def skip(self, size: int) -> None:
        """Pass over so many bytes."""
        if self._archive is not None:
            self._archive.seek(size, 1)
            return
        while size and (piece := self._file.read(min(size, _PASSED))):
            size -= len(piece)


def find_file(archive: Seekable, path: str) -> bytes | None:
    """Return the beginning of a file of a tar, links followed; None if there is none.

    The tar begins where the file is, and that is elsewhere afterwards. Of several entries with one path
    the first counts.
    """
    start = archive.tell()
    wanted = _clean(path)
    with suppress(*_BROKEN):
        for _ in range(_LINKS):
            archive.seek(start)
            found = _search(_Tape(archive), wanted)
            if not isinstance(found, str):
                return found
            wanted = found
    return None


def _search(tape: _Tape, wanted: str) -> bytes | str | None:
    """Return what a path has: bytes, or if that is a link, the path that it leads to."""
    entry = next((each for each in _entries(tape) if _clean(each.path) == wanted), None)
    if entry is None:
        return None
    if entry.kind == _SYMLINK:
        return _clean(posixpath.join(posixpath.dirname(wanted), entry.target))
    if entry.kind == _HARD_LINK:
        return _clean(entry.target)
    return tape.read(min(entry.size, LARGEST)) if entry.kind in _FILES else None


def _entries(tape: _Tape) -> Iterator[_Entry]:
    """Yield the entries that are of use to somebody; the tape is where the content of each begins."""
    told: dict[str, str] = {}
    while entry := _entry(tape.read(_BLOCK), told):
        padded = -(-entry.size // _BLOCK) * _BLOCK
        if entry.kind in _ABOUT_OTHERS:
            content = tape.read(min(entry.size, LARGEST))
            tape.skip(padded - len(content))
            told |= _records(content) if entry.kind == _PAX else {_GNU[entry.kind]: _text(content)}
        else:
            yield entry
            tape.skip(padded)
            told = {}


def _entry(header: bytes, told: Mapping[str, str]) -> _Entry | None:
    """Read a header, with what others told of the entry; None at the end, or if it is none."""
    fields, checksum, kind = header[:148] + header[156:], header[148:156], header[156:157]
    if len(header) < _BLOCK or _number(checksum) != sum(fields) + 8 * ord(" "):
        return None
    large = kind not in _ABOUT_OTHERS and "size" in told
    size = _size(told["size"]) if large else _number(header[124:136])
    if size is None:
        return None
    prefix = _text(header[345:500]) if header[257:263] == _USTAR else ""
    path = told.get("path", f"{prefix}/{_text(header[:100])}")
    target = told.get("linkpath", _text(header[157:257]))
    return _Entry(path, kind, 0 if kind in _WITHOUT_CONTENT else size, target)


def _records(content: bytes) -> dict[str, str]:
    """Read the records of a pax header: a length, a name and a value each."""
    records: dict[str, str] = {}
    position = 0
    while match := _RECORD.match(content, position):
        end = position + int(match[1])
        records[_text(match[2])] = _text(content[match.end() : end - 1])
        position = max(end, match.end())
    return records


def _number(field: bytes) -> int | None:
    """Read a number: octal, or binary if the first bit says so; None if it is no size."""
    if field[:1] >= b"\x80":
        return _size(int.from_bytes(field) - (0x80 << 8 * (len(field) - 1)))
    return _size(field.strip(b" \0") or b"0", 8)


def _size(*number: Any) -> int | None:
    """Return a size of what int() takes, None if it is none."""
    try:
        size = int(*number)
    except ValueError:
        return None
    return size if 0 <= size < _END_OF_SIZES else None


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode(errors="surrogateescape")


def _clean(path: str) -> str:
    return posixpath.normpath(f"/{path.lstrip('/')}")
