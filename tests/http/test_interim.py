"""Interim responses: a few are skipped, a flood of them is rejected."""

from __future__ import annotations

import pytest

from dockerproto.errors import ProtocolViolated
from dockerproto.http.http11 import INTERIM_LIMIT, Exchange
from tests.http.test_http11 import GET, LENGTH, talk

INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize("size", [1, 4096, 2**20])
@pytest.mark.parametrize(
    ("flood", "message"),
    [
        (INTERIM * 17, "more than 16 interim responses before the response"),
        (INTERIM * 50_000, "more than 16 interim responses before the response"),
        (b"HTTP/1.1 103 x\r\nA: b\r\n\r\n" * 17, "more than 16 interim responses before the response"),
        (b"\r\n" * 100_000, "invalid HTTP response: "),
        (b"\n" * 100_000, "invalid HTTP response: "),
        (INTERIM + b"\r\n" * 100_000, "invalid HTTP response: "),
    ],
)
def test_a_flood_before_the_response_is_rejected(flood: bytes, message: str, size: int) -> None:
    data = flood + LENGTH
    result = talk(data[at : at + size] for at in range(0, len(data), size))
    assert result.error is ProtocolViolated
    assert result.message.startswith(message)


def test_a_few_interim_responses_precede_each_response_of_a_connection() -> None:
    exchange = Exchange()
    for _ in range(3):
        exchange.start(GET)
        assert talk([INTERIM * INTERIM_LIMIT + LENGTH], exchange).status == 200
