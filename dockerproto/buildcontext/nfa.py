"""Many patterns at once, without backtracking: how far each of them has got is one number.

A pattern is a sequence of items. A bit stands for each place between them, so a character moves all
patterns by a few operations on integers, whatever the patterns are. What was computed once is kept, up
to a bound: for most characters a step is a look into a dict.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from enum import Enum, auto
from typing import Final, TypeAlias

from msgspec import Struct

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""Numbers of characters, from and to."""

LAST: Final = 0x10FFFF
"""The number of the last character."""
_REPLACEMENT: Final = 0xFFFD
_UNDECODED: Final = range(0xDC80, 0xDD00)
"""Surrogate escapes of bytes."""
_KEPT: Final = 2**24
"""About how many bytes of computed steps are kept."""
_STEP: Final = 256
"""About how many bytes one takes, beside its number."""


class Chars(Struct, frozen=True):
    """A set of characters."""

    ranges: Ranges = ()
    """Those that are in it."""
    letters: tuple[tuple[str, bool], ...] = ()
    """The first letters of Unicode categories that are in it, or with False: all others."""
    negated: bool = False
    """Whether it is all but those."""

    @property
    def only(self) -> int | None:
        """The number of the one character that is in it, None if there are others, or none."""
        if self.negated or self.letters or len(self.ranges) != 1:
            return None
        first, last = self.ranges[0]
        return first if first == last else None

    def has(self, char: str) -> bool:
        """Whether a character is in it; a byte that is no UTF-8 is also the replacement character."""
        if not self.ranges and not self.letters:
            return self.negated
        code = ord(char)
        found = self._has(code) or (code in _UNDECODED and self._has(_REPLACEMENT))
        return found is not self.negated

    def _has(self, code: int) -> bool:
        if any(first <= code <= last for first, last in self.ranges):
            return True
        category = unicodedata.category(chr(code)) if self.letters else ""
        return any((category[0] == letter and category != "Cn") is sign for letter, sign in self.letters)


ANY: Final = Chars(negated=True)
"""All characters."""


class Kind(Enum):
    """What an item wants."""

    ONE = auto()
    """One of its characters."""
    MANY = auto()
    """Any number of its characters, or none."""
    MAYBE = auto()
    """Nothing, and lets the two items after it be left out together."""
    START = auto()
    """To be at the start of the path."""
    END = auto()
    """To be at its end."""
    EDGE = auto()
    """To be between a character of a word and another, or none."""
    NO_EDGE = auto()
    """Not to be there."""


class Item(Struct, frozen=True):
    """A part of a pattern."""

    kind: Kind
    """What it wants."""
    chars: Chars = Chars()
    """Of which characters."""


_START, _WORD, _OTHER = range(3)
"""What is beside a place: the start or the end, a character of a word, another character."""


class PositionSets:
    """The places whose sets have a character: one look for all sets of one, as most of them are."""

    def __init__(self) -> None:
        self._ones: Final = dict[int, int]()
        self._sets: Final = dict[Chars, int]()

    def add(self, chars: Chars, place: int) -> None:
        """Add a place."""
        if (only := chars.only) is not None:
            self._ones[only] = self._ones.get(only, 0) | place
        else:
            self._sets[chars] = self._sets.get(chars, 0) | place

    def taking(self, char: str) -> int:
        """Return the places that take a character."""
        code = ord(char)
        taking = self._ones.get(code, 0)
        if code in _UNDECODED:
            taking |= self._ones.get(_REPLACEMENT, 0)
        for chars, places in self._sets.items():
            if chars.has(char):
                taking |= places
        return taking


class State(dict[str, "State"]):
    """How far the patterns have got after some characters; indexed by the next one."""

    __slots__ = ("accepted", "bits", "last", "machine")

    def __init__(self, machine: NFA, bits: int, last: int) -> None:
        super().__init__()
        self.machine: Final = machine
        self.bits: Final = bits
        """The places where the patterns are; none: nothing that follows is matched."""
        self.last: Final = last
        """What the last character was, if any pattern asks."""
        self.accepted: Final = machine.accepted(bits, last)
        """The patterns that match if nothing follows: bit n is that of pattern n."""

    def __missing__(self, char: str) -> State:
        state = self[char] = self.machine.step(self, char)
        return state


