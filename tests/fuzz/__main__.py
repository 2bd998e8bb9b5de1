"""Fuzz the library: ``python -m tests.fuzz [--minutes N] [--seed S] [TARGET...]``.

The minutes are shared among the targets, by default all. A case that costs too much, or raises anything, ends
the run with a traceback whose last line says how to repeat it: ``python -m tests.fuzz TARGET:SEED:NUMBER``.
"""

from __future__ import annotations

import argparse
import warnings

from tests.fuzz.runner import TARGETS, play, play_for


def main() -> None:
    """Parse the arguments, and fuzz."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("target", nargs="*", help=f"{', '.join(TARGETS)}, or a case to repeat")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")  # an output may have devices, which are not made
    targets = chosen.target or list(TARGETS)
    for target in targets:
        name, *case = target.split(":")
        if case:
            play(name, *map(int, case))
            continue
        seconds = 60 * chosen.minutes / len(targets)
        cases = play_for(name, chosen.seed, seconds)
        print(f"{name}: {cases} cases in {seconds:.0f} s, seed {chosen.seed}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
