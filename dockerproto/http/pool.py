"""A pool of connections, as data: the caller does all I/O, and closes what the pool removes.

Threads may share a pool without a lock, as each step is one atomic operation on a list or a set; at worst,
the pool keeps one idle connection per thread more than its limit.

The pool owns idle connections only. It knows those in use by weak references, so a connection whose call was
interrupted before it could close it does not outlive the call.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Generic, TypeVar
from weakref import ref

from msgspec import Struct, field

T = TypeVar("T")

IDLE_LIMIT: Final = 200
"""Number of idle connections kept by default, so that as many simultaneous calls can reuse one each."""
IDLE_SECONDS: Final = 60
"""Time for which an idle connection is kept by default."""


class Pool(Struct, Generic[T]):
    """The connections of one scope, and the idle ones among them, which are kept for reuse."""

    limit: int = IDLE_LIMIT
    """Number of idle connections kept."""
    seconds: float = IDLE_SECONDS
    """Time for which an idle connection is kept, in seconds."""
    closed: bool = False
    """True once the pool keeps no more connections."""
    _known: set[ref[T]] = field(default_factory=set["ref[T]"])
    """All connections that exist, in use and idle."""
    _idle: list[tuple[float, T]] = field(default_factory=list[tuple[float, T]])
    """Idle connections and since when they are idle, in this order."""

    def add(self, connection: T) -> None:
        """Note a new connection, which the caller uses and owns."""
        self._known.add(ref(connection, self._known.discard))

    def take(self) -> T | None:
        """Return the idle connection used last, which the caller then owns; None if all are in use."""
        try:
            return self._idle.pop()[1]
        except IndexError:
            return None

    def give(self, connection: T, now: float) -> bool:
        """Keep a connection that is idle from `now` on; return False if the caller must close it."""
        if self.closed or len(self._idle) >= self.limit:
            return False
        self._idle.append((now, connection))
        return True

    def expired(self, now: float) -> Iterator[T]:
        """Yield the connections that have been idle too long; the caller closes them."""
        while self._idle and self._idle[0][0] < now - self.seconds:
            try:
                yield self._idle.pop(0)[1]
            except IndexError:  # another thread has taken it
                return

    def close(self) -> Iterator[T]:
        """Keep no more connections; yield all, which the caller closes. Repeating it yields those left."""
        self.closed = True
        while (connection := self.take()) is not None:
            yield connection
        yield from filter(None, [each() for each in list(self._known)])
