"""The table of differences says no more than the tests need."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines.differences import Difference
from tests.testbed.engines import DEFAULT, ENGINES


@pytest.mark.parametrize("difference", Difference, ids=lambda each: each.name)
def test_every_difference_is_asked_for(difference: Difference) -> None:
    tests = [path.read_text() for path in Path(__file__).parents[1].rglob("test_*.py")]
    assert any(f"{difference}.on(" in text or f"{difference}," in text for text in tests)


@pytest.mark.parametrize("difference", Difference, ids=lambda each: each.name)
def test_a_difference_is_one_from_the_default_engine(difference: Difference) -> None:
    assert set(difference.engines) <= ENGINES.keys() - {DEFAULT}
