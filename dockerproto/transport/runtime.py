"""The runtime as the core sees it: worker threads, locks, tasks and a clock.

The methods are coroutines. On asyncio and trio they wait; those of a blocking transport block instead and
never wait, so `run` can drive the same core without an event loop.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Generator, Hashable
from contextlib import AbstractContextManager, nullcontext, suppress
from traceback import clear_frames
from typing import Any, Final, Protocol, TypeVar

from dockerproto.errors import UnsupportedTransport
from dockerproto.timeouts import Timer

T = TypeVar("T")


class Lock(Protocol):
    """A lock between tasks, or between threads."""

    async def acquire(self, timeout: float | None) -> None:
        """Acquire the lock; raise TimeoutError."""
        ...

    def release(self) -> None:
        """Release the lock."""
        ...


class Signal(Protocol):
    """A flag that one task waits for."""

    def set(self) -> None:
        """Set the flag, and wake the task that waits; on a blocking transport any thread may do so."""
        ...

    async def wait(self, timeout: float | None) -> None:
        """Wait until the flag is set, then clear it; raise TimeoutError."""
        ...


class LockSignal:
    """A signal between tasks of one event loop, made of a lock that is held while the flag is not set.

    The first wait may end at once, as if the flag had been set before.
    """

    def __init__(self, lock: Lock) -> None:
        self._lock = lock
        self._held = False

    def set(self) -> None:
        """Set the flag."""
        if self._held:
            self._held = False
            self._lock.release()

    async def wait(self, timeout: float | None) -> None:
        """Wait until the flag is set, then clear it; raise TimeoutError."""
        await self._lock.acquire(timeout)
        self._held = True


class Task(Protocol):
    """A coroutine that runs concurrently: a task of the event loop, or a thread."""

    def cancel(self) -> None:
        """Cancel the coroutine at its next wait; do nothing for a thread. May be called from any thread."""
        ...

    async def wait(self) -> None:
        """Wait until the coroutine has ended, even if the waiting task is cancelled."""
        ...


class Worker(Protocol):
    """A worker thread of a session, which calls one function at a time."""

    def submit(self, function: Callable[[], None], done: Callable[[], None]) -> Task:
        """Call a function after those submitted before it, then `done`; neither raises.

        The function runs in a worker thread, `done` in the event loop, or without one in the thread as well.
        """
        ...

    def close(self) -> None:
        """Let the thread end after the functions that were submitted; repeating it has no effect."""
        ...

    async def wait(self) -> None:
        """Wait until the thread of a closed worker has ended, even if the waiting task is cancelled."""
        ...


class Scope(Hashable, Protocol):
    """A process and an event loop, which connections, locks and tasks belong to; compared by value."""

    def in_use(self) -> bool:
        """Return True if this scope, which is not the caller's, has an event loop that can still run."""
        ...


class _OnlyScope:
    def in_use(self) -> bool:
        return False


_ONLY_SCOPE: Final = _OnlyScope()


class Runtime(ABC):
    """An event loop, or the threads of a blocking program."""

    __slots__ = ()

    @abstractmethod
    async def in_thread(self, function: Callable[[], T]) -> T:
        """Call a blocking function in a worker thread; on cancellation, abandon it there."""

    async def within(self, timer: Timer, function: Callable[[], Awaitable[T]]) -> T:
        """Call a function and await its result, for at most the total limit of a timer, which has one.

        An event loop cancels what takes longer. By default it is not cancelled: on a blocking transport it
        blocks.

        Raises:
            TimedOut: It took longer.
        """
        result = await function()
        timer.check()
        return result

    @abstractmethod
    def lock(self) -> Lock:
        """Return a new lock."""

    def signal(self) -> Signal:
        """Return a new signal; by default made of a lock, which another task than its holder may release."""
        return LockSignal(self.lock())

    def mutex(self) -> AbstractContextManager[object]:
        """Return a new lock that is held for moments, without a wait; by default none.

        The tasks of an event loop need none; the threads of a blocking transport do.
        """
        return nullcontext()

    async def sleep(self, seconds: float) -> None:
        """Wait; by default for a signal that is never set."""
        signal = self.signal()
        with suppress(TimeoutError):
            while True:  # as the first wait may end at once
                await signal.wait(seconds)

    @abstractmethod
    def now(self) -> float:
        """Return the time of a monotonic clock, in seconds; also in the worker threads of `in_thread`."""

    def scope(self) -> Scope:
        """Return the caller's scope; by default the same for all callers.

        Raises:
            UnsupportedTransport: The caller does not run in an event loop of this transport.
        """
        return _ONLY_SCOPE

    def worker(self) -> Worker:
        """Return a worker; by default it starts a task for each function, which calls it `in_thread`."""
        return _TaskWorker(self)

    def start(self, coroutine: Coroutine[Any, Any, None], *, leave: bool = False) -> Task:  # noqa: ARG002  # an interface
        """Run a coroutine concurrently, in a task or a thread; only sessions need it.

        Args:
            coroutine: Never raises.
            leave: True if `Task.wait` must not wait for a thread, which cannot be cancelled.
        """
        coroutine.close()
        raise UnsupportedTransport(0, f"{type(self).__name__} has no method start(), which sessions need")


class _TaskWorker:
    """A worker that has no thread of its own, as those of `Runtime.in_thread` are kept by the event loop."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._turn = runtime.lock()

    def submit(self, function: Callable[[], None], done: Callable[[], None]) -> Task:
        return self._runtime.start(self._call(function, done))

    def close(self) -> None:
        """Do nothing, as no thread waits."""

    async def wait(self) -> None:
        """Do nothing, as no thread waits."""

    async def _call(self, function: Callable[[], None], done: Callable[[], None]) -> None:
        await self._turn.acquire(None)
        try:
            await self._runtime.in_thread(function)
        finally:
            self._turn.release()
        done()


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine of the core on a blocking transport, where nothing ever waits.

    >>> async def answer() -> int:
    ...     return 42
    >>> run(answer())
    42

    An interrupt, such as KeyboardInterrupt, may come between two instructions, when a connection was made and
    nothing that closes it knows it yet. Then only the local variables of the coroutine refer to it. They are
    cleared, so that it is closed even if the exception is kept, as an interactive session keeps the last one.
    """
    handled = sys.exception()
    results: list[T] = []  # list[T]() takes longer than all else here
    try:
        next(_steps(coroutine, results), None)
    except Exception:
        raise
    except BaseException as interrupt:
        _clear_locals(interrupt, handled)
        raise
    if not results:
        raise RuntimeError("a blocking transport waited for an event loop")
    return results[0]


def _steps(coroutine: Coroutine[Any, Any, T], results: list[T]) -> Generator[Any]:
    """Yield when a coroutine waits, and store its result: no exception, which may be kept, holds it."""
    results.append((yield from coroutine.__await__()))


def _clear_locals(error: BaseException | None, handled: BaseException | None) -> None:
    """Clear the local variables of an exception's frames, and of those it was raised in the handling of.

    Exceptions from `handled` on are the caller's.
    """
    while error is not None and error is not handled:
        clear_frames(error.__traceback__)
        error = error.__context__