class NFA:
    """Patterns, ready to be matched."""

    def __init__(self, patterns: Iterable[Sequence[Item]]) -> None:
        self._ones: Final = PositionSets()
        self._manys: Final = PositionSets()
        self._masks: Final = dict[str, tuple[int, int]]()
        self._wants: Final = dict[Kind, int].fromkeys(Kind, 0)
        self._starts = self._ends = 0
        self._places: Final = list[tuple[int, int]]()
        length = 0
        for items in patterns:
            length = self._add(items, length)
        self._asserts: Final = any(
            self._wants[kind] for kind in (Kind.START, Kind.END, Kind.EDGE, Kind.NO_EDGE)
        )
        self._maybe: Final = self._wants[Kind.MAYBE]
        self._free: Final = self._wants[Kind.MANY] | self._maybe
        self._room: Final = 1 + _KEPT // (_STEP + length // 8)
        self._states: Final = dict[tuple[int, int], State]()
        self._steps = 0
        self.start: Final = self._state(self._starts, _START if self._asserts else _OTHER)
        """The state before the first character."""

    def accepted(self, bits: int, last: int) -> int:
        """Return which patterns match if nothing follows, a bit for each."""
        bits = self._closed(bits, last, _START) & self._ends
        return bits and sum(1 << index for index, (_, end) in enumerate(self._places) if bits >> end & 1)

    def alive(self, state: State) -> int:
        """Return which patterns may match something that begins so, a bit for each."""
        bits = state.bits
        return sum(
            1 << index
            for index, (start, end) in enumerate(self._places)
            if bits >> start & ((2 << end - start) - 1)
        )

    def step(self, state: State, char: str) -> State:
        """Return the state after another character."""
        if self._steps >= self._room:
            self._forget()
        self._steps += 1
        beside = _WORD if _is_word(char) else _OTHER
        bits = self._closed(state.bits, state.last, beside)
        ones, manys = self._masks_of(char)
        return self._state((bits & ones) << 1 | (bits & manys), beside if self._asserts else _OTHER)

    def _add(self, items: Sequence[Item], at: int) -> int:
        """Add a pattern at a bit, and return the next one that is free."""
        self._starts |= 1 << at
        self._ends |= 1 << at + len(items)
        self._places.append((at, at + len(items)))
        for bit, item in enumerate(items, at):
            self._wants[item.kind] |= 1 << bit
            if item.kind is Kind.ONE:
                self._ones.add(item.chars, 1 << bit)
            elif item.kind is Kind.MANY:
                self._manys.add(item.chars, 1 << bit)
        return at + len(items) + 1

    def _closed(self, bits: int, before: int, after: int) -> int:
        """Return the places that are reached without a character, between two."""
        free, maybe = self._free, self._maybe
        if self._asserts:
            wants = self._wants
            free |= wants[Kind.START] if before == _START else 0
            free |= wants[Kind.END] if after == _START else 0
            free |= wants[Kind.EDGE if (before == _WORD) is not (after == _WORD) else Kind.NO_EDGE]
        while (more := bits | (bits & free) << 1 | (bits & maybe) << 3) != bits:
            bits = more
        return bits

    def _masks_of(self, char: str) -> tuple[int, int]:
        """Return the places of single items, and of repeated ones, that take a character."""
        masks = self._masks.get(char)
        if masks is None:
            masks = self._masks[char] = self._ones.taking(char), self._manys.taking(char)
        return masks

    def _state(self, bits: int, last: int) -> State:
        state = self._states.get((bits, last))
        if state is None:
            state = self._states[bits, last] = State(self, bits, last)
        return state

    def _forget(self) -> None:
        """Let go of what was computed; states that are in use stay good."""
        for state in self._states.values():
            state.clear()
        self._states.clear()
        self._masks.clear()
        self._steps = 0


def _is_word(char: str) -> bool:
    return char == "_" or (char.isascii() and char.isalnum())
