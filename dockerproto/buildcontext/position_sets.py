"""Positions of the items of patterns, and the characters that each position accepts."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import chain
from typing import Final, TypeAlias

from dockerproto.buildcontext.bitsets import bit_set
from dockerproto.buildcontext.items import REPLACEMENT, UNDECODED, Chars, Item, ItemKind

MAX_POSITIONS: Final = 2**20
"""Limit on the positions of a list of patterns: a pattern takes one more than it has items.

That is about 40,000 patterns of 25 characters. A new character of a path costs a few operations on integers
with a bit for each position, so a tree costs the length of its paths times this number.
"""
MAX_RANGES: Final = 10_000
"""Limit on the ranges of all different character classes; patterns that people write have a few dozen.

Each different character of the paths is compared with all of them.
"""
_SMALL: Final = 1024
"""Number of bits that an integer may have although few are set."""

_Positions: TypeAlias = "int | array[int]"
"""Positions as the bits of an integer, or as a list if that is much smaller."""


class PositionSets:
    """Positions by the characters they accept; those of one character, the usual case, take one lookup."""

    def __init__(self, accepting: dict[Chars, array[int]], length: int) -> None:
        self._length: Final = length
        self._singles: dict[int, _Positions] = {}
        self._classes: dict[Chars, _Positions] = {}
        for chars, positions in accepting.items():
            if (single := chars.single) is not None:
                self._singles[single] = _pack(positions, length)
            else:
                self._classes[chars] = _pack(positions, length)

    def accepting(self, char: str) -> int:
        """Return the positions that accept a character."""
        code = ord(char)
        sets = [self._singles.get(code, 0)]
        if code in UNDECODED:
            sets.append(self._singles.get(REPLACEMENT, 0))
        sets += [positions for chars, positions in self._classes.items() if chars.has(char)]
        bits = 0
        sparse: list[array[int]] = []
        for positions in sets:
            if isinstance(positions, int):
                bits |= positions
            else:
                sparse.append(positions)
        return bits | bit_set(chain.from_iterable(sparse), self._length) if sparse else bits


def _pack(positions: array[int], length: int) -> _Positions:
    """Return positions in a form that takes no more memory than the list.

    Integers for all characters would take the product of the numbers of characters and of positions.
    """
    fits = length <= _SMALL + 8 * positions.itemsize * len(positions)
    return bit_set(positions, length) if fits else positions


class Layout:
    """The positions of a list of patterns, numbered through. The last position of a pattern stands for it."""

    def __init__(self) -> None:
        self.length: int = 0
        """Number of positions."""
        self.starts: Final = array("I")
        """First positions of the patterns."""
        self.ends: Final = array("I")
        """Last positions of the patterns, each after the last item."""
        self.by_kind: Final[dict[ItemKind, array[int]]] = {
            kind: array("I") for kind in ItemKind if kind is not ItemKind.ONE
        }
        """Positions of the items of each kind, except ONE."""
        self.ones: Final[dict[Chars, array[int]]] = {}
        """Positions of ONE items by their characters."""
        self.manys: Final[dict[Chars, array[int]]] = {}
        """Positions of MANY items by their characters."""
        self._ranges = 0

    def add(self, items: Sequence[Item]) -> int:
        """Add a pattern, and return its last position.

        Raises:
            ValueError: The patterns are too long in total.
        """
        start = self.length
        end = self.reserve(len(items) + 1)
        self.starts.append(start)
        self.ends.append(end)
        for position, item in enumerate(items, start):
            if item.kind is ItemKind.ONE:
                self._accept(self.ones, item.chars, position)
                continue
            self.by_kind[item.kind].append(position)
            if item.kind is ItemKind.MANY:
                self._accept(self.manys, item.chars, position)
        return end

    def reserve(self, positions: int) -> int:
        """Reserve positions, which stay unused unless items are added, and return the last of them.

        Raises:
            ValueError: The patterns are too long in total.
        """
        if positions > MAX_POSITIONS - self.length:
            raise ValueError(
                f"the list takes more than {MAX_POSITIONS} positions; use fewer or shorter patterns"
            )
        self.length += positions
        return self.length - 1

    def _accept(self, accepting: dict[Chars, array[int]], chars: Chars, position: int) -> None:
        """Add a position that accepts some characters."""
        positions = accepting.get(chars)
        if positions is None:
            self._count(chars)
            positions = accepting[chars] = array("I")
        positions.append(position)

    def _count(self, chars: Chars) -> None:
        self._ranges += 0 if chars.single is not None else len(chars.ranges) + len(chars.letters)
        if self._ranges > MAX_RANGES:
            raise ValueError(f"the list has more than {MAX_RANGES} ranges in different character classes")
