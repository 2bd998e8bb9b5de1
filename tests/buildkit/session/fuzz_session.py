"""Fuzz the sessions of BuildKit: ``python -m tests.buildkit.session.fuzz_session SECONDS [CORPUS]``.

With atheris (``pip install atheris``; nothing else needs it) the bytes are guided by what code they reach,
and kept in the directory CORPUS. Without it they are mutated at random. What is found is raised, with its
bytes in a file ``crash-...`` in the current directory; ``python -m tests.buildkit.session.fuzz_session
crash-...`` plays it again. At the end the number of executions is printed.

No execution may raise anything, take longer than `TIMEOUT`, or take memory beyond `MEMORY`, nor may all
of them together.
"""

from __future__ import annotations

import faulthandler
import importlib
import importlib.util
import random
import resource
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

TIMEOUT = 20
"""Time limit of one execution in seconds."""
MEMORY = 512 * 2**20
"""Memory limit of the process in bytes."""
PEAK = 32 * 2**20
"""Memory limit of one execution in bytes; one execution in `MEASURED` is measured."""
MEASURED = 64
LONGEST = 8192
"""Longest input in bytes."""


class Watched:
    """Executions, counted, some of them with their memory measured."""

    def __init__(self, play: Callable[[bytes], None]) -> None:
        self.count = 0
        self._play = play

    def __call__(self, data: bytes) -> None:
        self.count += 1
        if self.count % MEASURED:
            self._play(data)
            return
        tracemalloc.start()
        try:
            self._play(data)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < PEAK, f"an input of {len(data)} bytes takes {peak}"


def guided(atheris: Any, seconds: int, corpus: Path) -> None:
    """Fuzz, guided by coverage; never returns."""
    with atheris.instrument_imports(include=["dockerproto", "h2", "hpack", "hyperframe"]):
        hostile = importlib.import_module("tests.support.hostile_engine")
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(hostile.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = [f"-max_total_time={seconds}", f"-timeout={TIMEOUT}", f"-max_len={LONGEST}"]
    options += [f"-rss_limit_mb={MEMORY >> 20}", "-len_control=0", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], Watched(hostile.play))
    atheris.Fuzz()


def unguided(seconds: int) -> None:
    """Fuzz with randomly mutated bytes."""
    hostile = importlib.import_module("tests.support.hostile_engine")
    watched, seeds, end = Watched(hostile.play), list(hostile.seeds()), time.monotonic() + seconds
    while time.monotonic() < end:
        data = mutated(random.choice(seeds))
        faulthandler.dump_traceback_later(TIMEOUT, exit=True)
        try:
            watched(data)
        except BaseException:
            Path(f"crash-{watched.count}").write_bytes(data)
            raise
    faulthandler.cancel_dump_traceback_later()
    print(f"{watched.count} executions in {seconds} seconds, {resident() >> 20} MiB")  # noqa: T201
    assert resident() < MEMORY


def mutated(seed: bytes) -> bytes:
    """Return slightly mutated bytes."""
    data = bytearray(seed or b"\0")
    for _ in range(random.choice((1, 2, 4, 8, 64))):
        at = random.randrange(len(data))
        data[at : at + random.choice((0, 1, 1, 1, 9))] = random.randbytes(random.choice((0, 1, 1, 1, 9, 200)))
        data = data or bytearray(1)
    return bytes(data[:LONGEST])


def resident() -> int:
    """Return the peak memory of this process in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(what: str, corpus: str = "fuzz-corpus") -> None:
    """Fuzz for some seconds, or replay a file."""
    warnings.simplefilter("ignore")  # an output may have devices, which are not made
    if not what.isdecimal():
        importlib.import_module("tests.support.hostile_engine").play(Path(what).read_bytes())
    elif importlib.util.find_spec("atheris") is None:
        unguided(int(what))
    else:
        guided(importlib.import_module("atheris"), int(what), Path(corpus))


if __name__ == "__main__":
    main(*sys.argv[1:])
