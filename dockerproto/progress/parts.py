"""What an operation is made of, as data: layers, steps, and how far each of them is.

An amount grows only, and a state goes forward only: what was shown once is never taken back. All text
has been through `printable`, so that it can be shown as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final, TypeAlias

from msgspec import Struct


class State(Enum):
    """How far a part is."""

    WAITING = "waiting"
    """It was announced."""
    RUNNING = "running"
    """It is downloaded, pushed, sent, executed."""
    TRANSFERRED = "transferred"
    """All its bytes are there; it may still have to be extracted."""
    EXTRACTING = "extracting"
    """It is unpacked."""
    DONE = "done"
    """It is complete."""
    SKIPPED = "skipped"
    """There was nothing to do: it was there already, or in the cache."""
    FAILED = "failed"
    """It is what failed."""
    STOPPED = "stopped"
    """It was not over when something else failed."""

    @property
    def over(self) -> bool:
        """Whether nothing will become of it any more."""
        return self.rank == _OVER

    @property
    def rank(self) -> int:
        """Its place in the order in which states follow each other."""
        return _RANKS.get(self, _OVER)


_OVER: Final = 4
_RANKS: Final[Mapping[State, int]] = {
    State.WAITING: 0,
    State.RUNNING: 1,
    State.TRANSFERRED: 2,
    State.EXTRACTING: 3,
}


class Kind(Enum):
    """What a part is."""

    LAYER = "layer"
    """Bytes that come or go: a layer, the archive of an import."""
    STEP = "step"
    """An instruction of a build."""
    DETAIL = "detail"
    """Something inside a step of BuildKit: a layer of its base image, a context that is received."""
    UPLOAD = "upload"
    """What the client sends: a context, an archive."""


class Amount(Struct, frozen=True):
    """How many bytes of how many.

    >>> Amount().grown(30, 100).grown(10, 0)  # a download that begins again
    Amount(current=30, total=100, share=0.3)
    """

    current: int = 0
    """Bytes; the most that there were."""
    total: int | None = None
    """Bytes, at least `current`; None if they are not known."""
    share: float | None = None
    """From 0 to 1, the most that it was; None if the total is not known."""

    def grown(self, current: int, total: int) -> Amount:
        """Return the amount after a report; a total of 0 means that it was not said."""
        most = max(self.current, current)
        whole = max(self.total or 0, total)
        if not whole:
            return Amount(most)
        whole = max(whole, most)
        return Amount(most, whole, max(self.share or 0.0, most / whole))

    def completed(self) -> Amount:
        """Return the amount when all is there."""
        return self if self.total is None else Amount(self.total, self.total, 1.0)


NOTHING: Final = Amount()
"""No bytes, of who knows how many."""


class Part(Struct, frozen=True, kw_only=True):
    """A layer or a step, and how far it is."""

    id: str
    """What the engine calls it."""
    kind: Kind
    """What it is."""
    number: int
    """Its place among those of its kind, the first is 1; a detail has that of its step."""
    name: str
    """What it is called where it is shown."""
    state: State = State.WAITING
    """How far it is."""
    status: str = ""
    """The engine's own words for that."""
    moved: Amount = NOTHING
    """The bytes that were transferred."""
    unpacked: Amount | None = None
    """The bytes that were extracted; None of what is not."""
    started: float | None = None
    """When it was begun, in the seconds of the caller's clock; None if it is not yet."""
    completed: float | None = None
    """When it was over."""
    log: tuple[str, ...] = ()
    """The last lines that it wrote."""
    parent: str | None = None
    """The step of a detail, by its id."""
    error: str = ""
    """Why it failed, if the engine says so of this part."""

    @property
    def current(self) -> int:
        """How many bytes were transferred."""
        return self.moved.current

    @property
    def total(self) -> int | None:
        """How many bytes there are to transfer; None if they are not known."""
        return self.moved.total

    @property
    def share(self) -> float | None:
        """How much of it is done, from 0 to 1; None if that is not known.

        Bytes that are to be extracted count twice: when they are there, and when they are extracted.
        """
        if self.state in (State.DONE, State.SKIPPED):
            return 1.0
        if self.unpacked is None or self.moved.share is None:
            return self.moved.share
        return (self.moved.share + (self.unpacked.share or 0.0)) / 2

    @property
    def percent(self) -> float | None:
        """How much of it is done, from 0 to 100; None if that is not known."""
        return None if self.share is None else 100 * self.share

    def seconds(self, now: float) -> float | None:
        """Return how long it took, or has taken up to now."""
        if self.started is None:
            return None
        return max(0.0, (now if self.completed is None else self.completed) - self.started)


class Line(Struct, frozen=True):
    """A line of text: output of a step, or what the engine says of the whole."""

    text: str
    """The line, without its end."""
    part: Part | None = None
    """The step that wrote it."""


Event: TypeAlias = Part | Line
"""What has changed: a part that is new or has another state, or a line."""
