"""Retries: how long to wait before a request is sent again, decided without a clock.

A registry that limits requests (429) has done nothing, so any request is repeated. A failure of the server
(5xx) may have happened halfway, so only idempotent requests are. ``Retry-After`` may be a date; it is
compared with the ``Date`` of the same response, so the clock of this machine does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

RETRIES: Final = 3
"""Number of times that a request is sent again."""
LONGEST_WAIT: Final = 60
"""Longest wait for one retry, in seconds."""
_TOO_MANY: Final = 429
_TEMPORARY: Final = frozenset({500, 502, 503, 504})
_SECONDS: Final = 10
"""Number of digits that seconds may have."""


def wait_before_retry(
    status: int, headers: Mapping[str, str], tried: int, *, idempotent: bool
) -> float | None:
    """Return how many seconds to wait before a request is sent again, None to give up.

    Args:
        status: Status of the response.
        headers: Headers of the response, by name in lower case.
        tried: Number of times that the request was sent.
        idempotent: True if the request may be repeated after a failure.

    >>> wait_before_retry(429, {"retry-after": "7"}, 1, idempotent=False)
    7
    """
    if tried > RETRIES or not (status == _TOO_MANY or (idempotent and status in _TEMPORARY)):
        return None
    wanted = retry_after(headers)
    wait = 2 ** (tried - 1) / 2 if wanted is None else wanted
    return wait if wait <= LONGEST_WAIT else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds a registry wants its client to wait; None if it does not say it."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdecimal() and len(text) <= _SECONDS:
        return int(text)
    until, sent = _timestamp(text), _timestamp(headers.get("date", ""))
    return None if until is None or sent is None else max(0, until - sent)


def _timestamp(text: str) -> float | None:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415  # rarely needed

    try:
        return parsedate_to_datetime(text[:100]).timestamp()
    except (ValueError, OverflowError):
        return None
