"""Find the step that a failed build failed at, and the last lines that the step printed.

The classic builders number their steps in a log of text, BuildKit sends vertexes in a trace. Memory is
bounded, whatever a build prints: only the ends of the logs of steps that are not complete are kept.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from msgspec import Struct, field

from dockerproto.errors import DockerError, DockerStreamError, FailedStep
from dockerproto.messages.build_log import Built, LogEvent, StepNotice, StepStarted, without_red
from dockerproto.messages.command_failure import failed_command, failed_instruction
from dockerproto.messages.trace import STDERR, StatusResponse, VertexLog

LOG_LINES: Final = 100
"""Number of lines kept of the log of a step."""
LINE_LENGTH: Final = 4096
"""Number of bytes kept of a line."""
_MOST_VERTEXES: Final = 1000
_TEXT_LENGTH: Final = 4096
"""Number of characters kept of the name or the error of a step."""
_DIGEST_LENGTH: Final = 256
"""Number of characters that identify a step; digests have 71."""
_LOG_BYTES: Final = 2**24
"""Number of bytes kept of the logs of all steps: those of 40 steps that print the longest lines."""


class LogTail(Struct):
    """The last lines of a log that comes in chunks of any size."""

    lines: deque[bytes] = field(default_factory=lambda: deque(maxlen=LOG_LINES))
    pending: dict[int, bytes] = field(default_factory=dict[int, bytes])
    """Beginning of the next line, by output."""
    size: int = 0
    """Number of bytes kept."""

    def add(self, output: int, chunk: bytes) -> None:
        """Add the next chunk of one of several outputs."""
        first, *others = chunk.split(b"\n")
        pending = self.pending.get(output, b"")
        line = (pending + first)[:LINE_LENGTH]
        for following in others:
            self._append(line)
            line = following[:LINE_LENGTH]
        self.size += len(line) - len(pending)
        self.pending[output] = line

    def _append(self, line: bytes) -> None:
        dropped = len(self.lines[0]) if len(self.lines) == LOG_LINES else 0
        self.size += len(line) - dropped
        self.lines.append(line)

    def texts(self) -> tuple[str, ...]:
        """Return the lines, the incomplete ones included."""
        lines = [*self.lines, *filter(None, self.pending.values())]
        return tuple(line.rstrip(b"\r").decode(errors="replace") for line in lines[-LOG_LINES:])


class FailedStepFinder:
    """The steps of a build that may turn out to be the failed one."""

    def __init__(self) -> None:
        self._classic = _ClassicSteps()
        self._vertexes = _Vertexes()

    def add_text(self, text: str, event: LogEvent | None) -> None:
        """Take the next message of the log of a classic builder, and its event."""
        self._classic.add(text, event)

    def add_trace(self, trace: StatusResponse) -> None:
        """Take the next trace of BuildKit."""
        self._vertexes.add(trace)

    def explain(self, error: DockerError) -> None:
        """Set the step of an error that the engine reported to the step that failed."""
        if isinstance(error, DockerStreamError):
            error.step = self.find(error)

    def find(self, error: DockerStreamError) -> FailedStep | None:
        """Return the step that failed; None if the build had none, or all were complete."""
        found = self._vertexes.find(error.message) or self._classic.find(error.message)
        if found is None:
            return None
        name, tail = found
        code = error.error_detail.get("code")
        return FailedStep(
            name, failed_command(error.message), code if isinstance(code, int) else None, tail.texts()
        )


class _ClassicSteps:
    """The current step of a classic builder."""

    def __init__(self) -> None:
        self._name = ""
        self._tail = LogTail()
        self._printed = False

    def add(self, text: str, event: LogEvent | None) -> None:
        if event is None:  # nearly always
            self._write(text)
        elif isinstance(event, StepStarted):
            self._name = f"[{event.number}/{event.total}] {event.instruction}"
            self._tail, self._printed = LogTail(), False
        elif isinstance(event, Built):
            self._name = ""
        elif self._printed or not isinstance(event, StepNotice):  # a step may print what looks like a notice
            self._write(text)

    def _write(self, text: str) -> None:
        self._printed = True
        self._tail.add(0, without_red(text).encode(errors="replace"))

    def find(self, message: str) -> tuple[str, LogTail] | None:
        name = self._name or failed_instruction(message)
        return (name, self._tail) if name else None


class _FailedVertex(Struct, frozen=True):
    """A step of BuildKit that failed; its texts are cut."""

    name: str
    error: str


class _Vertexes:
    """The steps of BuildKit that are not complete, and those that failed."""

    def __init__(self) -> None:
        self._tails: dict[str, LogTail] = {}
        self._log_bytes = 0
        self._failed: dict[str, _FailedVertex] = {}

    def add(self, trace: StatusResponse) -> None:
        for log in trace.logs:
            self._add_log(log)
        for vertex in trace.vertexes:
            if vertex.error and len(self._failed) < _MOST_VERTEXES:
                cut = _FailedVertex(vertex.name[:_TEXT_LENGTH], vertex.error[:_TEXT_LENGTH])
                self._failed[vertex.digest[:_DIGEST_LENGTH]] = cut
            elif vertex.completed is not None:
                self._drop(vertex.digest[:_DIGEST_LENGTH])

    def find(self, message: str) -> tuple[str, LogTail] | None:
        # Steps that run beside the failed one are cancelled, so they fail too.
        named = [item for item in self._failed.items() if item[1].error in message]
        found = next(iter(named or self._failed.items()), None)
        if found is None:
            return None
        digest, vertex = found
        return vertex.name, self._tails.get(digest, LogTail())

    def _add_log(self, log: VertexLog) -> None:
        digest = log.vertex[:_DIGEST_LENGTH]
        if digest not in self._tails and len(self._tails) >= _MOST_VERTEXES:
            self._drop(next(iter(self._tails)))
        tail = self._tails.setdefault(digest, LogTail())
        before = tail.size
        tail.add(int(log.stream == STDERR), log.msg)
        self._log_bytes += tail.size - before
        while self._log_bytes > _LOG_BYTES:
            self._drop(next(iter(self._tails)))

    def _drop(self, digest: str) -> None:
        if (tail := self._tails.pop(digest, None)) is not None:
            self._log_bytes -= tail.size
