"""A run of the tests: its order, and a line that says what ran where."""

from __future__ import annotations

import platform
import random
from collections import defaultdict
from itertools import chain
from pathlib import Path

import pytest

OUTCOMES = ("failed", "error", "passed", "skipped", "xfailed")


def shuffled(items: list[pytest.Item], seed: int) -> list[pytest.Item]:
    """Return tests in an order that depends on the seed.

    Files are shuffled, and the tests of each file, which stay together: many share an engine of their own.
    """
    generator = random.Random(seed)
    files = defaultdict[Path, list[pytest.Item]](list)
    for item in items:
        files[item.path].append(item)
    groups = list(files.values())
    generator.shuffle(groups)
    for group in groups:
        generator.shuffle(group)
    return list(chain.from_iterable(groups))


def summary(reporter: pytest.TerminalReporter, engine: str | None) -> str:
    """Return the version of Python, the name of the engine, and how many tests had each outcome."""
    counts = [f"{len(reporter.stats[name])} {name}" for name in OUTCOMES if reporter.stats.get(name)]
    place = f"Python {platform.python_version()}" + (f" with {engine}" if engine else "")
    return f"{place}: {', '.join(counts) or 'no tests'}"
