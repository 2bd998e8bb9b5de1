"""Protobuf on the wire, below its messages: numbers, tags, and the length of what is not known.

Whatever cannot be read raises `ProtocolViolated`. See https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from typing import Final

from dockerproto.errors import ProtocolViolated

VARINT, _FIXED64, DELIMITED, _START, _END, _FIXED32 = range(6)
ONE_BYTE: Final = tuple(bytes([value]) for value in range(128))
"""The numbers of one byte."""
DEEPEST: Final = 100
"""How many messages, or groups, may be inside each other."""

_LARGEST_TAG: Final = (1 << 32) - 1
_WIDTHS: Final = {_FIXED64: 8, _FIXED32: 4}


def read_tag(data: bytes, position: int) -> tuple[int, int]:
    """Return the tag at a position, the number of a field and its type, and where it ends."""
    tag, end = read_varint(data, position)
    if not 8 <= tag <= _LARGEST_TAG or end - position > 5:  # noqa: PLR2004  # the field 0, and 32 bits
        raise malformed("has a field of an impossible number")
    return tag, end


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """Return the number of 64 bits at a position, and where it ends."""
    try:
        byte = data[position]
        if byte < 0x80:  # noqa: PLR2004  # the bit that says that more follows
            return byte, position + 1
        value, shift = byte & 0x7F, 7
        while shift < 70:  # noqa: PLR2004  # ten bytes of seven bits
            position += 1
            byte = data[position]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004
                return value & 0xFFFF_FFFF_FFFF_FFFF, position + 1
            shift += 7
    except IndexError:
        raise malformed("ends in the middle of a field") from None
    raise malformed("has a number of more than 64 bits")


def varint_bytes(value: int) -> bytes:
    """Return a natural number as it is sent."""
    if value < 0x80:  # noqa: PLR2004  # the bit that says that more follows
        return ONE_BYTE[value]
    out = bytearray()
    while value >= 0x80:  # noqa: PLR2004
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def skip_field(data: bytes, position: int, tag: int) -> int:
    """Return where an unknown field ends; a group may have groups in it."""
    groups: list[int] = []
    while True:
        position = _skip_one(data, position, tag, groups)
        if position > len(data):
            raise malformed("ends in the middle of a field")
        if not groups:
            return position
        tag, position = read_tag(data, position)


def _skip_one(data: bytes, position: int, tag: int, groups: list[int]) -> int:
    number, wire = tag >> 3, tag & 7
    if wire == VARINT:
        return read_varint(data, position)[1]
    if wire == DELIMITED:
        length, start = read_varint(data, position)
        return start + length
    if wire in _WIDTHS:
        return position + _WIDTHS[wire]
    if wire == _START and len(groups) < DEEPEST:
        groups.append(number)
        return position
    if wire == _END and groups and groups.pop() == number:
        return position
    raise malformed("has a field of an impossible type")


def malformed(how: str) -> ProtocolViolated:
    """Return the error that says how a message cannot be read."""
    return ProtocolViolated(0, f"a protobuf message {how}")
