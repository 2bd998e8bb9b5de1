"""KeyboardInterrupt at an opcode: find the opcodes that a function runs in the library, and interrupt one.

Tracing each opcode makes a program ten times as slow. So a point is the number of a call of the library, and
the number of an opcode in it; to get there, only the opcodes of one call are traced.

An opcode that changes nothing is left out if the next one has the same handler: an interrupt before either
leaves the same behind. About a third of all opcodes are points.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable
from functools import cache
from itertools import zip_longest
from types import CodeType, FrameType
from typing import Any, Final, NamedTuple, TypeAlias

import dockerproto
import dockerproto_local

_Trace: TypeAlias = Callable[[FrameType, str, object], Any]
_TREES: Final = tuple(
    each.__path__[0].removesuffix(each.__name__) + "dockerproto" for each in (dockerproto, dockerproto_local)
)
_INERT: Final = frozenset(
    [
        *("LOAD_FAST", "LOAD_CONST", "LOAD_GLOBAL", "LOAD_DEREF", "LOAD_CLOSURE", "LOAD_ATTR", "LOAD_METHOD"),
        *("COPY", "SWAP", "PUSH_NULL", "PRECALL", "KW_NAMES", "NOP", "RESUME", "MAKE_CELL", "COPY_FREE_VARS"),
        *("IS_OP", "CONTAINS_OP", "COMPARE_OP", "JUMP_IF_FALSE_OR_POP", "JUMP_IF_TRUE_OR_POP"),
        *("POP_JUMP_FORWARD_IF_FALSE", "POP_JUMP_FORWARD_IF_TRUE", "POP_JUMP_FORWARD_IF_NONE"),
        *("POP_JUMP_FORWARD_IF_NOT_NONE", "JUMP_FORWARD", "MAKE_FUNCTION", "BUILD_CONST_KEY_MAP"),
        *("BUILD_LIST", "BUILD_MAP", "BUILD_SLICE", "BUILD_STRING", "BUILD_TUPLE"),
    ]
)
"""Opcodes that only fetch, compare, choose, or make an object that nothing else knows.

A getter or a comparison that is written in Python is a call, with opcodes of its own. Those of later Pythons
are missing, so that more is interrupted there.
"""


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


def prepare(function: Callable[[], object]) -> None:
    """Call a function so that its opcodes can be traced in the next call.

    Python 3.12 and later report no opcodes of a code object in its first traced call; Python 3.13 and later
    report none in the first one after the code has run without a trace, either.
    """
    _traced(function, lambda _call: lambda _frame, _event, _argument: None)


def find_points(function: Callable[[], object], state: Callable[[], object]) -> list[Point]:
    """Call a function, and return the points that it passes; `state` is called with each call.

    Of points that follow each other in a call without effects, the last one is returned.

    Raises:
        LookupError: No opcode was reported, as the function was not passed to `prepare` before.
    """
    calls = list[list[Point]]()

    def trace(call: int) -> _Trace:
        points, now = list[Point](), state()
        calls.append(points)

        def on_opcode(frame: FrameType, event: str, _: object) -> Any:
            if event == "opcode":
                points.append(Point(call, len(points) + 1, frame.f_code, frame.f_lasti, now))
            return on_opcode

        return on_opcode

    _traced(function, trace)
    if not any(calls):
        raise LookupError("no opcode of the library was reported")
    return [
        point
        for points in calls
        for point, following in zip_longest(points, points[1:])
        if not (following and _is_inert(point) and _handler(point) == _handler(following))
    ]


def _is_inert(point: Point) -> bool:
    return dis.opname[point.code.co_code[point.offset]] in _INERT


def _handler(point: Point) -> int | None:
    """Return where an exception at a point continues, None if it leaves the call."""
    handlers = [target for start, end, target in _handlers(point.code) if start <= point.offset < end]
    return handlers[0] if handlers else None


@cache
def _handlers(code: CodeType) -> list[tuple[int, int, int]]:
    """Return the ranges of a code that have handlers, and the handlers."""
    entries: Any = vars(dis.Bytecode(code))["exception_entries"]
    return [(each.start, each.end, each.target) for each in entries]


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
