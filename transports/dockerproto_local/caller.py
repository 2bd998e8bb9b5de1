"""The place in the program that has called the library, for warnings."""

from __future__ import annotations

import inspect
from typing import Final

_OURS: Final = frozenset(
    {"dockerproto", "dockerproto_asyncio", "dockerproto_httpx", "dockerproto_local", "dockerproto_trio"}
)


def stack_level() -> int:
    """Return the ``stacklevel`` for a warning of the calling function about a line of the program."""
    frame, level = inspect.currentframe(), 0
    while frame is not None and frame.f_globals["__name__"].partition(".")[0] in _OURS:
        frame, level = frame.f_back, level + 1
    return level
