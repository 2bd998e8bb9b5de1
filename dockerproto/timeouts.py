"""Timeouts: four limits in seconds, and how much of them is left.

The clock is the caller's: every ``now`` is an argument, in seconds, of any monotonic clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from dockerproto.errors import TimedOut


def _check(name: str, limit: object) -> None:
    if limit is None:
        return
    if isinstance(limit, bool) or not isinstance(limit, int | float):
        raise TypeError(f"{name} is a number of seconds or None, not {type(limit).__name__}")
    if not 0 < limit < math.inf:
        raise ValueError(f"{name} is a positive number of seconds, not {limit}")


class Timeout(Struct, frozen=True, kw_only=True):
    """Limits in seconds, int or float; None is unlimited.

    When one passes, `TimedOut` is raised and the connection is closed, at which the engine stops.

    >>> Timeout(total=5)
    Timeout(connect=10, response=None, idle=None, total=5)
    """

    connect: float | None = 10
    """Until a connection to the engine stands."""
    response: float | None = None
    """From the end of the request to the head of the answer."""
    idle: float | None = None
    """The longest silence while a body is sent or received."""
    total: float | None = None
    """The whole operation, with what the caller does between two items of a stream."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            _check(name, getattr(self, name))


class Default(Enum):
    """The type of `DEFAULT`."""

    DEFAULT = "default"

    def __repr__(self) -> str:
        return "DEFAULT"


DEFAULT: Final = Default.DEFAULT
"""Stands for what is not said, where None says something else: the limits of a client, its credentials."""

TimeoutLike: TypeAlias = Timeout | float | Literal[Default.DEFAULT] | None
"""A `Timeout`; a number, the total in seconds; None, no limit; or `DEFAULT`."""

SHORT: Final = Timeout(total=60)
"""The default of calls that the engine answers at once."""
UNLIMITED: Final = Timeout(connect=None)
"""What None stands for."""


def client_timeout(timeout: TimeoutLike) -> Timeout:
    """Return the limits of a client, which hold for its short calls."""
    return SHORT if timeout is DEFAULT else _read(timeout)


def call_timeout(timeout: TimeoutLike, client: Timeout, *, long: bool) -> Timeout:
    """Return the limits of one operation.

    A long one (build, pull, push, export, import, prune) is unlimited unless its own call says otherwise:
    of the client's limits it takes that for connecting alone.
    """
    if timeout is DEFAULT:
        return Timeout(connect=client.connect) if long else client
    return _read(timeout)


Phase: TypeAlias = Literal["connect", "response", "idle"]


class Timer:
    """The limits of an operation that has begun."""

    __slots__ = ("_since", "now", "started", "timeout")

    def __init__(self, timeout: Timeout, now: Callable[[], float]) -> None:
        self.timeout: Final = timeout
        """The limits."""
        self.now: Final = now
        """The clock."""
        self.started: Final = now()
        """When the operation began."""
        self._since = self.started

    def mark(self) -> None:
        """Let the limit for the response begin now."""
        self._since = self.now()

    def left(self, phase: Phase) -> float | None:
        """Return the seconds that the next wait may take, None if any.

        Raises:
            TimedOut: None are left.
        """
        timeout = self.timeout
        limit: float | None = getattr(timeout, phase)
        if limit is None and timeout.total is None:
            return None
        now = self.now()
        if phase == "response" and limit is not None:
            limit -= now - self._since
        if timeout.total is not None:
            limit = min(math.inf if limit is None else limit, timeout.total - (now - self.started))
        if limit is not None and limit <= 0:
            raise self.passed(phase)
        return limit

    def passed(self, phase: Phase) -> TimedOut:
        """Return the exception for a wait in this phase that took too long."""
        total = self.timeout.total
        if total is not None and self.now() - self.started >= total:
            return TimedOut(0, f"not done within {total:g} s (total)")
        limit: float | None = getattr(self.timeout, phase)
        return TimedOut(0, f"nothing for {limit:g} s ({phase})" if limit is not None else "timed out")


def _read(timeout: TimeoutLike) -> Timeout:
    if isinstance(timeout, Timeout):
        return timeout
    if timeout is None or timeout is DEFAULT:
        return UNLIMITED
    _check("timeout", timeout)
    return Timeout(total=timeout)
