"""The file system in memory."""

from __future__ import annotations

import pytest

from dockerproto.buildcontext.paths import parents
from dockerproto.transport.file_tree import FileTree
from tests.support.filesync import directory, file, link, symlink


def test_contents_by_path() -> None:
    tree = FileTree.of({"b/c": b"2", "a": b"1", "b/d/e": b""}, mtime=5)
    assert tree.names("") == ["a", "b"]
    assert tree.names("b") == ["c", "d"]
    node = tree.look("b/c")
    assert node is not None
    assert (node.entry, node.identity) == (file("b/c", 1, mtime=5), None)
    assert tree.open("b/c").read(10) == b"2"


def test_what_is_not_there() -> None:
    tree = FileTree.of({"a": b"1"})
    assert tree.look("b") is tree.look("b/c") is tree.look("a/b") is None
    assert tree.names("b") == tree.names("a") == []
    for path in ("b", "a/b", ""):
        with pytest.raises(FileNotFoundError):
            tree.open(path)


def test_names_are_in_the_order_of_their_bytes() -> None:
    names = ["A", "a", "a-b", "a.txt", "aa", "\u00e4", "\uffff", "\U00010000", "\udcff"]
    assert FileTree.of(dict.fromkeys(reversed(names), b"")).names("") == names


def test_what_comes_later_counts() -> None:
    tree = FileTree.of({"a": b"old", "d/x": b""})
    tree.add(symlink("a", "b"))
    tree.add(directory("d", 0o700))
    tree.add(file("e"))
    tree.add(directory("e"))
    for path, expected in (("a", symlink("a", "b")), ("d", directory("d", 0o700)), ("e", directory("e"))):
        node = tree.look(path)
        assert node is not None
        assert node.entry == expected
    assert tree.names("d") == ["x"]
    tree.add(file("d"))
    assert tree.names("d") == []


def test_a_hard_link_is_another_name_of_what_its_target_is_then() -> None:
    tree = FileTree.of({"a": b"1"})
    tree.add(link("b/c", "a"))
    tree.add(file("a"))
    tree.add(link("d", "b/c"))
    nodes = [tree.look(path) for path in ("a", "b/c", "d")]
    assert [node.entry.path for node in nodes if node] == ["a", "b/c", "d"]
    identities = [node.identity for node in nodes if node]
    assert identities[0] is None
    assert identities[1] == identities[2] is not None
    assert tree.open("d").read(1) == b"1"


@pytest.mark.parametrize("target", ["nothing", "d", "l"])
def test_a_hard_link_to_what_is_no_file(target: str) -> None:
    tree = FileTree.of({"d/a": b""})
    tree.add(symlink("l", "d/a"))
    with pytest.raises(ValueError, match="which is not a file before it"):
        tree.add(link("h", target))


def test_what_is_below_a_file() -> None:
    tree = FileTree.of({"a/b": b""})
    with pytest.raises(ValueError, match="'a/b/c' is below 'a/b', which is not a directory"):
        tree.add(file("a/b/c"))


def test_the_directories_of_a_path() -> None:
    assert list(parents("a")) == list(parents("")) == []
    assert list(parents("a/b/c/d")) == ["a", "a/b", "a/b/c"]
