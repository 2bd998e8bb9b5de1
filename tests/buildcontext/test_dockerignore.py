"""Patterns of ignore files match paths exactly as in the Docker CLI."""

from __future__ import annotations

import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerproto import InvalidPattern
from dockerproto.buildcontext import nfa
from dockerproto.buildcontext.dockerignore import PatternLine, Patterns, parse_ignore_file

LINES: list[tuple[bytes, list[str]]] = [
    (b"", []),
    (b"a\nb", ["a", "b"]),
    (b"\xef\xbb\xbfa\n", ["a"]),
    (b"a\r\nb\r\n", ["a", "b"]),
    (b"# comment\n  # not one\n", ["# not one"]),
    (b"\xef\xbb\xbf# comment\n", []),
    (b"\t a b \x0b\n\xc2\xa0\n", ["a b"]),
    (b"/a\n/\n//a\n", ["a", "/", "a"]),
    (b"./a/../b//c/\n../a\n.\n", ["b/c", "../a", "."]),
    (b"!a\n! a\n!/a/\n!\n! \n", ["!a", "!a", "!a", "!", "!"]),
    (b"\xff\n", ["\udcff"]),
    ("é\u2003\n".encode(), ["é"]),
]


@pytest.mark.parametrize(("data", "lines"), LINES)
def test_an_ignore_file_is_read_line_by_line(data: bytes, lines: list[str]) -> None:
    assert [line.text for line in parse_ignore_file(data)] == lines


def test_a_line_knows_where_it_stands() -> None:
    assert parse_ignore_file(b"#\n\nx\n!y", "a/.dockerignore") == [
        PatternLine("x", "a/.dockerignore", 3),
        PatternLine("!y", "a/.dockerignore", 4),
    ]


