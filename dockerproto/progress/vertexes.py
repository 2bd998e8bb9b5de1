"""The steps of a BuildKit build: the vertexes of its trace are steps, and their statuses details of steps.

If one trace reports both the start and the end of a step, its duration is the one measured by the engine.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from dockerproto.messages.trace import (
    Vertex,
    VertexLog,
    VertexStatus,
    VertexWarning,
)
from dockerproto.messages.values import number_of, trace_of
from dockerproto.progress.board import MOST_PARTS, Board
from dockerproto.progress.parts import Event, Kind, Line, Part, State
from dockerproto.progress.text import LineBuffer, printable

_decoder = getincrementaldecoder("utf-8")


class TraceSteps:
    """The steps of one build, taken from its traces; chunks of output are joined into lines."""

    def __init__(self) -> None:
        self._logs: dict[tuple[str, int], _VertexOutput] = {}

    def feed(self, board: Board, message: Mapping[str, object], now: float) -> Iterator[Event]:
        """Take a message; one without a trace changes nothing."""
        trace = trace_of(message)
        if trace is None:
            return
        for vertex in trace.vertexes:
            yield from board.put(_step(board, vertex, now), now)
        for status in trace.statuses:
            yield from _detail(board, status, now)
        for log in trace.logs:
            yield from self._write_log(board, log)
        for warning in trace.warnings:
            yield from _warning(board, warning)

    def finish(self, board: Board) -> Iterator[Event]:
        """Write the lines that have no end yet."""
        for (vertex, _), output in self._logs.items():
            for line in output.lines.flush():
                yield board.write(board.part(Kind.STEP, vertex, ""), line)

    def _write_log(self, board: Board, log: VertexLog) -> Iterator[Event]:
        part = board.find(Kind.STEP, log.vertex)
        if part is None:
            return
        if len(self._logs) >= 2 * MOST_PARTS:  # two outputs of each step
            del self._logs[next(iter(self._logs))]
        output = self._logs.setdefault((log.vertex, log.stream), _VertexOutput())
        for line in output.feed(log.msg):
            yield board.write(part, line)


class _VertexOutput:
    """Standard output or standard error of one step."""

    def __init__(self) -> None:
        self._decoder = _decoder("replace")
        self.lines = LineBuffer()

    def feed(self, chunk: bytes) -> Iterator[str]:
        return self.lines.feed(self._decoder.decode(chunk))


def _step(board: Board, vertex: Vertex, now: float) -> Part:
    """Return the step of a vertex, in the state that the engine reports."""
    part = replace(
        board.part(Kind.STEP, vertex.digest, printable(vertex.name)),
        state=_state(vertex),
        error=printable(vertex.error.partition("\n")[0]),
    )
    if part.started is None and vertex.started is not None and vertex.completed is not None:
        duration = vertex.completed.time - vertex.started.time
        part = replace(part, started=now - max(0.0, duration))
    return part


def _state(vertex: Vertex) -> State:
    if vertex.error:  # when a step fails, the engine cancels those that run beside it
        return State.STOPPED if "context canceled" in vertex.error else State.FAILED
    if vertex.completed is not None:
        return State.SKIPPED if vertex.cached else State.DONE
    return State.WAITING if vertex.started is None else State.RUNNING


def _detail(board: Board, status: VertexStatus, now: float) -> Iterator[Event]:
    step = board.find(Kind.STEP, status.vertex)
    if step is None:
        return
    part = board.part(Kind.DETAIL, f"{status.vertex} {status.id}", printable(status.name or status.id), step)
    state = State.RUNNING if status.completed is None else State.DONE
    moved = part.moved.grow(number_of(status.current), number_of(status.total))
    yield from board.put(replace(part, state=state, moved=moved), now)


def _warning(board: Board, warning: VertexWarning) -> Iterator[Event]:
    text = printable(warning.short.decode(errors="replace").partition("\n")[0])
    yield Line(f"warning: {text}", board.find(Kind.STEP, warning.vertex))
