"""Idle connections, with a clock that is an argument."""

from __future__ import annotations

import gc

import pytest

from dockerproto.http.pool import IDLE_LIMIT, IDLE_SECONDS, Pool


def test_what_is_kept_by_default() -> None:
    assert (IDLE_LIMIT, IDLE_SECONDS) == (200, 60)
    assert Pool[str]() == Pool[str](limit=200, seconds=60, closed=False)


def test_the_one_that_was_used_last_is_taken_first() -> None:
    pool = Pool[str]()
    assert [pool.give(each, now) for now, each in enumerate("abc")] == [True, True, True]
    assert [pool.take() for _ in range(5)] == ["c", "b", "a", None, None]


def test_no_more_are_kept_than_the_limit() -> None:
    pool = Pool[str](limit=2)
    assert [pool.give(each, 0) for each in "abc"] == [True, True, False]
    assert pool.take() == "b"
    assert pool.give("d", 1)
    assert not pool.give("e", 1)
    assert [pool.take(), pool.take(), pool.take()] == ["d", "a", None]


def test_a_pool_that_keeps_none() -> None:
    pool = Pool[str](limit=0)
    assert not pool.give("a", 0)
    assert pool.take() is None


@pytest.mark.parametrize(
    ("now", "expired", "kept"),
    [
        (1000.0, [], ["c", "b", "a"]),
        (1060.0, [], ["c", "b", "a"]),
        (1060.5, ["a"], ["c", "b"]),
        (1070.0, ["a"], ["c", "b"]),
        (1070.5, ["a", "b"], ["c"]),
        (1090.5, ["a", "b", "c"], []),
    ],
)
def test_those_that_waited_too_long(now: float, expired: list[str], kept: list[str]) -> None:
    pool = Pool[str]()
    for given, each in ((1000, "a"), (1010, "b"), (1030, "c")):
        pool.give(each, given)
    assert list(pool.expired(now)) == expired
    assert [pool.take() for _ in kept] == kept
    assert pool.take() is None


def test_one_that_is_given_back_waits_anew() -> None:
    pool = Pool[str](seconds=5)
    pool.give("a", 0)
    assert pool.take() == "a"
    pool.give("a", 4)
    assert list(pool.expired(9)) == []
    assert list(pool.expired(9.1)) == ["a"]


class Faster(list[tuple[float, str]]):
    """A list whose last connection another thread takes just before it is popped."""

    def pop(self, index: int = -1, /) -> tuple[float, str]:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]  # no other kind is used
        self.clear()
        return super().pop(index)


def test_another_thread_is_faster() -> None:
    pool = Pool[str](_idle=Faster([(0, "a")]))
    assert list(pool.expired(1000)) == []
    pool = Pool[str](_idle=Faster([(0, "a")]))
    assert pool.take() is None


def test_a_closed_pool_hands_out_all_and_keeps_none() -> None:
    pool = Pool[str]()
    for each in "abc":
        pool.give(each, 0)
    assert list(pool.close()) == ["c", "b", "a"]
    assert pool.closed
    assert not pool.give("d", 0)
    assert pool.take() is None
    assert list(pool.close()) == []


class Item:
    """A connection."""


def test_a_closed_pool_hands_out_the_connections_in_use_too() -> None:
    items = [Item(), Item(), Item()]
    pool = Pool[Item]()
    for each in items:
        pool.add(each)
    pool.give(items[0], 0)
    closing = pool.close()
    assert next(closing) is items[0]
    assert set(closing) == set(items)


def test_a_pool_does_not_keep_the_connections_in_use() -> None:
    pool = Pool[Item]()
    used, lost = Item(), Item()
    pool.add(used)
    pool.add(lost)
    del lost
    gc.collect()
    assert list(pool.close()) == [used]


def test_what_is_given_while_a_pool_is_closed_is_not_kept() -> None:
    pool = Pool[str]()
    pool.give("a", 0)
    pool.give("b", 0)
    closing = pool.close()
    assert next(closing) == "b"
    assert not pool.give("b", 0)
    assert list(closing) == ["a"]
