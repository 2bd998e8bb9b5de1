"""Members of a tar as entries of a build context."""

from __future__ import annotations

import re
import stat
from typing import Final

from msgspec import Struct

from dockerproto.buildcontext.entry import FileEntry
from dockerproto.buildcontext.limits import DEFAULT_LIMITS, Limits, display_path, path_fault
from dockerproto.buildcontext.paths import path_bytes
from dockerproto.buildcontext.tar_headers import HARD_LINK, SYMLINK, Header, parse_number
from dockerproto.buildcontext.tar_input import TarInput
from dockerproto.buildcontext.tar_sparse import Segment, SparseMap, read_sparse_map

_TYPES: Final = {
    SYMLINK: stat.S_IFLNK,
    b"3": stat.S_IFCHR,
    b"4": stat.S_IFBLK,
    b"5": stat.S_IFDIR,
    b"6": stat.S_IFIFO,
}
_OLD_FILE: Final = b"\0"
"""Kind of a file in the oldest format, or of a directory if its path ends with a slash."""
_DEVICES: Final = (stat.S_IFCHR, stat.S_IFBLK)
_TIME: Final = re.compile(r"(?P<sign>-?)(?P<seconds>\d{1,19})(?:\.(?P<fraction>\d*+))?", re.ASCII)
_DIGITS: Final = 9
"""Digits of a fraction of a second that are kept."""
_NANOSECONDS: Final = 10**_DIGITS
_PERMISSIONS: Final = 0o7777
_SHOWN: Final = 40


class TarMember(Struct, frozen=True):
    """A member of a tar: its entry, and where its data is."""

    entry: FileEntry
    """Metadata; the path is empty for the root."""
    position: int
    """Position of the data, from the start of the tar."""
    segments: tuple[Segment, ...]
    """Its data, in order; the rest of the file are zeros."""

    @property
    def end(self) -> int:
        """Position of the end of the data, from the start of the tar."""
        return self.position + sum(length for _, length in self.segments)

    @property
    def holes(self) -> int:
        """Number of bytes of the file that are not in the tar."""
        return self.position + self.entry.size - self.end


def read_member(header: Header, tar: TarInput, limits: Limits = DEFAULT_LIMITS) -> TarMember:
    """Return the member of a header, with the input at the start of its content.

    Raises:
        ValueError: It must not be unpacked.
    """
    sparse = read_sparse_map(header, tar)
    path = _clean_path(header.records.get("GNU.sparse.name", header.path) if sparse else header.path, limits)
    entry = _entry(path, header, limits, sparse)
    if entry.size > limits.size:
        raise ValueError(f"{display_path(path)} has {entry.size} bytes, the limit is {limits.size}")
    whole = ((0, entry.size),) if entry.size else ()
    return TarMember(entry, tar.position, whole if sparse is None else sparse.segments)


def _entry(path: str, header: Header, limits: Limits, sparse: SparseMap | None) -> FileEntry:
    hard = header.kind == HARD_LINK
    file_type = _file_type(header)
    is_file = file_type == stat.S_IFREG and not hard
    return FileEntry(
        path=path,
        mode=file_type | parse_number(header.block[100:108]) & _PERMISSIONS,
        size=0 if not is_file else header.size if sparse is None else sparse.size,
        mtime=_mtime(header),
        target=_target(path, header, limits),
        hard=hard,
        device=_device(header.block) if file_type in _DEVICES else (0, 0),
    )


def _file_type(header: Header) -> int:
    if header.kind == _OLD_FILE and header.path.endswith("/"):
        return stat.S_IFDIR
    return _TYPES.get(header.kind, stat.S_IFREG)


def _target(path: str, header: Header, limits: Limits) -> str:
    if header.kind == HARD_LINK:
        return _clean_path(header.target, limits)
    if header.kind != SYMLINK:
        return ""
    if len(path_bytes(header.target)) > limits.path:
        raise ValueError(f"the target of {display_path(path)} has more than {limits.path} bytes")
    return header.target


def _mtime(header: Header) -> int:
    """Return the time of a member in nanoseconds."""
    text = header.records.get("mtime")
    if text is None:
        return parse_number(header.block[136:148]) * _NANOSECONDS
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"invalid time {text[:_SHOWN]!r}")
    fraction = (match["fraction"] or "")[:_DIGITS].ljust(_DIGITS, "0")
    time = int(match["seconds"]) * _NANOSECONDS + int(fraction)
    return -time if match["sign"] else time


def _device(block: bytes) -> tuple[int, int]:
    return parse_number(block[329:337]), parse_number(block[337:345])


def _clean_path(name: str, limits: Limits) -> str:
    """Return a name as a path below the root; the root is the empty path."""
    names = [each for each in name.split("/") if each not in ("", ".")]
    if ".." in names:
        raise ValueError(f"{display_path(name)} must not contain '..'")
    path = "/".join(names)
    if reason := path_fault(path_bytes(path).split(b"/"), limits):
        raise ValueError(f"{display_path(path)}: {reason}")
    return path
