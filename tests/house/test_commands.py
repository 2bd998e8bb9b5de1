"""Commands in the documentation and in the configuration of services: each make target and program exists."""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

yaml: Any = import_module("yaml")  # a dependency of myst-parser, without types

ROOT = Path(__file__).parents[2]
SERVICES = [
    ROOT / ".github/workflows/ci.yml",
    ROOT / ".pre-commit-config.yaml",
    ROOT / ".readthedocs.yaml",
]
SOURCES = [*SERVICES, ROOT / ".ci/run", *ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]

MAKE = re.compile(r"(?:^|`|- |run: )make ([a-z./-]+)", re.MULTILINE)
PROGRAM = re.compile(r"\.venv/bin/([\w-]+)")
TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)


def targets() -> set[str]:
    """Return the targets of the Makefile."""
    text = (ROOT / "Makefile").read_text()
    return {*TARGET.findall(text), *re.findall(r"^STAMP := (\S+)$", text, re.MULTILINE)}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_each_command_exists(path: Path) -> None:
    text = path.read_text()
    assert set(MAKE.findall(text)) - targets() == set()
    assert [name for name in PROGRAM.findall(text) if not (Path(sys.prefix) / "bin" / name).exists()] == []


def test_commands_are_found() -> None:
    assert {name for path in SOURCES for name in MAKE.findall(path.read_text())} >= {"unit", "check", "docs"}
    assert {name for path in SERVICES for name in PROGRAM.findall(path.read_text())} == {
        "mypy",
        "ruff",
        "sphinx-build",
    }


def test_continuous_integration_runs_everything() -> None:
    (loop,) = re.findall(r"^for target in (.*); do$", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    assert loop.split() == ["check", "test", "docs", "browser"]
    jobs = yaml.safe_load(SERVICES[0].read_text())["jobs"]
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert {"make unit", ".ci/run"} <= set(commands)


def test_hooks_run_the_tools_of_this_checkout() -> None:
    (repository,) = yaml.safe_load(SERVICES[1].read_text())["repos"]
    assert repository["repo"] == "local"
    entries = [hook["entry"] for hook in repository["hooks"]]
    assert entries
    assert [entry for entry in entries if not entry.startswith(".venv/bin/")] == []


def test_read_the_docs_builds_as_make_docs_does() -> None:
    build = yaml.safe_load(SERVICES[2].read_text())["build"]
    (command,) = build["jobs"]["build"]["html"]
    start = ".venv/bin/sphinx-build -nW --keep-going -b html docs "
    assert command.startswith(start)
    assert start.removeprefix(".venv/bin/") in (ROOT / "Makefile").read_text()
