"""Show progress: redrawn ten times a second on a terminal or in a notebook, line by line on anything else."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Final, Protocol

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from dockerproto.progress import Event, Snapshot, State, Tracker
from dockerproto_cli.drawing import ASCII, UNICODE, Drawing
from dockerproto_cli.formatting import duration, encodable
from dockerproto_cli.lines import LineFormatter
from dockerproto_cli.notebook import NotebookSurface, cell_region, running_shell
from dockerproto_cli.region import Canvas, Hold, Member, Region, Surface, region_of

_PER_SECOND: Final = 10


class Recorder:
    """A tracker that one thread feeds and another one reads.

    Args:
        clock: Function that returns a monotonic time in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._tracker = Tracker()
        self._lock = threading.RLock()  # reentrant: a stream collected meanwhile stops its display
        self._last = self._tracker.snapshot(0.0), 0.0

    def snapshot(self) -> tuple[Snapshot, float]:
        """Return the current snapshot and its time; the last ones if another thread is changing them.

        A redraw never waits, so a thread that has the lock may wait for the end of the drawing.
        """
        if self._lock.acquire(blocking=False):
            try:
                now = self._clock()
                self._last = self._tracker.snapshot(now), now
            finally:
                self._lock.release()
        return self._last

    def record(self, change: Callable[[Tracker, float], Iterable[Event]]) -> Iterable[Event]:
        """Change the tracker, and return the resulting events."""
        with self._lock:
            return change(self._tracker, self._clock())


class Screen(Protocol):
    """A view of the progress of one operation."""

    def announce(self) -> None:
        """Show that the operation waits, if others are shown."""
        ...

    def start(self) -> None:
        """Start."""
        ...

    def update(self, events: Iterable[Event]) -> None:
        """Show some events."""
        ...

    def stop(self) -> None:
        """Stop, and restore the terminal; the last state stays. Repeating it changes nothing."""
        ...


class RegionScreen:
    """Progress in a region, which other operations may share.

    Args:
        region: The region.
        member: The operation in it.
    """

    def __init__(self, region: Region, member: Member) -> None:
        self._region = region
        self._member = member

    def announce(self) -> None:
        """Show the operation as one that waits, as soon as the region is shown."""
        self._region.add(self._member)

    def start(self) -> None:
        """Show the operation."""
        self.announce()
        self._member.active = True
        self._region.settle()

    def update(self, events: Iterable[Event]) -> None:  # noqa: ARG002  # the state is drawn, not its changes
        """Draw again, sooner or later."""
        self._region.update()

    def stop(self) -> None:
        """Draw for the last time, unless others still use the region."""
        self._member.end()
        self._region.settle()


class LineScreen:
    """Progress as lines of text.

    Args:
        console: Console to write to.
        snapshot: Function that returns the progress, and the time.
        name: Name of the operation, at the start of each line; empty if there is only one.
    """

    def __init__(
        self, console: Console, snapshot: Callable[[], tuple[Snapshot, float]], name: str = ""
    ) -> None:
        self._console = console
        self._snapshot = snapshot
        self._prefix = f"{name}: " if name else ""
        self._stopped = False
        self._formatter = LineFormatter()

    def announce(self) -> None:
        """Do nothing."""

    def start(self) -> None:
        """Do nothing."""

    def update(self, events: Iterable[Event]) -> None:
        """Write lines."""
        self._write(self._formatter.lines(events))

    def stop(self) -> None:
        """Write the outcome, if the operation has a name."""
        stopped, self._stopped = self._stopped, True
        if self._prefix and not stopped:
            self._write([_outcome(*self._snapshot())])

    def _write(self, lines: Iterable[str]) -> None:
        file = self._console.file
        for line in lines:
            file.write(f"{encodable(self._prefix + line, self._console.encoding)}\n")
        file.flush()


def _outcome(snapshot: Snapshot, now: float) -> str:
    if snapshot.state is State.FAILED:
        return f"failed: {snapshot.error}"
    state = snapshot.state if snapshot.state.over else State.STOPPED
    return f"{state.value} {duration(snapshot.seconds(now))}"


class LiveSurface:
    """Lines of a terminal that are redrawn repeatedly; other output goes above them.

    Args:
        console: The terminal.
        canvas: Function that draws; called in another thread.
    """

    def __init__(self, console: Console, canvas: Canvas) -> None:
        self._canvas = canvas
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
        yield from fitted(console, self._canvas)

    def start(self) -> None:
        """Start drawing."""
        self._live.start()

    def update(self) -> None:
        """Do nothing: the next redraw shows the change."""

    def stop(self) -> None:
        """Draw for the last time, and show the cursor again."""
        self._live.stop()


class Place:
    """A place where operations are displayed: a region if it can be redrawn, else a console for lines.

    Args:
        console: Console to write to; the output of a notebook's cell, or else standard error, by default.
        live: True redraws, False writes lines; by default, it is redrawn in a notebook and on a terminal.
    """

    def __init__(self, console: Console | None, live: bool | None) -> None:
        shell = running_shell() if console is None and live is not False else None
        self._console: Final = console or Console(stderr=True)
        self._in_notebook: Final = shell is not None
        self.region: Final = cell_region(shell) if shell is not None else self._terminal_region(live)
        """The region; None for lines."""

    def open(self, canvas: Canvas) -> Surface:
        """Make the surface of the region."""
        return NotebookSurface(canvas) if self._in_notebook else LiveSurface(self._console, canvas)

    def _terminal_region(self, live: bool | None) -> Region | None:
        drawn = is_terminal(self._console) if live is None else live
        return region_of(self._console) if drawn else None

    @contextmanager
    def held(self) -> Generator[None, None, None]:
        """Show the region inside the ``with``, even if no operation runs."""
        if self.region is None:
            yield
            return
        hold = Hold(self.open)
        hold.active = True
        self.region.add(hold)
        try:
            self.region.settle()
            yield
        finally:
            hold.active = False
            self.region.settle()

    def screen(self, recorder: Recorder, name: str) -> Screen:
        """Return a view of one operation."""
        if self.region is None:
            return LineScreen(self._console, recorder.snapshot, name)
        return RegionScreen(self.region, Member(self.open, recorder.snapshot, name))


def is_terminal(console: Console) -> bool:
    """Return True if the console can be redrawn; a file cannot, even if FORCE_COLOR claims a terminal."""
    return console.file.isatty() and console.is_terminal and not console.is_dumb_terminal


def frame(console: Console, snapshot: Snapshot, now: float) -> list[Text]:
    """Draw a snapshot as lines that fit a console."""
    return fitted(console, lambda width, height, glyphs: Drawing(width, height, glyphs).frame(snapshot, now))


def fitted(console: Console, canvas: Canvas) -> list[Text]:
    """Draw lines that fit a console."""
    unicode = console.encoding.startswith("utf")
    lines = canvas(console.width, console.height, UNICODE if unicode else ASCII)
    for line in lines if not unicode else ():
        line.plain = encodable(line.plain, console.encoding)
    return lines
