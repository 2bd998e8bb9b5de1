"""Sessions that are flooded: a grammar of frames makes a few, which come again and again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import count
from random import Random
from struct import pack
from typing import Final
from unittest.mock import patch

from h2.settings import SettingCodes

from dockerproto.buildkit.rpc import http2
from dockerproto.buildkit.session.session import Session
from dockerproto.errors import ProtocolViolated
from tests.fuzz.oracles import Excess, check
from tests.support.floods import (
    CONTINUATION,
    DATA,
    HEADERS,
    PING,
    PRIORITY,
    START,
    WINDOW,
    call,
    frame,
    reset,
    services,
    setting,
)
from tests.support.retained import retained

SIZE: Final = 2**14
"""Half the bytes of the short flood, which are enough for calls with long headers to reach their limit; the
long one has twice as many."""
_GROWTH: Final = 2**12
_KEPT: Final = 2**18
_MESSAGE: Final = re.compile(rb"\x00{4}\x02ab|\x00{14}")
"""Messages: those of two bytes, and empty ones after the head of a frame."""
_PATHS: Final = ("/idle", "/at-work", "/x", "/grpc.health.v1.Health/Check")

_Maker = Callable[[int], bytes]
"""Makes a frame for a stream number that grows."""


def _call(random: Random) -> _Maker:
    path, flags = random.choice(_PATHS), random.choice((4, 5, 0, 0x24))
    more = [(b"a", bytes(random.choice((0, 100, 900))))] * random.randrange(3)
    varied = random.random() < 0.3
    return lambda stream: call(stream, f"{path}{stream}" if varied else path, flags=flags, more=more)


def _data(random: Random) -> _Maker:
    payload = random.choice((b"", bytes(5), b"\0\0\0\0\2ab", b"\0\0\0\0\2ab" * 50, bytes(300), b"\1" * 9))
    flags, target = random.choice((0, 0, 1)), random.choice((0, 1))
    return lambda stream: frame(DATA, flags, target or stream, payload)


def _setting(random: Random) -> _Maker:
    code, values = random.randrange(1, 9), random.choices((0, 1, 100, 5000, 2**16, 2**31 - 1, 2**32 - 1), k=2)
    if random.random() < 0.4:
        return lambda stream: setting(100 + stream % 60_000, 1)
    return lambda stream: setting(code, values[stream // 2 % 2])


def _window(random: Random) -> _Maker:
    step, target = pack(">I", random.choice((1, 2**16, 2**31 - 1))), random.choice((0, 1, 2))
    return lambda stream: frame(WINDOW, 0, (0, 1, stream)[target], step)


def _any(random: Random) -> _Maker:
    kind, flags = random.randrange(16), random.choice((0, 1, 4, 5, 8, 0x20))
    payload, target = random.randbytes(random.choice((0, 4, 5, 8, 30))), random.choice((0, 1, 2))
    return lambda stream: frame(kind, flags, (0, 1, stream)[target], payload)


_FIXED: Final[tuple[_Maker, ...]] = (
    reset,
    lambda _: reset(1),
    lambda _: frame(PING, 0, 0, bytes(8)),
    lambda stream: frame(PRIORITY, 0, stream, bytes(5)),
    lambda _: frame(HEADERS, 4, 1, b"\x82"),
    lambda stream: frame(HEADERS, 5, stream, b"\x82"),
    lambda _: frame(CONTINUATION, 0, 1),
)
_GRAMMAR: Final[tuple[Callable[[Random], _Maker], ...]] = (_call, _call, _data, _setting, _window, _any)


def make(random: Random) -> Callable[[], Iterator[bytes]]:
    """Make a flood: perhaps a call, then a few frames without an end."""
    first = random.choice((b"", call(1, "/idle"), call(1, "/at-work"), call(1, "/idle") + reset(1)))
    makers = [
        random.choice(_FIXED) if random.random() < 0.4 else random.choice(_GRAMMAR)(random)
        for _ in range(random.randint(1, 3))
    ]
    if random.random() < 0.3:  # calls that are aborted are most of what there is
        makers = [_call(random), *makers, reset]

    def flood() -> Iterator[bytes]:
        yield first
        for stream in count(3, 2):
            yield b"".join(make_frame(stream) for make_frame in makers)

    return flood


def kept(flood: Callable[[], Iterator[bytes]], size: int, *, reads: bool) -> tuple[int, int]:
    """Return the bytes that a session keeps of a flood, and those of the messages that it may keep."""
    session, waiting, source = Session(services()), 0, flood()
    session.feed(START)
    with suppress(ProtocolViolated):
        while size > 0:
            unit = next(source)
            size -= len(unit) or 1
            session.feed(unit)
            waiting += len(unit) if _MESSAGE.search(unit) else 0
            if reads:
                while session.advance() is not None:
                    pass
                session.data_to_send()
    return retained(session), waiting


def play(random: Random) -> None:
    """Flood a session; a longer flood is not kept, except for messages, which flow control bounds."""
    flood, reads = make(random), random.random() < 0.5
    with (
        patch.multiple(http2, MAX_UNREAD_REPLIES=2**12, MAX_SETTINGS=2**4),
        patch.dict(http2._SETTINGS, {SettingCodes.MAX_CONCURRENT_STREAMS: 8}),  # pyright: ignore[reportPrivateUsage]
        patch.object(http2.HTTP2Connection, "MAX_CLOSED_STREAMS", 2**4),
    ):
        # Closed calls with long headers reach the limit of what is kept only here.
        short, long, longest = (partial(kept, flood, times * SIZE, reads=reads) for times in (4, 8, 32))
        (few, _), (many, waiting) = short(), long()
        check(many, waiting, each=2, base=_KEPT, of="bytes kept")
        if many - few <= _GROWTH + 2 * waiting:
            return
        most, waiting = longest()  # other limits are reached later
    if most - many > _GROWTH + 2 * waiting:
        raise Excess(f"{many} bytes are kept of {8 * SIZE}, {most} of {32 * SIZE}")
