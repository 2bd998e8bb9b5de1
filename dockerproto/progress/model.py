"""The progress of one operation: it takes messages and returns events and snapshots.

Progress never goes back, is never over 100 percent, is None where it is unknown, and is complete if the
operation succeeded. No message makes it raise, whatever it contains. The time is an argument.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from dockerproto.messages.values import number_of, text_of
from dockerproto.progress.board import Board
from dockerproto.progress.classic_builder import ClassicSteps
from dockerproto.progress.layers import read_layer
from dockerproto.progress.parts import Event, Kind, Line, Part, State
from dockerproto.progress.text import printable
from dockerproto.progress.vertexes import TraceSteps

LINES: Final = 20
"""Number of lines kept of the log of each step, and of the messages about the whole operation."""
_COUNTED: Final = (Kind.LAYER, Kind.STEP)
_WINDOW: Final = 5.0
_SAMPLE_INTERVAL: Final = 0.1
_MOST_BEFORE_END: Final = 99.0


class Snapshot(Struct, frozen=True, kw_only=True):
    """The progress of an operation at one time."""

    parts: tuple[Part, ...]
    """The layers or steps, in the order in which they were announced.

    At most 1000: of more, those that ended first are left out. They still count in the sums below.
    """
    lines: tuple[str, ...]
    """The last messages about the whole operation: the reference that is pulled, its digest, a warning."""
    state: State
    """WAITING before the first message; then RUNNING; then DONE or FAILED."""
    current: int
    """Number of bytes transferred."""
    total: int | None
    """Number of bytes to transfer; None if unknown, for example if a layer has not started."""
    percent: float | None
    """Percentage that is done, 0 to 100; None if unknown, as in a build; 100 only if it is complete."""
    rate: float | None
    """Bytes per second over the last 5 seconds; None if nothing was transferred in them."""
    done: int
    """Number of layers or steps that are complete or were skipped; failed and stopped ones do not count."""
    count: int
    """Number of layers or steps that the engine has announced."""
    started: float | None
    """Time of the first message, in seconds of the caller's clock."""
    completed: float | None
    """Time of its end."""
    error: str
    """Error message; empty unless it failed."""

    def seconds(self, now: float) -> float:
        """Return its duration in seconds, up to now if it is not over."""
        if self.started is None:
            return 0.0
        return max(0.0, (now if self.completed is None else self.completed) - self.started)


