"""Format progress events as lines of text, for files, pipes and logs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from dockerproto.messages.sizes import size
from dockerproto.progress import Event, Kind, Line, Part, State
from dockerproto_cli.formatting import duration


class LineFormatter:
    """Formats the events of one operation as lines."""

    def __init__(self) -> None:
        self._last: dict[tuple[Kind, str], str] = {}

    def lines(self, events: Iterable[Event]) -> Iterator[str]:
        """Yield the lines for some events."""
        for event in events:
            if isinstance(event, Line):
                yield event.text if event.part is None else f"#{event.part.number} {event.text}"
                continue
            for line in _LINES[event.kind](event, self._last.get((event.kind, event.id))):
                self._last[event.kind, event.id] = line
                yield line


def _layer(part: Part, last: str | None) -> Iterator[str]:  # noqa: ARG001  # one of a table
    started = part.state is State.RUNNING and part.total is not None and part.current < part.total
    amount = f" {size(part.total)}" if started and part.total is not None else ""
    yield f"{part.name}: {part.status or part.state.value}{amount}"


def _step(part: Part, last: str | None) -> Iterator[str]:
    """Yield the lines of a step's start and end; none for a step that never started."""
    heading = f"#{part.number} {part.name}"
    if part.state is State.SKIPPED:
        yield f"{heading}: cached"
        return
    if part.started is not None and last is None:
        yield heading
    if part.started is not None and part.state.over:
        yield f"#{part.number} {_outcome(part)}"


def _outcome(part: Part) -> str:
    if part.state is State.FAILED:
        return f"failed: {part.error}"
    return f"{part.state.value} {duration(part.seconds(0.0) or 0.0)}"


def _upload(part: Part, last: str | None) -> Iterator[str]:
    line = f"{part.name}: {size(part.current)}"
    if part.state in (State.TRANSFERRED, State.DONE) and line != last:
        yield line


def _nothing(part: Part, last: str | None) -> Iterator[str]:  # noqa: ARG001  # one of a table
    return iter(())


_LINES: Final[Mapping[Kind, Callable[[Part, str | None], Iterator[str]]]] = {
    Kind.LAYER: _layer,
    Kind.STEP: _step,
    Kind.UPLOAD: _upload,
    Kind.DETAIL: _nothing,
}
