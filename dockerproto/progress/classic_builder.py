"""The output of a classic build, and of Podman's: steps, and what they write.

A step's header is a message of its own, or begins one; its number follows the last one's. So a step that
prints what looks like a header begins no step, unless it means to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from dockerproto.progress.board import Board
from dockerproto.progress.parts import Event, Kind, Line, Part, State
from dockerproto.progress.text import LONGEST, printable

_HEADER: Final = re.compile(
    r"(?P<stage>\[\d+/\d+\] )?(?:Step|STEP) (?P<step>\d{1,5})/(?P<steps>\d{1,5}) ?: (?P<text>[^\n]*)"
)
_QUIET: Final = re.compile(
    r" ?---> (Running in |Removed intermediate )|Removing intermediate | ?-?--> [0-9a-f]{6,64}$"
)
_CACHED: Final = re.compile(r" ?---> Using cache$|--> Using cache [0-9a-f]{6,64}$")
_RESULT: Final = re.compile(r"Successfully built [0-9a-f]{12}$|Successfully tagged \S+$")


class Output:
    """The text of a build, read as it comes."""

    def __init__(self) -> None:
        self._begun = ""
        self._step: Part | None = None
        self._last = 0
        self.steps: int | None = None
        """How many steps there are, as far as the engine says; of several stages, those begun."""

    @property
    def step(self) -> Part | None:
        """The step that is executed."""
        return self._step

    def feed(self, board: Board, text: str, now: float) -> Iterator[Event]:
        """Read the text of a message, with its line ends; it may have any number of lines."""
        header = None if self._begun else _HEADER.match(text)
        if header is not None and int(header["step"]) in (1, self._last + 1):
            yield from self._begin(board, header, now)
            text = text[header.end() :].removeprefix("\n")
        *lines, self._begun = (self._begun + text).split("\n")
        if len(self._begun) > 4 * LONGEST:  # no end in sight
            lines.append(self._begun)
            self._begun = ""
        for line in lines:
            yield from self._line(board, line, now)

    def finish(self, board: Board, now: float) -> Iterator[Event]:
        """Read what was left without a line end."""
        begun, self._begun = self._begun, ""
        yield from self._line(board, begun, now)

    def _begin(self, board: Board, header: re.Match[str], now: float) -> Iterator[Event]:
        yield from self._end(board, State.DONE, now)
        number, steps, before = int(header["step"]), int(header["steps"]), board.count(Kind.STEP)
        self._last = number
        self.steps = before - (number - 1) + steps
        name = printable(f"{header['stage'] or ''}[{number}/{steps}] {header['text']}")
        part = board.part(Kind.STEP, str(before + 1), name)
        self._step = replace(part, state=State.RUNNING)
        yield from board.put(self._step, now)

    def _end(self, board: Board, state: State, now: float) -> Iterator[Event]:
        if self._step is not None:
            current = board.part(Kind.STEP, self._step.id, self._step.name)
            yield from board.put(replace(current, state=state), now)

    def _line(self, board: Board, line: str, now: float) -> Iterator[Event]:
        text = printable(line)
        if _RESULT.match(text):
            yield from self._end(board, State.DONE, now)
            self._step = None
            yield Line(text)
        elif _CACHED.match(text):
            yield from self._end(board, State.SKIPPED, now)
        elif self._step is not None and text and not _QUIET.match(text):
            yield from board.write(self._step, text)
        elif text and self._step is None:
            yield Line(text)
