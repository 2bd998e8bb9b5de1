"""Recorded sessions: whatever the cuts of what the engine says, it gets the answers that it got then."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import pytest
from hyperframe.frame import DataFrame, Frame, HeadersFrame
from hypothesis import given, settings
from hypothesis import strategies as st

from dockerproto.buildkit.grpc import Messages
from dockerproto.buildkit.sender import file_sync
from dockerproto.buildkit.services import health, secrets
from tests.calling import Engine
from tests.feeding import VECTORS, any_cuts, bytewise, cut_at, cuts
from tests.fuzz_session import EXAMPLES, Call, Damage, session
from tests.test_filesync import recorded, recorded_tree

ENGINES = ["docker-20.10", "docker-26.1"]
DOCKERFILE, CONTEXT = 1, 5  # the streams in which these were asked for


@cache
def said(engine: str, side: str) -> list[bytes]:
    """Return what a side said, one thing after the other."""
    events: list[tuple[str, str]] = json.loads((VECTORS / engine / "session.json").read_text())
    return [base64.b64decode(data) for who, data in events if who == side]


def heard(data: bytes) -> Mapping[int, tuple[list[bytes], int]]:
    """Return the messages of each call, and how many blocks of headers it has; the last one is its end."""
    calls: dict[int, tuple[list[bytes], int]] = {}
    contents: dict[int, Messages] = {}
    while data:
        frame, length = Frame.parse_frame_header(memoryview(data[:9]))
        frame.parse_body(memoryview(data[9 : 9 + length]))
        messages, blocks = calls.get(frame.stream_id, ([], 0))
        if isinstance(frame, DataFrame):
            decoder = contents.setdefault(frame.stream_id, Messages())
            calls[frame.stream_id] = ([*messages, *decoder.feed(frame.data)], blocks)
        elif isinstance(frame, HeadersFrame):
            calls[frame.stream_id] = (messages, blocks + 1)
        data = data[9 + length :]
    return calls


def answers(engine: str, pieces: Iterable[bytes]) -> bytes:
    """Return what a session says to what the engine said."""
    client = recorded(engine, "client")
    trees = {"dockerfile": recorded_tree(client[DOCKERFILE]), "context": recorded_tree(client[CONTEXT])}
    served = Engine({**health(), **secrets({"x": b"sec\n"}), **file_sync(trees)})
    answered = b""
    for piece in pieces:
        served.session.feed(piece)
        while served.step():
            pass
        answered += served.session.take()
    assert served.session.failure is None
    return answered


def whole(data: bytes) -> list[bytes]:
    return cut_at(data, ())


@pytest.mark.parametrize("cut", [whole, bytewise])
@pytest.mark.parametrize("engine", ENGINES)
def test_the_engine_gets_what_it_got(engine: str, cut: Any) -> None:
    got = heard(b"".join(said(engine, "client")))
    assert len(got) >= 4
    pieces = [piece for data in said(engine, "engine") for piece in cut(data)]
    assert heard(answers(engine, pieces)) == got


@pytest.mark.parametrize("engine", ENGINES)
@given(data=st.data())
@any_cuts
def test_the_engine_gets_what_it_got_whatever_the_cuts(engine: str, data: st.DataObject) -> None:
    # What came later came after an answer, but for that it may be cut anywhere.
    pieces = [piece for each in said(engine, "engine") for piece in data.draw(cuts(each))]
    assert heard(answers(engine, pieces)) == heard(b"".join(said(engine, "client")))


@EXAMPLES
@settings(deadline=None, max_examples=300)
def test_whatever_an_engine_says_ends_in_our_own_errors(
    calls: list[Call], damages: list[Damage], cut: int, tar: bool
) -> None:
    session(calls, damages, cut, tar)
