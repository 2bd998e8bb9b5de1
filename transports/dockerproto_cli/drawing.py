"""Draw a snapshot as lines for a terminal: bars for layers, steps with the end of their output.

Nothing here writes. A frame fits the terminal, however many parts there are: parts that have ended or wait
are folded first, then output, and a line counts the hidden parts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf
from typing import Final

from msgspec import Struct
from rich.text import Text

from dockerproto.messages.sizes import size, size_of
from dockerproto.progress import Kind, Part, Snapshot, State
from dockerproto_cli.formatting import duration

STYLES: Final[Mapping[State, str]] = {
    State.WAITING: "dim",
    State.RUNNING: "cyan",
    State.TRANSFERRED: "cyan",
    State.EXTRACTING: "cyan",
    State.DONE: "green",
    State.SKIPPED: "green",
    State.FAILED: "bold red",
    State.STOPPED: "yellow",
}
_SPINNER: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_WHEEL: Final = "|/-\\"
_TURNS: Final = 10
_URGENCY: Final[Mapping[State, int]] = {
    State.FAILED: 0,
    State.STOPPED: 2,
    State.DONE: 3,
    State.SKIPPED: 3,
    State.WAITING: 4,
}
_RUNNING: Final = 1
_RUNNING_LINES: Final = 5
_NOTES: Final = 3


class Glyphs(Struct, frozen=True):
    """The characters of a drawing."""

    marks: Mapping[State, str]
    spinner: str
    extracted: str
    transferred: str
    remaining: str
    margin: str
    more: str

    def mark(self, state: State, now: float) -> str:
        """Return the mark of a state at this time."""
        return self.marks.get(state) or self.spinner[int(now * _TURNS) % len(self.spinner)]


UNICODE: Final = Glyphs(
    {State.DONE: "✓", State.SKIPPED: "✓", State.FAILED: "✗", State.STOPPED: "■", State.WAITING: "·"},
    *(_SPINNER, "━", "─", "┈", "│", "…"),
)
ASCII: Final = Glyphs(
    {State.DONE: "+", State.SKIPPED: "+", State.FAILED: "x", State.STOPPED: "!", State.WAITING: "."},
    *(_WHEEL, "#", "=", ".", "|", "..."),
)


class Columns(Struct, frozen=True):
    """Widths of the columns of a layer, in cells; 0 omits a column. The bar fills the rest."""

    name: int
    status: int
    amount: int
    bar: bool


LAYOUTS: Final = (
    (76, Columns(name=14, status=20, amount=22, bar=True)),
    (60, Columns(name=13, status=18, amount=0, bar=True)),
    (44, Columns(name=13, status=0, amount=22, bar=False)),
    (0, Columns(name=13, status=0, amount=0, bar=False)),
)
"""The columns, by the minimum width of the terminal."""


class _Row(Struct, frozen=True):
    """A visible part: its line, and more lines if there is room."""

    line: Text
    more: list[Text]


class Drawing:
    """Draw the snapshots of one operation, for a terminal of this width and height in cells."""

    def __init__(self, width: int, height: int, glyphs: Glyphs = UNICODE) -> None:
        self._width = max(width, 2)
        self._height = height
        self._glyphs = glyphs

    def frame(self, snapshot: Snapshot, now: float) -> list[Text]:
        """Return the lines of a snapshot."""
        lines = [self._fit(Text(line)) for line in snapshot.lines]
        title, notes = lines[:1], lines[1:] if snapshot.state.over else lines[1:][-_NOTES:]
        summary = self._summary(snapshot, now)
        room = self._height - len(title) - len(notes[-_NOTES:]) - len(summary) - 1
        parts = sorted((part for part in snapshot.parts if part.kind is not Kind.DETAIL), key=_order)
        return [*title, *self.visible(parts, max(room, 1), snapshot, now), *notes, *summary]

    def _row(self, part: Part, snapshot: Snapshot, now: float) -> _Row:
        if part.kind is not Kind.STEP:
            return _Row(self._layer(part, 0), [])
        details = [each for each in snapshot.parts if each.parent == part.id and not part.state.over]
        more = [self._layer(each, 2) for each in details if each.state is State.RUNNING]
        if part.state is State.FAILED or not part.state.over:
            log = part.log if part.state is State.FAILED else part.log[-_RUNNING_LINES:]
            more += [self._fit(Text(f"  {self._glyphs.margin} {line}", "dim")) for line in log]
        return _Row(self._step(part, now), more)

    def _step(self, part: Part, now: float) -> Text:
        seconds = part.seconds(now)
        spent = "cached" if part.state is State.SKIPPED else "" if seconds is None else duration(seconds)
        name = Text.assemble((self._glyphs.mark(part.state, now), STYLES[part.state]), " ", part.name)
        return self._justify(name, Text(spent, "dim"))

    def _layer(self, part: Part, indent: int) -> Text:
        columns = next(columns for least, columns in LAYOUTS if self._width >= least)
        cells = [Text(" " * indent), _cell(part.name, columns.name)]
        status = part.status or part.state.value
        if not columns.bar and not columns.amount:
            cells.append(Text(_percent(part, status), STYLES[part.state]))
            return self._fit(Text.assemble(*cells))
        if columns.status:
            cells.append(_cell(status, columns.status, STYLES[part.state]))
        amount = Text(size_of(part.current, part.total) if part.current else "" if columns.status else status)
        if columns.bar:
            left = self._width - sum(cell.cell_len for cell in cells) - columns.amount - 1
            cells.append(self._bar(part, left))
        cells.append(amount if columns.amount else Text())
        return self._fit(Text.assemble(*cells))

    def _bar(self, part: Part, width: int) -> Text:
        """Draw the extracted share over the transferred share."""
        width -= 2
        if part.moved.share is None or part.state is State.SKIPPED:
            return Text(" " * (width + 2))
        moved = int(width * part.moved.share)
        extracted = moved if part.unpacked is None else min(moved, int(width * (part.unpacked.share or 0)))
        glyphs = self._glyphs
        return Text.assemble(
            (glyphs.extracted * extracted, "green"),
            (glyphs.transferred * (moved - extracted), "cyan"),
            (glyphs.remaining * (width - moved), "dim"),
            "  ",
        )

    def _summary(self, snapshot: Snapshot, now: float) -> list[Text]:
        if snapshot.state is State.WAITING or (not snapshot.parts and snapshot.state.over):
            return []
        text = "  ".join(summary(snapshot, snapshot.state, now))
        return [self._fit(Text(text, STYLES[snapshot.state]))]

    def visible(self, parts: Sequence[Part], room: int, snapshot: Snapshot, now: float) -> Iterator[Text]:
        """Yield the lines of the most important parts, in their order, and a count of the hidden ones."""
        shown, hidden = choose([part.state for part in parts], room)
        rows = {index: self._row(parts[index], snapshot, now) for index in shown}
        left = room - bool(hidden) - len(shown)
        if hidden:
            yield self._fit(fold((parts[index].state for index in hidden), self._glyphs.more))
        more: dict[int, list[Text]] = {}
        for index, row in rows.items():  # the most important one first
            more[index] = row.more[-left:] if left > 0 else []
            left -= len(more[index])
        for index in sorted(shown):
            yield rows[index].line
            yield from more[index]

    def _justify(self, left: Text, right: Text) -> Text:
        """Align one text to the left and one to the right."""
        room = self._width - right.cell_len - 2
        if room <= right.cell_len:
            return self._fit(left)
        left.truncate(room, overflow="ellipsis", pad=True)
        return Text.assemble(left, " ", right)

    def _fit(self, line: Text) -> Text:
        line.truncate(self._width - 1, overflow="ellipsis")  # a full line would wrap on some terminals
        return line


def _order(part: Part) -> float:
    """Return the sort key of a part: layers keep their order, steps are sorted by their start."""
    if part.kind is not Kind.STEP:
        return -inf
    return inf if part.started is None else part.started


def choose(states: Sequence[State], room: int) -> tuple[list[int], list[int]]:
    """Return the indexes to show, the most important first, and those to hide, which need a line themselves.

    Failed and running ones come first; of those that have ended, the latest.
    """
    ranked = sorted(range(len(states)), key=lambda index: _urgency(states[index], index))
    count = room if len(states) <= room else room - 1
    return ranked[:count], ranked[count:]


def _urgency(state: State, index: int) -> tuple[int, int]:
    return _URGENCY.get(state, _RUNNING), -index if state.over else index


def fold(states: Iterable[State], more: str) -> Text:
    """Return a line that counts hidden rows by their state."""
    counts = Counter(state.value for state in states)
    text = ", ".join(f"{count} {state}" for state, count in counts.items())
    return Text(f"{more} {sum(counts.values())} more: {text}", "dim")


def summary(snapshot: Snapshot, state: State, now: float) -> list[str]:
    """Return the words that sum up an operation in this state."""
    word = "layers" if counts_bytes(snapshot) else "steps"
    moved = amounts(snapshot.current, snapshot.total, None if state.over else snapshot.rate)
    words = [
        state.value if state.over else "",
        f"{int(snapshot.percent)} %" if snapshot.percent is not None and not state.over else "",
        f"{snapshot.done}/{snapshot.count} {word}" if snapshot.count else "",
        *(moved if counts_bytes(snapshot) else ()),
        duration(snapshot.seconds(now)),
    ]
    return list(filter(None, words))


def counts_bytes(snapshot: Snapshot) -> bool:
    """Return True if an operation is measured in bytes; a build is measured in steps."""
    return all(part.kind is not Kind.STEP for part in snapshot.parts)


def amounts(current: int, total: int | None, rate: float | None) -> list[str]:
    """Return the words for a number of bytes and their rate; nothing for no bytes."""
    if not current:
        return []
    return [size_of(current, total), *([f"{size(rate)}/s"] if rate else [])]


def _cell(text: str, width: int, style: str = "") -> Text:
    cell = Text(text, style)
    cell.truncate(width - 1, overflow="ellipsis", pad=True)
    cell.append(" ")
    return cell


def _percent(part: Part, status: str) -> str:
    return status if part.percent is None or part.state.over else f"{int(part.percent)} %"
