"""The variables that a traceback shows, in the ways of rich, Sentry and pytest."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping, Sequence
from itertools import dropwhile
from pathlib import Path
from types import FrameType
from typing import Any, Final, cast

from _pytest._io.saferepr import saferepr
from rich.pretty import pretty_repr

LEVELS: Final = 3
"""Depth to which Sentry shows what is in a value."""
SHOWN: Final = 80
"""Longest text that rich shows whole; of longer ones, it shows the beginning."""
_ROOT: Final = Path(__file__).parents[2]
_OURS: Final = (f"{_ROOT}/dockerproto/", f"{_ROOT}/transports/")


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception, and all its causes and contexts."""
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [each.__cause__, each.__context__]


def frames(error: BaseException) -> Iterator[FrameType]:
    """Yield the frames in the tracebacks of an exception and its causes, from the library's first one on.

    Those before it are the program's, which knows its own secrets.
    """
    for each in chain(error):
        walked = (frame for frame, _ in traceback.walk_tb(each.__traceback__))
        yield from dropwhile(lambda frame: not frame.f_code.co_filename.startswith(_OURS), walked)


def leaks(error: BaseException, secrets: Sequence[str]) -> list[str]:
    """Return the variables of frames that show a secret."""
    return [
        f"{frame.f_code.co_filename}:{frame.f_lineno}: {frame.f_code.co_name}: {name}"
        for frame in frames(error)
        for name, value in list(frame.f_locals.items())
        if any(secret in text for text in _texts(value) for secret in secrets)
    ]


def _texts(value: Any) -> Iterator[str]:
    """Yield a variable in each way in which it is shown."""
    yield from map(saferepr, _items(value, LEVELS))
    yield saferepr(value, maxsize=None)
    yield pretty_repr(value, max_string=SHOWN)


def _items(value: Any, levels: int) -> Iterator[Any]:
    """Yield a value, and what is in it."""
    yield value
    if not levels or isinstance(value, str | bytes | bytearray | memoryview):
        return
    if isinstance(value, Mapping):
        value = [*value.items()]
    if isinstance(value, Sequence | set | frozenset):
        for each in cast("Sequence[Any]", value):
            yield from _items(each, levels - 1)
