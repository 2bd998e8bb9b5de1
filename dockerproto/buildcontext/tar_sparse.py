"""Maps of sparse files in a tar: where in the file its data is; the rest are zeros.

The formats are those of GNU tar: the old one, and the pax formats 0.0, 0.1 and 1.0. Documented at
https://www.gnu.org/software/tar/manual/html_node/Sparse-Formats.html.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from msgspec import Struct

from dockerproto.buildcontext.tar_headers import EXTENSION_LIMIT, SPARSE, Header, parse_number, parse_size
from dockerproto.buildcontext.tar_input import TarInput
from dockerproto.buildcontext.tar_writer import BLOCK

Segment: TypeAlias = tuple[int, int]
"""Offset in the file and length of data, in bytes."""

_PREFIX: Final = "GNU.sparse."
_HEADER_MAP: Final = slice(386, 482)
_HEADER_REAL_SIZE: Final = slice(483, 495)
_BLOCK_MAP: Final = 504
_FIELD: Final = 12


class SparseMap(Struct, frozen=True):
    """The map of a sparse file."""

    size: int
    """Size of the file in bytes."""
    segments: tuple[Segment, ...]
    """Its data, in order; the archive has it without the zeros between."""


def read_sparse_map(header: Header, tar: TarInput) -> SparseMap | None:
    """Return the map of a sparse file, with the input at the start of its data; None for another file.

    Raises:
        ValueError: The map is malformed, or too long.
    """
    start = tar.position
    records = header.records
    if header.kind == SPARSE:
        numbers, size = _old_map(header.block), parse_number(header.block[_HEADER_REAL_SIZE])
    elif records.get(f"{_PREFIX}major") == "1" and records.get(f"{_PREFIX}minor") == "0":
        numbers, size = _read_map(header, tar), parse_size(records.get(f"{_PREFIX}realsize", ""))
    elif f"{_PREFIX}map" in records:
        texts = records[f"{_PREFIX}map"].split(",")
        numbers, size = list(map(parse_size, texts)), parse_size(records.get(f"{_PREFIX}size", ""))
    else:
        return None
    if size < 0:
        raise ValueError(f"invalid size {size}")
    segments = tuple(_check_segments(numbers, size))
    if sum(length for _, length in segments) > header.size - (tar.position - start):
        raise ValueError("the map of a sparse file is longer than its data")
    return SparseMap(size, segments)


def _check_segments(numbers: Sequence[int], size: int) -> Iterator[Segment]:
    """Yield the segments that are not empty."""
    end = 0
    for offset, length in zip(numbers[::2], numbers[1::2], strict=True):
        if offset < end or length < 0 or offset + length > size:
            raise ValueError("the map of a sparse file is not in order, or exceeds its size")
        end = offset + length
        if length:
            yield offset, length


def _old_map(block: bytes) -> list[int]:
    """Return the numbers of a map in the header and the blocks that continue it."""
    starts = range(BLOCK, len(block), BLOCK)
    parts = [block[_HEADER_MAP], *(block[start : start + _BLOCK_MAP] for start in starts)]
    fields = (part[at : at + _FIELD] for part in parts for at in range(0, len(part), _FIELD))
    return [parse_number(field) for field in fields if field.strip(b"\0")]


def _read_map(header: Header, tar: TarInput) -> list[int]:
    """Read a map from the start of the content: the number of segments, then their numbers, one a line."""
    limit = min(header.size, EXTENSION_LIMIT)
    blocks: list[bytes] = []
    lines, wanted = 0, 1
    while lines < wanted:
        block = tar.read(BLOCK)
        blocks.append(block)
        if len(block) < BLOCK or len(blocks) * BLOCK > limit:
            raise ValueError("the map of a sparse file is truncated or too long")
        if not lines and b"\n" in block:
            wanted += 2 * _first_number(blocks)
        lines += block.count(b"\n")
    return _numbers(b"".join(blocks).split(b"\n")[1:wanted])


def _first_number(blocks: Iterable[bytes]) -> int:
    (number,) = _numbers([b"".join(blocks).partition(b"\n")[0]])
    return number


def _numbers(lines: Iterable[bytes]) -> list[int]:
    return [parse_size(line.decode("ascii", "replace")) for line in lines]
