"""Warnings about the line of the program that has called the library."""

from __future__ import annotations

import inspect
import warnings
from typing import Final

_OURS: Final = frozenset(
    {"dockerproto", "dockerproto_asyncio", "dockerproto_httpx", "dockerproto_local", "dockerproto_trio"}
)


def warn_caller(message: str, category: type[DeprecationWarning | UserWarning] = UserWarning) -> None:
    """Warn about the nearest calling line that is not the library's."""
    frame, level = inspect.currentframe(), 0
    while frame is not None and frame.f_globals["__name__"].partition(".")[0] in _OURS:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level + 1)
