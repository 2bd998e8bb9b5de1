"""The region of a terminal, or the output of a notebook, in which operations that run at once are drawn.

Rule: nothing here waits for a lock. Any thread may change a member at any time, even the garbage collector
in the middle of a redraw, and a wait could be for its own thread. So a change sets a flag, and whoever has
the lock applies the changes of all, also those that come meanwhile.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import IO, Final, Protocol, TypeAlias
from weakref import WeakKeyDictionary

from rich.console import Console
from rich.text import Text

from dockerproto.progress import Snapshot
from dockerproto_cli.drawing import Drawing, Glyphs
from dockerproto_cli.group_drawing import Entry, GroupDrawing, Totals

MOST_ENDED: Final = 100
"""Limit of the operations that ended and are still drawn, more than most terminals have lines."""

Canvas: TypeAlias = Callable[[int, int, Glyphs], list[Text]]
"""Function that draws for a width and a height in cells."""


class Surface(Protocol):
    """A place that shows what is drawn."""

    def start(self) -> None:
        """Begin to show."""
        ...

    def update(self) -> None:
        """Note that something has changed."""
        ...

    def stop(self) -> None:
        """Show the last state; it stays."""
        ...


class Hold:
    """A reason to show a region.

    Args:
        open_surface: Function that makes the surface, if this is the first reason.
    """

    def __init__(self, open_surface: Callable[[Canvas], Surface]) -> None:
        self.open_surface: Final = open_surface
        """Function that makes the surface."""
        self.active: bool = False
        """True while it is a reason."""


class Member(Hold):
    """One operation in a region.

    Args:
        open_surface: Function that makes the surface, if this is the first operation.
        snapshot: Function that returns its progress, and the time.
        name: Name to display; empty to display what the engine reports.
    """

    def __init__(
        self,
        open_surface: Callable[[Canvas], Surface],
        snapshot: Callable[[], tuple[Snapshot, float]],
        name: str,
    ) -> None:
        super().__init__(open_surface)
        self.over: bool = False
        """True if the operation has ended, or its stream was left."""
        self._snapshot = snapshot
        self._name = name
        self._last: Entry | None = None

    def entry(self) -> Entry:
        """Return its current state; that of an operation that is over is kept."""
        if self._last is not None:
            return self._last
        over = self.over
        entry = Entry(self._name, *self._snapshot(), over)
        if over:
            self._last = entry
        return entry

    def end(self) -> None:
        """Note that it has ended."""
        self.active = False
        self.over = True


class Region:
    """A place where all operations that run at the same time are drawn, for as long as one of them runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._surface: Surface | None = None
        self._holds: list[Hold] = []  # appended to by any thread, shortened only with the lock
        self._dropped = Totals()

    def add(self, hold: Hold) -> None:
        """Add a hold, if it is not there; a member that is not active is drawn as one that waits."""
        if hold not in self._holds:
            self._holds.append(hold)

    def update(self) -> None:
        """Note that the progress of a member has changed."""
        if (surface := self._surface) is not None:
            surface.update()

    def settle(self) -> None:
        """Start or stop the drawing, as the holds require; at once, or in the thread that is doing it."""
        while self._is_due() and self._lock.acquire(blocking=False):
            try:
                self._apply()
            finally:
                self._lock.release()

    def draw(self, width: int, height: int, glyphs: Glyphs) -> list[Text]:
        """Draw the members: a single one with all of its parts, several with a line for each."""
        entries = [member.entry() for member in self._members()]
        if len(entries) == 1 and not self._dropped.count:
            return Drawing(width, height, glyphs).frame(entries[0].snapshot, entries[0].now)
        return GroupDrawing(width, height, glyphs).frame(entries, self._dropped)

    def _members(self) -> list[Member]:
        return [hold for hold in tuple(self._holds) if isinstance(hold, Member)]

    def _active(self) -> Hold | None:
        return next((hold for hold in tuple(self._holds) if hold.active), None)

    def _surplus(self) -> list[Member]:
        """Return the members that are not drawn any more."""
        return [member for member in self._members() if member.over][:-MOST_ENDED]

    def _is_due(self) -> bool:
        if self._active() is None:
            return self._surface is not None
        return self._surface is None or bool(self._surplus())

    def _apply(self) -> None:
        count = len(self._holds)
        hold = self._active()
        if hold is None:
            self._stop(count)
            return
        if self._surface is None:
            self._surface = self._start(hold)
        for member in self._surplus():
            self._dropped = self._dropped.add(member.entry())
            self._holds.remove(member)

    def _start(self, hold: Hold) -> Surface:
        """Start the drawing; if that fails, forget the hold."""
        surface = hold.open_surface(self.draw)
        try:
            surface.start()
        except BaseException:
            hold.active = False
            self._holds.remove(hold)
            raise
        return surface

    def _stop(self, count: int) -> None:
        """Stop the drawing, and forget the holds that it showed, the first ones."""
        surface, self._surface = self._surface, None
        try:
            if surface is not None:
                surface.stop()
        finally:
            del self._holds[:count]
            self._dropped = Totals()


_BY_DEVICE: Final[dict[int, Region]] = {}
_BY_FILE: Final[WeakKeyDictionary[object, Region]] = WeakKeyDictionary()


def region_of(console: Console) -> Region:
    """Return the region of a terminal, the same one for all consoles that write to it."""
    file, new = console.file, Region()
    try:
        return _BY_DEVICE.setdefault(_device(file), new)
    except (OSError, ValueError):  # a terminal inside this program, or a file
        pass
    try:
        return _BY_FILE.setdefault(file, new)
    except TypeError:  # it cannot be a key
        return new


def _device(file: IO[str]) -> int:
    """Return the number of a terminal; raise OSError or ValueError if a file is not a terminal."""
    descriptor = file.fileno()
    os.ttyname(descriptor)
    return os.fstat(descriptor).st_rdev
