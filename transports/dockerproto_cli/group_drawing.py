"""Draw several operations at once: a line for each, the running parts of some, and a line that sums up.

Nothing here writes. A frame fits the terminal, however many operations there are: those that have ended or
wait are folded first, and a line counts the hidden ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct
from rich.text import Text

from dockerproto.progress import Kind, Snapshot, State
from dockerproto.progress.text import printable
from dockerproto_cli.drawing import (
    STYLES,
    UNICODE,
    Drawing,
    Glyphs,
    amounts,
    choose,
    counts_bytes,
    fold,
    summary,
)
from dockerproto_cli.formatting import duration

_LONGEST_NAME: Final = 40
_MOVING: Final = frozenset({State.RUNNING, State.TRANSFERRED, State.EXTRACTING})


class Entry(Struct, frozen=True):
    """One operation at one time."""

    name: str
    """Name to display; empty to display what the engine reports."""
    snapshot: Snapshot
    """Its progress."""
    now: float
    """The time, in seconds of its clock."""
    left: bool = False
    """True if nobody reads its messages any more."""

    @property
    def state(self) -> State:
        """Its state; STOPPED if its stream was left before the end."""
        stopped = self.left and not self.snapshot.state.over
        return State.STOPPED if stopped else self.snapshot.state

    @property
    def title(self) -> str:
        """Name to display."""
        first = (*self.snapshot.lines, *(part.name for part in self.snapshot.parts))
        return printable(self.name) or next(iter(first), "")


class Totals(Struct, frozen=True):
    """Sums over operations."""

    count: int = 0
    """Number of operations."""
    done: int = 0
    """Number of those that succeeded."""
    failed: int = 0
    """Number of those that failed."""
    over: int = 0
    """Number of those that are over, also because their streams were left."""
    current: int = 0
    """Bytes transferred."""
    total: int | None = 0
    """Bytes to transfer; None if unknown."""
    rate: float = 0.0
    """Bytes per second."""
    started: float | None = None
    """Time of the first start."""
    now: float = 0.0
    """Time of the last change."""

    def add(self, entry: Entry) -> Totals:
        """Return the sums with one more operation; the bytes of builds are not counted."""
        snapshot, state = entry.snapshot, entry.state
        moves = counts_bytes(snapshot)
        total = snapshot.current if state.over else snapshot.total
        starts = [each for each in (self.started, snapshot.started) if each is not None]
        return Totals(
            count=self.count + 1,
            done=self.done + state.succeeded,
            failed=self.failed + (state is State.FAILED),
            over=self.over + state.over,
            current=self.current + (snapshot.current if moves else 0),
            total=_sum(self.total, total if moves else 0),
            rate=self.rate + (snapshot.rate or 0.0 if moves and not state.over else 0.0),
            started=min(starts, default=None),
            now=max(self.now, entry.now),
        )


class GroupDrawing:
    """Draw several operations, for a terminal of this width and height in cells."""

    def __init__(self, width: int, height: int, glyphs: Glyphs = UNICODE) -> None:
        self._width = max(width, 2)
        self._height = height
        self._glyphs = glyphs
        self._details = Drawing(width - 2, height, glyphs)

    def frame(self, entries: Sequence[Entry], dropped: Totals) -> list[Text]:
        """Return the lines of some operations; `dropped` sums up those that are not among them."""
        totals = dropped
        for entry in entries:
            totals = totals.add(entry)
        return [*self._operations(entries, max(self._height - 2, 1)), self._sum(totals)]

    def _operations(self, entries: Sequence[Entry], room: int) -> Iterator[Text]:
        shown, hidden = choose([entry.state for entry in entries], room)
        if hidden:
            yield self._fit(fold((entries[index].state for index in hidden), self._glyphs.more))
        left = room - len(shown) - bool(hidden)
        longest = max((len(entries[index].title) for index in shown), default=0)
        width = min(longest, _LONGEST_NAME, self._width // 2)
        for index in sorted(shown):
            yield self._heading(entries[index], width)
            more = self._running_parts(entries[index], left)
            left -= len(more)
            yield from more

    def _heading(self, entry: Entry, width: int) -> Text:
        state = entry.state
        name = Text(entry.title)
        name.truncate(width, overflow="ellipsis", pad=True)
        mark = (self._glyphs.mark(state, entry.now), STYLES[state])
        return self._fit(
            Text.assemble(mark, " ", name, "  ", ("  ".join(filter(None, _words(entry))), STYLES[state]))
        )

    def _running_parts(self, entry: Entry, room: int) -> list[Text]:
        """Return the lines of the parts that are running, if all of them fit."""
        parts = [part for part in entry.snapshot.parts if part.kind is not Kind.DETAIL]
        running = [part for part in parts if part.state in _MOVING]
        if entry.state.over or not 0 < len(running) <= room:
            return []
        lines = self._details.visible(running, room, entry.snapshot, entry.now)
        return [self._fit(Text.assemble("  ", line)) for line in lines]

    def _sum(self, totals: Totals) -> Text:
        finished = State.DONE if totals.done == totals.count else State.STOPPED
        state = State.RUNNING if totals.over < totals.count else finished
        style = STYLES[State.FAILED if totals.failed else state]
        seconds = 0.0 if totals.started is None else max(0.0, totals.now - totals.started)
        words = [
            f"{totals.done}/{totals.count} done",
            f"{totals.failed} failed" if totals.failed else "",
            *amounts(totals.current, totals.total, totals.rate),
            duration(seconds),
        ]
        return self._fit(Text("  ".join(filter(None, words)), style))

    def _fit(self, line: Text) -> Text:
        line.truncate(self._width - 1, overflow="ellipsis")
        return line


def _words(entry: Entry) -> list[str]:
    """Return the description of an operation."""
    if entry.snapshot.error or entry.state is State.WAITING:
        return [entry.state.value, entry.snapshot.error]
    return summary(entry.snapshot, entry.state, entry.now)


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
