"""Followed paths: the paths themselves, and the targets of symlinks on the way."""

from __future__ import annotations

import pytest

from dockerproto.buildkit.files.follow_paths import MAX_LINKS, follow, name_matcher
from dockerproto.errors import ProtocolViolated
from dockerproto.transport.file_tree import FileTree
from tests.support.filesync import symlink

FILES = [
    *("real/f.txt", "real/sub/g", "other/h", "a1", "a2", "b1", "a*", "dir.lnk/x", "deep/one/two/f"),
    *(".dockerignore", "a[1]", "..x/y"),
]
LINKS = {
    "lnk": "real",
    "absolute": "/real/sub",
    "chain": "lnk",
    "above": "../../../other",
    "deep/up": "../real/f.txt",
    "deep/one/back": "../..",
    "dangling": "nowhere/at/all",
    "loop": "loop",
    "ping": "pong",
    "pong": "ping",
    "growing": "growing/x",
    "slash": "/",
    "star": "a*",
    "brackets": "a[1]",
    "through": "lnk/sub",
    "messy": ".//real/./sub/../f.txt",
    "up-through": "deep/one/back/../real",
    "wild/l1": "../a1",
    "wild/l2": "/a2",
}


@pytest.fixture(scope="module")
def tree() -> FileTree:
    tree = FileTree.of(dict.fromkeys(FILES, b""))
    for path, target in LINKS.items():
        tree.add(symlink(path, target))
    return tree


PATHS: dict[str, tuple[str, ...] | None] = {
    "real/f.txt": ("real/f.txt",),
    "real": ("real",),
    "/real//sub/": ("real/sub",),
    ".": ("",),
    "": ("",),
    "/": ("",),
    "nothing": (),
    "nothing/below": (),
    "real/f.txt/below": (),
    "lnk": ("lnk", "real"),
    "lnk/f.txt": ("lnk", "real/f.txt"),
    "lnk/missing": ("lnk",),
    "absolute/g": ("absolute", "real/sub/g"),
    "chain/sub/g": ("chain", "lnk", "real/sub/g"),
    "above/h": ("above", "other/h"),
    "deep/up": ("deep/up", "real/f.txt"),
    "deep/one/back/real": ("deep/one/back", "real"),
    "dangling": ("dangling",),
    "loop": ("loop",),
    "ping": ("ping", "pong"),
    "growing/x": ("growing",),
    "slash": ("", "slash"),
    "slash/other": ("other", "slash"),
    "through/g": ("lnk", "real/sub/g", "through"),
    "messy": ("messy", "real/f.txt"),
    "up-through/f.txt": ("deep/one/back", "real/f.txt", "up-through"),
    "a?": ("a*", "a1", "a2"),
    "a[12]": ("a1", "a2"),
    "a[^2]": ("a*", "a1"),
    r"a\*": ("a*",),
    "a[": (),
    "[ab]1": ("a1", "b1"),
    "star": ("a*", "star"),
    "brackets": ("a[1]", "brackets"),
    "wild/*": ("a1", "a2", "wild/l1", "wild/l2"),
    "w*/l1": ("a1", "wild/l1"),
    "l*/f.txt": ("lnk", "loop", "real/f.txt"),
    "*.lnk/x": ("dir.lnk/x",),
    "deep/*/two": ("deep/one/two", "deep/up"),
    "deep/**/f": ("deep",),
    "**": ("",),
    ".*": ("..x", ".dockerignore"),
    "..x/y": ("..x/y",),
    "real/../../../a1": ("a1",),
}


@pytest.mark.parametrize("path", PATHS)
def test_what_a_path_needs(tree: FileTree, path: str) -> None:
    assert needed(tree, path) == PATHS[path]


def needed(tree: FileTree, *paths: str) -> tuple[str, ...]:
    """Return the needed paths, in order."""
    steps = follow(tree, paths)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return tuple(sorted(stop.value))


def test_several_paths_through_one_symlink(tree: FileTree) -> None:
    assert needed(tree, "lnk/f.txt", "lnk/sub", "lnk/f.txt") == ("lnk", "real/f.txt", "real/sub")
    assert needed(tree) == ()


def test_a_path_through_many_symlinks() -> None:
    tree = FileTree.of({"end": b""})
    for number in range(MAX_LINKS + 1):
        tree.add(symlink(f"{number}", f"{number - 1}" if number else "end"))
    links = [f"{number}" for number in range(MAX_LINKS)]
    assert needed(tree, f"{MAX_LINKS - 1}") == tuple(sorted([*links, "end"]))
    assert "end" not in needed(tree, f"{MAX_LINKS}")


NAMES: dict[str, tuple[list[str], list[str]]] = {
    "": ([""], ["a"]),
    "*": (["", "a", "a.b", "\n"], []),
    "?": (["a", "\n", "\udcff"], ["", "ab"]),
    "[a-c]x": (["ax", "bx", "cx"], ["dx", "x"]),
    "[^a-c]": (["d", "^"], ["a", ""]),
    "[!a]": (["!", "a"], ["b"]),
    r"[\]]": (["]"], ["\\"]),
    r"[\^a]": (["^", "a"], ["b"]),
    r"[a\-c]": (["a", "-", "c"], ["b"]),
    "[c-a]": ([], ["a", "b", "c", "-"]),
    "[^c-a]": (["a", "-"], ["", "ab"]),
    "[]a]": (["[]a]"], ["]", "a"]),
    "[a": (["[a"], ["a"]),
    r"\*\?\[\\": (["*?[\\"], ["a?[\\"]),
    "a\\": (["a\\"], ["a"]),
    "a.(b)+": (["a.(b)+"], ["axb", "a.b"]),
}


@pytest.mark.parametrize("pattern", NAMES)
def test_patterns_of_names(pattern: str) -> None:
    matching, others = NAMES[pattern]
    assert [name for name in (*matching, *others) if name_matcher(pattern)(name)] == matching


@pytest.mark.parametrize("pattern", ["*a" * 2000 + "*b", "[" * 4096, "[^a]*" * 800 + "a"])
def test_patterns_that_are_hostile(pattern: str) -> None:
    """A backtracking matcher would take longer than the age of the universe."""
    assert not name_matcher(pattern)("a" * 255)


def test_a_pattern_that_is_longer_than_any_path() -> None:
    with pytest.raises(ProtocolViolated, match="a name pattern of 4097 characters"):
        name_matcher("*" * 4097)
