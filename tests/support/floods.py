"""Floods of HTTP/2 frames by a hostile engine: each has no end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, count, islice, repeat
from struct import pack
from typing import Final, TypeAlias

from hpack import Encoder

from dockerproto.buildkit.rpc.handler import AsyncStep, Services, Step
from dockerproto.buildkit.session.services import health
from tests.support.recorded_sessions import PREFACE

Flood: TypeAlias = Callable[[], Iterator[bytes]]

DATA, HEADERS, PRIORITY, RESET, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
START: Final = PREFACE + b"\0\0\0\4\0\0\0\0\0"
_LARGEST_WINDOW: Final = pack(">I", 2**31 - 1)
_MESSAGES: Final = b"\0\0\0\0\2ab" * 2300
_NUMBERS: Final = range(1, 2**31, 2)


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    """Return a frame."""
    return pack(">I", len(payload))[1:] + bytes([kind, flags]) + pack(">I", stream) + payload


def call(stream: int, path: str, *, flags: int = 4, more: Iterable[tuple[bytes, bytes]] = ()) -> bytes:
    """Return the frame that starts a call, which leaves no trace in the table of headers."""
    head = ((b":method", b"POST"), (b":scheme", b"http"), (b":path", path.encode()), *more)
    return frame(HEADERS, flags, stream, Encoder().encode([(*each, True) for each in head]))


def reset(stream: int) -> bytes:
    """Return the frame that aborts a call."""
    return frame(RESET, 0, stream, bytes(4))


def setting(code: int, value: int) -> bytes:
    """Return a frame with one setting."""
    return frame(SETTINGS, 0, 0, pack(">HI", code, value))


class Waiting:
    """A handler that takes messages and does nothing, or for which a step is being done all the time."""

    def __init__(self, *, at_work: bool = False) -> None:
        self._step = AsyncStep(self._never, self._ignore) if at_work else None

    def receive(self, message: bytes) -> None:  # an interface
        """Forget the message."""

    def end(self) -> None:
        """Do nothing."""

    def next(self) -> Step:
        """Return the step, if there is one."""
        return self._step

    def close(self) -> None:
        """Do nothing."""

    async def _never(self) -> None:
        raise AssertionError("nobody does this step")

    def _ignore(self, _: object) -> None:
        """Do nothing."""


def services() -> Services:
    """Return services that wait for messages, and for a step."""
    return {**health(), "/idle": lambda _: Waiting(), "/at-work": lambda _: Waiting(at_work=True)}


def _each(make: Callable[[int], bytes]) -> Flood:
    return lambda: map(make, _NUMBERS)


def _again(unit: bytes, first: bytes = b"") -> Flood:
    return lambda: chain((first,), repeat(unit))


def _unknown_settings() -> Iterator[bytes]:
    codes = (pack(">HI", 256 + number % 65_000, 1) for number in count())
    while True:
        yield frame(SETTINGS, 0, 0, b"".join(islice(codes, 100)))


IDLE: Final = call(1, "/idle")
CLOSED: Final = IDLE + reset(1)
FLOODS: Final[Mapping[str, Flood]] = {
    "rapid reset": _each(lambda stream: call(stream, "/idle") + reset(stream)),
    "rapid reset of calls at work": _each(lambda stream: call(stream, "/at-work") + reset(stream)),
    "rapid reset of unknown calls": _each(lambda stream: call(stream, "/x", flags=5) + reset(stream)),
    "rapid reset of long headers": _each(
        lambda stream: call(stream, "/idle", more=[(b"a", bytes(900))]) + reset(stream)
    ),
    "windows too large": _each(
        lambda stream: call(stream, "/idle") + frame(WINDOW, 0, stream, _LARGEST_WINDOW)
    ),
    "pings": _again(frame(PING, 0, 0, bytes(8))),
    "acknowledged pings": _again(frame(PING, 1, 0, bytes(8))),
    "settings": _again(frame(SETTINGS)),
    "acknowledged settings": _again(frame(SETTINGS, 1)),
    "table sizes": _again(setting(1, 100) + setting(1, 5000)),
    "windows of calls": _again(setting(4, 100) + setting(4, 2**31 - 1), IDLE),
    "unknown settings": _unknown_settings,
    "data of a closed call": _again(frame(DATA, 0, 1), CLOSED),
    "headers of a closed call": _again(frame(HEADERS, 4, 1, b"\x82"), CLOSED),
    "resets of a closed call": _again(reset(1), CLOSED),
    "trailers": _each(
        lambda stream: call(stream, "/idle") + frame(HEADERS, 5, stream, b"\x82") + reset(stream)
    ),
    "empty data": _again(frame(DATA, 0, 1), IDLE),
    "padding": _again(frame(DATA, 8, 1, b"\xff" + bytes(255)), IDLE),
    "priorities": _each(lambda stream: frame(PRIORITY, 0, stream, bytes(5))),
    "windows": _again(frame(WINDOW, 0, 0, pack(">I", 1)) + frame(WINDOW, 0, 1, pack(">I", 1)), IDLE),
    "goodbyes": _again(frame(GOAWAY, 0, 0, bytes(8))),
    "unknown frames": _again(frame(99, 0, 0, bytes(100))),
    "alternative services": _again(frame(10, 0, 1, bytes(100)), IDLE),
    "continuations": _again(frame(CONTINUATION, 0, 1), frame(HEADERS, 0, 1)),
    "answers that differ": lambda: chain(
        (setting(1, 2**32 - 1),), (call(stream, f"/{stream:64}", flags=5) for stream in _NUMBERS)
    ),
    "calls": _each(lambda stream: call(stream, "/idle")),
    "pushes": _again(frame(PUSH, 4, 1, pack(">I", 2)), IDLE),
}
"""Floods of which only a constant amount may be kept."""
MESSAGES: Final[Mapping[str, Flood]] = {
    "empty messages": _again(frame(DATA, 0, 1, bytes(5)), call(1, "/at-work")),
    "messages to a call at work": _again(frame(DATA, 0, 1, _MESSAGES), call(1, "/at-work")),
    "long messages": _again(
        frame(DATA, 0, 1, (pack(">BI", 0, 1000) + bytes(1000)) * 16), call(1, "/at-work")
    ),
}
"""Messages that nobody takes: flow control bounds them, and they take hardly more memory than bytes."""


def pieces(flood: Flood, size: int, piece: int = 4096) -> Iterator[bytes]:
    """Yield the first bytes of a flood, in pieces as they are received."""
    source, data, left = flood(), bytearray(), size
    while left > 0:
        while len(data) < piece:
            data += next(source)
        yield bytes(data[:piece])
        del data[:piece]
        left -= piece
