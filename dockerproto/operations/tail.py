"""The last items of a stream, which an exception carries."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import chain
from typing import Final, Generic, TypeVar

T = TypeVar("T")

BYTES: Final = 4 * 2**20
"""Keep items from at most this many bytes of the body; the newest chunk is always kept whole."""


class Tail(Generic[T]):
    """The items of the last chunks of a body, bounded in number and in memory.

    >>> tail = Tail[str](most=3)
    >>> for items in (["a", "b"], ["c"], ["d"]):
    ...     tail.begin(items, size=10)
    >>> tail.items()
    ['b', 'c', 'd']
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._chunks = deque[tuple[Sequence[T], int]]()
        self._before = 0
        """Number of items before the last chunk, to which more may be appended."""
        self._size = 0

    def begin(self, items: Sequence[T], size: int) -> None:
        """Add the items of the next chunk, `size` bytes long; a list may still grow afterwards."""
        chunks = self._chunks
        self._size += size
        if chunks and not chunks[-1][0]:  # the chunk before held only a part of an item
            size += chunks.pop()[1]
        elif chunks:
            self._before += len(chunks[-1][0])
        chunks.append((items, size))
        while len(chunks) > 1 and (self._size > BYTES or self._before - len(chunks[0][0]) >= self._most):
            old, size = chunks.popleft()
            self._before -= len(old)
            self._size -= size

    def items(self) -> list[T]:
        """Return the items, the oldest first."""
        return [*chain.from_iterable(items for items, _ in self._chunks)][-self._most :]
