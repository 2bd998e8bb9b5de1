"""The transport of blocking programs: the calling thread waits, and sessions run in threads of their own."""

from __future__ import annotations

import math
import select
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, suppress
from queue import SimpleQueue
from typing import Any, Final, TypeVar

from dockerproto.endpoint.addresses import TCP
from dockerproto.transport.runtime import Task, run
from dockerproto_local.base_transport import DialTarget, LocalTransport
from dockerproto_local.stream import SocketStream, connect_unix

T = TypeVar("T")

_POLL_INTERVAL_MS: Final = 1000
"""Longest single poll. A Ctrl-C that comes just before a poll does not interrupt it; nor does another thread
that closes the socket then, and the descriptor may be that of another file by the time it is polled."""
_WAKEUP_BYTES: Final = 4096


class BlockingTransport(LocalTransport):
    """A transport whose coroutines block instead of waiting for an event loop."""

    @property
    def name(self) -> str:
        """Name of the library that the client is made for."""
        return "httpx"

    async def dial(self, target: DialTarget, timeout: float | None) -> _Stream:
        """Connect; raise OSError or TimeoutError."""
        if isinstance(target, TCP):
            return _Stream(socket.create_connection((target.name, target.port), timeout))
        if isinstance(target, socket.socket):
            return _Stream(target)
        deadline = math.inf if timeout is None else self.now() + timeout

        async def sleep(seconds: float) -> None:
            if self.now() >= deadline:
                raise TimeoutError("timed out")
            time.sleep(seconds)  # noqa: ASYNC251  # a blocking program has no event loop

        return _Stream(await connect_unix(target.path, sleep))

    async def in_thread(self, function: Callable[[], T]) -> T:
        """Call a blocking function in this thread."""
        return function()

    def lock(self) -> ThreadLock:
        """Return a new lock between threads."""
        return ThreadLock()

    def signal(self) -> ThreadSignal:
        """Return a new signal between threads."""
        return ThreadSignal()

    def mutex(self) -> AbstractContextManager[object]:
        """Return a new lock between threads, which the thread that holds it may acquire again."""
        return threading.RLock()

    def spawn(self, coroutine: Coroutine[Any, Any, None], *, leave: bool) -> ThreadTask:
        """Run a coroutine in a thread."""
        return ThreadTask(coroutine, leave=leave)

    def worker(self) -> ThreadWorker:
        """Return a new worker thread."""
        return ThreadWorker(self.start)

    def now(self) -> float:
        """Return the time of the monotonic clock, in seconds."""
        return time.monotonic()


class ThreadLock:
    """A lock between threads; see `dockerproto.transport.runtime.Lock`.

    A thread that holds it already acquires it again: an interrupt has ended its work before the release.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()

    async def acquire(self, timeout: float | None) -> None:
        """Acquire the lock; raise TimeoutError."""
        if not self._lock.acquire(timeout=-1 if timeout is None else timeout):
            raise TimeoutError

    def release(self) -> None:
        """Release the lock."""
        self._lock.release()


class ThreadSignal:
    """A flag between threads; see `dockerproto.transport.runtime.Signal`."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Set the flag."""
        self._event.set()

    async def wait(self, timeout: float | None) -> None:
        """Wait until the flag is set, then clear it; raise TimeoutError."""
        if not self._event.wait(timeout):
            raise TimeoutError("timed out")
        self._event.clear()


class ThreadTask(threading.Thread):
    """A thread that runs a coroutine; see `dockerproto.transport.runtime.Task`.

    It ends once its connection is closed. One that may wait for something else as well is started with
    `leave`, and `wait` then returns at once.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, None], *, leave: bool) -> None:
        name = f"dockerproto {'lookup' if leave else 'session'}"
        super().__init__(target=run, args=(coroutine,), name=name, daemon=True)
        self._leave = leave
        self.start()

    def cancel(self) -> None:
        """Do nothing: a thread cannot be cancelled."""

    async def wait(self) -> None:
        """Wait until the thread has ended, unless it was started with `leave`."""
        if not self._leave:
            self.join()


class ThreadWorker:
    """A thread that lives as long as a session; see `dockerproto.transport.runtime.Worker`.

    It starts with the first function. Starting a thread takes longer than reading some hundred small files.

    Args:
        start: Starts a coroutine in a thread.
    """

    def __init__(self, start: Callable[[Coroutine[Any, Any, None]], Task]) -> None:
        self._start = start
        self._thread: Task | None = None
        self._functions = SimpleQueue[Callable[[], None] | None]()

    def submit(self, function: Callable[[], None], done: Callable[[], None]) -> _Submitted:
        """Call a function and `done` in the thread."""
        self._functions.put(function)
        self._functions.put(done)
        if self._thread is None:
            self._thread = self._start(self._run())
        return _Submitted()

    def close(self) -> None:
        """Let the thread end after the functions that were submitted."""
        self._functions.put(None)

    async def wait(self) -> None:
        """Wait until the thread has ended."""
        if self._thread is not None:
            await self._thread.wait()

    async def _run(self) -> None:
        for function in iter(self._functions.get, None):
            function()


class _Submitted:
    """A function that was submitted: the end of its thread is waited for instead."""

    def cancel(self) -> None:
        """Do nothing: a thread cannot be cancelled."""

    async def wait(self) -> None:
        """Do nothing."""


class _Stream(SocketStream):
    """A connection. That of a session has a socket pair, by which other threads wake its waits."""

    _wakeup: tuple[socket.socket, ...] = ()

    async def ready(self) -> None:
        self._wakeup = self._wakeup or socket.socketpair()
        await super().ready()

    async def wait(self, timeout: float | None, *, writing: bool) -> None:
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN | (select.POLLOUT if writing else 0))
        wakeup = self._wakeup[0].fileno() if self._wakeup else -1
        if wakeup >= 0:  # another thread may have closed it
            poll.register(wakeup, select.POLLIN)
        left = math.inf if timeout is None else timeout * 1000
        while not poll.poll(math.ceil(min(left, _POLL_INTERVAL_MS))):
            self._check_open()
            left -= _POLL_INTERVAL_MS
            if left <= 0:
                raise TimeoutError("timed out")
        self._check_open()
        if wakeup >= 0:
            with suppress(OSError):  # it is closed, or empty as the connection was readable
                self._wakeup[0].recv(_WAKEUP_BYTES, socket.MSG_DONTWAIT)

    def interrupt(self) -> None:
        with suppress(OSError, IndexError):  # closed; or full, which wakes as well; or nobody waits
            self._wakeup[1].send(b"!", socket.MSG_DONTWAIT)

    def close(self) -> None:
        super().close()
        for each in self._wakeup:
            each.close()
