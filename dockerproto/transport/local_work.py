"""The work of a call on this machine: files that are read, credentials that are looked up.

It counts towards the total limit of the call, as its waits for the engine do. On an event loop, what takes
longer is cancelled, and a worker thread that still blocks is abandoned. A blocking client cannot interrupt
its own thread, so work of many steps looks at `LocalWork.time_left` between them, and the result of a
function that returns too late is not used.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Generic, Protocol, TypeVar

from dockerproto.errors import ClientClosed, TimedOut
from dockerproto.timeouts import Timer
from dockerproto.transport.runtime import Runtime

T = TypeVar("T")


class Closable(Protocol):
    """A holder of a resource."""

    def close(self) -> None:
        """Release the resource; repeating it has no effect."""


C = TypeVar("C", bound=Closable)


class LocalWork:
    """The work of one call on this machine.

    Args:
        runtime: Runs it.
        timer: Limits of the call.
    """

    def __init__(self, runtime: Runtime, timer: Timer) -> None:
        self.timer: Final = timer
        """Limits of the call."""
        self._runtime = runtime
        self._abandoned = False

    def time_left(self) -> float | None:
        """Return how many seconds the call has left, None for no limit; any thread may call it.

        Raises:
            TimedOut: None are left.
            ClientClosed: The call was cancelled or interrupted.
        """
        if self._abandoned:
            raise ClientClosed(0, "the call is over")
        return self.timer.check()

    async def in_thread(self, function: Callable[[], T]) -> T:
        """Call a blocking function in a worker thread; raise TimedOut if that takes too long."""
        self.timer.check()
        return await self.wait(lambda: self._runtime.in_thread(function))

    async def wait(self, function: Callable[[], Awaitable[T]]) -> T:
        """Call a function and await its result; raise TimedOut if that takes too long."""
        try:
            if self.timer.timeout.total is None:
                return await function()
            return await self._runtime.within(self.timer, function)
        except TimedOut:
            raise
        except Exception as error:
            if self.timer.is_over:  # such as that of a helper which got the rest of the time
                raise self.timer.total_error() from error
            raise
        except BaseException:
            self._abandoned = True
            raise

    async def open(self, function: Callable[[], C]) -> C:
        """Open a resource in a worker thread, as `in_thread`; if that comes too late, it is closed again."""
        opening = _Opening(function)
        try:
            return await self.in_thread(opening.run)
        except BaseException:
            opening.abandon()
            raise


class _Opening(Generic[C]):
    """The opening of a resource; if it is abandoned, whoever comes last closes the resource."""

    def __init__(self, function: Callable[[], C]) -> None:
        self._function = function
        self._resource: C | None = None
        self._abandoned = False

    def run(self) -> C:
        self._resource = resource = self._function()
        if self._abandoned:
            resource.close()
        return resource

    def abandon(self) -> None:
        self._abandoned = True
        if self._resource is not None:
            self._resource.close()
