"""Bodies in chunks, fast: chunks of data are taken out here, and h11 is shown all the rest.

A chunk that is data, with a size and nothing else, is cut out of the bytes as they came. The last chunk,
trailers, extensions, what is malformed and the end of the connection are for h11: it sees the same answer
without its data, says whether it is proper, and judges whether the connection can be used again.

Measured on an export in chunks of 32 KiB, h11 takes 0.54 CPU seconds for a GiB, and this 0.10: h11 copies
each byte twice more, and makes an event of each chunk.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from dockerproto.transport.chunks import Buffer

_FOOTER: Final = b"\r\n"
_SIZE: Final = rb"([0-9A-Fa-f]{1,16})\r\n"
_CUT: Final = rb"[0-9A-Fa-f]{0,16}\r?"
_FIRST: Final = re.compile(_SIZE), re.compile(_CUT), 0
_NEXT: Final = re.compile(_FOOTER + _SIZE), re.compile(rb"\r|\r\n" + _CUT), len(_FOOTER)
"""What comes before data, what may become that when more comes, and how much of it ends the chunk before."""


_SHORT: Final = 64
"""A size in bytes below which chunks of the same size are taken together."""
_LONG: Final = 4096
"""A size in bytes from which on the data of a chunk is not copied more than once."""


class Chunks:
    r"""A body in chunks, as far as it is data.

    >>> chunks = Chunks()
    >>> chunks.read(b"5\r\nhello\r\n1;x=y\r\n!"), chunks.rest
    (b'hello', b'1;x=y\r\n!')
    """

    def __init__(self) -> None:
        self.rest: bytes | None = None
        """What is not for this reader, from the beginning of a chunk on; None: there is no such thing yet."""
        self._left = 0
        self._following = _FIRST
        self._cut = b""

    def read(self, data: Buffer) -> bytes:
        """Take bytes, and return a copy of the data in them; not to be called once there is a `rest`."""
        if self._cut:
            data, self._cut = self._cut + data, b""
        elif len(data) <= self._left:
            self._left -= len(data)
            return bytes(data)
        return self._read(data)

    def _read(self, data: Buffer) -> bytes:
        view, end, at = memoryview(data), len(data), self._left
        pieces: list[Buffer] = [view[:at]]
        block = b""
        match, following, size = self._following[0].match, _NEXT[0].match, b""
        while at < end and (found := match(data, at)) and (length := int(digits := found[1], 16)):
            if length < _SHORT and digits == size and (run := _run(found[0], length).match(data, at)):
                pieces.append(_joined(run[0], len(found[0]), length))
                at = run.end()
                continue
            start = found.end()
            at = start + length
            pieces.append(view[start:at])
            match, size = following, digits
            if _SHORT <= length < _LONG:
                block = block or bytes(data)
                at = _cut_lines(block, at, pieces)
        if at:
            self._following = _NEXT
        self._left = max(0, at - end)
        if at < end:
            self._leave(bytes(data[at:]))
        return b"".join(pieces)

    def _leave(self, rest: bytes) -> None:
        """Keep what is cut; what is not for this reader is the `rest`."""
        _, cut, footer = self._following
        if cut.fullmatch(rest):
            self._cut = rest
        elif rest.startswith(_FOOTER[:footer]):
            self.rest = rest[footer:]
        else:
            self.rest = _FOOTER + rest  # an empty line is no size, which h11 refuses


def _cut_lines(block: bytes, at: int, pieces: list[Buffer]) -> int:
    """Cut out chunks as long as lines of text, and return where they end.

    What is before their data is the same again and again, and so is read once. A chunk with the message of
    a pull takes 0.38 us, and without this 0.53.
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
        pieces.append(block[start:at])
    return at


@lru_cache
def _run(before: bytes, length: int) -> re.Pattern[bytes]:
    """Return what matches a run of chunks of one size: a twentieth of the time of one after another."""
    return re.compile(b"(?s:%s.{%d})++" % (re.escape(before), length))


def _joined(run: bytes, before: int, length: int) -> bytearray:
    """Return the data of a run of chunks, without what is before it in each."""
    data = bytearray(run)
    for rest in range(before, 0, -1):
        del data[:: rest + length]
    return data
