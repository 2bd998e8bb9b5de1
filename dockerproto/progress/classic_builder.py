"""The steps of a classic build, Docker's or Podman's, and the lines that they print."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from dockerproto.messages.build_log import (
    BuildLog,
    Built,
    LogEvent,
    StepCached,
    StepNotice,
    StepStarted,
    Tagged,
    without_red,
)
from dockerproto.progress.board import Board
from dockerproto.progress.parts import Event, Kind, Line, Part, State
from dockerproto.progress.text import LineBuffer, printable


class ClassicSteps:
    """The steps of one build, taken from its log."""

    def __init__(self) -> None:
        self._log = BuildLog()
        self._lines = LineBuffer()
        self._current: Part | None = None
        self.total: int | None = None
        """Number of steps that the engine announced: on Podman, of the stages that have started."""

    @property
    def current(self) -> Part | None:
        """The step that is running."""
        return self._current

    def feed(self, board: Board, text: str, now: float) -> Iterable[Event]:
        """Take the text of a message, with its line ends."""
        event = self._log.parse(text)
        if event is None:  # nearly always
            return self._write(board, self._lines.feed(without_red(text)))
        return (*self.finish(board), *self._take(board, event, text, now))

    def finish(self, board: Board) -> Iterable[Event]:
        """Write the line that has no end yet."""
        return self._write(board, self._lines.flush())

    def _take(self, board: Board, event: LogEvent, text: str, now: float) -> Iterator[Event]:
        match event:
            case StepStarted():
                yield from self._start(board, event, now)
            case StepCached():
                yield from self._end(board, State.SKIPPED, now)
            case Built() | Tagged():
                yield from self._end(board, State.DONE, now)
                self._current = None
                yield Line(printable(text))
            case StepNotice() if self._current is not None:
                pass
            case _:
                yield from self._write(board, self._lines.feed(text))

    def _start(self, board: Board, step: StepStarted, now: float) -> Iterator[Event]:
        yield from self._end(board, State.DONE, now)
        before = board.count(Kind.STEP)
        self.total = before - (step.number - 1) + step.total
        stage = f"{step.stage} " if step.stage else ""
        name = printable(f"{stage}[{step.number}/{step.total}] {step.instruction}")
        self._current = replace(board.part(Kind.STEP, str(before + 1), name), state=State.RUNNING)
        yield from board.put(self._current, now)

    def _end(self, board: Board, state: State, now: float) -> Iterator[Event]:
        if self._current is not None:
            part = board.part(Kind.STEP, self._current.id, self._current.name)
            yield from board.put(replace(part, state=state), now)

    def _write(self, board: Board, lines: Iterable[str]) -> list[Event]:
        if self._current is None:
            return [Line(line) for line in lines]
        return [board.write(self._current, line) for line in lines]
