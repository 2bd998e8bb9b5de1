"""Display the progress of several streams at once.

The program decides how they run: in tasks of its event loop, in threads, or one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, overload
from weakref import WeakSet

from rich.console import Console

from dockerproto import AsyncStream, Message, Stream
from dockerproto_cli.display import AsyncShown, Display, Shown
from dockerproto_cli.screen import Place


class DisplayGroup:
    """One display of several operations, for ``with``: a line for each, and one that sums them up.

    It stays while no operation runs, so operations may follow one another. Leaving the ``with`` closes the
    streams that are left. Any task and any thread may add operations.

    Args:
        console: Console to write to; the output of the notebook's cell, or else standard error, by default.
        live: True draws bars, False writes lines; by default, bars if the console is a terminal.
        clock: Function that returns a monotonic time in seconds; ``time.monotonic`` by default.
    """

    def __init__(
        self,
        console: Console | None = None,
        *,
        live: bool | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._new_display: Final = partial(Display, console, live=live, clock=clock)
        self._place: Final = Place(console, live)
        self._open: Final = ExitStack()
        self._entered = False
        self._displays: Final = WeakSet[Display]()
        self._shown: Final = WeakSet[Shown | AsyncShown]()

    def display(self, name: str = "") -> Display:
        """Return the display of one more operation, which waits until it is started.

        Args:
            name: Name to display; by default, what the engine reports first.
        """
        display = self._new_display(name=name)
        if self._entered:  # else the region may end before the display starts
            display.announce()
        self._displays.add(display)
        return display

    @overload
    def show(self, stream: Stream[Message], name: str = "") -> Shown: ...
    @overload
    def show(self, stream: AsyncStream[Message], name: str = "") -> AsyncShown: ...
    def show(self, stream: Stream[Message] | AsyncStream[Message], name: str = "") -> Shown | AsyncShown:
        """Wrap a stream to show its progress, as something that waits until it is iterated over.

        Args:
            stream: The stream that a pull, push, build or import returns with ``stream=True``.
            name: Name to display; by default, what the engine reports first.

        Raises:
            TypeError: This is the result of an operation without ``stream=True``.
        """
        shown = self.display(name).show(stream)
        self._shown.add(shown)
        return shown

    def close(self) -> None:
        """Close the streams that are left, and restore the terminal; repeating it changes nothing."""
        self._entered = False
        try:
            for shown in tuple(self._shown):
                shown.close() if isinstance(shown, Shown) else shown.abort()
            for display in tuple(self._displays):
                display.stop()
        finally:
            self._open.close()

    def __enter__(self) -> Self:
        self._open.enter_context(self._place.held())
        self._entered = True
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()


@overload
def show_all(
    streams: Mapping[str, Stream[Message]], console: Console | None = None
) -> AbstractContextManager[dict[str, Shown]]: ...
@overload
def show_all(
    streams: Mapping[str, AsyncStream[Message]], console: Console | None = None
) -> AbstractContextManager[dict[str, AsyncShown]]: ...
def show_all(
    streams: Mapping[str, Stream[Message]] | Mapping[str, AsyncStream[Message]],
    console: Console | None = None,
) -> AbstractContextManager[dict[str, Any]]:
    """Show the progress of several streams in one display, for ``with``, whichever client they are of.

    Args:
        streams: The streams by their names: of pulls, pushes, builds and imports with ``stream=True``.
        console: Console to write to; the output of the notebook's cell, or else standard error, by default.

    Returns:
        Wrappers by name, to iterate over instead of the streams: in tasks, threads or in turn. Those not
        iterated over to their end are closed at the end of the ``with``.

    Raises:
        TypeError: A value is the result of an operation without ``stream=True``.
    """
    return _showing(streams, console)


@contextmanager
def _showing(
    streams: Mapping[str, Stream[Message] | AsyncStream[Message]], console: Console | None
) -> Generator[dict[str, Any], None, None]:
    with DisplayGroup(console) as group:
        yield {name: group.show(stream, name) for name, stream in streams.items()}
