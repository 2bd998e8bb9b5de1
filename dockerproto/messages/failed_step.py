"""The steps of a build, as its messages tell them: which one failed, and what it printed.

Docker's classic builder and Podman's number their steps in text, BuildKit's are vertexes of its trace.
What is kept is bounded, whatever a build prints: the ends of the logs of the steps that are not over.
"""

from __future__ import annotations

import ast
import re
from collections import deque
from contextlib import suppress
from typing import Final

from msgspec import Struct, field

from dockerproto.errors import DockerStreamError, FailedStep
from dockerproto.messages.models import Message
from dockerproto.messages.trace import StatusResponse, Vertex

LOG_LINES: Final = 100
"""How many lines of the log of a step are kept."""
LINE_LENGTH: Final = 4096
"""How many bytes of a line are kept."""
_MOST_VERTEXES: Final = 1000

# Docker has the line end in a message of its own, Podman does not. "[1/2] STEP" names the stage.
_STEP: Final = re.compile(
    r"Step (?P<number>\d+)/(?P<total>\d+) : (?P<text>.*[^\n])"
    r"|(?:\[\d+/\d+\] )?STEP (?P<podmans>\d+)/(?P<of>\d+): (?P<line>.*)\n",
    re.DOTALL,
)
_OVER: Final = re.compile(r"Successfully built [0-9a-f]{12}\n")
# What Docker says before the first line that the step prints.
_PREFACE: Final = re.compile(r"(?: ---> (?:Running in )?[0-9a-f]{12})?\n")
_RED: Final = re.compile("\x1b\\[91m(.*)\x1b\\[0m", re.DOTALL)

_COMMAND: Final = re.compile(
    r"\AThe command '(?P<classic>.*)' returned a non-zero code: \d+\Z"
    r'|process (?P<quoted>".*") did not complete successfully: '
    r"|executor failed running \[(?P<buildkit>.*)\]: "
    r'|building at STEP "RUN (?P<podman>.*)": while running runtime: ',
    re.DOTALL,
)
_PODMANS_STEP: Final = re.compile(r'\A(?:error )?building at STEP "(.*)": ', re.DOTALL)


class Tail(Struct):
    """The last lines of an output that comes in pieces of any size."""

    lines: deque[bytes] = field(default_factory=lambda: deque(maxlen=LOG_LINES))
    pending: dict[int, bytes] = field(default_factory=dict[int, bytes])
    """The beginning of the next line, by output."""

    def add(self, output: int, piece: bytes) -> None:
        """Take the next piece of one of several outputs."""
        first, *others = piece.split(b"\n")
        line = (self.pending.get(output, b"") + first)[:LINE_LENGTH]
        for following in others:
            self.lines.append(line)
            line = following[:LINE_LENGTH]
        self.pending[output] = line

    def texts(self) -> tuple[str, ...]:
        """Return the lines, also those that are not complete."""
        lines = [*self.lines, *filter(None, self.pending.values())]
        return tuple(line.rstrip(b"\r").decode(errors="replace") for line in lines[-LOG_LINES:])


class Steps:
    """What is to be known of the steps of a build, if one of them fails."""

    def __init__(self) -> None:
        self._written: Final = _WrittenSteps()
        self._vertexes: Final = _Vertexes()

    def add(self, message: Message) -> None:
        """Take the next message of the build."""
        if "trace" in message:
            self._vertexes.add(message["trace"])
        elif isinstance(text := message.get("stream"), str):
            self._written.add(text)

    def failed(self, error: DockerStreamError) -> FailedStep | None:
        """Return the step that an error is of; None if the build had none, or was over."""
        found = self._vertexes.failed(error.message) or self._written.failed(error.message)
        if found is None:
            return None
        name, tail = found
        code = error.error_detail.get("code")
        return FailedStep(
            name, _command(error.message), code if isinstance(code, int) else None, tail.texts()
        )


class _WrittenSteps:
    """The steps of a builder that writes them into its output."""

    def __init__(self) -> None:
        self._name = ""
        self._place = (0, 0)
        self._tail = Tail()
        self._printed = False

    def add(self, text: str) -> None:
        if (match := _STEP.fullmatch(text)) and self._begin(match):
            return
        if _OVER.fullmatch(text):
            self._name = ""
        elif self._printed or not _PREFACE.fullmatch(text):
            self._printed = True
            red = _RED.fullmatch(text)
            self._tail.add(0, (red[1] if red else text).encode(errors="replace"))

    def failed(self, message: str) -> tuple[str, Tail] | None:
        said = _PODMANS_STEP.match(message)
        name = self._name or (said[1] if said else "")
        return (name, self._tail) if name else None

    def _begin(self, match: re.Match[str]) -> bool:
        """Begin the next step; a step that prints such a line is not taken for the next one."""
        number, total = int(match["number"] or match["podmans"]), int(match["total"] or match["of"])
        last, of = self._place
        if number != 1 and (number, total) != (last + 1, of):
            return False
        self._place = number, total
        self._name = f"[{number}/{total}] {match['text'] or match['line']}"
        self._tail, self._printed = Tail(), False
        return True


class _Vertexes:
    """The steps of BuildKit that are not over, and those that failed."""

    def __init__(self) -> None:
        self._tails: dict[str, Tail] = {}
        self._failed: dict[str, Vertex] = {}

    def add(self, trace: StatusResponse) -> None:
        for log in trace.logs:
            self._tail(log.vertex).add(log.stream, log.msg)
        for vertex in trace.vertexes:
            if vertex.error and len(self._failed) < _MOST_VERTEXES:
                self._failed[vertex.digest] = vertex
            elif vertex.completed is not None:
                self._tails.pop(vertex.digest, None)

    def failed(self, message: str) -> tuple[str, Tail] | None:
        # Steps beside the one that failed are cancelled, and then fail too.
        found = [vertex for vertex in self._failed.values() if vertex.error in message]
        vertex = next(iter(found or self._failed.values()), None)
        return None if vertex is None else (vertex.name, self._tail(vertex.digest))

    def _tail(self, digest: str) -> Tail:
        tail = self._tails.get(digest)
        if tail is None:
            if len(self._tails) >= _MOST_VERTEXES:
                del self._tails[next(iter(self._tails))]
            tail = self._tails[digest] = Tail()
        return tail


def _command(message: str) -> str | None:
    match = _COMMAND.search(message)
    if match is None:
        return None
    quoted = match["quoted"]
    if quoted is None:
        return match["classic"] or match["buildkit"] or match["podman"]
    with suppress(SyntaxError, ValueError):
        return str(ast.literal_eval(quoted))  # Go quotes as Python does
    return quoted[1:-1]
