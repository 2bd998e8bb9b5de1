"""Patterns without wildcards: each matches only the path that is its text, found by one lookup."""

from __future__ import annotations

from bisect import bisect_left
from functools import cached_property
from typing import Final

from dockerproto.buildcontext.bitsets import bit_set

_AFTER_SLASH: Final = chr(ord("/") + 1)
"""In a sorted list, the texts that begin with "a/" end where "a0" would be."""


class Literals(dict[str, list[int]]):
    """The patterns without wildcards of a list: the positions that stand for them, by their texts."""

    def __init__(self) -> None:
        super().__init__()
        self._exceptions = list[tuple[str, int]]()

    def add(self, text: str, position: int, *, negated: bool) -> None:
        """Add a pattern, whose position must be higher than those before."""
        self.setdefault(text, []).append(position)
        if negated:
            self._exceptions.append((text, position))

    def accepted(self, path: str) -> int:
        """Return the patterns that match a path: the bits of their positions."""
        positions = self.get(path)
        return bit_set(positions, positions[-1] + 1) if positions else 0

    def has_exception_below(self, path: str, first: int) -> bool:
        """Return True if an exception, at the position `first` or later, is a path in a directory.

        The exceptions in a directory are all looked at. For a whole tree that is linear, as an exception is
        in no more directories than it has names.
        """
        exceptions = self._sorted_exceptions
        if path:
            start = bisect_left(exceptions, (f"{path}/",))
            exceptions = exceptions[start : bisect_left(exceptions, (f"{path}{_AFTER_SLASH}",), start)]
        return any(position >= first for _, position in exceptions)

    @cached_property
    def _sorted_exceptions(self) -> list[tuple[str, int]]:
        return sorted(self._exceptions)
