"""One line around a stream shows its progress, with every client.

The stream's items are handed on as they are, and its exceptions too. However a loop is left, the terminal
is as it was, and the stream is closed.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Final, Self, overload

from rich.console import Console

from dockerproto import AsyncStream, DockerError, Message, Stream
from dockerproto.progress import Event, Snapshot, Tracker
from dockerproto_cli.screen import Recorder, Screen, screen_for


class Display:
    """The progress of one operation, on a terminal or as lines of text.

    Args:
        console: What it is written to; by default standard error.
        live: Whether to draw bars, or to write lines; by default, bars if it is a terminal.
        clock: What tells the time, in seconds, and does not go back; by default ``time.monotonic``.
    """

    def __init__(
        self,
        console: Console | None = None,
        *,
        live: bool | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._recorder: Final = Recorder(clock or time.monotonic)
        self._screen: Final[Screen] = screen_for(console or Console(stderr=True), self._recorder, live)

    @property
    def snapshot(self) -> Snapshot:
        """What is going on."""
        return self._recorder.look()[0]

    def uploaded(self, sent: int, total: int | None = None) -> None:
        """Take how many bytes of a context or an archive were sent, of how many if that is known."""
        self._take(lambda progress, now: progress.uploaded(sent, now, total))

    @overload
    def show(self, stream: Stream[Message]) -> Shown: ...
    @overload
    def show(self, stream: AsyncStream[Message]) -> AsyncShown: ...
    def show(self, stream: Stream[Message] | AsyncStream[Message]) -> Shown | AsyncShown:
        """Return the stream, whose progress is shown while it is iterated over."""
        return Shown(stream, self) if isinstance(stream, Stream) else AsyncShown(stream, self)

    def start(self) -> None:
        """Begin to show."""
        self._screen.start()

    def feed(self, message: Message) -> None:
        """Show what a message says."""
        self._take(lambda progress, now: progress.feed(message, now))

    def finish(self, error: BaseException | None = None) -> None:
        """Show how it ended, and leave the terminal as it was; again does nothing."""
        words = None if error is None else _words(error)
        try:
            self._take(lambda progress, now: progress.finish(now, words))
            self._screen.stop()
        except OSError:
            if error is None:  # else that is what matters
                raise

    def stop(self) -> None:
        """Leave the terminal as it was; again does nothing."""
        self._screen.stop()

    def _take(self, change: Callable[[Tracker, float], Iterable[Event]]) -> None:
        self._screen.changed(self._recorder.record(change))


class Shown:
    """A stream of a blocking client whose progress is shown: ``for`` over it, ``with`` it to leave it early.

    Args:
        stream: The stream.
        display: What shows it.
    """

    def __init__(self, stream: Stream[Message], display: Display) -> None:
        self._stream: Final = stream
        self._watch: Final = _Watch(self, display, stream.close)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Message:
        with self._watch:
            message = next(self._stream)
            self._watch.display.feed(message)
        return message

    def close(self) -> None:
        """Close the stream, and leave the terminal as it was; again does nothing."""
        self._watch.end()

    def __enter__(self) -> Self:
        with self._watch:
            self._stream.__enter__()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()


class AsyncShown:
    """A stream of an async client whose progress is shown: ``async for`` over it.

    ``async with`` it to leave it early.

    Args:
        stream: The stream.
        display: What shows it.
    """

    def __init__(self, stream: AsyncStream[Message], display: Display) -> None:
        self._stream: Final = stream
        self._watch: Final = _Watch(self, display, stream.abort)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Message:
        with self._watch:
            message = await self._stream.__anext__()
            self._watch.display.feed(message)
        return message

    async def close(self) -> None:
        """Close the stream, and leave the terminal as it was; again does nothing."""
        self._watch.end()

    async def __aenter__(self) -> Self:
        with self._watch:
            await self._stream.__aenter__()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._watch.end()


class _Watch:
    """Shows while an item is waited for; any exception that comes ends the display and the stream.

    What is forgotten is ended when it is collected, or at the end of the program.
    """

    def __init__(self, owner: object, display: Display, close: Callable[[], None]) -> None:
        self.display: Final = display
        self._started = False
        self._left: Final = weakref.finalize(owner, _leave, display, close)

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
            self._left()

    def end(self) -> None:
        self._left()


def _leave(display: Display, close: Callable[[], None]) -> None:
    close()
    display.stop()


def _words(error: BaseException) -> str:
    return error.message if isinstance(error, DockerError) else str(error) or type(error).__name__


@overload
def show(stream: Stream[Message], console: Console | None = None) -> Shown: ...
@overload
def show(stream: AsyncStream[Message], console: Console | None = None) -> AsyncShown: ...
def show(
    stream: Stream[Message] | AsyncStream[Message], console: Console | None = None
) -> Shown | AsyncShown:
    """Show the progress of a stream while it is iterated over, and hand on its messages.

    Args:
        stream: What a pull, push, build or import returns with ``stream=True``.
        console: What it is written to; by default standard error.

    Returns:
        What is to be iterated over instead of the stream; whatever the stream raises, this does.
    """
    return Display(console).show(stream)
