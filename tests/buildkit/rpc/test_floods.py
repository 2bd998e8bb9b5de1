"""Engines that flood a session with frames: what it keeps does not grow with what it received."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import pytest

from dockerproto.buildkit.rpc import http2
from dockerproto.buildkit.rpc.handler import OK, Code, Status
from dockerproto.buildkit.session.session import Session
from dockerproto.errors import ProtocolViolated
from tests.support.calling import Engine
from tests.support.floods import (
    CLOSED,
    DATA,
    FLOODS,
    HEADERS,
    MESSAGES,
    PING,
    START,
    Flood,
    frame,
    pieces,
    services,
    setting,
)
from tests.support.retained import retained

SIZE: Final = 2**15
GROWTH: Final = 2**12
"""Difference in bytes that may be kept of a flood and of one that is three times as long."""


def kept(flood: Flood, size: int, *, reads: bool) -> int:
    """Return the bytes that a session keeps of a flood, of an engine that reads or does not."""
    session = Session(services())
    session.feed(START)
    with suppress(ProtocolViolated):
        for piece in pieces(flood, size):
            session.feed(piece)
            if reads:
                while session.advance() is not None:
                    pass
                session.data_to_send()
    return retained(session)


@pytest.fixture
def low_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let short floods reach the limits."""
    monkeypatch.setattr(http2, "MAX_UNREAD_REPLIES", 2**12)
    monkeypatch.setattr(http2.HTTP2Connection, "MAX_CLOSED_STREAMS", 2**4)


@pytest.mark.usefixtures("low_limits")
@pytest.mark.parametrize("reads", [True, False], ids=["read", "unread"])
@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_a_flood_is_not_kept(flood: Flood, reads: bool) -> None:
    assert kept(flood, 3 * SIZE, reads=reads) - kept(flood, SIZE, reads=reads) < GROWTH


@pytest.mark.parametrize("flood", MESSAGES.values(), ids=MESSAGES)
def test_messages_that_wait_take_hardly_more_than_their_bytes(flood: Flood) -> None:
    assert kept(flood, 4 * SIZE, reads=True) - kept(flood, SIZE, reads=True) < 1.3 * 3 * SIZE


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (frame(PING, 0, 0, bytes(8)), "^the peer left more than 262144 bytes of HTTP/2 replies unread$"),
        (frame(DATA, 0, 1), "^the peer left more than 262144 bytes of HTTP/2 replies unread$"),
        (frame(HEADERS, 4, 1, b"\x82"), "^the peer left more than 262144 bytes of HTTP/2 replies unread$"),
    ],
)
def test_unread_replies_are_an_error(sent: bytes, reason: str) -> None:
    session = Session(services())
    session.feed(START + CLOSED)
    with pytest.raises(ProtocolViolated, match=reason):
        session.feed(sent * 2**15)
    assert session.ended


def test_replies_that_are_read_are_not_counted() -> None:
    session = Session(services())
    session.feed(START)
    for _ in range(40):
        session.feed(frame(PING, 0, 0, bytes(8)) * 1000)
        assert len(session.data_to_send()) >= 17_000


def test_many_different_settings_are_an_error() -> None:
    session = Session(services())
    session.feed(START + b"".join(setting(code, 1) for code in range(100, 150)))
    session.feed(b"".join(setting(code, 1) for code in range(100, 150)))
    with pytest.raises(ProtocolViolated, match=r"^the peer sent more than 64 different HTTP/2 settings$"):
        session.feed(b"".join(setting(code, 1) for code in range(150, 170)))


LONG: Final = [("exclude-patterns", "x" * 1000)] * 980


def test_the_headers_of_all_calls_are_limited() -> None:
    engine = Engine(services())
    streams = [engine.begin("/idle", metadata=LONG) for _ in range(3)]
    engine.run()
    reason = "the headers of all calls exceed 2097152 bytes"
    assert engine.statuses == {streams[2]: Status(Code.RESOURCE_EXHAUSTED, reason)}
    engine.grpc.reset(streams[0])
    engine.begin("/idle", metadata=LONG)
    engine.run()
    assert list(engine.statuses) == [streams[2]]


def test_thousands_of_calls_in_sequence_are_answered() -> None:
    engine = Engine(services())
    for _ in range(1200):
        assert engine.ask("/grpc.health.v1.Health/Check")[1] == OK
