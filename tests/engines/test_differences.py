"""The table of differences says no more than the tests need."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from tests.engines.differences import Difference
from tests.testbed.engines import ENGINES


@pytest.mark.parametrize("difference", Difference, ids=lambda each: each.name)
def test_every_difference_is_asked_for(difference: Difference) -> None:
    tests = [path.read_text() for path in Path(__file__).parents[1].rglob("test_*.py")]
    assert any(f"{difference}.on(" in text or f"{difference}," in text for text in tests)


@pytest.mark.parametrize("difference", Difference, ids=lambda each: each.name)
def test_a_difference_is_one_between_engines(difference: Difference) -> None:
    assert {*difference.engines} < ENGINES.keys()
    assert len({*difference.engines}) == len(difference.engines)


PAGES = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "engines.py"))


@pytest.mark.parametrize("difference", Difference, ids=lambda each: each.name)
def test_the_documentation_shows_a_difference(difference: Difference) -> None:
    text = PAGES["_CODE"].sub(PAGES["_linked"], difference.reason)
    assert f"{text}\n" in PAGES["differences"]() + "\n"
    podman = any(group.title.startswith("Podman") for group in difference.groups)
    assert (f"{text}\n" in PAGES["differences_of_podman"]() + "\n") == podman
    assert not difference.feature or f"| {difference.feature} |" in PAGES["features"]()
