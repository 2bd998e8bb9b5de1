"""A bit-parallel NFA: match many patterns at once, in linear time, without backtracking.

Linear time matters because engines send patterns too: an engine must not be able to stall a build's client
by a pattern that backtracks exponentially.
"""

# How it works. A pattern is a sequence of items, and has a position before each item and one at its end. The
# positions of all patterns are numbered through, so a set of positions is one integer. A character moves
# every pattern at once:
#
#     set        positions reachable without a character (`_closure`: optional items, true assertions)
#     ONE item   its position, if the item accepts the character, moves on by one:  (set & ones) << 1
#     MANY item  its position, if the item accepts the character, stays:             set & manys
#     MANY, MAYBE, assertions   are passed without a character
#     MAYBE      may also skip the two items after it, a MANY and a ONE
#
# Adjacent items that are passed without a character form runs, and what is reachable in all runs is found by
# one addition, not item by item. With bits from high to low, and a run of four items:
#
#     runs                  01111
#     set                   00010     the NFA is before the second item of the run
#     set + runs            10001     the addition carries the one through the run, to the position after it
#     (set + runs) ^ runs   11110     the bits that changed: the second item and all that are reachable
#
# Two bits in one run change all bits from the lower one up, except the higher one, which is in the set.
#
# The two items after a MAYBE, a MANY and a ONE, belong to its run, as a carry may skip them. But no carry may
# start there, where the NFA is inside the optional part: the MANY may only be passed to the ONE (`_loops`),
# and the ONE takes a character.
#
# A pattern matches if its end is in the set. Steps are cached in the states, which form a lazily built DFA:
# usually a step is one dict lookup.

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from dockerproto.buildcontext.bitsets import bit_set
from dockerproto.buildcontext.items import ItemKind
from dockerproto.buildcontext.position_sets import Layout, PositionSets

_CACHE_BYTES: Final = 2**24
"""Approximate size of the cache of computed steps, in bytes; that of the masks of characters has it too."""
_STEP_BYTES: Final = 256
"""Approximate size of one cached step in bytes, apart from its position set."""

_START, _WORD, _OTHER = range(3)
"""Neighbour of a position: the start or end of the path, a word character, another character."""
_ASSERTIONS: Final = (ItemKind.START, ItemKind.END, ItemKind.EDGE, ItemKind.NO_EDGE)


class State(dict[str, "State"]):
    """Positions of all patterns after some characters; indexing by the next character steps on."""

    __slots__ = ("accepted", "bits", "last", "nfa")

    def __init__(self, nfa: NFA, bits: int, last: int) -> None:
        super().__init__()
        self.nfa: Final = nfa
        self.bits: Final = bits
        """Set of positions; if it is empty, nothing that follows can match."""
        self.last: Final = last
        """Kind of the last character, if an assertion needs it."""
        self.accepted: Final = nfa.accepted(bits, last)
        """Patterns that match if nothing follows: the bits of their last positions."""

    def __missing__(self, char: str) -> State:
        state = self[char] = self.nfa.step(self, char)
        return state


class NFA:
    """Compiled patterns."""

    def __init__(self, layout: Layout) -> None:
        def bits(positions: Iterable[int]) -> int:
            return bit_set(positions, layout.length)

        self._ones = PositionSets(layout.ones, layout.length)
        self._manys = PositionSets(layout.manys, layout.length)
        self._by_kind = {kind: bits(positions) for kind, positions in layout.by_kind.items()}
        self._starts, self._ends = bits(layout.starts), bits(layout.ends)
        self._has_assertions = any(self._by_kind[kind] for kind in _ASSERTIONS)
        maybe = self._by_kind[ItemKind.MAYBE]
        self._loops, self._inner = maybe << 1, maybe << 1 | maybe << 2
        self._runs = dict[tuple[int, int], tuple[int, int]]()
        self._masks = dict[str, tuple[int, int]]()
        self._max_masks = 1 + _CACHE_BYTES // (_STEP_BYTES + layout.length // 4)
        self._max_steps = 1 + _CACHE_BYTES // (_STEP_BYTES + layout.length // 8)
        self._states = dict[tuple[int, int], State]()
        self._steps = 0
        self.start: Final = self._state(self._starts, _START if self._has_assertions else _OTHER)
        """State before the first character."""

    def accepted(self, bits: int, last: int) -> int:
        """Return the patterns that match if nothing follows: the bits of their last positions."""
        return self._closure(bits, last, _START) & self._ends

    def step(self, state: State, char: str) -> State:
        """Return the state after another character."""
        if self._steps >= self._max_steps:
            self._clear_cache()
        self._steps += 1
        beside = _WORD if _is_word(char) else _OTHER
        bits = self._closure(state.bits, state.last, beside)
        ones, manys = self._masks_for(char)
        return self._state((bits & ones) << 1 | (bits & manys), beside if self._has_assertions else _OTHER)

    def _closure(self, bits: int, before: int, after: int) -> int:
        """Return the positions reachable without consuming a character, between two neighbours."""
        runs, starts = self._runs_between(before, after)
        bits |= (bits & self._loops) << 1
        return bits | ((bits & starts) + runs) ^ runs

    def _runs_between(self, before: int, after: int) -> tuple[int, int]:
        """Return the positions that are passed without consuming a character, and where that may start."""
        runs = self._runs.get((before, after))
        if runs is None:
            by_kind = self._by_kind
            free = by_kind[ItemKind.MANY] | by_kind[ItemKind.MAYBE] | self._inner
            free |= by_kind[ItemKind.START] if before == _START else 0
            free |= by_kind[ItemKind.END] if after == _START else 0
            free |= by_kind[ItemKind.EDGE if (before == _WORD) is not (after == _WORD) else ItemKind.NO_EDGE]
            runs = self._runs[before, after] = free, free & ~self._inner
        return runs

    def _masks_for(self, char: str) -> tuple[int, int]:
        """Return the positions of ONE items and of MANY items that accept a character."""
        masks = self._masks.get(char)
        if masks is None:
            if len(self._masks) >= self._max_masks:
                self._masks.clear()
            masks = self._masks[char] = self._ones.accepting(char), self._manys.accepting(char)
        return masks

    def _state(self, bits: int, last: int) -> State:
        state = self._states.get((bits, last))
        if state is None:
            state = self._states[bits, last] = State(self, bits, last)
        return state

    def _clear_cache(self) -> None:
        """Drop all cached steps; states in use stay valid."""
        for state in self._states.values():
            state.clear()
        self._states.clear()
        self._steps = 0


def _is_word(char: str) -> bool:
    return char == "_" or (char.isascii() and char.isalnum())
