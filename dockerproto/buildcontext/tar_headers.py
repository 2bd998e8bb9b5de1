"""Parse the headers of a tar: ustar, pax and GNU, with the extension headers before them.

Time and memory are linear in the length of the headers. Of the records of pax headers, only those that matter
for build contexts are kept. Global pax headers are skipped, as engines do. A malformed header raises
ValueError: an engine would reject the archive.

Why not `tarfile`? Measured on Python 3.11 over the same files, it takes three times as long (135 ms against
42 ms for 10,000 members, 159 ms against 57 ms with gzip), gives up on files whose read() returns less than
was asked for, takes negative and malformed sizes for 0, and reads a pax header into memory whatever its size:
a gzip file of 1.4 MB can take 325 MiB and 2 seconds, against 22 MiB and 0.1 seconds here. A few hundred
extension headers in a row exceed its recursion limit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

from dockerproto.buildcontext.tar_input import TarInput
from dockerproto.buildcontext.tar_writer import BLOCK, checksum, padding

EXTENSION_LIMIT: Final = 2**20
"""Limit on an extension header in bytes, the same as that of engines."""
FILES: Final = (b"0", b"\0", b"7")
"""Kinds of regular files."""
HARD_LINK: Final = b"1"
"""Kind of a hard link."""
SYMLINK: Final = b"2"
"""Kind of a symlink."""
SPARSE: Final = b"S"
"""Kind of a sparse file in GNU's old format."""

_WITHOUT_CONTENT: Final = (HARD_LINK, SYMLINK, b"3", b"4", b"5", b"6")
_PAX: Final = (b"x", b"X")
_GLOBAL: Final = b"g"
_GNU: Final[Mapping[bytes, str]] = {b"L": "path", b"K": "linkpath"}
_EXTENSIONS: Final = (*_PAX, *_GNU)
_USTAR: Final = b"ustar\0"
_RECORD: Final = re.compile(rb"(\d{1,10}) ([^=\n]+)=")
_SPARSE_KEYS: Final = ("major", "minor", "name", "realsize", "size", "map")
_KEPT: Final = frozenset(
    ("path", "linkpath", "size", "mtime", *(f"GNU.sparse.{key}" for key in _SPARSE_KEYS))
)
"""Records that are kept."""
_MAP_PARTS: Final = frozenset(("GNU.sparse.offset", "GNU.sparse.numbytes"))
"""Records that alternate, and make up ``GNU.sparse.map`` together."""
_DECIMAL: Final = re.compile(r"\d{1,19}", re.ASCII)
_SIZE_LIMIT: Final = 2**60
"""More than any file system's largest file, and less than the largest file offset."""
_SPARSE_CONTINUES: Final = 482
_SPARSE_BLOCK_CONTINUES: Final = 504
_SHOWN: Final = 40


class Header(Struct, frozen=True):
    """The header of a member."""

    path: str
    """Path as written in it."""
    kind: bytes
    """Type flag."""
    size: int
    """Bytes of content in the archive."""
    target: str
    """Target of a link."""
    block: bytes
    """The header itself, and the blocks that extend that of a sparse file."""
    records: Mapping[str, str]
    """Records of the extension headers before it."""


def read_headers(tar: TarInput) -> Iterator[Header]:
    """Yield the header of each member, with the input at the start of its content, which may be read.

    Raises:
        ValueError: A header is malformed, or the tar is truncated in one or after an extension header.
    """
    records: dict[str, str] = {}
    while (block := tar.read(BLOCK)).strip(b"\0"):
        start = tar.position - len(block)
        try:
            header = _parse_header(block, records)
            if header.kind == SPARSE:
                header = _with_sparse_blocks(header, tar)
            end = tar.position + header.size + len(padding(header.size))
            if header.kind in _EXTENSIONS:
                records |= _read_extension(header, tar)
        except ValueError as error:
            raise ValueError(f"damaged header at byte {start}: {error}") from error
        if header.kind not in _EXTENSIONS and header.kind != _GLOBAL:
            yield header
            records = {}
        tar.skip(end - tar.position)
    if records:
        raise ValueError("it ends after an extension header")