MATCHES: list[tuple[str, str, str]] = [
    # patterns, what they match, what they do not
    ("", "", "a a/b"),
    ("a", "a a/b a/b/c", "b ab A b/a"),
    ("a/b", "a/b a/b/c", "a a/bc b/a/b"),
    ("a/", "a a/b", "b"),
    ("./a/../b", "b", "a"),
    ("*", "a a/b .a", ""),
    ("*.py", "a.py .py a.py/b", "a.pyc b/a.py apy"),
    ("a*c", "ac abc abbc", "a/c acd"),
    ("a?c", "abc", "ac a/c abbc"),
    ("*/*", "a/b a/b/c", "a"),
    ("**", "a a/b", ""),
    ("**/**", "a a/b", ""),
    ("**/a", "a b/a b/c/a a/b", "ba b/ca ab"),
    ("**a", "a ba b/a b/ca aa/b", "ab"),
    ("a/**", "a/b a/b/c", "a ab b/a/c"),
    ("a**", "a ab a/b ab/c", "b b/a"),
    ("a/**/c", "a/c a/b/c a/b/b/c a/c/d", "a a/bc ac c"),
    ("a**c", "ac ab/c a/c", "abc"),
    ("**/*.py", "a.py b/a.py", "a.pyc"),
    ("**/a/*b", "a/b c/a/xb", "a b a/c/b"),
    ("***", "a a/b", ""),
    ("[ab]c", "ac bc", "cc c abc"),
    ("[a-c]", "a b c", "d -"),
    ("[^a-c]d", "dd -d /d", "ad d"),
    ("[a\\-z]", "a - z", "b \\"),
    ("[\\]]", "]", "["),
    ("[[]", "[", "]"),
    ("a/*[]]", "a/x] a/]]", "a/x"),
    ("a*[-b]", "a- ab", "ac"),
    ("a*[b-]", "a- ab", "ac"),
    ("a*[^]b]", "ac", "ab a]"),
    ("a*b\\", "ab$ axb$x", "ab ab\\"),
    ("[^^]", "a", "^"),
    ("[a]]", "a]", "a ]"),
    ("[!a]", "! a", "b"),
    ("[*]", "] [] ^/[]", "* x x]"),
    ("[?]", "^] [] /]", "?"),
    ("[.$]", ". $", "a"),
    ("[[:digit:]x]", "1 x", "d :"),
    ("[[:^alpha:]]", "1", "a"),
    ("[\\d]", "7", "d a"),
    ("[\\Dx]", "a x", "7"),
    ("[\\w\\-]", "a _ 0 -", "."),
    ("\\*", "*", "a \\*"),
    ("\\a\\t", "\a\t", "at"),
    ("\\d\\D\\s\\S\\w\\W", "1a\tb_-", "dDsSwW"),
    ("\\x41\\101\\07\\0", "AA\x07\x00", "x41"),
    ("\\pL\\PN", "aé éa ab", "1a a1"),
    ("[\\pN]", "1 ²", "a"),
    ("\\Qa\\E?", "ab", "a"),
    ("\\Q\\E?", "a", "ab"),
    ("a\ufffd", "a\ufffd", "a\udcff"),
    ("a?\ufffd", "ab\ufffd ab\udcff", "ab"),
    ("\\Qa.b", "a\\.b$ a\\.b$x", "a.b"),
    ("a\\b-*", "a-x", "ab-"),
    ("a\\Bb*", "ab", "a"),
    ("\\Aa*\\z", "a ab", "ba"),
    ("a\\A*", "", "a ab"),
    ("\\b*", "a", "-"),
    ("^a", "^a", "a"),
    ("^a?", "ab", "^ab"),
    ("a^?", "", "a^b a^"),
    ("a.b+(c)|{d}$*", "a.b+(c)|{d}$ a.b+(c)|{d}$x", "axb+(c)|{d}$"),
    ("a]b", "a]b", "ab"),
    ("é?", "éa éé", "é ea"),
    ("\udcff", "\udcff", "\udcfe"),
    ("?\udcff", "a\udcff a\udcfe", "a"),
    ("[^a]\nb", "\n\nb", "a\nb"),
    ("a !a", "", "a a/b"),
    ("!a a", "a", "b"),
    ("a !a/b", "a a/c", "a/b a/b/c"),
    ("* !a", "b b/a", "a a/b"),
    ("* !**/b", "a a/c", "b a/b a/b/c"),
    ("a !a/b a/b/c", "a a/b/c", "a/b a/b/d"),
    ("a/b !a", "", "a/c"),
    ("!!a", "", "!a"),
    ("!a !a !a", "", "a"),
    ("../a . /", "../a", "a a/b"),
]


def paths(text: str) -> list[str]:
    return [path for path in text.split(" ") if path]


def walked(patterns: Patterns, path: str) -> bool:
    place = patterns.root
    for name in path.split("/"):
        place = place.enter(name)
    return place.matched


@pytest.mark.parametrize(("lines", "matched", "others"), MATCHES)
def test_patterns_match_what_they_do_for_the_docker_command(lines: str, matched: str, others: str) -> None:
    patterns = Patterns(paths(lines))
    expected = {**dict.fromkeys(paths(matched), True), **dict.fromkeys(paths(others), False)}
    assert {path: patterns.match(path) for path in expected} == expected
    assert {path: walked(patterns, path) for path in expected} == expected


def test_a_pattern_that_would_change_nothing_is_not_asked_about_a_directory() -> None:
    # "!a" is of no use while nothing has matched a, and so is not remembered for what is in it.
    patterns = Patterns(["a/b", "!a"])
    assert (patterns.match("a/b"), walked(patterns, "a/b")) == (False, True)


BAD = [
    *("[", "[]", "[^]", "[a", "a[", "[a-]", "[-a]", "[a-b-c]", "[\\", "[a\\]", "a\\", "[\udcff]"),
    *("[z-a]", "[[:none:]]", "\\y", "\\pQ", "\\p", "[\\pQ]", "\\8", "\\1", "\\x4", "\\é", "\\E", "\\C"),
    *(
        "[\\b]",
        "[[:alpha:]",
        "[a*",
        "*[]]",
        ".*[]]",
        "?**[]a]",
        "\\.*[-]",
        "a*[]",
        "a*[",
        "!",
        "! ",
        "!/",
        "![",
    ),
]


