"""The last items of a stream: what is kept, whatever sizes the pieces have."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from dockerproto.operations.tail import BYTES, Tail

SIZES = some.one_of(some.integers(1, 100), some.integers(1, BYTES), some.sampled_from((BYTES - 1, BYTES + 1)))
PIECES = some.lists(some.tuples(some.integers(0, 4), some.integers(0, 3), SIZES), max_size=30)


@given(PIECES, some.integers(1, 6))
def test_as_many_are_kept_as_may_be(pieces: list[tuple[int, int, int]], most: int) -> None:
    last, all_items = Tail[int](most), list[int]()
    needed = list[tuple[int, int]]()  # how many items each piece that has any brought, and its bytes
    waiting = 0
    for count, more, size in pieces:
        items = list(range(len(all_items), len(all_items) + count))
        last.begin(items, size)
        for _ in range(more):
            items.append(len(all_items) + len(items))
        all_items += items
        waiting += size
        if items:
            needed.append((len(items), waiting))
            waiting = 0
    kept, left = 0, BYTES - waiting
    for number, (count, size) in enumerate(reversed(needed)):
        left -= size
        if (number or waiting) and left < 0:
            break
        kept += count
    assert last.items() == all_items[max(len(all_items) - kept, len(all_items) - most, 0) :]


def test_chunks_without_items_are_kept_as_one() -> None:
    last = Tail[str](most=10)
    for _ in range(1000):
        last.begin([], 1)
    last.begin(["x"], 1)
    assert last.items() == ["x"]
    assert len(last._chunks) == 1  # pyright: ignore[reportPrivateUsage]
