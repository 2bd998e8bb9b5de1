"""Run the targets: each case is made by a random number generator of its own, so it can be repeated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from time import monotonic
from typing import Final

from tests.fuzz import builds, documents, floods, sessions, tars, texts, tunnels

TARGETS: Final[Mapping[str, Callable[[Random], None]]] = {
    "builds": builds.play,
    "documents": documents.play,
    "floods": floods.play,
    "sessions": sessions.play,
    "tars": tars.play,
    "texts": texts.play,
    "tunnels": tunnels.play,
}


def play(target: str, seed: int, number: int) -> None:
    """Play one case; whatever it raises names the case."""
    try:
        TARGETS[target](Random(f"{target}:{seed}:{number}"))
    except BaseException as error:
        error.add_note(f"repeat it with: python -m tests.fuzz {target}:{seed}:{number}")
        raise


def play_cases(target: str, seed: int, cases: int) -> None:
    """Play the first cases of a seed."""
    for number in range(cases):
        play(target, seed, number)


def play_for(target: str, seed: int, seconds: float) -> int:
    """Play cases for some seconds, and return how many."""
    end, number = monotonic() + seconds, 0
    while monotonic() < end:
        play(target, seed, number)
        number += 1
    return number
