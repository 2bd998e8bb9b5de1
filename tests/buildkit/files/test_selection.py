"""The entries sent of a file system: patterns, followed paths, links, and their order."""

from __future__ import annotations

import stat
from itertools import islice

import pytest

from dockerproto import InvalidPattern
from dockerproto.buildcontext.entry import FileEntry
from dockerproto.buildkit.files.selection import Selection, metadata_values, select
from dockerproto.transport.file_tree import FileTree
from dockerproto.transport.host import Node
from tests.support.filesync import directory, link, symlink

FILES = ["a", "a-b", "a.txt", "aa.txt", "b/c", "b/d/e", "b/d/f", "b-c", "logs/x.log", "logs/keep.log"]


@pytest.fixture
def tree() -> FileTree:
    tree = FileTree.of(dict.fromkeys(FILES, b""))
    tree.add(directory("empty"))
    tree.add(symlink("lnk", "b/d"))
    return tree


def sent(tree: FileTree, selection: Selection) -> list[str]:
    """Return the paths that are sent."""
    return [entry.path for entry in select(tree, selection) if entry is not None]


EVERYTHING = [
    *("a", "a-b", "a.txt", "aa.txt", "b", "b/c", "b/d", "b/d/e", "b/d/f", "b-c", "empty", "lnk"),
    *("logs", "logs/keep.log", "logs/x.log"),
]

SELECTIONS: dict[str, tuple[Selection, list[str]]] = {
    "everything": (Selection(), EVERYTHING),
    "the root": (Selection(follow=("/",)), EVERYTHING),
    "nothing that is there": (Selection(follow=("nothing",)), []),
    "a file": (Selection(follow=("b/d/e",)), ["b", "b/d", "b/d/e"]),
    "a directory": (Selection(follow=("b/d",)), ["b", "b/d", "b/d/e", "b/d/f"]),
    "through a symlink": (Selection(follow=("lnk/e",)), ["b", "b/d", "b/d/e", "lnk"]),
    "an empty directory": (Selection(follow=("empty", "a")), ["a", "empty"]),
    "patterns": (Selection(include=("*.txt", "logs/k*")), ["a.txt", "aa.txt", "logs", "logs/keep.log"]),
    "a pattern of a directory": (Selection(include=("b",)), ["b", "b/c", "b/d", "b/d/e", "b/d/f"]),
    "patterns and paths": (Selection(include=("**/c",), follow=("b/d/f",)), ["b", "b/c", "b/d", "b/d/f"]),
    "an exclusion in patterns": (Selection(include=("b", "!b/d")), ["b", "b/c"]),
    "all but": (
        Selection(exclude=("b", "*.txt", "logs")),
        ["a", "a-b", "b-c", "empty", "lnk"],
    ),
    "all but, but": (
        Selection(exclude=("*", "!logs/keep.log", "!b/d")),
        ["b", "b/d", "b/d/e", "b/d/f", "logs", "logs/keep.log"],
    ),
    "an exception in nothing": (Selection(exclude=("*", "!*/nothing")), []),
    "wanted and excluded": (Selection(follow=("b",), exclude=("b/d",)), ["b", "b/c"]),
    "below what is excluded": (Selection(follow=("b/d/e",), exclude=("b/d",)), []),
    "wanted, excluded, but": (
        Selection(follow=("b",), exclude=("b", "!b/d/f")),
        ["b", "b/d", "b/d/f"],
    ),
}


@pytest.mark.parametrize(("selection", "expected"), SELECTIONS.values(), ids=SELECTIONS)
def test_what_is_sent(tree: FileTree, selection: Selection, expected: list[str]) -> None:
    assert sent(tree, selection) == expected


class Watched(FileTree):
    """A file system that records the visited paths; one path vanishes."""

    def __init__(self, *, gone: str = "") -> None:
        super().__init__()
        self.listed: list[str] = []
        self.looked: list[str] = []
        self._gone = gone

    def names(self, path: str, /) -> list[str]:
        self.listed.append(path)
        return super().names(path)

    def look(self, path: str, /) -> Node | None:
        self.looked.append(path)
        return None if path == self._gone else super().look(path)


def watched(*files: str, gone: str = "") -> Watched:
    tree = Watched(gone=gone)
    for path in files:
        tree.add(FileEntry(path=path, mode=0o100644))
    return tree


