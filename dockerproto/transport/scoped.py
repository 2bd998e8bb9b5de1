"""Values that belong to one scope: pools of connections, locks.

In another scope they are useless, or harmful: a forked child shares the sockets of its parent, a lock may be
held by a thread that does not exist in the child, and an event loop cannot wait for what another one watches.
So each scope gets a value of its own, and the values of earlier scopes are discarded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from dockerproto.errors import ClientClosed
from dockerproto.transport.runtime import Runtime, Scope

T = TypeVar("T")


class Scoped(Generic[T]):
    """A value created anew in each scope.

    Threads may share it without a lock, as each step is one atomic operation on a dict.
    """

    def __init__(
        self, runtime: Runtime, make: Callable[[], T], discard: Callable[[T], object] = lambda _: None
    ) -> None:
        self._runtime = runtime
        self._make = make
        self._discard = discard
        self._values = dict[Scope, T]()

    def get(self) -> T:
        """Return the value for the caller's scope; in a new scope, create it and discard earlier ones.

        Raises:
            ClientClosed: The value belongs to another event loop, which can still run.
            UnsupportedTransport: The caller does not run in an event loop of the transport.
        """
        scope = self._runtime.scope()
        value = self._values.get(scope)
        return self._enter(scope) if value is None else value

    def values(self) -> list[T]:
        """Return the values of all scopes."""
        return list(self._values.values())

    def _enter(self, scope: Scope) -> T:
        earlier = [each for each in list(self._values) if each != scope]
        if any(each.in_use() for each in earlier):
            raise ClientClosed(0, _IN_USE)
        for each in earlier:  # first, so that an interrupted call leaves them to the next one
            if (old := self._values.get(each)) is not None:
                self._discard(old)
            self._values.pop(each, None)
        return self._values.setdefault(scope, self._make())


_IN_USE = (
    "another event loop uses this client: create one client for each event loop, "
    "and start a new event loop in a forked child"
)
