"""Runs in a random order have the same tests, and can be repeated."""

from __future__ import annotations

from itertools import groupby

import pytest

from tests.support.runs import shuffled


def test_an_order_depends_on_its_seed_only(request: pytest.FixtureRequest) -> None:
    items = sorted(request.session.items, key=lambda item: item.nodeid)
    orders = [shuffled(items, seed) for seed in range(20)]
    assert orders == [shuffled(items, seed) for seed in range(20)]
    assert [sorted(order, key=lambda item: item.nodeid) for order in orders] == [items] * 20
    assert len({tuple(order) for order in orders}) > 1 or len(items) == 1


def test_the_tests_of_a_file_stay_together(request: pytest.FixtureRequest) -> None:
    items = request.session.items
    files = [path for path, _ in groupby(shuffled(items, 1), key=lambda item: item.path)]
    assert sorted(files) == sorted({item.path for item in items})
