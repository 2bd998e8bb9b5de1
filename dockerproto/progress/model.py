"""The progress of one operation: messages in, what is going on out.

It never goes back, is never over 100 percent, says None where nobody can know, and is complete if the
operation succeeded. No message makes it raise, whatever is in it. The time is an argument.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from dockerproto.progress.board import Board
from dockerproto.progress.classic_builder import Output
from dockerproto.progress.layers import number_of, read_layer, text_of
from dockerproto.progress.parts import Event, Kind, Line, Part, State
from dockerproto.progress.text import printable
from dockerproto.progress.vertexes import Traces

LINES: Final = 20
"""How many lines are kept: of each step's output, and of what is said of the whole."""
_WINDOW: Final = 5.0
_SAMPLING: Final = 0.1
_NOT_OVER: Final = 99.0


class Snapshot(Struct, frozen=True, kw_only=True):
    """What is going on in an operation, at one time."""

    parts: tuple[Part, ...]
    """The layers or steps, in the order in which they came."""
    lines: tuple[str, ...]
    """What was said last of the whole: what is pulled, its digest, a warning."""
    state: State
    """WAITING before the first message; then RUNNING; then DONE or FAILED."""
    current: int
    """Bytes that were transferred."""
    total: int | None
    """Bytes that there are to transfer; None if they are not known, as of layers that have not begun."""
    percent: float | None
    """How much is done, from 0 to 100; None if that is not known, as in a build; 100 if it is complete."""
    rate: float | None
    """Bytes per second, of the last seconds; None if nothing was transferred in them."""
    done: int
    """How many layers or steps are over."""
    count: int
    """How many layers or steps there are, as far as the engine has said."""
    started: float | None
    """When the first message came, in the seconds of the caller's clock."""
    completed: float | None
    """When it was over."""
    error: str
    """Why it failed."""

    def seconds(self, now: float) -> float:
        """Return how long it took, or has taken up to now."""
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
        lines: How many lines are kept, of each step's output and of what is said of the whole.
    """

    def __init__(self, *, lines: int = LINES) -> None:
        self._board: Final = Board(lines)
        self._output: Final = Output()
        self._traces: Final = Traces()
        self._lines: Final[deque[str]] = deque(maxlen=lines)
        self._samples: Final[deque[tuple[float, int]]] = deque()
        self._state = State.WAITING
        self._started: float | None = None
        self._completed: float | None = None
        self._percent = 0.0
        self._error = ""

    def feed(self, message: Mapping[str, object], now: float) -> tuple[Event, ...]:
        """Take the next message, and return what has changed by it.

        Args:
            message: What the engine sent; what it means nothing by is ignored.
            now: The time, in seconds of a clock that does not go back.
        """
        if self._state in (State.DONE, State.FAILED):
            return ()
        self._begin(now)
        return self._told((*self._sent(now), *self._read(message, now)), now)

    def uploaded(self, sent: int, now: float, total: int | None = None) -> tuple[Event, ...]:
        """Take how many bytes of a context or an archive were sent, and return what has changed by it.

        Args:
            sent: Bytes, from the beginning.
            now: The time, in seconds of the same clock.
            total: Bytes that there are to send, if that is known.
        """
        if self._state in (State.DONE, State.FAILED):
            return ()
        self._begin(now)
        part = self._upload()
        moved = part.moved.grown(number_of(sent), number_of(total))
        return self._told(
            self._board.put(replace(part, state=State.RUNNING, status="sending", moved=moved), now), now
        )

    def finish(self, now: float, error: str | None = None) -> tuple[Event, ...]:
        """End it, and return what has changed by it; again does nothing.

        Args:
            now: The time, in seconds of the same clock.
            error: Why it failed; None if it succeeded.
        """
        if self._state in (State.DONE, State.FAILED):
            return ()
        self._begin(now)
        left = (*self._output.finish(self._board, now), *self._traces.finish(self._board))
        self._error = "" if error is None else printable(error.partition("\n")[0])
        events = self._told((*left, *self._close(now, error is not None)), now)
        self._state = State.DONE if error is None else State.FAILED
        self._completed = now if self._started is None else max(now, self._started)
        return events

    def snapshot(self, now: float) -> Snapshot:
        """Return what is going on."""
        parts = self._board.parts()
        whole = [part for part in parts if part.kind is not Kind.DETAIL]
        counted = [part for part in whole if part.kind is not Kind.UPLOAD] or whole
        steps = self._board.count(Kind.STEP)
        moved = [part for part in parts if part.kind is not Kind.STEP]
        return Snapshot(
            parts=parts,
            lines=tuple(self._lines),
            state=self._state,
            current=sum(part.current for part in moved),
            total=_total(moved),
            percent=self._shown(None if steps else _share(whole)),
            rate=self._rate(now),
            done=sum(part.state.over for part in counted),
            count=max(len(counted), self._output.steps or 0),
            started=self._started,
            completed=self._completed,
            error=self._error,
        )

    def _begin(self, now: float) -> None:
        if self._started is None:
            self._started = now
            self._state = State.RUNNING

    def _read(self, message: Mapping[str, object], now: float) -> Iterable[Event]:
        if text := text_of(message.get("stream")):
            yield from self._output.feed(self._board, text, now)
        if "status" in message:
            yield from read_layer(self._board, message, now)
        yield from self._traces.feed(self._board, message, now)

    def _sent(self, now: float) -> Iterable[Event]:
        """Take what was sent as complete: all engines but the newest answer when they have read it."""
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

    def _told(self, events: Iterable[Event], now: float) -> tuple[Event, ...]:
        """Return events, and keep what they say of the whole."""
        told = tuple(events)
        self._lines.extend(event.text for event in told if isinstance(event, Line) and event.part is None)
        if not self._samples or now - self._samples[-1][0] >= _SAMPLING:
            self._samples.append((now, self._board.bytes))
        while len(self._samples) > 1 and self._samples[1][0] <= now - _WINDOW:
            self._samples.popleft()
        return told

    def _close(self, now: float, failed: bool) -> Iterable[Event]:
        step = self._output.step

        def state_of(part: Part) -> State:
            if not failed or (part.kind is Kind.UPLOAD and part.state is State.TRANSFERRED):
                return State.DONE
            blamed = step is not None and (part.kind, part.id) == (step.kind, step.id)
            return State.FAILED if blamed else State.STOPPED

        return self._board.close(now, state_of, self._error)

    def _shown(self, share: float | None) -> float | None:
        """Return a percentage that is not less than the last one, and 100 at the end only."""
        if self._state is State.DONE:
            return 100.0
        if share is None:
            return None
        self._percent = max(self._percent, min(100 * share, _NOT_OVER))
        return self._percent

    def _rate(self, now: float) -> float | None:
        if not self._samples:
            return None
        since, before = self._samples[0]
        moved = self._board.bytes - before
        return moved / (now - since) if moved and now > since else None


def _total(parts: Sequence[Part]) -> int | None:
    """Return how many bytes there are; None as long as one is under way that does not say."""
    if not parts or any(part.total is None and not part.state.over for part in parts):
        return None
    return sum(
        part.current if part.total is None or part.state is State.SKIPPED else part.total for part in parts
    )


def _share(parts: Sequence[Part]) -> float | None:
    """Return how much of all bytes was transferred and extracted, from 0 to 1; None if that is not known."""
    if _total(parts) is None:
        return None
    weights = [(part.total or 0) * (1 if part.unpacked is None else 2) for part in parts]
    done = sum(weight * (part.share or 0.0) for weight, part in zip(weights, parts, strict=True))
    return done / sum(weights) if any(weights) else None
