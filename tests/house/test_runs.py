"""Runs in a random order have the same tests, and can be repeated."""

from __future__ import annotations

import subprocess
import sys
from itertools import groupby
from pathlib import Path

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


def test_several_processes_report_as_one(tmp_path: Path) -> None:
    file, tested = tmp_path / "summary", "tests/request/test_ping.py"
    options = ("-n2", "--dist=loadfile", "-p", "no:cacheprovider", f"--summary={file}")
    done = subprocess.run(
        (
            sys.executable,
            "-m",
            "pytest",
            *options,
            "-m",
            "not engine",
            tested,
            "tests/testbed/test_engines.py",
        ),
        cwd=Path(__file__).parents[2],
        check=False,
        capture_output=True,
        text=True,
    )
    (line,) = file.read_text().splitlines()
    passed = line.partition(": ")[2]
    assert done.returncode == 0, done.stdout
    assert f"[100%] {tested}: {passed} (" in done.stdout
    assert "not run: " in done.stdout
