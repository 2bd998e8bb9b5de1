"""Sessions with hostile engines that mutated bytes choose; see `tests.buildkit.session.fuzz_session`."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Final

from tests.fuzz.oracles import check, measured
from tests.support import hostile_engine

_LONGEST: Final = 2000
_PEAK: Final = 32 * 2**20
_OPERATIONS: Final = 400_000
_EACH: Final = 2000


@cache
def _seeds() -> tuple[bytes, ...]:
    return tuple(hostile_engine.seeds())


def play(random: Random) -> None:
    """Play an engine, and see that it costs little."""
    data = bytearray(random.choice(_seeds())[:_LONGEST])
    for _ in range(random.choice((1, 2, 8, 64))):
        at = random.randrange(len(data) + 1)
        data[at : at + random.choice((0, 1, 9))] = random.randbytes(random.choice((0, 1, 9, 200)))
    with measured() as cost:
        hostile_engine.play(bytes(data))
    check(cost.peak, len(data), each=0, base=_PEAK, of="bytes of memory")
    check(cost.operations, len(data), each=_EACH, base=_OPERATIONS, of="calls")
