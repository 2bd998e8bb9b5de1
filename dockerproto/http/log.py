"""The log: requests, retries and the calls of sessions, all at DEBUG, all without secrets.

Levels and handlers are the program's: ``logging.getLogger("dockerproto").setLevel(logging.DEBUG)``.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from dockerproto.http.interfaces import Response

R = TypeVar("R", bound=Response)

LOG: Final = logging.getLogger("dockerproto")
"""Logger of the whole library."""
DEBUG: Final = logging.DEBUG
"""Level of all its records."""
_CONNECTIONS: Final = {True: "a kept connection", False: "a new connection", None: "a connection"}


async def log_exchange(line: str, exchange: Callable[[], Awaitable[R]], now: Callable[[], float]) -> R:
    """Return the response of an exchange; log the request line, the outcome and the time to the head."""
    started = now()
    outcome = "cancelled"
    try:
        response = await exchange()
        outcome = f"{response.head.status} on {_CONNECTIONS[response.reused]}"
    except Exception as error:
        outcome = type(error).__name__
        raise
    finally:
        LOG.debug("%s: %s in %.1f ms", line, outcome, (now() - started) * 1000)
    return response
