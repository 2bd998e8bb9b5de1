"""The protobuf wire format below messages: varints, tags, and the length of unknown fields.

Malformed input raises `ProtocolViolated`. See https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from typing import Final

from dockerproto.errors import ProtocolViolated

VARINT, _FIXED64, DELIMITED, _START, _END, _FIXED32 = range(6)
ONE_BYTE: Final = tuple(bytes([value]) for value in range(128))
"""Encoded varints of one byte, by value."""
MAX_DEPTH: Final = 100
"""Limit on the nesting of messages or groups."""

_LARGEST_TAG: Final = (1 << 32) - 1
_WIDTHS: Final = {_FIXED64: 8, _FIXED32: 4}


def decode_tag(data: bytes, position: int) -> tuple[int, int]:
    """Return the tag at a position, field number and wire type, and the position after it."""
    tag, end = decode_varint(data, position)
    if not 8 <= tag <= _LARGEST_TAG or end - position > 5:  # noqa: PLR2004  # field 0, more than 32 bits
        raise malformed("has an invalid field number")
    return tag, end


def decode_varint(data: bytes, position: int) -> tuple[int, int]:
    """Return the unsigned 64-bit varint at a position, and the position after it."""
    try:
        byte = data[position]
        if byte < 0x80:  # noqa: PLR2004  # the continuation bit
            return byte, position + 1
        value, shift = byte & 0x7F, 7
        while shift < 70:  # noqa: PLR2004  # ten bytes of seven bits each
            position += 1
            byte = data[position]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004
                return value & 0xFFFF_FFFF_FFFF_FFFF, position + 1
            shift += 7
    except IndexError:
        raise malformed("is truncated") from None
    raise malformed("has a varint of more than 64 bits")


def encode_varint(value: int) -> bytes:
    """Encode an unsigned integer."""
    if value < 0x80:  # noqa: PLR2004  # the continuation bit
        return ONE_BYTE[value]
    if value < 0x4000:  # noqa: PLR2004  # two bytes, as in most lengths
        return bytes((value & 0x7F | 0x80, value >> 7))
    out = bytearray()
    while value >= 0x80:  # noqa: PLR2004
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def skip_field(data: bytes, position: int, tag: int) -> int:
    """Return the position after an unknown field; groups may be nested."""
    groups: list[int] = []
    while True:
        position = _skip_one(data, position, tag, groups)
        if position > len(data):
            raise malformed("is truncated")
        if not groups:
            return position
        tag, position = decode_tag(data, position)


def _skip_one(data: bytes, position: int, tag: int, groups: list[int]) -> int:
    number, wire = tag >> 3, tag & 7
    if wire == VARINT:
        return decode_varint(data, position)[1]
    if wire == DELIMITED:
        length, start = decode_varint(data, position)
        return start + length
    if wire in _WIDTHS:
        return position + _WIDTHS[wire]
    if wire == _START and len(groups) < MAX_DEPTH:
        groups.append(number)
        return position
    if wire == _END and groups and groups.pop() == number:
        return position
    raise malformed("has an invalid wire type")


def malformed(problem: str) -> ProtocolViolated:
    """Return the error for a malformed message."""
    return ProtocolViolated(0, f"a protobuf message {problem}")
