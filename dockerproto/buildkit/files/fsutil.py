"""The messages of BuildKit's file transfer: packets, and the metadata of files in them.

Modes are Go's, whose file type bits differ from those of ``st_mode``. Defined in
https://github.com/tonistiigi/fsutil, types/wire.proto and types/stat.proto.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from enum import IntEnum
from functools import lru_cache
from typing import Annotated, Final

from msgspec import field

from dockerproto.buildcontext.entry import FileEntry
from dockerproto.errors import ProtocolViolated
from dockerproto.protobuf.codec import Int32, Int64, ProtoMessage, UInt32
from dockerproto.protobuf.wire import encode_varint


class PacketType(IntEnum):
    """Type of a packet."""

    STAT = 0
    """An entry; without one, the end of the entries."""
    REQ = 1
    """Request for the content of a file; its ID is the entry's index, from 0."""
    DATA = 2
    """A chunk of a file; an empty one ends the file."""
    FIN = 3
    """The receiver has everything; the sender echoes it."""
    ERR = 4
    """A failure; the data is its message."""


class Stat(ProtoMessage, frozen=True):
    """Metadata of a file, a directory or a link."""

    path: Annotated[str, 1] = ""
    mode: Annotated[UInt32, 2] = 0
    uid: Annotated[UInt32, 3] = 0
    gid: Annotated[UInt32, 4] = 0
    size: Annotated[Int64, 5] = 0
    mod_time: Annotated[Int64, 6] = 0
    linkname: Annotated[str, 7] = ""
    devmajor: Annotated[Int64, 8] = 0
    devminor: Annotated[Int64, 9] = 0
    xattrs: Annotated[Mapping[str, bytes], 10] = field(default_factory=dict[str, bytes])


class Packet(ProtoMessage, frozen=True):
    """A message of either side."""

    type: Annotated[Int32, 1] = PacketType.STAT
    stat: Annotated[Stat | None, 2] = None
    ID: Annotated[UInt32, 3] = 0
    data: Annotated[bytes, 4] = b""


class BytesMessage(ProtoMessage, frozen=True):
    """A chunk of a byte stream."""

    data: Annotated[bytes, 1] = b""


_GO_DIRECTORY: Final = 1 << 31
_GO_DEVICE: Final = 1 << 26
_TYPES_BY_GO_BITS: Final = {
    0: stat.S_IFREG,
    _GO_DIRECTORY: stat.S_IFDIR,
    1 << 27: stat.S_IFLNK,
    _GO_DEVICE: stat.S_IFBLK,
    1 << 25: stat.S_IFIFO,
    1 << 24: stat.S_IFSOCK,
    _GO_DEVICE | 1 << 21: stat.S_IFCHR,
}
"""File types of ``st_mode`` by Go's bits."""
_GO_TYPES: Final = {theirs: go for go, theirs in _TYPES_BY_GO_BITS.items()}
_GO_TYPE_MASK: Final = 0b1000_1111_0010_1000 << 16
"""All of Go's file type bits, including that of an irregular file."""
_WITH_TARGET: Final = (stat.S_IFREG, stat.S_IFLNK)
_SPECIAL: Final = ((1 << 23, stat.S_ISUID), (1 << 22, stat.S_ISGID), (1 << 20, stat.S_ISVTX))
_PERMISSIONS: Final = 0o777
_EARLIEST: Final = -(2**63)
_LATEST: Final = 2**63 - 1


def go_mode(mode: int) -> int:
    """Convert an ``st_mode`` to a mode of Go.

    >>> f"{go_mode(0o040755):#x}", f"{go_mode(0o104755):#x}"
    ('0x800001ed', '0x8001ed')
    """
    special = sum(go for go, unix in _SPECIAL if mode & unix)
    return _GO_TYPES[stat.S_IFMT(mode)] | special | mode & _PERMISSIONS


def unix_mode(mode: int) -> int:
    """Convert a mode of Go to an ``st_mode``.

    >>> oct(unix_mode(0x800001ed)), oct(unix_mode(0x8001ed))
    ('0o40755', '0o104755')

    Raises:
        ProtocolViolated: The file type is unknown.
    """
    file_type = _TYPES_BY_GO_BITS.get(mode & _GO_TYPE_MASK)
    if file_type is None:
        raise ProtocolViolated(0, f"unknown file type in mode {mode:#x}")
    return file_type | sum(unix for go, unix in _SPECIAL if mode & go) | mode & _PERMISSIONS


def entry_to_stat(entry: FileEntry) -> Stat:
    """Convert an entry to a message.

    All files belong to root, as owners are not part of a build context. A time before 1677 or after 2262,
    which 64 bits cannot count in nanoseconds, becomes the nearest possible one.
    """
    return Stat(
        path=entry.path,
        mode=go_mode(entry.mode),
        size=entry.size,
        mod_time=min(max(entry.mtime, _EARLIEST), _LATEST),
        linkname=entry.target,
        devmajor=entry.device[0],
        devminor=entry.device[1],
    )


# A transfer of many small files has three packets for each of them. These functions take a third of the time
# of `Packet.encode`. The tags are those of the classes: the first byte of a message with one field.
_DATA_HEAD: Final = Packet(type=PacketType.DATA).encode()
_ID, _DATA, _STAT = (each.encode()[:1] for each in (Packet(ID=1), Packet(data=b"1"), Packet(stat=Stat())))
_PATH, _SIZE, _MOD_TIME = (each.encode()[:1] for each in (Stat(path="1"), Stat(size=1), Stat(mod_time=1)))


def encode_data(identifier: int, data: bytes) -> bytes:
    """Encode a packet with a chunk of a file, as `Packet.encode`.

    >>> encode_data(5, b"chunk") == Packet(type=PacketType.DATA, ID=5, data=b"chunk").encode()
    True
    """
    head = _DATA_HEAD + _ID + encode_varint(identifier) if identifier else _DATA_HEAD
    return b"".join((head, _DATA, encode_varint(len(data)), data)) if data else head


def encode_entry(entry: FileEntry) -> bytes:
    """Encode a packet with an entry, as `Packet.encode`.

    >>> entry = FileEntry(path="src", mode=0o040755, mtime=5)
    >>> encode_entry(entry) == Packet(stat=entry_to_stat(entry)).encode()
    True
    """
    if entry.target or entry.device != (0, 0) or not 0 < entry.mtime <= _LATEST:
        return Packet(stat=entry_to_stat(entry)).encode()
    path = entry.path.encode("utf-8", "surrogateescape")
    size = _SIZE + encode_varint(entry.size) if entry.size else b""
    head, tail = encode_varint(len(path)), encode_varint(entry.mtime)
    fields = b"".join((_PATH, head, path, _encoded_mode(entry.mode), size, _MOD_TIME, tail))
    return b"".join((_STAT, encode_varint(len(fields)), fields))


@lru_cache
def _encoded_mode(mode: int) -> bytes:
    return Stat(mode=go_mode(mode)).encode()


def stat_to_entry(message: Stat) -> FileEntry:
    """Convert a message to an entry.

    Raises:
        ProtocolViolated: The file type is unknown.
    """
    mode = unix_mode(message.mode)
    return FileEntry(
        path=message.path,
        mode=mode,
        size=message.size,
        mtime=message.mod_time,
        target=message.linkname if stat.S_IFMT(mode) in _WITH_TARGET else "",
        hard=bool(message.linkname) and stat.S_ISREG(mode),
        device=(message.devmajor, message.devminor),
    )
