"""Headers of tar archives: what stands before the content of each file.

The format is POSIX's pax. All belongs to root, times are whole seconds, and nothing depends on who makes
the archive, where or when. Names are bytes as they are; what has no room in a header is in a record
before it. Documented at https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html.
"""

from __future__ import annotations

import stat
from struct import Struct
from typing import Final
from zlib import adler32

from dockerproto.buildcontext.entry import FileEntry

BLOCK: Final = 512
"""Headers and contents begin at multiples of this, in bytes."""
END: Final = bytes(2 * BLOCK)
"""What is at the end of an archive."""

_HEADER: Final = Struct("100s8s8s8s12s12s8sc100s6s2s32s32s8s8s155s12x")
_HALF: Final = BLOCK // 2
_NO_CHECKSUM: Final = b" " * 8
_CHECKSUM_AT: Final = 148
_NAME: Final = 100
_PREFIX: Final = 155
_ZERO: Final = b"0000000\0"
_SHORT: Final = 8**7
_LONG: Final = 8**11
_SECOND: Final = 10**9
_NAMELESS: Final = b"././@PaxHeader"
"""The name of a record, which engines never look at."""

_REGULAR, _LINK = b"0", b"1"
_TYPES: Final = {
    stat.S_IFREG: _REGULAR,
    stat.S_IFLNK: b"2",
    stat.S_IFCHR: b"3",
    stat.S_IFBLK: b"4",
    stat.S_IFDIR: b"5",
    stat.S_IFIFO: b"6",
}


def padding(size: int) -> bytes:
    """Return what follows so many bytes of content."""
    return bytes(-size % BLOCK)


def tar_header(entry: FileEntry) -> bytes:
    """Return what stands before the content of an entry.

    Raises:
        ValueError: It is a socket, which no archive can have.
    """
    kind = _LINK if entry.hard else _TYPES.get(stat.S_IFMT(entry.mode))
    if kind is None:
        raise ValueError(f"a tar has no files of such a mode: {entry.mode:#o}")
    name = _encoded(entry.path if kind != b"5" else f"{entry.path}/")
    target = _encoded(entry.target) if entry.target else b""
    size, mtime = entry.size if kind == _REGULAR else 0, entry.mtime // _SECOND
    prefix = b""
    records = b""
    if len(name) > _NAME:
        prefix, name, records = _fit(name)
    if len(target) > _NAME:
        records += _record(b"linkpath", target)
    if size >= _LONG:
        records += _record(b"size", b"%d" % size)
    if not 0 <= mtime < _LONG:
        records += _record(b"mtime", b"%d" % mtime)
    header = _pack(
        kind,
        name,
        prefix=prefix,
        target=target,
        mode=stat.S_IMODE(entry.mode),
        size=size,
        mtime=mtime,
        device=entry.device,
    )
    return _extended(records) + header if records else header


def _encoded(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _fit(name: bytes) -> tuple[bytes, bytes, bytes]:
    """Return the two parts of a long name, or the beginning of it and a record with all."""
    at = name.rfind(b"/", 1, min(_PREFIX + 1, len(name) - 1))
    if at > 0 and len(name) - at - 1 <= _NAME:
        return name[:at], name[at + 1 :], b""
    return b"", name[:_NAME], _record(b"path", name)


def _record(key: bytes, value: bytes) -> bytes:
    """Return a record, whose length counts its own digits."""
    rest = b" %s=%s\n" % (key, value)
    length = len(rest) + 1
    while len(record := b"%d%s" % (length, rest)) != length:
        length = len(record)
    return record


def _extended(records: bytes) -> bytes:
    header = _pack(b"x", _NAMELESS, mode=0o644, size=len(records))
    return header + records + padding(len(records))


def _pack(
    kind: bytes,
    name: bytes,
    *,
    prefix: bytes = b"",
    target: bytes = b"",
    mode: int,
    size: int,
    mtime: int = 0,
    device: tuple[int, int] = (0, 0),
) -> bytes:
    """Return a header; what has no room is cut, or is 0."""
    header = _HEADER.pack(
        *(name, b"%07o\0" % mode, _ZERO, _ZERO),
        *(b"%011o\0" % (size % _LONG), b"%011o\0" % (mtime if 0 <= mtime < _LONG else 0)),
        *(_NO_CHECKSUM, kind, target[:_NAME], b"ustar\0", b"00", b"", b""),
        *(_device(device) if any(device) else (_ZERO, _ZERO)),
        prefix,
    )
    # The half of an Adler-32 is the sum of the bytes, and one more, if they are few enough.
    checksum = (adler32(header[:_HALF]) & 0xFFFF) + (adler32(header[_HALF:]) & 0xFFFF) - 2
    return b"%b%06o\0 %b" % (header[:_CHECKSUM_AT], checksum, header[_CHECKSUM_AT + 8 :])


def _device(device: tuple[int, int]) -> tuple[bytes, bytes]:
    major, minor = device
    return b"%07o\0" % (major % _SHORT), b"%07o\0" % (minor % _SHORT)
