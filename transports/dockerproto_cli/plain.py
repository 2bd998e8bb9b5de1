"""What has changed, as lines of text: for files, pipes and logs, where nothing can be drawn over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from dockerproto.progress import Event, Kind, Line, Part, State
from dockerproto_cli.words import duration, size


class Plain:
    """Makes lines of what has changed; of a part, no line twice in a row."""

    def __init__(self) -> None:
        self._last: dict[tuple[Kind, str], str] = {}

    def lines(self, events: Iterable[Event]) -> Iterator[str]:
        """Yield the lines that events are worth."""
        for event in events:
            if isinstance(event, Line):
                yield event.text if event.part is None else f"#{event.part.number} {event.text}"
                continue
            line = _LINES[event.kind](event)
            key = event.kind, event.id
            if line and self._last.get(key) != line:
                self._last[key] = line
                yield line


def _layer(part: Part) -> str:
    begun = part.state is State.RUNNING and part.total is not None and part.current < part.total
    amount = f" {size(part.total)}" if begun and part.total is not None else ""
    return f"{part.name}: {part.status or part.state.value}{amount}"


def _step(part: Part) -> str:
    said = _STEPS.get(part.state)
    return f"#{part.number} {said(part)}" if said else ""


def _ended(part: Part) -> str:
    seconds = part.seconds(part.completed or 0.0)
    return part.state.value if seconds is None else f"{part.state.value} {duration(seconds)}"


def _upload(part: Part) -> str:
    return f"{part.name}: {size(part.current)}" if part.state in (State.TRANSFERRED, State.DONE) else ""


_STEPS: Final[Mapping[State, Callable[[Part], str]]] = {
    State.RUNNING: lambda part: part.name,
    State.SKIPPED: lambda part: f"{part.name}: cached",
    State.DONE: _ended,
    State.STOPPED: _ended,
    State.FAILED: lambda part: f"failed: {part.error}",
}
_LINES: Final[Mapping[Kind, Callable[[Part], str]]] = {
    Kind.LAYER: _layer,
    Kind.STEP: _step,
    Kind.UPLOAD: _upload,
    Kind.DETAIL: lambda _: "",
}