def _parse_header(block: bytes, records: Mapping[str, str]) -> Header:
    """Parse a header and apply the records of the extension headers before it."""
    if len(block) < BLOCK:
        raise ValueError("it is truncated")
    _check_sum(block)
    kind = block[156:157]
    is_extension = kind in _EXTENSIONS or kind == _GLOBAL
    size = parse_size(records["size"]) if "size" in records and not is_extension else _header_size(block)
    path = records.get("path") or _header_path(block)
    target = records.get("linkpath") or _decode(block[157:257])
    return Header(path, kind, 0 if kind in _WITHOUT_CONTENT else size, target, block, records)


def _header_path(block: bytes) -> str:
    path = _decode(block[:100])
    has_prefix = block[345] and block[257:263] == _USTAR
    return f"{_decode(block[345:500])}/{path}" if has_prefix else path


def _check_sum(block: bytes) -> None:
    expected, found = parse_number(block[148:156]), checksum(block)
    # Some old programs add signed bytes.
    if expected != found and expected != found - 256 * sum(byte >> 7 for byte in block[:148] + block[156:]):
        raise ValueError("its checksum is wrong")


def _with_sparse_blocks(header: Header, tar: TarInput) -> Header:
    """Return the header of a sparse file with the blocks that continue it."""
    blocks = [header.block]
    continues = header.block[_SPARSE_CONTINUES]
    while continues:
        block = tar.read(BLOCK)
        if len(block) < BLOCK or len(blocks) * BLOCK > EXTENSION_LIMIT:
            raise ValueError("the map of a sparse file is truncated or too long")
        blocks.append(block)
        continues = block[_SPARSE_BLOCK_CONTINUES]
    return Header(header.path, header.kind, header.size, header.target, b"".join(blocks), header.records)


def _read_extension(header: Header, tar: TarInput) -> dict[str, str]:
    if header.size > EXTENSION_LIMIT:
        raise ValueError(f"an extension header has more than {EXTENSION_LIMIT} bytes")
    content = tar.read(header.size)
    if len(content) < header.size:
        raise ValueError("it is truncated")
    return _parse_pax_records(content) if header.kind in _PAX else {_GNU[header.kind]: _decode(content)}


def _parse_pax_records(content: bytes) -> dict[str, str]:
    """Parse the records of a pax header: length, name and value each."""
    records: dict[str, str] = {}
    sparse_map: list[str] = []
    position = 0
    while position < len(content):
        match = _RECORD.match(content, position)
        end = position + int(match[1]) if match else 0
        if match is None or not match.end() < end <= len(content) or content[end - 1] != ord("\n"):
            raise ValueError(f"invalid pax record after {position} bytes")
        key, value = match[2].decode(errors="replace"), content[match.end() : end - 1]
        if key in _KEPT and value:  # an empty value deletes a record
            records[key] = _decode(value)
        elif key in _MAP_PARTS:
            sparse_map.append(_decode(value))
        position = end
    return records | {"GNU.sparse.map": ",".join(sparse_map)} if sparse_map else records


def parse_number(field: bytes) -> int:
    """Parse a number of a header, octal or, if its first bit is set, binary. Raises ValueError."""
    if field[:1] < b"\x80":
        return int(field.strip(b" \0") or b"0", 8)
    bits = 8 * len(field) - 1
    number = int.from_bytes(field) & (1 << bits) - 1
    return number - (1 << bits) if number >> bits - 1 else number


def parse_size(text: str) -> int:
    """Parse a decimal size or offset. Raises ValueError."""
    if not _DECIMAL.fullmatch(text) or (size := int(text)) >= _SIZE_LIMIT:
        raise ValueError(f"invalid size {text[:_SHOWN]!r}")
    return size


def _header_size(block: bytes) -> int:
    size = parse_number(block[124:136])
    if not 0 <= size < _SIZE_LIMIT:
        raise ValueError(f"invalid size {size}")
    return size


def _decode(field: bytes) -> str:
    return field.partition(b"\0")[0].decode(errors="surrogateescape")
