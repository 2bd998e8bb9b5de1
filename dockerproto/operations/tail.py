"""The last items of a stream, for the exception that may come."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import chain
from typing import Final, Generic, TypeVar

T = TypeVar("T")

BYTES: Final = 4 * 2**20
"""In how many bytes of a body the items came that are kept, at most, but for those of its last piece."""


class Tail(Generic[T]):
    """The items of the last pieces of a body: bounded in number, and in what they take.

    >>> last = Tail[str](most=3)
    >>> for piece in (["a", "b"], ["c"], ["d"]):
    ...     last.begin(piece, size=10)
    >>> last.items()
    ['b', 'c', 'd']
    """

    def __init__(self, most: int) -> None:
        self._most: Final = most
        self._pieces: Final = deque[tuple[Sequence[T], int]]()
        self._before = 0
        """How many items there are before the last piece, to which more may come."""
        self._size = 0

    def begin(self, items: Sequence[T], size: int) -> None:
        """Add the items of the next piece, of so many bytes; to a list more may be appended later."""
        pieces = self._pieces
        self._size += size
        if pieces and not pieces[-1][0]:  # a part of what is complete only now
            size += pieces.pop()[1]
        elif pieces:
            self._before += len(pieces[-1][0])
        pieces.append((items, size))
        while len(pieces) > 1 and (self._size > BYTES or self._before - len(pieces[0][0]) >= self._most):
            old, size = pieces.popleft()
            self._before -= len(old)
            self._size -= size

    def items(self) -> list[T]:
        """Return the items, the oldest first."""
        return [*chain.from_iterable(items for items, _ in self._pieces)][-self._most :]
