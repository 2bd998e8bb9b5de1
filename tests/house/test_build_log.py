"""The wording of builders stands in one module: everything else works on its events."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [*(ROOT / "dockerproto").rglob("*.py"), *(ROOT / "transports").rglob("*.py")]
WORDING = [
    "Using cache",
    "Running in",
    "Removed intermediate",
    "Removing intermediate",
    "Successfully built",
    "Successfully tagged",
    "[Warning]",
]
HOME = "build_log.py"


def texts(path: Path) -> list[str]:
    """Return the texts of a source, except docstrings."""
    tree = ast.parse(path.read_text())
    notes = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in notes)
    return [node.value for node in constants if isinstance(node.value, str)]


def plain(pattern: str) -> str:
    """Return a text, or a verbose regular expression, without the escapes that the latter needs."""
    return pattern.replace("[ ]", " ").replace("\\[", "[").replace("\\]", "]")


@pytest.mark.parametrize("words", WORDING)
def test_the_words_of_the_classic_builder_stand_in_one_module(words: str) -> None:
    assert {path.name for path in SOURCES for text in texts(path) if words in plain(text)} == {HOME}
