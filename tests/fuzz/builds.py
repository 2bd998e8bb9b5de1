"""Builds by the Control API with hostile engines: any calls, replies, details and bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Final

from dockerproto import DockerError
from dockerproto.buildkit.control.calls import Calls
from dockerproto.buildkit.control.messages import SolveRequest
from dockerproto.buildkit.control.solve import Solve
from dockerproto.buildkit.control.worker import worker_of
from dockerproto.buildkit.rpc.handler import Status
from dockerproto.messages.decoding import BuildMessages
from dockerproto.messages.results import BuildReducer
from tests.fuzz.oracles import check, measured
from tests.support.controlling import STEP, ControlServer, details, solved, workers

_PEAK: Final = 32 * 2**20
_OPERATIONS: Final = 400_000
_EACH: Final = 2000
_EXIT: Final = "github.com/moby/buildkit/moby.buildkit.v1.frontend.ExitMessage+json"
_DESCRIPTOR: Final = {
    "containerimage.digest": "sha256:ab",
    "containerimage.descriptor": '{"digest": "sha256:ab"}',
}


def play(random: Random) -> None:
    """Play an engine, and see that it costs little."""
    calls, engine = Calls(), ControlServer()
    solve = Solve(calls, SolveRequest("ref"), quiet=random.random() < 0.1)
    calls.begin("ListWorkers")
    engine.feed(calls.data_to_send())
    for _ in range(random.randrange(1, 12)):
        random.choice(_ACTIONS)(engine, random)
    data = engine.grpc.data_to_send()
    if random.random() < 0.5:
        data = _mutated(data, random)
    with measured() as cost, suppress(DockerError):
        _receive(calls, solve, _cut(data, random))
    check(cost.peak, len(data), each=0, base=_PEAK, of="bytes of memory")
    check(cost.operations, len(data), each=_EACH, base=_OPERATIONS, of="calls")


def _receive(calls: Calls, solve: Solve, pieces: Sequence[bytes]) -> None:
    decoder, reducer = BuildMessages(), BuildReducer()
    for piece in pieces:
        calls.feed(piece)
        calls.data_to_send()
        for message in decoder.feed(solve.messages()):
            reducer.add(message)
    solve.end_reports()
    for message in decoder.feed(solve.messages()):
        reducer.add(message)
    result = reducer.result()
    repr((result, result.digest))


def _report(engine: ControlServer, random: Random) -> None:
    engine.reply("Status", _sometimes(STEP, random), status=_status(random))


def _solved(engine: ControlServer, random: Random) -> None:
    engine.reply("Solve", _sometimes(solved(_DESCRIPTOR), random), status=_status(random))


def _fail(engine: ControlServer, random: Random) -> None:
    detail = details(_EXIT, _sometimes(b'{"Code": 7}', random))
    with suppress(Exception):  # the call may be over
        engine.fail("Solve", random.randrange(20), "failed", detail[random.randrange(3) :])


def _workers(engine: ControlServer, random: Random) -> None:
    reply = _sometimes(workers(), random)
    with suppress(DockerError):
        worker_of(reply)
    engine.reply("ListWorkers", reply, status=_status(random))


_ACTIONS: Final[Sequence[Callable[[ControlServer, Random], None]]] = (
    _report,
    _report,
    _solved,
    _fail,
    _workers,
)


def _status(random: Random) -> Status | None:
    return random.choice((None, None, Status(0), Status(2, "failed")))


def _sometimes(data: bytes, random: Random) -> bytes:
    return data if random.random() < 0.5 else _mutated(data, random)


def _mutated(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice((1, 2, 8))):
        at = random.randrange(len(changed) + 1)
        changed[at : at + random.choice((0, 1, 9))] = random.randbytes(random.choice((0, 1, 9, 200)))
    return bytes(changed)


def _cut(data: bytes, random: Random) -> list[bytes]:
    size = random.choice((1, 16, 2**16))
    return [data[start : start + size] for start in range(0, len(data), size)]
