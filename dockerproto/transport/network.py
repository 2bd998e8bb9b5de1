"""What a transport brings: an event loop, or a blocking program, as the core sees it.

The methods are coroutines. On asyncio and trio they wait; those of a blocking transport block
instead and never wait, so that `run` can drive the very same core without an event loop.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from os import PathLike
from typing import Any, Protocol, TypeVar

from dockerproto.buildcontext.plan import BuildContext, ContextSource
from dockerproto.endpoint.addresses import Address
from dockerproto.transport.chunks import Buffer, Chunk, File
from dockerproto.transport.files import Disk

T = TypeVar("T")


class ByteStream(Protocol):
    """A connection. Its methods raise OSError when it fails, TimeoutError when a wait takes too long."""

    async def send(self, data: Chunk, timeout: float | None) -> int:
        """Send data; return how many bytes of it: all, unless it would wait and `receive` would not."""
        ...

    async def receive(self, timeout: float | None) -> Buffer:
        """Return some bytes, none at the end; they are overwritten once anything is waited for."""
        ...

    def readable(self) -> Awaitable[bool]:
        """Whether `receive` would return at once: bytes, the end, or an error."""
        ...

    async def ready(self) -> None:
        """Wait until `receive` would return at once, or until `wake` is called; it may be for nothing."""
        ...

    def wake(self) -> None:
        """End the wait of `ready`, or the next one: by whatever runs beside it."""
        ...

    def hung_up(self) -> bool:
        """Whether the other side has closed the connection, or lost it, however much is still unread."""
        ...

    def close(self) -> None:
        """Close the connection, at once and without waiting; again does nothing."""
        ...


class Lock(Protocol):
    """A lock of tasks, or of threads."""

    async def acquire(self, timeout: float | None) -> None:
        """Take it; raise TimeoutError."""
        ...

    def release(self) -> None:
        """Give it back."""
        ...


class Task(Protocol):
    """A coroutine that runs beside the program."""

    def cancel(self) -> None:
        """End it at the next point where it waits; where nothing waits, do nothing. From any thread."""
        ...

    async def wait(self) -> None:
        """Wait until it is over, even if the waiting task is cancelled."""
        ...


class Network(Protocol):
    """An event loop, or none."""

    async def connect(self, address: Address, timeout: float | None) -> ByteStream:
        """Connect; raise OSError or TimeoutError."""
        ...

    async def in_thread(self, function: Callable[[], T]) -> T:
        """Call a function that blocks, in a worker thread; on cancellation, leave it to itself."""
        ...

    def open_file(self, path: str | PathLike[str]) -> File:
        """Open a file for reading; it blocks, and is called in a worker thread.

        The ranges of one that is a `SupportsFileRanges` are given to `ByteStream.send`.
        """
        ...

    def open_context(self, context: BuildContext) -> ContextSource:
        """Look at the directory of a context, and return what can be sent of it; it blocks likewise."""
        ...

    def lock(self) -> Lock:
        """Return a new lock, free."""
        ...

    def start(self, coroutine: Coroutine[Any, Any, None], *, leave: bool = False) -> Task:
        """Run a coroutine beside the program: in a task, or in a thread of its own. It raises nothing.

        With `leave` a thread, which cannot be cancelled, is not waited for: it is left to itself.
        """
        ...

    def variable(self, name: str) -> str | None:
        """Return a variable of the environment."""
        ...

    def disk(self) -> Disk:
        """Return the files of this machine."""
        ...

    def unique(self) -> str:
        """Return a text that nobody else has, of letters and digits."""
        ...

    def now(self) -> float:
        """Return the time of a monotonic clock, in seconds."""
        ...


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine of the core over a blocking transport, where nothing ever waits.

    >>> async def answer() -> int:
    ...     return 42
    >>> run(answer())
    42
    """
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    raise RuntimeError("a blocking transport waited for an event loop")
