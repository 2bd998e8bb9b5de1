"""Opening what is below a directory: nothing leads out of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dockerproto import UploadFailed
from dockerproto.buildcontext.entry import FileEntry
from dockerproto_local.beneath import Beneath
from dockerproto_local.directory import Directory
from dockerproto_local.pack import pack
from dockerproto_local.walk import entry_at, walk

SECRET = "secret"


def descriptors() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path in ("root/a/b/c", "root/a/x", "outside/b", "outside/x"):
        (tmp_path / path).mkdir(parents=True)
    for path in ("root/a/b/c/file", "root/a/x/file", "root/file", "outside/b/file", "outside/x/file"):
        (tmp_path / path).write_text(SECRET if path.startswith("outside") else "content")
    return tmp_path / "root"


def swap(root: Path) -> None:
    """Replace the directory ``a`` by a symlink to a directory outside that has the same names."""
    (root / "a").rename(root.parent / "away")
    (root / "a").symlink_to(root.parent / "outside")


def content(tree: Beneath, path: str) -> bytes:
    with os.fdopen(tree.open_file(path), "rb") as file:
        return file.read()


def test_files_in_any_order(root: Path) -> None:
    before = descriptors()
    with Beneath(root) as tree:
        for path in ("a/b/c/file", "file", "a/x/file", "a/b/c/file", "a/x/file", "file"):
            assert content(tree, path) == b"content"
        assert tree.parent("a/b/c") == (tree.directory("a/b"), "c")
    assert descriptors() == before


def test_few_descriptors_are_kept(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*("d" * 100))
    deep.mkdir(parents=True)
    (deep / "file").write_text("content")
    before = descriptors()
    with Beneath(tmp_path) as tree:
        path = "/".join("d" * 100)
        for at in (path, path[:41], path, ""):
            tree.directory(at)
            assert descriptors() - before <= 65
        assert content(tree, f"{path}/file") == b"content"
    assert descriptors() == before


@pytest.mark.parametrize("path", ["a", "a/b", "a/b/c", "file", "a/b/file"])
@pytest.mark.parametrize("target", ["/etc", "../outside", "x", "nowhere", "."])
def test_symlinks_are_not_followed(root: Path, path: str, target: str) -> None:
    place = root / path
    if place.exists():
        place.rename(root.parent / "away")
    place.symlink_to(target)
    with Beneath(root) as tree, pytest.raises(OSError, match="Too many levels of symbolic links"):
        content(tree, path if path.endswith("file") else f"{path}/file")


def test_the_root_may_be_a_symlink(root: Path) -> None:
    (root.parent / "link").symlink_to("root")
    with Beneath(root.parent / "link") as tree:
        assert content(tree, "a/x/file") == b"content"


def test_what_is_missing_or_no_directory(root: Path) -> None:
    before = descriptors()
    with Beneath(root) as tree:
        for path in ("none", "a/none", "none/file"):
            with pytest.raises(FileNotFoundError):
                tree.open_file(path)
        with pytest.raises(NotADirectoryError):
            tree.open_file("file/x")
        assert content(tree, "a/x/file") == b"content"
    assert descriptors() == before


def test_a_walk_does_not_follow_a_directory_that_became_a_symlink(root: Path) -> None:
    before = descriptors()
    entries = walk(root)
    assert next(entries).path == "a"
    swap(root)
    with pytest.raises(UploadFailed, match=rf"^cannot read {root}/a: Too many levels of symbolic links"):
        next(entries)
    assert descriptors() == before


def test_a_walk_stays_in_a_directory_that_is_open(root: Path) -> None:
    entries = walk(root)
    assert [next(entries).path for _ in range(2)] == ["a", "a/b"]
    swap(root)
    sizes = {entry.path: entry.size for entry in entries}
    assert sizes == {"a/b/c": 0, "a/b/c/file": 7, "a/x": 0, "a/x/file": 7, "file": 7}


@pytest.mark.parametrize("at", range(4))
def test_an_archive_has_nothing_from_outside(root: Path, at: int) -> None:
    entries = [*walk(root)]

    def swapping() -> Iterator[FileEntry]:
        for index, entry in enumerate(entries):
            if index == at:
                swap(root)
            yield entry

    before, sent = descriptors(), b""
    with pytest.raises(UploadFailed, match=r"^cannot read .*: Too many levels of symbolic links"):
        for chunk in pack(str(root), swapping()):
            sent += chunk
    assert SECRET.encode() not in sent
    assert descriptors() == before


def test_a_single_entry_is_not_below_a_symlink(root: Path) -> None:
    swap(root)
    with pytest.raises(UploadFailed, match=rf"^cannot read {root}/a/x/file: Too many levels"):
        entry_at(str(root), "a/x/file")


METHODS: dict[str, Callable[[Directory], object]] = {
    "names": lambda files: files.names("a/b"),
    "look": lambda files: files.look("a/b/file"),
    "open": lambda files: files.open("a/b/file"),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("opened", [False, True])
def test_a_directory_for_buildkit_is_not_followed(root: Path, method: str, opened: bool) -> None:
    files = Directory(root)
    assert files.names("a" if opened else "") == (["b", "x"] if opened else ["a", "file"])
    swap(root)
    files.names("")  # the last directory is another one
    with pytest.raises(OSError, match=rf"Too many levels of symbolic links: '{root}/a/b"):
        METHODS[method](files)
    files.close()


def test_a_directory_is_closed_with_its_build(root: Path) -> None:
    before = descriptors()
    files = Directory(root)
    assert files.names("a/b") == ["c"]
    assert descriptors() > before
    files.close()
    files.close()
    assert descriptors() == before


def test_a_directory_that_is_in_use_is_closed_by_its_user(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = descriptors()
    files = Directory(root)
    listdir = os.listdir

    def closing(descriptor: int) -> list[str]:
        files.close()
        return listdir(descriptor)

    monkeypatch.setattr(os, "listdir", closing)
    assert files.names("a") == ["b", "x"]
    monkeypatch.undo()
    assert descriptors() == before
