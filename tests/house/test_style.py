"""The language of the house: docstrings describe, and all texts use the standard terms of the field."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ["dockerproto", "transports", "benchmarks", "docs", "tests"]
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
TEXTS = [*SOURCES, *sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
TEXTS.remove(Path(__file__))

QUESTIONS = ("What", "Which", "Whether", "How", "Where", "Who", "Whose")
"""First words of docstrings that ask instead of describing."""


class Phrase(NamedTuple):
    """A phrase to avoid."""

    pattern: str
    """Regular expression."""
    instead: str
    """Better words."""
    example: str
    """Text that has the phrase."""


PHRASES = [
    Phrase(r"\b(?:is|are) none\b", "is invalid, missing, unknown", "the address is none"),
    Phrase(r"(?<!there )\b(?:is|are) no (?!longer|more)[a-z]", "is not a", "this is no address"),
    Phrase(r"\bbut for\b", "except", "all files but for one"),
    Phrase(r"\bas far as\b", "until, if, where", "it is read as far as it came"),
    Phrase(r"\bnot to be had\b", "unavailable", "the engine is not to be had"),
    Phrase(r"\bsuch as it is\b", "unchanged", "the name such as it is"),
    Phrase(r"\b[Ll]et(?:s|ting)? go of\b", "close", "Let go of the connection"),
    Phrase(r"\bnobody's\b", "unused, discarded", "the output is nobody's"),
    Phrase(r"\b[Ww]hat (?:came|comes|became|becomes) (?:of|back)\b", "the result", "what came of it"),
    Phrase(r"\b[Ww]ho(?:ever)? (?:asks|waits|reads)\b", "the caller, the task", "who waits is woken"),
    Phrase(r"\bof one's own\b", "custom, private", "a source of one's own"),
    Phrase(r"\b[Tt]he docker command\b", "the Docker CLI", "as the docker command does"),
    Phrase(r"\b[Aa] Podman\b", "Podman", "if it is a Podman"),
]
EXCEPTIONS: dict[str, str] = {}
"""Lines that may have a phrase, with the reasons; ten at most."""


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Yield the docstrings of a source, those of data too, each with its line."""
    statements = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Expr))
    values = (node.value for node in statements if isinstance(node.value, ast.Constant))
    yield from ((value.lineno, value.value) for value in values if isinstance(value.value, str))


def questions(source: str) -> list[str]:
    """Return the docstrings of a source that begin with a question word: their lines and words."""
    words = ((line, text.split()[:1]) for line, text in docstrings(source))
    return [f"{line}: {word}" for line, first in words for word in first if word in QUESTIONS]


def occurrences(pattern: str, text: str) -> list[str]:
    """Return the lines of a text that match a pattern, unless they are exceptions, with their numbers."""
    lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    return [
        f"{number}: {line}" for number, line in lines if re.search(pattern, line) and line not in EXCEPTIONS
    ]


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("folder", FOLDERS)
def test_docstrings_describe(folder: str) -> None:
    found = {shown(path): questions(path.read_text()) for path in SOURCES if ROOT / folder in path.parents}
    assert found
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize("phrase", PHRASES, ids=lambda phrase: phrase.example)
def test_texts_use_standard_terms(phrase: Phrase) -> None:
    found = {shown(path): occurrences(phrase.pattern, path.read_text()) for path in TEXTS}
    assert {path: lines for path, lines in found.items() if lines} == {}, f"write {phrase.instead}"


def test_exceptions_are_few_and_needed() -> None:
    lines = {line.strip() for path in TEXTS for line in path.read_text().splitlines()}
    assert len(EXCEPTIONS) <= 10
    assert EXCEPTIONS.keys() - lines == set()


@pytest.mark.parametrize("docstring", ["Which engine it is.", "  How many there are.", "Whether\n  it is."])
def test_a_question_is_found(docstring: str) -> None:
    quoted, word = f'"""{docstring}"""', docstring.split(maxsplit=1)[0]
    assert questions(quoted) == [f"1: {word}"]
    assert questions(f"class A:\n    b = 1\n    {quoted}") == [f"3: {word}"]
    assert questions(f"async def f():\n    {quoted}") == [f"2: {word}"]
    assert questions(f"def f():\n    return {quoted}") == []


@pytest.mark.parametrize("phrase", PHRASES, ids=lambda phrase: phrase.example)
def test_a_phrase_is_found(phrase: Phrase) -> None:
    assert occurrences(phrase.pattern, f"first\n  {phrase.example}\n") == [f"2: {phrase.example}"]


@pytest.mark.parametrize("text", ["there is no address", "it is no longer open", "no Podman", "a Docker CLI"])
def test_plain_words_are_not_found(text: str) -> None:
    assert [phrase for phrase in PHRASES if occurrences(phrase.pattern, text)] == []
