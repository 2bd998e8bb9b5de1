"""The wording of builders stands in one module for each kind of text: everything else works on its events."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [*(ROOT / "dockerproto").rglob("*.py"), *(ROOT / "transports").rglob("*.py")]
BUILD_LOG = [
    r"(?<!\w)Step (?![|=])",
    r"(?<!at )(?<![\w.])STEP (?!=)",
    r"(?<!-)--->",
    r"(?<![-|])-->",
    r"Using cache",
    r"Running in",
    r"Removed intermediate container",
    r"Removing intermediate container",
    r"Successfully built",
    r"Successfully tagged",
    r"\[Warning\\?\]",
    r"x1b\[91m\"",
]
COMMAND_FAILURE = [
    r"The command '",
    r"returned a non-zero code",
    r"did not complete successfully",
    r"executor failed running",
    r"while running runtime",
    r"building at STEP",
    r"exit code:",
]
WORDING = [
    *((pattern, "build_log.py") for pattern in BUILD_LOG),
    *((pattern, "command_failure.py") for pattern in COMMAND_FAILURE),
]


def grep(pattern: str) -> set[str]:
    """Return the sources that contain a pattern, in code or in docstrings."""
    return {path.name for path in SOURCES if re.search(pattern, path.read_text())}


@pytest.mark.parametrize(("pattern", "module"), WORDING)
def test_each_phrase_of_a_builder_stands_in_one_module(pattern: str, module: str) -> None:
    assert grep(pattern) == {module}