@pytest.mark.parametrize("pattern", BAD)
def test_a_bad_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidPattern) as caught:
        Patterns(["a", pattern])
    assert isinstance(caught.value, ValueError)
    assert caught.value.pattern in (pattern, "!")
    assert (caught.value.file, caught.value.line) == ("", 0)


def test_a_bad_pattern_of_a_file_is_told_with_its_line() -> None:
    with pytest.raises(InvalidPattern) as caught:
        Patterns(parse_ignore_file(b"# comment\na\n[z-a]\n", "/src/.dockerignore"))
    error = pickle.loads(pickle.dumps(caught.value))
    assert str(error) == (
        "/src/.dockerignore, line 3: invalid pattern '[z-a]': a range must not end before it begins"
    )
    assert (error.pattern, error.file, error.line) == ("[z-a]", "/src/.dockerignore", 3)


def test_white_space_is_no_pattern() -> None:
    patterns = Patterns([" ", "", " a "])
    assert patterns.match("a")
    assert not patterns.match("b")


REOPENED: list[tuple[str, str, bool, bool]] = [
    # patterns, a directory that they match; is anything in it taken out; would the classic command look
    ("*", "a", False, False),
    ("* !b", "a", False, False),
    ("* !a/b", "a", True, True),
    ("* !a/b/c", "a/b", True, True),
    ("* !a/b/c", "a/c", False, False),
    ("* !a", "a/b", False, False),
    ("* !**/b", "a", True, False),
    ("* !*/b", "a", True, False),
    ("* !a*/b", "a", True, False),
    ("!a/b *", "a", False, True),
    ("* !**/b **/c", "a/c", True, False),
    ("* !a/c !**/b a/c", "a/c", False, True),
    ("a !a/b/ c", "a", True, True),
    ("* !a.b/c !a0 !ab/c", "a", False, False),
]


@pytest.mark.parametrize(("lines", "path", "reopened", "looked"), REOPENED)
def test_a_directory_is_looked_into_if_something_in_it_may_be_taken_out(
    lines: str, path: str, reopened: bool, looked: bool
) -> None:
    patterns = Patterns(paths(lines))
    place = patterns.root
    for name in path.split("/"):
        place = place.enter(name)
    assert place.may_unmatch() is reopened
    assert patterns.exception_below(path) is looked


def test_exceptions_are_below_the_root() -> None:
    assert Patterns(["*", "!a"]).root.may_unmatch()
    assert not Patterns(["*", "a"]).root.may_unmatch()


ADVERSARIAL: list[tuple[str, str, bool]] = [
    ("*a" * 60 + "b", "a" * 3_000, False),
    ("**/" + "*a" * 40 + "b", "a/" * 1_000, False),
    ("**/a/" * 200 + "b", "a/" * 1_000, False),
    ("**/*a" + "?" * 21, "ab" * 1_500, True),
    ("*" * 4_095, "a" * 3_000, True),
    ("**/*" * 1_000 + "b", "a/" * 1_000, False),
    ("[a-z]*" * 500 + "!", "a" * 3_000, False),
    ("".join(f"{index}**/" for index in range(700)), "1/" * 1_000, False),
    ("\\b*" * 200 + "b", "a" * 3_000, False),
    ("[" + "a-b" * 1_300 + "]*c", "a" * 3_000, False),
    ("[" * 4_000 + "]", "[", True),
]


@pytest.mark.parametrize(("pattern", "path", "matched"), ADVERSARIAL, ids=range(len(ADVERSARIAL)))
def test_no_pattern_takes_more_than_a_step_for_a_character(pattern: str, path: str, matched: bool) -> None:
    assert Patterns([pattern]).match(path) is matched


