"""KeyboardInterrupt at an opcode: find the opcodes that a function runs in the library, and interrupt one.

Tracing each opcode makes a program ten times as slow. So a point is the number of a call of the library, and
the number of an opcode in it; to get there, only the opcodes of one call are traced.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, Final, NamedTuple, TypeAlias

import dockerproto
import dockerproto_local

_Trace: TypeAlias = Callable[[FrameType, str, object], Any]
_TREES: Final = tuple(
    each.__path__[0].removesuffix(each.__name__) + "dockerproto" for each in (dockerproto, dockerproto_local)
)


class Point(NamedTuple):
    """An opcode that is about to run."""

    call: int
    """Number of the call of a function of the library; a coroutine that goes on counts again."""
    opcode: int
    """Number of the opcode in the call."""
    code: CodeType
    """Code that it belongs to."""
    offset: int
    """Position in the code."""
    state: object
    """State of the program in the call."""

    @property
    def kind(self) -> object:
        """Value that is the same for all points of one opcode in one state."""
        return self.code, self.offset, self.state

    def __str__(self) -> str:
        return f"opcode {self.opcode} of call {self.call}, {self.code.co_qualname} + {self.offset}"


def find_points(function: Callable[[], object], state: Callable[[], object]) -> list[Point]:
    """Call a function, and return all points that it passes; `state` is called with each call."""
    found = list[Point]()

    def trace(call: int) -> _Trace:
        passed, now = 0, state()

        def on_opcode(frame: FrameType, event: str, _: object) -> Any:
            nonlocal passed
            if event == "opcode":
                passed += 1
                found.append(Point(call, passed, frame.f_code, frame.f_lasti, now))
            return on_opcode

        return on_opcode

    _traced(function, trace)
    return found


def interrupt(function: Callable[[], object], point: Point) -> None:
    """Call a function, and raise KeyboardInterrupt at a point."""
    passed = 0

    def on_opcode(_: FrameType, event: str, __: object) -> Any:
        nonlocal passed
        passed += event == "opcode"
        if passed == point.opcode:
            sys.settrace(None)
            raise KeyboardInterrupt
        return on_opcode

    _traced(function, lambda call: on_opcode if call == point.call else None)


def _traced(function: Callable[[], object], trace: Callable[[int], _Trace | None]) -> None:
    """Call a function; `trace` returns the function that is called with each opcode of a call."""
    calls = 0

    def on_call(frame: FrameType, _: str, __: object) -> _Trace | None:
        nonlocal calls
        if not frame.f_code.co_filename.startswith(_TREES):
            return None
        calls += 1
        on_opcode = trace(calls)
        frame.f_trace_opcodes, frame.f_trace_lines = on_opcode is not None, False
        return on_opcode

    before = sys.gettrace()
    sys.settrace(on_call)
    try:
        function()
    finally:
        sys.settrace(before)
