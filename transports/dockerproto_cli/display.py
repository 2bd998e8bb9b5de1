"""Wrap the stream of any client to display its progress.

The stream's items and exceptions pass through unchanged. However a loop is left, the terminal is restored
and the stream is closed.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Coroutine, Iterable
from types import TracebackType
from typing import Any, Final, Self, overload

from rich.console import Console

from dockerproto import AsyncStream, DockerError, Message, Stream
from dockerproto.progress import Event, Snapshot, Tracker
from dockerproto_cli.screen import Place, Recorder


class Display:
    """The progress of one operation, on a terminal, in a notebook, or as lines of text.

    Displays that are active at the same time share their terminal: with several, each operation has a line,
    with its running parts if there is room.

    Args:
        console: Console to write to; the output of the notebook's cell, or else standard error, by default.
        name: Name to display if there are several operations; by default, what the engine reports first.
        live: True draws bars, False writes lines; by default, bars if the console is a terminal.
        clock: Function that returns a monotonic time in seconds; ``time.monotonic`` by default.
    """

    def __init__(
        self,
        console: Console | None = None,
        *,
        name: str = "",
        live: bool | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._recorder: Final = Recorder(clock or time.monotonic)
        self._screen: Final = Place(console, live).screen(self._recorder, name)

    @property
    def snapshot(self) -> Snapshot:
        """The current state of the operation."""
        return self._recorder.snapshot()[0]

    def uploaded(self, sent: int, total: int | None = None) -> None:
        """Report the number of bytes sent of a build context or an archive, and its size if known."""
        self._update(lambda progress, now: progress.uploaded(sent, now, total))

    @overload
    def show(self, stream: Stream[Message]) -> Shown: ...
    @overload
    def show(self, stream: AsyncStream[Message]) -> AsyncShown: ...
    def show(self, stream: Stream[Message] | AsyncStream[Message]) -> Shown | AsyncShown:
        """Wrap a stream to show its progress while it is iterated over; raise TypeError."""
        if isinstance(stream, Stream):
            return Shown(stream, self)
        if isinstance(stream, AsyncStream):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
            return AsyncShown(stream, self)
        raise _not_a_stream(stream)

    def announce(self) -> None:
        """Show that the operation waits, as long as others are active."""
        self._screen.announce()

    def start(self) -> None:
        """Start the display."""
        self._screen.start()

    def feed(self, message: Message) -> None:
        """Show the progress that a message reports."""
        self._update(lambda progress, now: progress.feed(message, now))

    def finish(self, error: BaseException | None = None) -> None:
        """Show the outcome and restore the terminal; repeating it changes nothing."""
        text = None if error is None else _error_text(error)
        try:
            self._update(lambda progress, now: progress.finish(now, text))
            self._screen.stop()
        except OSError:
            if error is None:  # else that error matters more
                raise

    def stop(self) -> None:
        """Restore the terminal; repeating it changes nothing."""
        self._screen.stop()

    def _update(self, change: Callable[[Tracker, float], Iterable[Event]]) -> None:
        self._screen.update(self._recorder.record(change))


class Shown:
    """A stream of a blocking client that displays its progress. Use ``with`` to leave it early.

    Args:
        stream: Stream of messages.
        display: Display of its progress.
    """

    def __init__(self, stream: Stream[Message], display: Display) -> None:
        self._stream: Final = stream
        self._guard: Final = _Guard(self, display, stream.close)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Message:
        with self._guard:
            message = next(self._stream)
            self._guard.display.feed(message)
        return message

    def rest(self) -> list[Message]:
        """Return all remaining messages in a list."""
        return list(self)

    def close(self) -> None:
        """Close the stream and restore the terminal; repeating it changes nothing."""
        self._guard.end()

    def __enter__(self) -> Self:
        with self._guard:
            self._stream.__enter__()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()


class AsyncShown:
    """A stream of an async client that displays its progress. Use ``async with`` to leave it early.

    Args:
        stream: Stream of messages.
        display: Display of its progress.
    """

    def __init__(self, stream: AsyncStream[Message], display: Display) -> None:
        self._stream: Final = stream
        self._guard: Final = _Guard(self, display, stream.abort)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        with self._guard:
            message = await self._stream.__anext__()
            self._guard.display.feed(message)
        return message

    async def rest(self) -> list[Message]:
        """Return all remaining messages in a list."""
        return [message async for message in self]

    async def close(self) -> None:
        """Close the stream and restore the terminal; repeating it changes nothing."""
        self.abort()

    def abort(self) -> None:
        """Close the stream and restore the terminal, without waiting for anything."""
        self._guard.end()

    async def __aenter__(self) -> Self:
        with self._guard:
            await self._stream.__aenter__()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._guard.end()


class _Guard:
    """Context of each step of a stream: start the display at first, end both on any exception.

    A stream that is dropped is closed by the garbage collector, or at the end of the program.
    """

    def __init__(self, owner: object, display: Display, close: Callable[[], None]) -> None:
        self.display: Final = display
        self._started = False
        self._finalizer: Final = weakref.finalize(owner, _close, display, close)

    def __enter__(self) -> None:
        if not self._started:
            self._started = True
            self.display.start()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if exc is None:
            return
        try:
            self.display.finish(None if isinstance(exc, StopIteration | StopAsyncIteration) else exc)
        finally:
            self._finalizer()

    def end(self) -> None:
        self._finalizer()


def _close(display: Display, close: Callable[[], None]) -> None:
    close()
    display.stop()


def _not_a_stream(value: Any) -> TypeError:
    kind = type(value).__name__
    if isinstance(value, Coroutine):
        value.close()  # or Python would also warn that it was never awaited
    return TypeError(f"show() needs a stream, not {kind}: pass stream=True to the operation")


def _error_text(error: BaseException) -> str:
    if not isinstance(error, Exception):
        return "interrupted" if isinstance(error, KeyboardInterrupt) else "cancelled"
    return error.message if isinstance(error, DockerError) else str(error) or type(error).__name__


@overload
def show(stream: Stream[Message], console: Console | None = None, *, name: str = "") -> Shown: ...
@overload
def show(stream: AsyncStream[Message], console: Console | None = None, *, name: str = "") -> AsyncShown: ...
def show(
    stream: Stream[Message] | AsyncStream[Message], console: Console | None = None, *, name: str = ""
) -> Shown | AsyncShown:
    """Show the progress of a stream while it is iterated over, and pass its messages through.

    Args:
        stream: The stream that a pull, push, build or import returns with ``stream=True``.
        console: Console to write to; the output of the notebook's cell, or else standard error, by default.
        name: Name to display if there are several operations; by default, what the engine reports first.

    Returns:
        A wrapper to iterate over instead of the stream; it raises what the stream raises.

    Raises:
        TypeError: This is the result of an operation without ``stream=True``.
    """
    return Display(console, name=name).show(stream)
