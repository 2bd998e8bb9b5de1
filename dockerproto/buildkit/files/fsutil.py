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
from dockerproto.protobuf.wire import decode_varint, encode_varint


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


@lru_cache
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


# A transfer of many small files has four packets for each of them. These functions take less time than
# `Packet.encode` and `Packet.decode`. The tags are those of the classes: the first byte of a message with one
# field.
_REQUEST_HEAD: Final = Packet(type=PacketType.REQ).encode()
_DATA_HEAD: Final = Packet(type=PacketType.DATA).encode()
_ID, _DATA, _STAT = (each.encode()[:1] for each in (Packet(ID=1), Packet(data=b"1"), Packet(stat=Stat())))
_LARGEST_UINT32: Final = 2**32 - 1
_PATH, _SIZE, _MOD_TIME = (each.encode()[:1] for each in (Stat(path="1"), Stat(size=1), Stat(mod_time=1)))
_MODE, _UID, _GID = (each.encode()[0] for each in (Stat(mode=1), Stat(uid=1), Stat(gid=1)))
_INTEGERS: Final = frozenset((_MODE, _UID, _GID, _SIZE[0], _MOD_TIME[0]))
"""Tags of the integers of an ordinary entry."""


def encode_request(identifier: int) -> bytes:
    """Encode a packet with a request for a file, as `Packet.encode`.

    >>> encode_request(5) == Packet(type=PacketType.REQ, ID=5).encode()
    True
    """
    return _REQUEST_HEAD + _ID + encode_varint(identifier) if identifier else _REQUEST_HEAD


def encode_data(identifier: int, data: bytes) -> bytes:
    """Encode a packet with a chunk of a file, as `Packet.encode`.

    >>> encode_data(5, b"chunk") == Packet(type=PacketType.DATA, ID=5, data=b"chunk").encode()
    True
    """
    head = _DATA_HEAD + _ID + encode_varint(identifier) if identifier else _DATA_HEAD
    return b"".join((head, _DATA, encode_varint(len(data)), data)) if data else head


def decode_data(message: bytes) -> tuple[int, bytes] | None:
    """Decode a packet with a chunk of a file, as most are encoded; None for any other.

    >>> decode_data(encode_data(5, b"chunk")), decode_data(Packet(ID=5).encode())
    ((5, b'chunk'), None)

    Raises:
        ProtocolViolated: The bytes are malformed.
    """
    if not message.startswith(_DATA_HEAD):
        return None
    identifier, position, size = 0, len(_DATA_HEAD), len(message)
    if message.startswith(_ID, position):
        identifier, position = decode_varint(message, position + 1)
    length = 0
    if message.startswith(_DATA, position):
        length, position = decode_varint(message, position + 1)
    if position + length != size or identifier > _LARGEST_UINT32:
        return None
    return identifier, message[position:]


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


def decode_entry(message: bytes) -> FileEntry | None:
    """Decode a packet with a file or a directory, as most are encoded; None for any other.

    >>> entry = FileEntry(path="src", mode=0o100644, size=7, mtime=5)
    >>> decode_entry(encode_entry(entry)) == entry
    True

    Raises:
        ProtocolViolated: The bytes are malformed, or the file type is unknown.
    """
    size = len(message)
    if not message.startswith(_STAT):
        return None
    length, start = decode_varint(message, 1)
    if start + length != size or not message.startswith(_PATH, start):
        return None
    length, start = decode_varint(message, start + 1)
    at = end = start + length
    fields = dict[int, int]()
    while at < size and message[at] in _INTEGERS:
        fields[message[at]], at = decode_varint(message, at + 1)
    mode, length, mtime = fields.get(_MODE, 0), fields.get(_SIZE[0], 0), fields.get(_MOD_TIME[0], 0)
    if at != size or mode > _LARGEST_UINT32 or length > _LATEST or mtime > _LATEST:
        return None
    path = message[start:end].decode("utf-8", "surrogateescape")
    return FileEntry(path=path, mode=unix_mode(mode), size=length, mtime=mtime)


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
