"""Items of patterns of paths: what `dockerproto.buildcontext.nfa` matches."""

from __future__ import annotations

import unicodedata
from enum import Enum, auto
from typing import Final, TypeAlias

from msgspec import Struct

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""Ranges of code points, both ends included."""

LAST: Final = 0x10FFFF
"""The last code point."""
REPLACEMENT: Final = 0xFFFD
"""Code point that stands for a byte that is not UTF-8 in expressions."""
UNDECODED: Final = range(0xDC80, 0xDD00)
"""Surrogate escapes of bytes that are not UTF-8."""


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
        listed = self._has(code) or (code in UNDECODED and self._has(REPLACEMENT))
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
