"""The parts of one operation: each goes forward only, and what changes is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from msgspec.structs import replace

from dockerproto.progress.parts import Event, Kind, Line, Part, State

_THERE = frozenset({State.TRANSFERRED, State.EXTRACTING, State.DONE})
_BYTES = frozenset({Kind.LAYER, Kind.DETAIL, Kind.UPLOAD})


class Board:
    """The parts of one operation, in the order in which they came.

    Args:
        log: How many lines of each step are kept.
    """

    def __init__(self, log: int) -> None:
        self._log = log
        self._parts: dict[tuple[Kind, str], Part] = {}
        self._counts: Counter[Kind] = Counter()
        self.bytes: int = 0
        """All bytes that were transferred while somebody looked."""

    def count(self, kind: Kind) -> int:
        """Return how many parts of a kind there are."""
        return self._counts[kind]

    def parts(self) -> tuple[Part, ...]:
        """Return all parts."""
        return tuple(self._parts.values())

    def known(self, kind: Kind, id: str) -> Part | None:
        """Return the part with this id, if there is one."""
        return self._parts.get((kind, id))

    def part(self, kind: Kind, id: str, name: str, parent: Part | None = None) -> Part:
        """Return the part with this id, or a new one, which is to be `put`."""
        found = self.known(kind, id)
        if found is not None:
            return found
        number = self._counts[kind] + 1 if parent is None else parent.number
        return Part(id=id, kind=kind, number=number, name=name, parent=None if parent is None else parent.id)

    def put(self, part: Part, now: float) -> Iterator[Event]:
        """Take what is new of a part; tell if it is now in another state, or doing something else."""
        key = part.kind, part.id
        old = self._parts.get(key)
        if old is None:
            self._counts[part.kind] += 1
        elif _is_back(old, part):
            part = replace(part, state=old.state, status=old.status, error=old.error)
        if old is None or part.state is not State.RUNNING or old.state is not State.RUNNING:
            part = _entered(part, now)
        if part.state is State.RUNNING and part.kind in _BYTES:
            self.bytes += part.current - (old.current if old is not None else 0)
        self._parts[key] = part
        if old is None or part.state is not old.state or _words(part) != _words(old):
            yield part

    def write(self, part: Part, text: str) -> Iterator[Event]:
        """Add a line to what a step wrote."""
        part = self._parts[part.kind, part.id]
        self._parts[part.kind, part.id] = part = replace(part, log=(*part.log, text)[-self._log :])
        yield Line(text, part)

    def close(self, now: float, state_of: Callable[[Part], State], error: str) -> Iterator[Event]:
        """End what is not over: in the state that a function says."""
        for part in self.parts():
            if not part.state.over:
                state = state_of(part)
                words = error if state is State.FAILED and not part.error else part.error
                yield from self.put(replace(part, state=state, status="", error=words), now)


def _is_back(old: Part, new: Part) -> bool:
    """Whether a part would go back; only what is sent may go on after it seemed to be over."""
    return old.state.over or (new.state.rank < old.state.rank and new.kind is not Kind.UPLOAD)


def _entered(part: Part, now: float) -> Part:
    """Return a part that has entered a state: with its times, and all its bytes if they must be there."""
    begun = part.state not in (State.WAITING, State.STOPPED)
    started = now if part.started is None and begun else part.started
    over = part.state.over and part.completed is None
    completed = max(now, now if started is None else started) if over else part.completed
    moved = part.moved.completed() if part.state in _THERE else part.moved
    unpacked = part.unpacked
    if part.state is State.DONE and unpacked is not None:
        unpacked = unpacked.completed()
    return replace(part, started=started, completed=completed, moved=moved, unpacked=unpacked)


def _words(part: Part) -> str:
    return part.status.partition(" in ")[0]