class Tracker:
    """The progress of one operation: `feed` it every message, and take a `snapshot` at any time.

    >>> progress = Tracker()
    >>> detail = {"current": 30, "total": 40}
    >>> events = progress.feed({"status": "Pushing", "id": "0a1b", "progressDetail": detail}, now=1.0)
    >>> [(part.name, part.state.value) for part in progress.snapshot(now=1.0).parts]
    [('0a1b', 'running')]
    >>> progress.snapshot(now=1.0).percent
    75.0

    Args:
        lines: Number of lines kept of the log of each step, and of the messages about the whole operation.
    """

    def __init__(self, *, lines: int = LINES) -> None:
        self._board = Board(lines)
        self._classic = ClassicSteps()
        self._traces = TraceSteps()
        self._lines = deque[str](maxlen=lines)
        self._samples = deque[tuple[float, int]]()
        self._bytes = 0
        self._moved = -inf  # time of the last message that reported more bytes
        self._state = State.WAITING
        self._started: float | None = None
        self._completed: float | None = None
        self._percent = 0.0
        self._error = ""

    def feed(self, message: Mapping[str, object], now: float) -> tuple[Event, ...]:
        """Take the next message, and return the events that it causes.

        Args:
            message: Message of the engine; unknown keys and values are ignored.
            now: The time, in seconds of a monotonic clock.
        """
        if self._state in (State.DONE, State.FAILED):
            return ()
        self._begin(now)
        return self._record((*self._complete_upload(now), *self._events(message, now)), now)

    def uploaded(self, sent: int, now: float, total: int | None = None) -> tuple[Event, ...]:
        """Take the number of bytes sent of a build context or an archive, and return the events.

        Args:
            sent: Number of bytes sent since the beginning.
            now: The time, in seconds of the same clock.
            total: Number of bytes to send, if known.
        """
        if self._state in (State.DONE, State.FAILED):
            return ()
        self._begin(now)
        part = self._upload()
        moved = part.moved.grow(number_of(sent), number_of(total))
        sending = replace(part, state=State.RUNNING, status="sending", moved=moved)
        return self._record(self._board.put(sending, now), now)

    def finish(self, now: float, error: str | None = None) -> tuple[Event, ...]:
        """End the operation, and return the events; idempotent.

        Args:
            now: The time, in seconds of the same clock.
            error: Error message; None if it succeeded.
        """
        if self._state in (State.DONE, State.FAILED):
            return ()
        self._begin(now)
        left = (*self._classic.finish(self._board), *self._traces.finish(self._board))
        self._error = "" if error is None else printable(error.partition("\n")[0])
        events = self._record((*left, *self._close(now, error is not None)), now)
        self._state = State.DONE if error is None else State.FAILED
        self._completed = now if self._started is None else max(now, self._started)
        return events

    def snapshot(self, now: float) -> Snapshot:
        """Return the progress at this time."""
        parts = self._board.parts()
        whole = [part for part in parts if part.kind is not Kind.DETAIL]
        counted = [part for part in whole if part.kind is not Kind.UPLOAD] or whole
        steps = self._board.count(Kind.STEP)
        moved = [part for part in parts if part.kind is not Kind.STEP]
        board, total = self._board, _total(moved)
        dropped_done = sum(map(board.dropped_done.__getitem__, _COUNTED))
        dropped = sum(map(board.dropped.__getitem__, _COUNTED))
        return Snapshot(
            parts=parts,
            lines=tuple(self._lines),
            state=self._state,
            current=sum(part.current for part in moved) + board.dropped_bytes,
            total=None if total is None else total + board.dropped_bytes,
            percent=self._percent_of(None if steps else _share(whole)),
            rate=self._rate(now),
            done=sum(part.state.succeeded for part in counted) + dropped_done,
            count=max(len(counted) + dropped, self._classic.total or 0),
            started=self._started,
            completed=self._completed,
            error=self._error,
        )

    def _begin(self, now: float) -> None:
        if self._started is None:
            self._started = now
            self._state = State.RUNNING

    def _events(self, message: Mapping[str, object], now: float) -> Iterable[Event]:
        if text := text_of(message.get("stream")):
            yield from self._classic.feed(self._board, text, now)
        if "status" in message:
            yield from read_layer(self._board, message, now)
        yield from self._traces.feed(self._board, message, now)

    def _complete_upload(self, now: float) -> Iterable[Event]:
        """Complete the upload at the first message; only the newest engines send one before its end."""
        if not self._board.count(Kind.UPLOAD):
            return ()
        part = self._upload()
        return (
            self._board.put(replace(part, state=State.TRANSFERRED, status="sent"), now)
            if part.state is State.RUNNING
            else ()
        )

    def _upload(self) -> Part:
        return self._board.part(Kind.UPLOAD, "upload", "upload")

    def _record(self, events: Iterable[Event], now: float) -> tuple[Event, ...]:
        """Return the events, after a sample of the rate and a record of the lines about the whole."""
        recorded = tuple(events)
        if self._board.bytes != self._bytes:
            self._bytes, self._moved = self._board.bytes, now
        self._lines.extend(event.text for event in recorded if isinstance(event, Line) and event.part is None)
        if not self._samples or now - self._samples[-1][0] >= _SAMPLE_INTERVAL:
            self._samples.append((now, self._board.bytes))
        while len(self._samples) > 1 and self._samples[1][0] <= now - _WINDOW:
            self._samples.popleft()
        return recorded

    def _close(self, now: float, failed: bool) -> Iterable[Event]:
        step = self._classic.current

        def state_of(part: Part) -> State:
            if not failed or (part.kind is Kind.UPLOAD and part.state is State.TRANSFERRED):
                return State.DONE
            is_current = step is not None and (part.kind, part.id) == (step.kind, step.id)
            return State.FAILED if is_current else State.STOPPED

        return self._board.close(now, state_of, self._error)

    def _percent_of(self, share: float | None) -> float | None:
        """Return a percentage that is not below the last one, and is 100 only at the end."""
        if self._state is State.DONE:
            return 100.0
        if share is None:
            return None
        self._percent = max(self._percent, min(100 * share, _MOST_BEFORE_END))
        return self._percent

    def _rate(self, now: float) -> float | None:
        if not self._samples or now - self._moved >= _WINDOW:
            return None
        older = [sample for sample in self._samples if sample[0] <= now - _WINDOW]
        since, before = older[-1] if older else self._samples[0]
        moved = self._board.bytes - before
        return moved / (now - since) if moved and now > since else None


def _total(parts: Sequence[Part]) -> int | None:
    """Return the number of bytes to transfer; None while that of a running part is unknown."""
    if not parts or any(part.total is None and not part.state.over for part in parts):
        return None
    return sum(
        part.current if part.total is None or part.state is State.SKIPPED else part.total for part in parts
    )


def _share(parts: Sequence[Part]) -> float | None:
    """Return the fraction of all bytes that is transferred and extracted, 0 to 1; None if unknown."""
    if _total(parts) is None:
        return None
    weights = [(part.total or 0) * (1 if part.unpacked is None else 2) for part in parts]
    done = sum(weight * (part.share or 0.0) for weight, part in zip(weights, parts, strict=True))
    return done / sum(weights) if any(weights) else None
