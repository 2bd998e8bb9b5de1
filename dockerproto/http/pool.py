"""Idle connections, as data: who takes one does the I/O, and closes what is handed out to be closed.

Each method is one step on a list or a few, none of which needs a lock: the worst that threads can
do to each other is to keep a connection more than the limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from msgspec import Struct, field

T = TypeVar("T")

KEPT: int = 200
"""How many idle connections are kept: so many calls at once need no new ones the next time."""
KEPT_SECONDS: float = 60
"""How long an idle connection is kept."""


class Pool(Struct, Generic[T]):
    """Connections that wait for their next exchange, the one that has waited longest first."""

    limit: int = KEPT
    """How many are kept."""
    seconds: float = KEPT_SECONDS
    """How long one is kept."""
    closed: bool = False
    """Whether none is kept any more."""
    _idle: list[tuple[float, T]] = field(default_factory=list[tuple[float, T]])

    def take(self) -> T | None:
        """Hand out the connection that was used last, if there is one."""
        try:
            return self._idle.pop()[1]
        except IndexError:
            return None

    def give(self, connection: T, now: float) -> bool:
        """Keep a connection; False: there are enough, close it."""
        if self.closed or len(self._idle) >= self.limit:
            return False
        self._idle.append((now, connection))
        return True

    def expired(self, now: float) -> Iterator[T]:
        """Hand out the connections that have waited too long, to be closed."""
        while self._idle and self._idle[0][0] < now - self.seconds:
            try:
                yield self._idle.pop(0)[1]
            except IndexError:  # another thread was faster
                return

    def close(self) -> Iterator[T]:
        """Keep none any more, and hand out all, to be closed."""
        self.closed = True
        while (connection := self.take()) is not None:
            yield connection
