"""Where progress goes: into a terminal, drawn again ten times a second, or line by line to anything else."""

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
from dockerproto_cli.lines import Plain

_PER_SECOND: Final = 10


class Screen(Protocol):
    """What shows a progress."""

    def start(self) -> None:
        """Begin."""
        ...

    def changed(self, events: Iterable[Event]) -> None:
        """Take note of what has changed."""
        ...

    def stop(self) -> None:
        """End: leave the terminal as it was found, with what was shown last; again does nothing."""
        ...


class LiveScreen:
    """A part of a terminal that is drawn again and again; what else is printed goes above it.

    Args:
        console: The terminal.
        look: What returns the snapshot to draw, and the time; it is called by another thread.
    """

    def __init__(self, console: Console, look: Callable[[], tuple[Snapshot, float]]) -> None:
        self._look = look
        self._live: Final = Live(
            self,
            console=console,
            refresh_per_second=_PER_SECOND,
            vertical_overflow="visible",
            # What goes to a file would be drawn into the terminal.
            redirect_stdout=sys.stdout.isatty(),
            redirect_stderr=sys.stderr.isatty(),
        )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from frame(console, *self._look())

    def start(self) -> None:
        """Begin to draw."""
        self._live.start()

    def changed(self, events: Iterable[Event]) -> None:
        """Do nothing: it will be seen when it is drawn again."""

    def stop(self) -> None:
        """Draw for the last time, and show the cursor again."""
        self._live.stop()


class PlainScreen:
    """Lines of text for what has changed.

    Args:
        console: What they are written to.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._plain = Plain()

    def start(self) -> None:
        """Do nothing."""

    def changed(self, events: Iterable[Event]) -> None:
        """Write lines."""
        file = self._console.file
        for line in self._plain.lines(events):
            file.write(f"{encodable(line, self._console.encoding)}\n")
        file.flush()

    def stop(self) -> None:
        """Do nothing."""


class Recorder:
    """A progress that is fed by one thread, and looked at by another one.

    Args:
        clock: What tells the time, in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._progress = Tracker()
        self._lock = threading.RLock()  # not another kind: what is collected here may end it here

    def look(self) -> tuple[Snapshot, float]:
        """Return what is going on, and the time."""
        with self._lock:
            now = self._clock()
            return self._progress.snapshot(now), now

    def record(self, change: Callable[[Tracker, float], Iterable[Event]]) -> Iterable[Event]:
        """Tell the progress something, and return what has changed by it."""
        with self._lock:
            return change(self._progress, self._clock())


def screen_for(console: Console, recorder: Recorder, live: bool | None) -> Screen:
    """Return a screen that draws if the console is a terminal that can, or as the caller says."""
    drawn = is_terminal(console) if live is None else live
    return LiveScreen(console, recorder.look) if drawn else PlainScreen(console)


def is_terminal(console: Console) -> bool:
    """Whether lines can be drawn over; a file cannot be, even if FORCE_COLOR calls it a terminal."""
    return console.file.isatty() and console.is_terminal and not console.is_dumb_terminal


def frame(console: Console, snapshot: Snapshot, now: float) -> list[Text]:
    """Return a snapshot as lines that fit a console."""
    unicode = console.encoding.startswith("utf")
    drawing = Drawing(console.width, console.height, UNICODE if unicode else ASCII)
    lines = drawing.frame(snapshot, now)
    for line in lines if not unicode else ():
        line.plain = encodable(line.plain, console.encoding)
    return lines
