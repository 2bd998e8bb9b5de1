"""Long lists of patterns cost linear time and memory, and a hostile list is refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from dockerproto import InvalidPattern
from dockerproto.buildcontext import nfa, position_sets
from dockerproto.buildcontext.dockerignore import Patterns, parse_ignore_file
from tests.support.lines_run import lines_run
from tests.support.retained import retained
from tests.test_linear_parsers import BOUND, cost

Patterned = Callable[[int], list[str]]


LISTS: dict[str, Patterned] = {
    "literals": lambda size: [f"src/{index:05}.txt" for index in range(size)],
    "exceptions": lambda size: ["*", *(f"!src/{index:05}" for index in range(size))],
    "wildcards": lambda size: [f"src/{index:05}/*.txt" for index in range(size)],
    "anywhere": lambda size: [f"**/{index:05}" for index in range(size)],
    "all match": lambda size: ["*", "!*"] * size,
    "same literals": lambda size: ["b", "!b"] * size,
    "same exceptions": lambda size: ["*", *["!b/c"] * size, "b"],
    "one long pattern": lambda size: ["**/*" * size],
    "stars": lambda size: ["*" * size + "a"],
}


def match_one(patterns: Patterns) -> Callable[[], object]:
    """Return a function that matches a path, and looks for exceptions in each of its directories."""

    def match() -> None:
        place = patterns.root
        for name in ("b", "src", "c"):
            place = place.enter(name)
            place.may_unmatch()
            patterns.exception_below("src")

    return match


@pytest.mark.parametrize("name", LISTS)
def test_the_lines_run_to_match_a_path_do_not_depend_on_the_patterns(name: str) -> None:
    few, many = (lines_run(match_one(Patterns(LISTS[name](size)))) for size in (30, 900))
    # Patterns that are all the text of the path, or in its directory, are looked at one by one.
    assert many <= few + (4_000 if name.startswith("same") else 30)


@pytest.mark.parametrize("name", LISTS)
def test_compilation_runs_a_linear_number_of_lines(name: str) -> None:
    few, many = (lines_run(partial(Patterns, LISTS[name](size))) for size in (50, 500))
    assert many <= 12 * few


FACTOR = 16


@pytest.mark.parametrize("name", ["literals", "anywhere"])
def test_compilation_takes_linear_time(name: str) -> None:
    """An operation on long integers is one line, so the CPU time of two lists is compared, as for parsers.

    With fewer patterns, such operations take less time than everything else.
    """
    few, many = ("\n".join(LISTS[name](size)) for size in (5_000, 5_000 * FACTOR))

    def compiled(text: str) -> Patterns:
        return Patterns(text.split("\n"))

    assert any(cost(compiled, many) <= BOUND * FACTOR * cost(compiled, few) for _ in range(5))


ALPHABETS: dict[str, Patterned] = {
    "characters": lambda size: [f"*{chr(0x4E00 + index)}" for index in range(size)],
    "classes": lambda size: [f"[{chr(0x4E00 + index)}a]" for index in range(size)],
    "literals": LISTS["literals"],
    "anywhere": LISTS["anywhere"],
}


@pytest.mark.parametrize("name", ALPHABETS)
def test_compiled_patterns_take_linear_memory(name: str) -> None:
    few, many = (retained(Patterns(ALPHABETS[name](size))) for size in (500, 4_000))
    assert many <= 12 * few


def test_characters_of_few_patterns_are_matched() -> None:
    patterns = Patterns([*ALPHABETS["characters"](2_000), *ALPHABETS["classes"](2_000), "?\ufffd"])
    matched = {name: patterns.match(name) for name in ("b\u4e01", "a", "\u4e02", "\u9000", "b\udcff", "b")}
    assert matched == {
        "b\u4e01": True,
        "a": True,
        "\u4e02": True,
        "\u9000": False,
        "b\udcff": True,
        "b": False,
    }


def test_masks_of_characters_are_forgotten_and_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    computed = list[str]()
    accepting = position_sets.PositionSets.accepting

    def counted(sets: position_sets.PositionSets, char: str) -> int:
        computed.append(char)
        return accepting(sets, char)

    monkeypatch.setattr(position_sets.PositionSets, "accepting", counted)
    monkeypatch.setattr(nfa, "_CACHE_BYTES", 1_000)
    patterns = Patterns(["*[x-z]"])
    assert [patterns.match(f"{chr(code)}z") for code in range(97, 123)] == [True] * 26
    assert 2 * 2 < computed.count("z") < 2 * 26


REFUSED: dict[str, tuple[list[str], str]] = {
    "a long pattern": (["a" * 4_097], "4097 characters, expected at most 4096"),
    "a long exception": (["!" + "*a" * 4_097], "8194 characters, expected at most 4096"),
    "many patterns": (["a"] * 101, "the list takes more than 100 positions"),
    "much text": (["?" * 50, "?" * 50], "the list takes more than 100 positions"),
    "many classes": (["[abcdef]", "[ghijkl]"], "the list has more than 10 ranges"),
}


@pytest.mark.parametrize(("lines", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_hostile_list_is_refused(monkeypatch: pytest.MonkeyPatch, lines: list[str], reason: str) -> None:
    monkeypatch.setattr(position_sets, "MAX_POSITIONS", 100)
    monkeypatch.setattr(position_sets, "MAX_RANGES", 10)
    with pytest.raises(InvalidPattern) as caught:
        Patterns(parse_ignore_file("\n".join(lines).encode()))
    assert reason in str(caught.value)
    assert caught.value.line == len(lines)
    assert len(str(caught.value)) < 500


def test_the_longest_lists_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(position_sets, "MAX_POSITIONS", 100)
    monkeypatch.setattr(position_sets, "MAX_RANGES", 10)
    assert Patterns(["a" * 4_096, *["a"] * 99]).match("a")
    assert Patterns(["?" * 49, "?" * 49]).match("a" * 49)
    assert Patterns(["[abcde]", "[ghij]", "[abcde]", "?" * 80]).match("g")
