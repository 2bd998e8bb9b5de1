"""Make tars byte by byte, as no well-behaved program does."""

from __future__ import annotations

from collections.abc import Mapping

BLOCK = 512


def header(
    name: bytes = b"a",
    kind: bytes = b"0",
    size: bytes | int = 0,
    fields: Mapping[int, bytes] | None = None,
    *,
    signed: bool = False,
) -> bytes:
    """Return a header; `fields` are further bytes by their position."""
    block = bytearray(BLOCK)
    length = b"%011o\0" % size if isinstance(size, int) else size
    given = {0: name, 124: length, 156: kind, 257: b"ustar\x0000"}
    for at, field in (given | dict(fields or {})).items():
        block[at : at + len(field)] = field
    block[148:156] = b" " * 8
    total = sum(byte - 256 * (byte >> 7) if signed else byte for byte in block)
    block[148:156] = b"%06o\0 " % total
    return bytes(block)


def padded(content: bytes) -> bytes:
    """Return a content padded to whole blocks."""
    return content + bytes(-len(content) % BLOCK)


def raw_member(name: bytes = b"a", content: bytes = b"", kind: bytes = b"0") -> bytes:
    """Return a header and its content."""
    return header(name, kind, len(content)) + padded(content)


def pax_record(key: str, value: str) -> bytes:
    """Return a pax record."""
    rest = f" {key}={value}\n".encode()
    length = len(rest)
    while len(f"{length}") + len(rest) != length:
        length = len(f"{length}") + len(rest)
    return b"%d%s" % (length, rest)


def pax(*records: tuple[str, str], kind: bytes = b"x") -> bytes:
    """Return a pax header."""
    return raw_member(b"pax", b"".join(pax_record(*each) for each in records), kind)


END = bytes(2 * BLOCK)
