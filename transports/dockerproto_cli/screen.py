"""Show progress: redrawn ten times a second on a terminal, line by line on anything else."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from dockerproto.progress import Event, Snapshot, Tracker
from dockerproto_cli.drawing import ASCII, UNICODE, Drawing
from dockerproto_cli.formatting import encodable
from dockerproto_cli.lines import LineFormatter

_PER_SECOND: Final = 10


class Screen(Protocol):
    """A view of progress."""

    def start(self) -> None:
        """Start."""
        ...

    def update(self, events: Iterable[Event]) -> None:
        """Show some events."""
        ...

    def stop(self) -> None:
        """Stop, and restore the terminal; the last frame stays. Repeating it changes nothing."""
        ...


class LiveScreen:
    """A region of a terminal that is redrawn repeatedly; other output goes above it.

    Args:
        console: The terminal.
        snapshot: Function that returns the snapshot to draw, and the time; called in another thread.
    """

    def __init__(self, console: Console, snapshot: Callable[[], tuple[Snapshot, float]]) -> None:
        self._snapshot = snapshot
        self._live: Final = Live(
            self,
            console=console,
            refresh_per_second=_PER_SECOND,
            vertical_overflow="visible",
            # Redirecting a stream that goes to a file would draw it on the terminal.
            redirect_stdout=sys.stdout.isatty(),
            redirect_stderr=sys.stderr.isatty(),
        )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from frame(console, *self._snapshot())

    def start(self) -> None:
        """Start drawing."""
        self._live.start()

    def update(self, events: Iterable[Event]) -> None:
        """Do nothing: the next redraw shows the change."""

    def stop(self) -> None:
        """Draw for the last time, and show the cursor again."""
        self._live.stop()


class LineScreen:
    """Progress as lines of text.

    Args:
        console: Console to write to.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._formatter = LineFormatter()

    def start(self) -> None:
        """Do nothing."""

    def update(self, events: Iterable[Event]) -> None:
        """Write lines."""
        file = self._console.file
        for line in self._formatter.lines(events):
            file.write(f"{encodable(line, self._console.encoding)}\n")
        file.flush()

    def stop(self) -> None:
        """Do nothing."""


class Recorder:
    """A tracker that one thread feeds and another one reads.

    Args:
        clock: Function that returns a monotonic time in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._tracker = Tracker()
        self._lock = threading.RLock()  # reentrant: a stream collected meanwhile stops its display

    def snapshot(self) -> tuple[Snapshot, float]:
        """Return the current snapshot, and its time."""
        with self._lock:
            now = self._clock()
            return self._tracker.snapshot(now), now

    def record(self, change: Callable[[Tracker, float], Iterable[Event]]) -> Iterable[Event]:
        """Change the tracker, and return the resulting events."""
        with self._lock:
            return change(self._tracker, self._clock())


def screen_for(console: Console, recorder: Recorder, live: bool | None) -> Screen:
    """Return a screen: drawn if `live` is true or, with None, if the console is a terminal."""
    drawn = is_terminal(console) if live is None else live
    return LiveScreen(console, recorder.snapshot) if drawn else LineScreen(console)


def is_terminal(console: Console) -> bool:
    """Return True if the console can be redrawn; a file cannot, even if FORCE_COLOR claims a terminal."""
    return console.file.isatty() and console.is_terminal and not console.is_dumb_terminal


def frame(console: Console, snapshot: Snapshot, now: float) -> list[Text]:
    """Draw a snapshot as lines that fit a console."""
    unicode = console.encoding.startswith("utf")
    drawing = Drawing(console.width, console.height, UNICODE if unicode else ASCII)
    lines = drawing.frame(snapshot, now)
    for line in lines if not unicode else ():
        line.plain = encodable(line.plain, console.encoding)
    return lines
