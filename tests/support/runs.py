"""A run of the tests: its order, its progress by file, and a line that says what ran where."""

from __future__ import annotations

import platform
import random
from collections import Counter, defaultdict
from collections.abc import Generator, Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias

import pytest

OUTCOMES = ("failed", "error", "passed", "skipped", "xfailed")
Status: TypeAlias = tuple[str, str, Any]
"""Category, letter and word for a report."""


def shuffled(items: list[pytest.Item], seed: int) -> list[pytest.Item]:
    """Return tests in an order that depends on the seed.

    Files are shuffled, and the tests of each file, which stay together: many share an engine of their own.
    """
    generator = random.Random(seed)
    files = defaultdict[Path, list[pytest.Item]](list)
    for item in items:
        files[item.path].append(item)
    groups = list(files.values())
    generator.shuffle(groups)
    for group in groups:
        generator.shuffle(group)
    return list(chain.from_iterable(groups))


def summary(reporter: pytest.TerminalReporter, engine: str | None) -> str:
    """Return the version of Python, the name of the engine, and how many tests had each outcome."""
    counts = [f"{len(reporter.stats[name])} {name}" for name in OUTCOMES if reporter.stats.get(name)]
    place = f"Python {platform.python_version()}" + (f" with {engine}" if engine else "")
    return f"{place}: {', '.join(counts) or 'no tests'}"


class Selection:
    """Facts about the selected tests once they are collected, which several processes may do."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.on_engine = False
        """True if a test uses the engine that --engine selects."""
        self.without_engine: str = ""
        """Sentence about the tests that need an engine and are left out."""

    def pytest_deselected(self, items: Iterable[pytest.Item]) -> None:
        left_out = [item for item in items if item.get_closest_marker("engine")]
        if left_out:
            files = {item.path for item in left_out}
            self.without_engine = (
                f"not run: {len(left_out)} tests in {len(files)} files that need an engine, a registry, "
                "ssh or the Docker CLI; `make test` runs them, as root"
            )

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.on_engine |= any(item.get_closest_marker("on_engine") for item in session.items)

    def pytest_sessionfinish(self) -> None:
        """Tell the process that started this one, if one did."""
        output: dict[str, object] | None = getattr(self._config, "workeroutput", None)
        if output is not None:
            output.update(on_engine=self.on_engine, without_engine=self.without_engine)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        output: Mapping[str, Any] = getattr(node, "workeroutput", {})  # none if the process has crashed
        self.on_engine |= output.get("on_engine", False)
        self.without_engine = output.get("without_engine") or self.without_engine


class FileProgress:
    """Progress of a run in several processes: a line for each file that is done, in place of letters."""

    def __init__(self, reporter: pytest.TerminalReporter) -> None:
        self._reporter = reporter
        self._left = Counter[str]()
        """Number of tests of each file that are left."""
        self._outcomes = defaultdict[str, Counter[str]](Counter)
        self._seconds = defaultdict[str, float](float)
        self._total = 0

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self._left = Counter(map(_file, ids))
        self._total = len(ids)

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> Generator[None, Status, Status]:
        category, letter, _ = yield
        if letter:
            self._outcomes[_file(report.nodeid)][category] += 1
        return category, "", ""

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        file = _file(report.nodeid)
        self._seconds[file] += report.duration
        if report.when == "teardown":
            self._left[file] -= 1
            if not self._left[file]:
                self._show(file)

    def _show(self, file: str) -> None:
        counts = ", ".join(f"{count} {name}" for name, count in self._outcomes[file].items())
        done = 1 - self._left.total() / self._total
        self._reporter.write_line(f"[{done:4.0%}] {file}: {counts} ({self._seconds[file]:.1f} s)")


def _file(nodeid: str) -> str:
    return nodeid.partition("::")[0]
