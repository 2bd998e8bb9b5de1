"""Texts for every pattern and parser that sees foreign text: what a pattern repeats, in any combination."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from random import Random
from time import thread_time_ns
from typing import Final

from tests.fuzz.oracles import Excess
from tests.support.patterns import Use, free_uses, worst_texts
from tests.test_linear_parsers import MESSAGE, PARSERS, PUMPS

SIZE: Final = 2**9
FACTOR: Final = 16
_BOUND: Final = 4
"""A linear cost grows by the factor, a quadratic one by its square: the bound is the geometric mean."""
_TRIALS: Final = 5
_FLOOR_NS: Final = 1000 * SIZE
"""A microsecond a character: a short text may be recognized faster, and a long one may not be."""


@cache
def patterns() -> tuple[Use, ...]:
    """Return the uses of patterns that may meet any text."""
    return tuple(free_uses())


def play(random: Random) -> None:
    """Apply a pattern or a parser to a text, and to one that is sixteen times as long."""
    if random.random() < 0.3:
        name = random.choice(MESSAGE)
        apply, make = PARSERS[name], _pumped(random)
    else:
        use = random.choice(patterns())
        name, apply, make = f"{use.where} {use.method}", use.apply, _worst(random, use)
    short, long = make(SIZE), make(SIZE * FACTOR)
    if _cost(apply, long) > _BOUND * FACTOR * max(_cost(apply, short), _FLOOR_NS):
        raise Excess(f"{name} does not take linear time for {short[:60]!r}...")


def _cost(apply: Callable[[str], object], text: str) -> int:
    """Return the CPU time of the fastest trial: what else the machine does only adds to it."""
    return min(_time(apply, text) for _ in range(_TRIALS))


def _time(apply: Callable[[str], object], text: str) -> int:
    start = thread_time_ns()
    apply(text)
    return thread_time_ns() - start


def _pumped(random: Random) -> Callable[[int], str]:
    first, end = (random.choice(("", "x", *PUMPS)) for _ in range(2))
    unit = "".join(random.choices(PUMPS, k=random.randint(1, 3)))
    return lambda size: first + unit * (size // len(unit)) + end


def _worst(random: Random, use: Use) -> Callable[[int], str]:
    """Return a maker of one of the worst texts, perhaps with something else around it."""
    number = random.randrange(1 + sum(1 for _ in worst_texts(use.pattern, 1)))
    first = random.choice(("", "", "x", *PUMPS))

    def make(size: int) -> str:
        texts = (text for at, text in enumerate(worst_texts(use.pattern, size)) if at == number)
        return first + next(texts, "a" * size)

    return make


def quadratic() -> Use:
    """Return a use of a pattern that takes quadratic time, for a test of this target."""
    return Use("quadratic", re.compile(r"[:@]\S+: not found$"), "search")
