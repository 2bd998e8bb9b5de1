"""The parts of one operation: each goes forward only, and every change is returned as an event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from msgspec.structs import replace

from dockerproto.progress.parts import Event, Kind, Line, Part, State

MOST_PARTS: Final = 1000
"""Limit of the parts that are kept; an image has at most 127 layers, a build some hundreds of steps."""
_TRANSFERRED = frozenset({State.TRANSFERRED, State.EXTRACTING, State.DONE})
_COUNTED = frozenset({Kind.LAYER, Kind.DETAIL, Kind.UPLOAD})


class Board:
    """The parts of one operation, in the order in which they were announced.

    Args:
        log_lines: Number of lines kept of the log of each step.
    """

    def __init__(self, log_lines: int) -> None:
        self._log_lines = log_lines
        self._parts: dict[tuple[Kind, str], Part] = {}
        self._over: dict[tuple[Kind, str], None] = {}
        self._counts: Counter[Kind] = Counter()
        self.dropped: Counter[Kind] = Counter()
        """Number of parts that are not kept, by kind."""
        self.dropped_done: Counter[Kind] = Counter()
        """Number of those that were complete or skipped."""
        self.dropped_bytes: int = 0
        """Number of bytes transferred in those that are not steps."""
        self.bytes: int = 0
        """Number of bytes transferred in all parts since they started."""

    def count(self, kind: Kind) -> int:
        """Return the number of parts of a kind."""
        return self._counts[kind]

    def parts(self) -> tuple[Part, ...]:
        """Return the parts that are kept."""
        return tuple(self._parts.values())

    def find(self, kind: Kind, id: str) -> Part | None:
        """Return the part with this id, or None."""
        return self._parts.get((kind, id))

    def part(self, kind: Kind, id: str, name: str, parent: Part | None = None) -> Part:
        """Return the part with this id, or a new one that the caller must `put`."""
        part = self.find(kind, id)
        if part is not None:
            return part
        number = self._counts[kind] + 1 if parent is None else parent.number
        return Part(id=id, kind=kind, number=number, name=name, parent=None if parent is None else parent.id)

    def put(self, part: Part, now: float) -> Iterator[Event]:
        """Store a part, new or changed; yield it if its state or its status text is a different one."""
        key = part.kind, part.id
        old = self._parts.get(key)
        if old is None and len(self._parts) >= MOST_PARTS:
            self._drop()
        if old is None:
            self._counts[part.kind] += 1
        elif _goes_back(old, part):
            part = replace(part, state=old.state, status=old.status, error=old.error)
        if old is None or part.state is not State.RUNNING or old.state is not State.RUNNING:
            part = _enter_state(part, now)
        if part.state is State.RUNNING and part.kind in _COUNTED:
            self.bytes += part.current - (old.current if old is not None else 0)
        self._parts[key] = part
        if part.state.over:
            self._over.setdefault(key)
        if old is None or part.state is not old.state or _status_text(part) != _status_text(old):
            yield part

    def write(self, part: Part, text: str) -> Line:
        """Add a line to the log of a step, and return its event."""
        key = part.kind, part.id
        part = self._parts.get(key, part)
        part = replace(part, log=(*part.log, text)[-self._log_lines :])
        if key in self._parts:
            self._parts[key] = part
        return Line(text, part)

    def _drop(self) -> None:
        """Drop the part that ended first; the oldest one if none has ended."""
        key = next(iter(self._over or self._parts))
        self._over.pop(key, None)
        part = self._parts.pop(key)
        self.dropped[part.kind] += 1
        self.dropped_done[part.kind] += part.state.succeeded
        self.dropped_bytes += 0 if part.kind is Kind.STEP else part.current

    def close(self, now: float, state_of: Callable[[Part], State], error: str) -> Iterator[Event]:
        """End all parts that are not over, each in the state that `state_of` returns for it."""
        for part in self.parts():
            if not part.state.over:
                state = state_of(part)
                reason = error if state is State.FAILED and not part.error else part.error
                yield from self.put(replace(part, state=state, status="", error=reason), now)


def _goes_back(old: Part, new: Part) -> bool:
    """Return True if the state would go back; an upload may go on after it seemed to be complete."""
    return old.state.over or (new.state.rank < old.state.rank and new.kind is not Kind.UPLOAD)


def _enter_state(part: Part, now: float) -> Part:
    """Return a part that has entered its state: with its times, and all its bytes if it implies them."""
    running = part.state not in (State.WAITING, State.STOPPED)
    started = now if part.started is None and running else part.started
    over = part.state.over and part.completed is None
    completed = max(now, now if started is None else started) if over else part.completed
    moved = part.moved.complete() if part.state in _TRANSFERRED else part.moved
    unpacked = part.unpacked
    if part.state is State.DONE and unpacked is not None:
        unpacked = unpacked.complete()
    return replace(part, started=started, completed=completed, moved=moved, unpacked=unpacked)


def _status_text(part: Part) -> str:
    return part.status.partition(" in ")[0]
