"""The messages in which BuildKit sends files: packets, and what they say of a file.

Modes are those of Go, whose bits of the type are not those of ``st_mode``. Defined in
https://github.com/tonistiigi/fsutil, types/wire.proto and types/stat.proto.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from enum import IntEnum
from typing import Annotated, Final

from msgspec import field

from dockerproto.buildcontext.entry import FileEntry
from dockerproto.errors import ProtocolViolated
from dockerproto.protobuf.codec import Int32, Int64, ProtoMessage, UInt32


class Kind(IntEnum):
    """What a packet is."""

    STAT = 0
    """An entry; without one, the end of the entries."""
    REQ = 1
    """The content of a file is wanted; its ID is its place among the entries, from 0."""
    DATA = 2
    """A piece of a file; an empty one is its end."""
    FIN = 3
    """The receiver has all; the sender says it back."""
    ERR = 4
    """Something failed; the data says what."""


class Stat(ProtoMessage, frozen=True):
    """What there is to say of a file, a directory or a link."""

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

    type: Annotated[Int32, 1] = Kind.STAT
    stat: Annotated[Stat | None, 2] = None
    ID: Annotated[UInt32, 3] = 0
    data: Annotated[bytes, 4] = b""


class BytesMessage(ProtoMessage, frozen=True):
    """A piece of a stream of bytes."""

    data: Annotated[bytes, 1] = b""


_GO_DIRECTORY: Final = 1 << 31
_GO_DEVICE: Final = 1 << 26
_TYPES: Final = {
    0: stat.S_IFREG,
    _GO_DIRECTORY: stat.S_IFDIR,
    1 << 27: stat.S_IFLNK,
    _GO_DEVICE: stat.S_IFBLK,
    1 << 25: stat.S_IFIFO,
    1 << 24: stat.S_IFSOCK,
    _GO_DEVICE | 1 << 21: stat.S_IFCHR,
}
"""The types of files, by the bits of Go."""
_GO_TYPES: Final = {theirs: go for go, theirs in _TYPES.items()}
_GO_TYPE: Final = 0b1000_1111_0010_1000 << 16
"""All bits of a type, that of an irregular file too."""
_LINKS: Final = (stat.S_IFREG, stat.S_IFLNK)
_SPECIAL: Final = ((1 << 23, stat.S_ISUID), (1 << 22, stat.S_ISGID), (1 << 20, stat.S_ISVTX))
_PERMISSIONS: Final = 0o777


def go_mode(mode: int) -> int:
    """Return an ``st_mode`` as Go has it.

    >>> f"{go_mode(0o040755):#x}", f"{go_mode(0o104755):#x}"
    ('0x800001ed', '0x8001ed')
    """
    special = sum(go for go, unix in _SPECIAL if mode & unix)
    return _GO_TYPES[stat.S_IFMT(mode)] | special | mode & _PERMISSIONS


def unix_mode(mode: int) -> int:
    """Return a mode of Go as an ``st_mode``.

    >>> oct(unix_mode(0x800001ed)), oct(unix_mode(0x8001ed))
    ('0o40755', '0o104755')

    Raises:
        ProtocolViolated: It has no type that there is.
    """
    kind = _TYPES.get(mode & _GO_TYPE)
    if kind is None:
        raise ProtocolViolated(0, f"a file of no known type: its mode is {mode:#x}")
    return kind | sum(unix for go, unix in _SPECIAL if mode & go) | mode & _PERMISSIONS


def stat_of(entry: FileEntry) -> Stat:
    """Return what is sent of an entry. All belongs to root: whose the files are is no part of a context."""
    return Stat(
        path=entry.path,
        mode=go_mode(entry.mode),
        size=entry.size,
        mod_time=entry.mtime,
        linkname=entry.target,
        devmajor=entry.device[0],
        devminor=entry.device[1],
    )


def entry_of(sent: Stat) -> FileEntry:
    """Return the entry that was sent.

    Raises:
        ProtocolViolated: It is of no type that there is.
    """
    mode = unix_mode(sent.mode)
    return FileEntry(
        path=sent.path,
        mode=mode,
        size=sent.size,
        mtime=sent.mod_time,
        target=sent.linkname if stat.S_IFMT(mode) in _LINKS else "",
        hard=bool(sent.linkname) and stat.S_ISREG(mode),
        device=(sent.devmajor, sent.devminor),
    )
