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
#     MANY, MAYBE, assertions   are passed without a character:                      (set & free) << 1
#     MAYBE      may also skip the two items after it:                               (set & maybe) << 3
#
# A pattern matches if its end is in the set. Steps are cached in the states, which form a lazily built DFA:
# usually a step is one dict lookup.

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from enum import Enum, auto
from typing import Final, TypeAlias

from msgspec import Struct

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""Ranges of code points, both ends included."""

LAST: Final = 0x10FFFF
"""The last code point."""
_REPLACEMENT: Final = 0xFFFD
_UNDECODED: Final = range(0xDC80, 0xDD00)
"""Surrogate escapes of bytes that are not UTF-8."""
_CACHE_BYTES: Final = 2**24
"""Approximate size of the cache of computed steps, in bytes."""
_STEP_BYTES: Final = 256
"""Approximate size of one cached step in bytes, apart from its position set."""


class Chars(Struct, frozen=True):
    """A set of characters."""

    ranges: Ranges = ()
    """Ranges of characters in the set."""
    letters: tuple[tuple[str, bool], ...] = ()
    """First letters of Unicode categories in the set; with False, all other categories are."""
    negated: bool = False
    """True if the set is the complement."""

    @property
    def single(self) -> int | None:
        """The code point of the only character in the set, or None if the set has another size."""
        if self.negated or self.letters or len(self.ranges) != 1:
            return None
        first, last = self.ranges[0]
        return first if first == last else None

    def has(self, char: str) -> bool:
        """Return True if a character is in the set; an undecoded byte counts as U+FFFD as well."""
        if not self.ranges and not self.letters:
            return self.negated
        code = ord(char)
        listed = self._has(code) or (code in _UNDECODED and self._has(_REPLACEMENT))
        return listed is not self.negated

    def _has(self, code: int) -> bool:
        if any(first <= code <= last for first, last in self.ranges):
            return True
        category = unicodedata.category(chr(code)) if self.letters else ""
        return any((category[0] == letter and category != "Cn") is sign for letter, sign in self.letters)


ANY: Final = Chars(negated=True)
"""All characters."""


class ItemKind(Enum):
    """Kind of an item."""

    ONE = auto()
    """Matches one of its characters."""
    MANY = auto()
    """Matches any number of its characters, or none."""
    MAYBE = auto()
    """Matches nothing, and makes the two items after it optional together."""
    START = auto()
    """Matches at the start of the path."""
    END = auto()
    """Matches at the end of the path."""
    EDGE = auto()
    """Matches at a word boundary."""
    NO_EDGE = auto()
    """Matches everywhere except at a word boundary."""


class Item(Struct, frozen=True):
    """An element of a pattern."""

    kind: ItemKind
    """Kind of the item: what it matches."""
    chars: Chars = Chars()
    """Characters of ONE and MANY."""


_START, _WORD, _OTHER = range(3)
"""Neighbour of a position: the start or end of the path, a word character, another character."""


class PositionSets:
    """Positions by the characters they accept; those of one character, the usual case, take one lookup."""

    def __init__(self) -> None:
        self._ones = dict[int, int]()
        self._sets = dict[Chars, int]()

    def add(self, chars: Chars, position: int) -> None:
        """Add a position, as a bit, that accepts some characters."""
        if (single := chars.single) is not None:
            self._ones[single] = self._ones.get(single, 0) | position
        else:
            self._sets[chars] = self._sets.get(chars, 0) | position

    def accepting(self, char: str) -> int:
        """Return the positions that accept a character."""
        code = ord(char)
        accepting = self._ones.get(code, 0)
        if code in _UNDECODED:
            accepting |= self._ones.get(_REPLACEMENT, 0)
        for chars, positions in self._sets.items():
            if chars.has(char):
                accepting |= positions
        return accepting


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
        """Patterns that match if nothing follows: bit n stands for pattern n."""

    def __missing__(self, char: str) -> State:
        state = self[char] = self.nfa.step(self, char)
        return state


class NFA:
    """Compiled patterns."""

    def __init__(self, patterns: Iterable[Sequence[Item]]) -> None:
        self._ones = PositionSets()
        self._manys = PositionSets()
        self._masks = dict[str, tuple[int, int]]()
        self._by_kind = dict[ItemKind, int].fromkeys(ItemKind, 0)
        self._starts = self._ends = 0
        self._spans = list[tuple[int, int]]()
        length = 0
        for items in patterns:
            length = self._add(items, length)
        self._has_assertions = any(
            self._by_kind[kind] for kind in (ItemKind.START, ItemKind.END, ItemKind.EDGE, ItemKind.NO_EDGE)
        )
        self._maybe = self._by_kind[ItemKind.MAYBE]
        self._free = self._by_kind[ItemKind.MANY] | self._maybe
        self._max_steps = 1 + _CACHE_BYTES // (_STEP_BYTES + length // 8)
        self._states = dict[tuple[int, int], State]()
        self._steps = 0
        self.start: Final = self._state(self._starts, _START if self._has_assertions else _OTHER)
        """State before the first character."""

    def accepted(self, bits: int, last: int) -> int:
        """Return the patterns that match if nothing follows, one bit each."""
        bits = self._closure(bits, last, _START) & self._ends
        return bits and sum(1 << index for index, (_, end) in enumerate(self._spans) if bits >> end & 1)

    def alive(self, state: State) -> int:
        """Return the patterns that may still match, one bit each."""
        bits = state.bits
        return sum(
            1 << index
            for index, (start, end) in enumerate(self._spans)
            if bits >> start & ((2 << end - start) - 1)
        )

    def step(self, state: State, char: str) -> State:
        """Return the state after another character."""
        if self._steps >= self._max_steps:
            self._clear_cache()
        self._steps += 1
        beside = _WORD if _is_word(char) else _OTHER
        bits = self._closure(state.bits, state.last, beside)
        ones, manys = self._masks_for(char)
        return self._state((bits & ones) << 1 | (bits & manys), beside if self._has_assertions else _OTHER)

    def _add(self, items: Sequence[Item], at: int) -> int:
        """Add a pattern whose first position is `at`, and return the next free position."""
        self._starts |= 1 << at
        self._ends |= 1 << at + len(items)
        self._spans.append((at, at + len(items)))
        for bit, item in enumerate(items, at):
            self._by_kind[item.kind] |= 1 << bit
            if item.kind is ItemKind.ONE:
                self._ones.add(item.chars, 1 << bit)
            elif item.kind is ItemKind.MANY:
                self._manys.add(item.chars, 1 << bit)
        return at + len(items) + 1

    def _closure(self, bits: int, before: int, after: int) -> int:
        """Return the positions reachable without consuming a character, between two neighbours."""
        free, maybe = self._free, self._maybe
        if self._has_assertions:
            by_kind = self._by_kind
            free |= by_kind[ItemKind.START] if before == _START else 0
            free |= by_kind[ItemKind.END] if after == _START else 0
            free |= by_kind[ItemKind.EDGE if (before == _WORD) is not (after == _WORD) else ItemKind.NO_EDGE]
        while (more := bits | (bits & free) << 1 | (bits & maybe) << 3) != bits:
            bits = more
        return bits

    def _masks_for(self, char: str) -> tuple[int, int]:
        """Return the positions of ONE items and of MANY items that accept a character."""
        masks = self._masks.get(char)
        if masks is None:
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
        self._masks.clear()
        self._steps = 0


def _is_word(char: str) -> bool:
    return char == "_" or (char.isascii() and char.isalnum())
