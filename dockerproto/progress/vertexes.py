"""The trace of a BuildKit build: its vertexes are steps, and their statuses the details of steps.

How long a step took is the engine's word if a trace tells of its beginning and its end at once.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections.abc import Iterator, Mapping
from typing import Final

from msgspec.structs import replace

from dockerproto.errors import ProtocolViolated
from dockerproto.messages.trace import (
    TRACE,
    StatusResponse,
    Vertex,
    VertexLog,
    VertexStatus,
    VertexWarning,
    decode_trace,
)
from dockerproto.progress.board import Board
from dockerproto.progress.layers import number_of
from dockerproto.progress.parts import Event, Kind, Line, Part, State
from dockerproto.progress.text import LONGEST, printable

_decoder = getincrementaldecoder("utf-8")


class Traces:
    """The traces of a build, read as they come; pieces of output are put together to lines."""

    def __init__(self) -> None:
        self._texts: Final[dict[tuple[str, int], _Text]] = {}

    def feed(self, board: Board, message: Mapping[str, object], now: float) -> Iterator[Event]:
        """Read a message, if it is a trace."""
        trace = _trace_of(message)
        for vertex in trace.vertexes:
            yield from board.put(_step(board, vertex, now), now)
        for status in trace.statuses:
            yield from _detail(board, status, now)
        for log in trace.logs:
            yield from self._log(board, log)
        for warning in trace.warnings:
            yield from _warning(board, warning)

    def finish(self, board: Board) -> Iterator[Event]:
        """Read what was left without a line end."""
        for (vertex, _), text in self._texts.items():
            for line in text.rest():
                yield from board.write(board.part(Kind.STEP, vertex, ""), line)

    def _log(self, board: Board, log: VertexLog) -> Iterator[Event]:
        part = board.known(Kind.STEP, log.vertex)
        if part is None:
            return
        text = self._texts.setdefault((log.vertex, log.stream), _Text())
        for line in text.feed(log.msg):
            yield from board.write(part, line)


class _Text:
    """What one step writes to one of its outputs."""

    def __init__(self) -> None:
        self._decoder = _decoder("replace")
        self._begun = ""

    def feed(self, data: bytes) -> Iterator[str]:
        *lines, self._begun = (self._begun + self._decoder.decode(data)).split("\n")
        if len(self._begun) > 4 * LONGEST:  # no end in sight
            lines.append(self._begun)
            self._begun = ""
        return filter(None, map(printable, lines))

    def rest(self) -> Iterator[str]:
        return filter(None, map(printable, (self._begun,)))


def _trace_of(message: Mapping[str, object]) -> StatusResponse:
    trace = message.get("trace")
    if isinstance(trace, StatusResponse):
        return trace
    if message.get("id") != TRACE:
        return StatusResponse()
    try:
        return decode_trace(message.get("aux"))
    except ProtocolViolated:
        return StatusResponse()


def _step(board: Board, vertex: Vertex, now: float) -> Part:
    """Return the step that a vertex is, in the state that the engine says."""
    part = replace(
        board.part(Kind.STEP, vertex.digest, printable(vertex.name)),
        state=_state(vertex),
        error=printable(vertex.error.partition("\n")[0]),
    )
    if part.started is None and vertex.started is not None and vertex.completed is not None:
        lasted = vertex.completed.time - vertex.started.time
        part = replace(part, started=now - max(0.0, lasted))
    return part


def _state(vertex: Vertex) -> State:
    if vertex.error:  # when a step fails, those beside it are cancelled
        return State.STOPPED if "context canceled" in vertex.error else State.FAILED
    if vertex.completed is not None:
        return State.SKIPPED if vertex.cached else State.DONE
    return State.WAITING if vertex.started is None else State.RUNNING


def _detail(board: Board, status: VertexStatus, now: float) -> Iterator[Event]:
    step = board.known(Kind.STEP, status.vertex)
    if step is None:
        return
    part = board.part(Kind.DETAIL, f"{status.vertex} {status.id}", printable(status.name or status.id), step)
    state = State.RUNNING if status.completed is None else State.DONE
    moved = part.moved.grown(number_of(status.current), number_of(status.total))
    yield from board.put(replace(part, state=state, moved=moved), now)


def _warning(board: Board, warning: VertexWarning) -> Iterator[Event]:
    text = printable(warning.short.decode(errors="replace").partition("\n")[0])
    yield Line(f"warning: {text}", board.known(Kind.STEP, warning.vertex))
