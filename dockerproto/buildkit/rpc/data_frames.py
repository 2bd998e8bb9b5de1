"""Join short DATA frames before h2 sees them, as it takes as long for one of ten bytes as for one of 16 KiB.

Engines send each packet of a file transfer in a frame of its own, for example the requests for 20,000 files.
Consecutive frames of one stream become one frame with the same bytes and the same effect on the windows.
All else is passed on as it is: h2 sees the same connection in fewer frames, validates it and responds to it.

Two things are validated here: h2 accepts any first frame, and waits for the end of a frame before it rejects
the frame as too long, so it would wait forever for a peer that speaks another protocol.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from dockerproto.errors import ProtocolViolated

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""First bytes of the side that calls."""
_HEADER: Final = struct.Struct(">BHBBI")
"""Header of a frame: length in two parts, type, flags, stream."""
_HEADER_SIZE: Final = _HEADER.size
_DATA: Final = 0
_SETTINGS: Final = 4
_WINDOW_UPDATE: Final = 8
_END_STREAM: Final = 1
_SHOWN: Final = 60
_JOINABLE: Final = (0, _END_STREAM)
"""Flags of frames that are joined: those of a frame with padding are others."""


class DataFrames:
    """Joins the DATA frames among the bytes that one side of a connection sends.

    Args:
        preface: Number of bytes before the first frame.
        limit: Limit on the length of a frame.
        is_open: Return True for an open stream. Frames of others are not joined, as h2 responds to each.
    """

    def __init__(self, preface: int, limit: int, is_open: Callable[[int], bool]) -> None:
        self._preface = preface
        self._limit = limit
        self._is_open = is_open
        self._rest = b""
        """Beginning of an incomplete frame."""
        self.started: bool = False
        """True once the peer has sent the head of its first frame."""
        self._out: list[bytes] = []
        self._ended: set[int] = set()
        """Streams that end in the current bytes, perhaps: h2 does not know it yet."""
        self._stream = 0
        """Stream of the current run of DATA frames."""
        self._run: list[bytes] = []
        """Contents of these frames."""
        self._room = 0
        """Number of bytes that still fit into the run."""

    def feed(self, data: bytes) -> bytes:
        """Take bytes, and return the frames that are complete.

        Raises:
            ProtocolViolated: The first frame is not SETTINGS, or a frame is longer than the limit.
        """
        data = self._rest + data
        end = self._pass_on(data)
        self._rest = data[end:]
        data = b"".join(self._out)
        self._out.clear()
        self._ended.clear()
        return data

    def _pass_on(self, data: bytes) -> int:
        """Pass on the complete frames, and return the position after them."""
        at, size = min(self._preface, len(data)), len(data)
        self._preface -= at
        self._out.append(data[:at])
        while size - at >= _HEADER_SIZE:
            high, low, kind, flags, stream = _HEADER.unpack_from(data, at)
            start = at + _HEADER_SIZE
            end = start + (high << 16 | low)
            if not self.started:
                self.started = _starts(kind, flags, data[at : at + _SHOWN])
            if end - start > self._limit:
                raise _too_long(end - start, self._limit)
            if end > size:
                break
            if self._can_join(kind, flags, stream):
                self._add(stream, flags, data[start:end])
            else:
                self._end_run()
                self._out.append(data[at:end])
            at = end
        self._end_run()
        return at

    def _can_join(self, kind: int, flags: int, stream: int) -> bool:
        if kind == _DATA and flags in _JOINABLE:
            return stream == self._stream or (stream not in self._ended and self._is_open(stream))
        if kind != _WINDOW_UPDATE:
            self._ended.add(stream)
        return False

    def _add(self, stream: int, flags: int, content: bytes) -> None:
        """Add a DATA frame to the current run, or to a new one."""
        if stream != self._stream or len(content) > self._room:
            self._end_run()
            self._stream, self._room = stream, self._limit
        self._run.append(content)
        self._room -= len(content)
        if flags:
            self._ended.add(stream)
            self._end_run(flags)

    def _end_run(self, flags: int = 0) -> None:
        """Pass on the current run as one frame."""
        if self._run:
            length = self._limit - self._room
            self._out.append(_HEADER.pack(length >> 16, length & 0xFFFF, _DATA, flags, self._stream))
            self._out += self._run
            self._run.clear()
        self._stream = 0


def _starts(kind: int, flags: int, shown: bytes) -> bool:
    """Return True for the head of a first frame; raise ProtocolViolated for that of another protocol."""
    if kind != _SETTINGS or flags:
        raise ProtocolViolated(0, f"not HTTP/2: the first frame is not SETTINGS: {shown!r}")
    return True


def _too_long(length: int, limit: int) -> ProtocolViolated:
    return ProtocolViolated(0, f"invalid HTTP/2: a frame of {length} bytes is over the limit of {limit}")