def test_a_state_has_one_step_for_each_character(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 0
    step = nfa.NFA.step

    def counted(machine: nfa.NFA, state: nfa.State, char: str) -> nfa.State:
        nonlocal steps
        steps += 1
        return step(machine, state, char)

    monkeypatch.setattr(nfa.NFA, "step", counted)
    patterns = Patterns(["**/" + "*a" * 40 + "b", "!*b*"])
    directory = patterns.root.enter("a" * 1_000)
    for _ in range(3):
        directory.enter("a" * 1_000)
    assert 0 < steps <= 2_001


names = st.text(st.sampled_from("ab.-é\udcff"), min_size=1, max_size=4).filter(
    lambda name: name not in (".", "..")
)
trees = st.lists(names, min_size=1, max_size=4).map("/".join)
parts = st.lists(
    st.sampled_from(["a", "b", ".", "-", "*", "?", "[ab]", "[^a]", "é"]), min_size=1, max_size=4
).map("".join)
globs = st.lists(st.one_of(parts, st.just("**")), min_size=1, max_size=4).map("/".join)


def expression(glob: str) -> str:
    """Translate a pattern without the odder features, independently of the library."""
    inside = "(?:.*/)?"
    # Two stars at the end, before the NUL that is put there, are more than others.
    translated = {"**\0": ".*", "**/": inside, "**": inside, "*": "[^/]*", "?": "[^/]", ".": "[.]", "\0": ""}
    return re.sub(
        r"\*\*[/\0]?|\[[^]]+\]|.",
        lambda found: translated.get(found[0], found[0]),
        f"{glob}\0",
    )


@given(globs, trees)
def test_globs_match_as_regular_expressions_do(glob: str, path: str) -> None:
    names = path.split("/")
    prefixes = ["/".join(names[: index + 1]) for index in range(len(names))]
    cleaned = "/".join(each for each in glob.split("/") if each != ".") or "."
    if ".." in cleaned.split("/"):
        return
    expected = any(re.fullmatch(expression(cleaned), prefix) for prefix in prefixes)
    assert Patterns([glob]).match(path) is expected
    assert walked(Patterns([glob]), path) is expected


def decided_without_caches(lines: list[str], some: list[str]) -> list[bool]:
    """Match paths with patterns that keep no steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dockerproto.buildcontext.nfa._CACHE_BYTES", 0)
        patterns = Patterns(lines)
        return [walked(patterns, path) for path in some]


@given(
    st.lists(st.tuples(st.sampled_from(["", "!"]), globs).map("".join), max_size=5),
    st.lists(trees, max_size=5),
)
def test_what_is_forgotten_is_computed_again(lines: list[str], some: list[str]) -> None:
    patterns = Patterns(lines)
    assert decided_without_caches(lines, some) == [walked(patterns, path) for path in some]


def test_what_is_forgotten_is_computed_again_in_a_tree() -> None:
    some = ["a", "a/b", "a/b/c.py", "a/b/c.txt", "a/b", "d/b.py", "d/b/c"]
    expected = [False, True, False, True, True, False, False]
    assert decided_without_caches(["a/*", "!**/*.py"], some) == expected


@given(st.lists(st.tuples(st.sampled_from(["", "!"]), globs).map("".join), max_size=5), trees, trees)
def test_what_cannot_be_taken_out_never_is(lines: list[str], directory: str, below: str) -> None:
    patterns = Patterns(lines)
    place = patterns.root
    for name in directory.split("/"):
        place = place.enter(name)
    inside = place
    for name in below.split("/"):
        inside = inside.enter(name)
    assert inside.matched or not place.matched or place.may_unmatch()


@given(st.lists(st.text("a*?[]^-\\!/.:dbQEpLx01 é\n", max_size=8), max_size=3), st.text(max_size=6))
def test_anything_is_a_pattern_or_is_refused(lines: list[str], path: str) -> None:
    try:
        patterns = Patterns(lines)
    except InvalidPattern:
        return
    assert patterns.match(path) in (True, False)
