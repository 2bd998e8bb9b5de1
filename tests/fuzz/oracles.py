"""Budgets of a case: operations, which are counted and not timed, and memory, for each byte fed."""

from __future__ import annotations

import cProfile
import tracemalloc
from collections.abc import Generator
from contextlib import contextmanager

from msgspec import Struct


class Excess(AssertionError):
    """A case costs more than its budget."""


class Cost(Struct):
    """The cost of a block of code."""

    operations: int = 0
    """Functions called, those of C included."""
    peak: int = 0
    """Most bytes allocated at once."""


@contextmanager
def measured() -> Generator[Cost]:
    """Measure the block; nothing else may use the profiler or tracemalloc meanwhile."""
    cost, profiler = Cost(), cProfile.Profile()
    tracemalloc.start()
    profiler.enable()  # which counts ten times as fast as a function in Python
    try:
        yield cost
    finally:
        profiler.disable()
        cost.peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        cost.operations = sum(each.callcount for each in profiler.getstats())


def check(cost: int, size: int, *, each: float, base: int, of: str) -> None:
    """Raise Excess if a cost is more than `base` and `each` for each byte."""
    budget = base + each * size
    if cost > budget:
        raise Excess(f"{cost} {of} for {size} bytes; the budget is {budget:.0f}")
