"""Timeouts: four limits in seconds, and the time left of each.

Nothing here reads a clock: ``now`` is an argument, a function that returns seconds of a monotonic clock.
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
        raise TypeError(f"{name} must be a number of seconds or None, not {type(limit).__name__}")
    if not 0 < limit < math.inf:
        raise ValueError(f"{name} must be a positive number of seconds, not {limit}")


class Timeout(Struct, frozen=True, kw_only=True):
    """Limits in seconds, int or float; None means no limit.

    When one is exceeded, `TimedOut` is raised and the connection is closed, which makes the engine stop.

    >>> Timeout(total=5)
    Timeout(connect=10, response=None, idle=None, total=5)
    """

    connect: float | None = 10
    """Time to connect to the engine."""
    response: float | None = None
    """Time from the end of the request to the head of the response."""
    idle: float | None = None
    """Longest wait for progress while a body is sent or received."""
    total: float | None = None
    """Time of the whole operation, including what the caller does between two items of a stream."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            _check(name, getattr(self, name))


class Default(Enum):
    """The type of `DEFAULT`."""

    DEFAULT = "default"

    def __repr__(self) -> str:
        return "DEFAULT"


DEFAULT: Final = Default.DEFAULT
"""Sentinel for "not given", where None already means "no limit" or "no credentials"."""

TimeoutLike: TypeAlias = Timeout | float | Literal[Default.DEFAULT] | None
"""A `Timeout`; a number of seconds, which limits the total; None for no limit; or `DEFAULT`."""

SHORT: Final = Timeout(total=60)
"""Default limits of calls that only read."""
UNLIMITED: Final = Timeout(connect=None)
"""Limits that None means: none at all."""


Pace: TypeAlias = Literal["reading", "changing", "long"]
"""Kind of a call, which decides its default limits: the name of a field of `Limits`."""


class Limits(Struct, frozen=True, kw_only=True):
    """The limits of a client's calls that have none of their own."""

    reading: Timeout = SHORT
    """Limits of calls that only read."""
    changing: Timeout = Timeout()
    """Limits of calls that change something: deleting an image with large layers may take minutes."""
    long: Timeout = Timeout()
    """Limits of calls of any duration, such as a build or a pull; only `Timeout.connect` is limited."""


def client_limits(timeout: TimeoutLike) -> Limits:
    """Return the limits of a client; those that the program gives do not apply to long calls."""
    if timeout is DEFAULT:
        return Limits()
    given = _read(timeout)
    return Limits(reading=given, changing=given, long=Timeout(connect=given.connect))


def call_timeout(timeout: TimeoutLike, limits: Limits, pace: Pace) -> Timeout:
    """Return the limits of one call: those given with it, otherwise the client's for calls of its pace."""
    if timeout is DEFAULT:
        default: Timeout = getattr(limits, pace)
        return default
    return _read(timeout)


Phase: TypeAlias = Literal["connect", "response", "idle"]
"""Part of an exchange that has a limit of its own."""


class Timer:
    """The limits of a running operation."""

    __slots__ = ("_since", "now", "started", "timeout")

    def __init__(self, timeout: Timeout, now: Callable[[], float]) -> None:
        self.timeout: Final = timeout
        """Limits of the operation."""
        self.now: Final = now
        """Clock, in seconds."""
        self.started: Final = now()
        """Time at which the operation began."""
        self._since = self.started

    def mark(self) -> None:
        """Start the time limit of the response."""
        self._since = self.now()

    def left_of_total(self) -> float | None:
        """Return how many seconds of the total are left, negative once it has passed; None: no limit."""
        total = self.timeout.total
        return None if total is None else total - (self.now() - self.started)

    @property
    def is_over(self) -> bool:
        """True if nothing is left of the total."""
        left = self.left_of_total()
        return left is not None and left <= 0

    def check(self) -> float | None:
        """Return how many seconds of the total are left, None for no limit.

        Raises:
            TimedOut: None are left.
        """
        left = self.left_of_total()
        if left is not None and left <= 0:
            raise self.total_error()
        return left

    def left(self, phase: Phase) -> float | None:
        """Return how many seconds the next wait may take, None for no limit.

        Raises:
            TimedOut: No time is left.
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
            raise self.timeout_error(phase)
        return limit

    def total_error(self) -> TimedOut:
        """Return the exception for an operation that has a total limit, and took longer."""
        return TimedOut(0, f"not finished within {self.timeout.total:g} s (total)")

    def timeout_error(self, phase: Phase) -> TimedOut:
        """Return the exception for a wait that took too long in this phase."""
        total = self.timeout.total
        if total is not None and self.now() - self.started >= total:
            return self.total_error()
        limit: float | None = getattr(self.timeout, phase)
        return TimedOut(0, f"no progress for {limit:g} s ({phase})" if limit is not None else "timed out")


def _read(timeout: TimeoutLike) -> Timeout:
    if isinstance(timeout, Timeout):
        return timeout
    if timeout is None or timeout is DEFAULT:
        return UNLIMITED
    _check("timeout", timeout)
    return Timeout(total=timeout)
