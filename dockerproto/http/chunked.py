"""A fast path for chunked bodies: plain chunks are decoded here, and h11 parses the rest.

A chunk with a size, data and nothing else is decoded here. The last chunk, trailers, extensions, malformed
input and the end of the connection go to h11: it parses the same response without its data, validates it,
and decides whether the connection can be reused.

An export in chunks of 32 KiB takes 0.54 CPU seconds per GiB with h11, and 0.10 with this module: h11 copies
each byte twice more, and creates an event for each chunk.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from dockerproto.transport.chunks import Buffer

_FOOTER: Final = b"\r\n"
_SIZE: Final = rb"([0-9A-Fa-f]{1,16})\r\n"
_PARTIAL: Final = rb"[0-9A-Fa-f]{0,16}\r?"
_FIRST: Final = re.compile(_SIZE), re.compile(_PARTIAL), 0
_NEXT: Final = re.compile(_FOOTER + _SIZE), re.compile(rb"\r|\r\n" + _PARTIAL), len(_FOOTER)
"""Pattern of the bytes before a chunk's data, pattern of an incomplete prefix of them, and the number of
bytes in them that end the previous chunk."""


_SHORT: Final = 64
"""Size in bytes below which consecutive chunks of one size are decoded together."""
_LONG: Final = 4096
"""Size in bytes from which the data of a chunk is copied only once."""


class PlainChunks:
    r"""Decoder of a chunked body, up to the first chunk that is not plain data.

    >>> chunks = PlainChunks()
    >>> chunks.feed(b"5\r\nhello\r\n1;x=y\r\n!"), chunks.rest
    (b'hello', b'1;x=y\r\n!')
    """

    def __init__(self) -> None:
        self.rest: bytes | None = None
        """Bytes for h11, from the beginning of a chunk; None while all chunks are plain."""
        self._left = 0
        self._following = _FIRST
        self._partial = b""

    def feed(self, data: Buffer) -> bytes:
        """Take bytes of the body, and return a copy of their data; call it only while `rest` is None."""
        if self._partial:
            data, self._partial = self._partial + data, b""
        elif len(data) <= self._left:
            self._left -= len(data)
            return bytes(data)
        return self._decode(data)

    def _decode(self, data: Buffer) -> bytes:
        view, end, at = memoryview(data), len(data), self._left
        parts: list[Buffer] = [view[:at]]
        block = b""
        match, following, size = self._following[0].match, _NEXT[0].match, b""
        while at < end and (found := match(data, at)) and (length := int(digits := found[1], 16)):
            if length < _SHORT and digits == size and (run := _run(found[0], length).match(data, at)):
                parts.append(_join(run[0], len(found[0]), length))
                at = run.end()
                continue
            start = found.end()
            at = start + length
            parts.append(view[start:at])
            match, size = following, digits
            if _SHORT <= length < _LONG:
                block = block or bytes(data)
                at = _decode_lines(block, at, parts)
        if at:
            self._following = _NEXT
        self._left = max(0, at - end)
        if at < end:
            self._keep(bytes(data[at:]))
        return b"".join(parts)

    def _keep(self, rest: bytes) -> None:
        """Keep an incomplete size for the next call; anything else becomes the `rest`."""
        _, partial, footer = self._following
        if partial.fullmatch(rest):
            self._partial = rest
        elif rest.startswith(_FOOTER[:footer]):
            self.rest = rest[footer:]
        else:
            self.rest = _FOOTER + rest  # h11 rejects the empty line, which is not a size


def _decode_lines(block: bytes, at: int, parts: list[Buffer]) -> int:
    """Decode chunks as long as lines of text, and return the position of their end.

    Only a few different sizes occur, so each is parsed once. A chunk with a message of a pull takes 0.38 us
    this way, and 0.53 us otherwise.
    """
    lengths = dict[bytes, int]()
    while (stop := block.find(_FOOTER, at + len(_FOOTER))) >= 0:
        before = block[at:stop]
        length = lengths.get(before, 0)
        if not length:
            found = _NEXT[0].match(block, at)
            length = int(found[1], 16) if found else 0
            if not _SHORT <= length < _LONG:
                break
            lengths[before] = length
        start = stop + len(_FOOTER)
        at = start + length
        parts.append(block[start:at])
    return at


@lru_cache
def _run(before: bytes, length: int) -> re.Pattern[bytes]:
    """Return the pattern of consecutive chunks of one size; one match takes a twentieth of the time."""
    return re.compile(b"(?s:%s.{%d})++" % (re.escape(before), length))


def _join(run: bytes, before: int, length: int) -> bytearray:
    """Return the data of consecutive chunks of one size, each after `before` bytes of framing."""
    data = bytearray(run)
    for rest in range(before, 0, -1):
        del data[:: rest + length]
    return data