def test_directories_in_which_nothing_can_be_wanted_are_not_looked_into() -> None:
    tree = watched("a/b/c", "d/e/f", "g/h/i")
    assert sent(tree, Selection(follow=("d/e",), exclude=("g", "!g/h", "a/b"))) == ["d", "d/e", "d/e/f"]
    assert tree.listed == ["", "d", "d/e"]
    assert "g" not in tree.looked


def test_what_vanishes_is_not_sent() -> None:
    assert sent(watched("a", "b/c", "d", gone="b"), Selection()) == ["a", "d"]


def test_each_step_is_bounded_whatever_is_left_out() -> None:
    tree = watched(*(f"{number}.log" for number in range(100)))
    entries = select(tree, Selection(exclude=("*.log",)))
    assert list(islice(entries, 10)) == [None] * 10
    assert list(entries) == [None] * 90


def test_following_is_done_in_steps_too() -> None:
    tree = watched(*(f"{number}/x" for number in range(100)))
    entries = select(tree, Selection(follow=("*/x",)))
    assert next(entries) is None
    assert len(tree.looked) == 0
    assert next(entries) is None
    assert len(tree.looked) == 1


def test_a_file_with_several_names_is_sent_once() -> None:
    tree = FileTree.of({"a/x": b"1", "b": b"2"})
    tree.add(link("a/y", "a/x"))
    tree.add(link("c", "a/x"))
    assert links(tree, Selection()) == {"a/y": "a/x", "c": "a/x"}
    assert links(tree, Selection(exclude=("a/x",))) == {"c": "a/y"}
    assert links(tree, Selection(exclude=("a",))) == {}
    assert links(tree, Selection(follow=("c",))) == {}


def links(tree: FileTree, selection: Selection) -> dict[str, str]:
    """Return the hard links that are sent."""
    return {entry.path: entry.target for entry in select(tree, selection) if entry is not None and entry.hard}


class Named(FileTree):
    """A file system in which all names belong to one file."""

    def look(self, path: str, /) -> Node | None:
        node = super().look(path)
        return node and Node(node.entry, identity=1)


def test_only_files_are_linked() -> None:
    tree = Named()
    for name, kind in (("p", stat.S_IFIFO), ("q", stat.S_IFIFO), ("r", stat.S_IFREG), ("s", stat.S_IFREG)):
        tree.add(FileEntry(path=name, mode=kind | 0o600))
    assert links(tree, Selection()) == {"s": "r"}


def test_sockets_are_not_sent_and_pipes_and_devices_are() -> None:
    tree = FileTree()
    for name, kind in (("s", stat.S_IFSOCK), ("p", stat.S_IFIFO), ("c", stat.S_IFCHR), ("b", stat.S_IFBLK)):
        tree.add(FileEntry(path=name, mode=kind | 0o600))
    assert sent(tree, Selection()) == ["b", "c", "p"]


def test_a_pattern_that_is_none() -> None:
    with pytest.raises(InvalidPattern, match="unclosed bracket"):
        list(select(FileTree(), Selection(exclude=("[",))))


METADATA: dict[str, tuple[dict[str, tuple[str, ...]], tuple[str, ...]]] = {
    "none": ({}, ()),
    "as it is": ({"key": ("a+b", "%20")}, ("a+b", "%20")),
    "escaped": ({"key": ("a+b", "%C3%A4%2B"), "key-encoded": ("1",)}, ("a b", "\u00e4+")),
    "not escaped": ({"key": ("%C3%A4",), "key-encoded": ("0",)}, ("%C3%A4",)),
    "bytes": ({"key": ("%FF",), "key-encoded": ("1",)}, ("\udcff",)),
    "nothing said": ({"key": ("%FF",), "key-encoded": ()}, ("%FF",)),
}


@pytest.mark.parametrize(("metadata", "expected"), METADATA.values(), ids=METADATA)
def test_values_of_metadata(metadata: dict[str, tuple[str, ...]], expected: tuple[str, ...]) -> None:
    assert metadata_values(metadata, "key") == expected


def test_a_selection_of_metadata() -> None:
    metadata = {
        "include-patterns": ("a",),
        "followpaths": ("b", "%C3%A4"),
        "followpaths-encoded": ("1",),
        "exclude-patterns": ("!c",),
        "dir-name": ("context",),
    }
    assert Selection.of(metadata) == Selection(include=("a",), follow=("b", "\u00e4"), exclude=("!c",))
