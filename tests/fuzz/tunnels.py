"""Builds through a tunnel by hostile engines: any replies to the calls, and a session in one of them.

The engine speaks HTTP/2 as a rule, so that its messages arrive; sometimes it sends other bytes, or hangs up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from random import Random
from typing import Final

from h2.exceptions import H2Error

from dockerproto import DockerError
from dockerproto.buildkit.control.calls import Calls
from dockerproto.buildkit.control.messages import SolveRequest
from dockerproto.buildkit.control.solve import Solve
from dockerproto.buildkit.control.tunnel import Tunnel
from dockerproto.buildkit.files.fsutil import BytesMessage
from dockerproto.buildkit.rpc.handler import OK, Status
from dockerproto.errors import ProtocolViolated
from tests.fuzz.oracles import check, measured
from tests.support.controlling import STEP, ControlServer, details, solved
from tests.support.floods import DATA, HEADERS, PING, frame, setting
from tests.support.hostile_engine import Served
from tests.support.hostile_messages import Choices
from tests.support.recorded_sessions import RECORDED, sent_by

_EXIT: Final = "github.com/moby/buildkit/moby.buildkit.v1.frontend.ExitMessage+json"
_PEAK: Final = 32 * 2**20
_OPERATIONS: Final = 400_000
_EACH: Final = 2000
_METHODS: Final = ("Session", "Session", "Session", "Status", "Solve")


@cache
def _recorded() -> tuple[bytes, ...]:
    """Return the bytes that real engines sent in sessions."""
    return tuple(sent_by("engine", each)[:20_000] for each in RECORDED)


def _session(random: Random) -> Iterator[bytes]:
    """Yield messages of a session: empty ones, long ones, and some that are cut anywhere."""
    data = bytearray(random.choice(_recorded()))
    for _ in range(random.choice((0, 0, 1, 5))):
        data[random.randrange(len(data))] = random.randrange(256)
    while data:
        size = random.choice((0, 1, 9, 100, 5000, 2**16))
        yield BytesMessage(bytes(data[:size])).encode()
        del data[: size or random.choice((0, 1))]


def _report(random: Random) -> Iterator[bytes]:
    yield from [random.choice((STEP, b"", random.randbytes(30)))] * random.choice((1, 3, 200))


def _result(random: Random) -> Iterator[bytes]:
    yield from [random.choice((solved(), b"", random.randbytes(20)))] * random.choice((1, 1, 2))


_MESSAGES: Final[dict[str, Callable[[Random], Iterator[bytes]]]] = {
    "Session": _session,
    "Status": _report,
    "Solve": _result,
}
_RAW: Final[tuple[Callable[[Random], bytes], ...]] = (
    lambda _: frame(7, 0, 0, bytes(8)),  # GOAWAY
    lambda random: frame(3, 0, random.choice((1, 3, 5)), bytes(4)),  # RST_STREAM
    lambda random: frame(DATA, 0, random.choice((1, 3, 5)), b"\0" + random.randbytes(4)),
    lambda _: b"\0\x40\1" + bytes(6),
    lambda _: b"\xff" * 9,
    lambda random: setting(random.randrange(1, 9), random.choice((0, 1, 2**14, 2**31 - 1, 2**32 - 1))),
    lambda _: frame(PING, 0, 0, bytes(8)) * 50,
    lambda random: frame(HEADERS, 5, random.choice((1, 3, 5)), random.randbytes(9)),
    lambda random: random.randbytes(random.choice((1, 9, 300))),
    lambda _: b"HTTP/1.1 404 Not Found\r\n\r\n",
)


class _Build:
    """A build whose session is in a tunnel, and the bytes that it was fed."""

    def __init__(self, random: Random) -> None:
        self.fed = 0
        self._calls = Calls()
        self._tunnel = Tunnel(self._calls, (), self._note)
        self._served = Served(Choices(random.randbytes(20)))
        self._solve = Solve(self._calls, SolveRequest("ref"), quiet=False)
        self._notes = 0

    def feed(self, data: bytes) -> bytes:
        """Feed bytes, read the messages, and return what is sent."""
        self.fed += len(data)
        out = self._served.feed(self._tunnel.feed(data))
        for line in self._solve.messages().splitlines():
            json.loads(line)
        return self._tunnel.frame(lambda: out)

    def close(self) -> None:
        """Close the session; a new call is accepted or refused, but nothing else."""
        self._served.close()
        with suppress(DockerError):
            self._calls.begin("ListWorkers")
        self._calls.data_to_send()

    def _note(self) -> None:
        self._notes += 1


def _act(random: Random, engine: ControlServer) -> bytes:
    """Let the engine do something, and return its bytes; none once its own calls are in disorder."""
    raw = random.choice(_RAW)(random) if random.random() < 0.1 else b""
    with suppress(KeyError, AttributeError, H2Error):
        if not raw:
            _reply(random, engine)
        return engine.grpc.data_to_send() + raw
    return raw


def _reply(random: Random, engine: ControlServer) -> None:
    method, choice = random.choice(_METHODS), random.random()
    if choice < 0.05:
        code = random.choice((0, 7, "7", None, 2**70))
        engine.fail(method, 2, "x" * random.choice((0, 9, 3000)), details(_EXIT, {"Code": code}))
    else:
        status = None if choice < 0.85 else random.choice((OK, Status(2, "no"), Status(99)))
        engine.reply(method, *_MESSAGES[method](random), status=status)


def _carry(random: Random, build: _Build, engine: ControlServer, data: bytes) -> None:
    while data:
        size = random.choice((1, 9, 1000, 2**16, 2**20))
        engine.feed(build.feed(data[:size]))
        data = data[size:]


def play(random: Random) -> None:
    """Let an engine do some things; only errors of a connection come out, and they cost little."""
    with measured() as cost:
        build, engine = _Build(random), ControlServer()
        with suppress(ProtocolViolated, DockerError, ConnectionResetError):
            engine.feed(build.feed(b""))
            for _ in range(random.choice((1, 5, 20))):
                _carry(random, build, engine, _act(random, engine))
        build.close()
    check(cost.peak, build.fed, each=0, base=_PEAK, of="bytes of memory")
    check(cost.operations, build.fed, each=_EACH, base=_OPERATIONS, of="calls")
