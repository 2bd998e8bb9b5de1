"""Bodies of messages with their lengths: whole, byte by byte, at any cut; broken ends."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerproto.errors import ProtocolViolated
from dockerproto.messages.delimited import DelimitedMessages, FoldedMessages, delimited

MESSAGES = [b"", b"a", bytes(300), b"", b"\x00\x00\x00\x01"]
BODY = delimited(MESSAGES)


def fed(pieces: Iterable[bytes]) -> list[bytes]:
    decoder = DelimitedMessages(bytes)
    items = [item for piece in pieces for item in decoder.feed(piece)]
    return [*items, *decoder.feed(b"")]


def test_it_is_read_whole() -> None:
    assert fed([BODY]) == MESSAGES


def test_it_is_read_byte_by_byte() -> None:
    assert fed(BODY[at : at + 1] for at in range(len(BODY))) == MESSAGES


@given(cuts=st.lists(st.integers(1, len(BODY) - 1), unique=True).map(sorted))
def test_it_is_read_at_any_cut(cuts: list[int]) -> None:
    edges = [0, *cuts, len(BODY)]
    assert fed(BODY[start:end] for start, end in pairwise(edges)) == MESSAGES


def test_an_empty_body_has_no_messages() -> None:
    assert fed([]) == []


@pytest.mark.parametrize("left_off", [1, 4, 6])
def test_a_message_without_its_end_is_an_error(left_off: int) -> None:
    with pytest.raises(ProtocolViolated, match="in the middle of a message"):
        fed([delimited([b"abc", b"d"])[:-left_off], b""])


def test_the_items_before_an_error_are_returned() -> None:
    def parse(message: bytes) -> int:
        if not message:
            raise ProtocolViolated(0, "malformed")
        return len(message)

    items = iter(DelimitedMessages(parse).feed(delimited([b"abc", b"", b"d"])))
    assert next(items) == 3
    with pytest.raises(ProtocolViolated):
        next(items)


def test_messages_are_folded_into_one_item() -> None:
    taken: list[bytes] = []
    decoder = FoldedMessages(taken.append, lambda: len(taken))
    assert [*decoder.feed(BODY[:7]), *decoder.feed(BODY[7:])] == []
    assert [*decoder.feed(b"")] == [len(MESSAGES)]
