"""The parts of an operation as data: layers and steps, with their state and amounts.

An amount only grows and a state only goes forward, so a display never goes back. All text has been
through `printable`, so it can be displayed as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final, TypeAlias

from msgspec import Struct


class State(Enum):
    """The state of a part."""

    WAITING = "waiting"
    """Announced."""
    RUNNING = "running"
    """Being downloaded, pushed, sent or executed."""
    TRANSFERRED = "transferred"
    """All its bytes are transferred; it may still have to be extracted."""
    EXTRACTING = "extracting"
    """Being extracted."""
    DONE = "done"
    """Complete."""
    SKIPPED = "skipped"
    """Nothing to do: it existed already, or was in the cache."""
    FAILED = "failed"
    """Failed."""
    STOPPED = "stopped"
    """Stopped because another part failed."""

    @property
    def over(self) -> bool:
        """True if the state is final."""
        return self.rank == _OVER

    @property
    def succeeded(self) -> bool:
        """True if the part is complete, or there was nothing to do."""
        return self in (State.DONE, State.SKIPPED)

    @property
    def rank(self) -> int:
        """Number of the state in the order of states; all final states have the last number."""
        return _RANKS.get(self, _OVER)


_OVER: Final = 4
_RANKS: Final[Mapping[State, int]] = {
    State.WAITING: 0,
    State.RUNNING: 1,
    State.TRANSFERRED: 2,
    State.EXTRACTING: 3,
}


class Kind(Enum):
    """The kind of a part."""

    LAYER = "layer"
    """A transfer of bytes: a layer, the archive of an import."""
    STEP = "step"
    """An instruction of a build."""
    DETAIL = "detail"
    """A task inside a step of BuildKit: a layer of its base image, a build context that is received."""
    UPLOAD = "upload"
    """An upload of the client: a build context, an archive."""


class Amount(Struct, frozen=True):
    """A number of bytes and their total.

    >>> Amount().grow(30, 100).grow(10, 0)  # a download that begins again
    Amount(current=30, total=100, share=0.3)
    """

    current: int = 0
    """Bytes transferred; the highest number reported."""
    total: int | None = None
    """Bytes to transfer, at least `current`; None if unknown."""
    share: float | None = None
    """Fraction that is done, 0 to 1, the highest so far; None if the total is unknown."""

    def grow(self, current: int, total: int) -> Amount:
        """Return the amount after a report; a total of 0 means that it was not reported."""
        current = max(self.current, current)
        total = max(self.total or 0, total)
        if not total:
            return Amount(current)
        total = max(total, current)
        return Amount(current, total, max(self.share or 0.0, current / total))

    def complete(self) -> Amount:
        """Return the amount with all bytes transferred."""
        return self if self.total is None else Amount(self.total, self.total, 1.0)


NOTHING: Final = Amount()
"""No bytes, of an unknown total."""


class Part(Struct, frozen=True, kw_only=True):
    """A layer or a step, with its progress."""

    id: str
    """The engine's id of it."""
    kind: Kind
    """Its kind."""
    number: int
    """Its number among the parts of its kind, from 1; a detail has the number of its step."""
    name: str
    """Name to display."""
    state: State = State.WAITING
    """Its state."""
    status: str = ""
    """The engine's description of the state."""
    moved: Amount = NOTHING
    """Bytes that were transferred."""
    unpacked: Amount | None = None
    """Bytes that were extracted; None for a part that is not extracted."""
    started: float | None = None
    """Time of its start, in seconds of the caller's clock; None if it has not started."""
    completed: float | None = None
    """Time of its end; None if it is not over."""
    log: tuple[str, ...] = ()
    """The last lines of its log."""
    parent: str | None = None
    """The id of the step that a detail belongs to."""
    error: str = ""
    """Error message, if the engine reported one for this part."""

    @property
    def current(self) -> int:
        """Number of bytes transferred."""
        return self.moved.current

    @property
    def total(self) -> int | None:
        """Number of bytes to transfer; None if unknown."""
        return self.moved.total

    @property
    def share(self) -> float | None:
        """Fraction that is done, 0 to 1; None if unknown.

        Bytes to extract count twice: when they are transferred, and when they are extracted.
        """
        if self.state in (State.DONE, State.SKIPPED):
            return 1.0
        if self.unpacked is None or self.moved.share is None:
            return self.moved.share
        return (self.moved.share + (self.unpacked.share or 0.0)) / 2

    @property
    def percent(self) -> float | None:
        """Percentage that is done, 0 to 100; None if unknown."""
        return None if self.share is None else 100 * self.share

    def seconds(self, now: float) -> float | None:
        """Return its duration in seconds, up to now if it is not over; None if it has not started."""
        if self.started is None:
            return None
        return max(0.0, (now if self.completed is None else self.completed) - self.started)


class Line(Struct, frozen=True):
    """A line of text: output of a step, or a message about the whole operation."""

    text: str
    """The line, without its end."""
    part: Part | None = None
    """The step that printed it; None for a message about the whole operation."""


Event: TypeAlias = Part | Line
"""A change: a part that is new or has another state, or a new line."""
