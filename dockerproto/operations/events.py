"""The events of images, as a stream that ends only if the program says when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from dockerproto.messages.models import ImageEvent
from dockerproto.operations.operation import Streamed
from dockerproto.operations.replies import streamed
from dockerproto.request.filters import Filters, encode_filters
from dockerproto.request.parameters import text
from dockerproto.request.request import Request
from dockerproto.timeouts import DEFAULT, TimeoutLike

EventTime: TypeAlias = datetime | float
"""An aware datetime, or seconds since 1970."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def events(
    *,
    since: EventTime | None = None,
    until: EventTime | None = None,
    filters: Filters | None = None,
    timeout: TimeoutLike = DEFAULT,
) -> Streamed[ImageEvent]:
    """Return the events of images as they happen: pulls, pushes, tags, deletions and others.

    Args:
        since: Begin with the events since this time, an aware datetime or seconds since 1970; the engine
            remembers some hundred. By default, the stream begins with those that happen from now on.
        until: End the stream at this time; by default it does not end.
        filters: Conditions: ``event`` (such as ``pull``, ``tag``, ``delete``), ``image`` (a reference or id),
            ``label``.
        timeout: Limits of this stream; by default it may be idle for any time.

    Returns:
        A stream. Leaving it early closes its connection.

    Raises:
        BadRequest: A filter is unknown, or `until` is before `since`.
        ConnectionFailed: The engine stopped.
        TypeError: A time is neither a datetime nor a number.
        ValueError: A datetime has no time zone, or `filters` has a ``type``.

    Documented at https://docs.docker.com/reference/api/engine/#tag/System/operation/SystemEvents.
    """
    if filters and "type" in filters:
        raise ValueError("filters must not contain 'type': the events are those of images")
    query = (
        text("since", _timestamp("since", since)),
        text("until", _timestamp("until", until)),
        text("filters", encode_filters({"type": "image", **(filters or {})})),
    )
    return streamed(Request(method="GET", path="/events", query=query, timeout=timeout, pace="long"))


def _timestamp(argument: str, time: EventTime | None) -> str | None:
    """Return a time as the engine expects it.

    >>> _timestamp("since", 1.5), _timestamp("since", datetime(1970, 1, 2, tzinfo=UTC))
    ('1.500000000', '86400.000000000')
    """
    if time is None:
        return None
    if isinstance(time, datetime):
        if time.tzinfo is None:
            raise ValueError(f"{argument} must be a datetime with a time zone, or seconds since 1970")
        seconds, rest = divmod((time - _EPOCH) // _MICROSECOND, 10**6)
        return f"{seconds}.{rest:06}000"
    if isinstance(time, bool) or not isinstance(time, int | float):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError(f"{argument} must be a datetime or seconds since 1970, not {type(time).__name__}")
    return f"{time:.9f}"
