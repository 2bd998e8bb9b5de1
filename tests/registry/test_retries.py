"""Waits before retries, decided from responses."""

from __future__ import annotations

import pytest

from dockerproto.registry.retries import LONGEST_WAIT, RETRIES, retry_after, wait_before_retry

DATE = {"date": "Mon, 30 Nov 2026 10:00:00 GMT"}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "0"}, 0),
        ({"retry-after": " 120 "}, 120),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "1.5"}, None),
        ({"retry-after": "\u0661"}, None),
        ({"retry-after": "9" * 5000}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Mon, 30 Nov 2026 10:00:07 GMT"}, None),
        ({**DATE, "retry-after": "Mon, 30 Nov 2026 10:00:07 GMT"}, 7),
        ({**DATE, "retry-after": "Mon, 30 Nov 2026 11:00:07 +0100"}, 7),
        ({**DATE, "retry-after": "Mon, 30 Nov 2026 09:00:00 GMT"}, 0),
        ({**DATE, "retry-after": "Mon, 99 Nov 2026 09:00:00 GMT"}, None),
        ({**DATE, "retry-after": "Mon, 30 Nov 99999 09:00:00 GMT"}, None),
        ({"date": "x", "retry-after": "Mon, 30 Nov 2026 10:00:07 GMT"}, None),
    ],
    ids=str,
)
def test_a_header_tells_the_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


@pytest.mark.parametrize("idempotent", [True, False])
@pytest.mark.parametrize("status", [200, 401, 404, 408, 501])
def test_other_statuses_are_final(status: int, idempotent: bool) -> None:
    assert wait_before_retry(status, {"retry-after": "0"}, 1, idempotent=idempotent) is None


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_failure_is_retried_if_that_is_harmless(status: int) -> None:
    assert wait_before_retry(status, {}, 1, idempotent=True) == 0.5
    assert wait_before_retry(status, {"retry-after": "3"}, 1, idempotent=True) == 3
    assert wait_before_retry(status, {}, 1, idempotent=False) is None


@pytest.mark.parametrize("idempotent", [True, False])
def test_a_limited_request_is_retried(idempotent: bool) -> None:
    waits = [wait_before_retry(429, {}, tried, idempotent=idempotent) for tried in range(1, RETRIES + 2)]
    assert waits == [0.5, 1, 2, None]


@pytest.mark.parametrize(("seconds", "wait"), [(LONGEST_WAIT, LONGEST_WAIT), (LONGEST_WAIT + 1, None)])
def test_a_wait_is_bounded(seconds: int, wait: float | None) -> None:
    assert wait_before_retry(429, {"retry-after": str(seconds)}, 1, idempotent=True) == wait
