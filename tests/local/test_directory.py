"""Directories as the file system of a build context."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from dockerproto_local.directory import Directory
from tests.support.filesync import directory, file, symlink

NS = 1_700_000_000_123_456_789


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "d").mkdir(0o750)
    (tmp_path / "a").write_bytes(b"content")
    (tmp_path / "a").chmod(0o4640)
    (tmp_path / "s").symlink_to("../d")
    (tmp_path / os.fsdecode(b"\xff")).touch()
    for path in ("a", "d", "s"):
        os.utime(tmp_path / path, ns=(NS, NS), follow_symlinks=False)
    return tmp_path


def test_what_is_there(root: Path) -> None:
    files = Directory(root)
    assert files.names("") == ["a", "d", "s", "\udcff"]
    nodes = {name: files.look(name) for name in ("a", "d", "s")}
    assert {name: node.entry for name, node in nodes.items() if node} == {
        "a": file("a", 7, 0o4640, NS),
        "d": directory("d", 0o750, NS),
        "s": symlink("s", "../d", NS),
    }
    assert {node.identity for node in nodes.values() if node} >= {None}
    with files.open("a") as opened:
        assert opened.read(100) == b"content"
    with files.open("\udcff") as opened:
        assert opened.read(100) == b""


def test_what_is_not_there(root: Path) -> None:
    files = Directory(str(root))
    assert files.look("x") is files.look("a/x") is files.look("d/x/y") is None
    assert files.names("x") == files.names("a") == files.names("d") == []
    for path in ("x", "a/x"):
        with pytest.raises((FileNotFoundError, NotADirectoryError)):
            files.open(path)


@pytest.mark.parametrize("path", ["x", "a"])
def test_the_directory_itself_is_not_there(root: Path, path: str) -> None:
    with pytest.raises((FileNotFoundError, NotADirectoryError)):
        Directory(root / path).names("")


def test_the_directory_itself_may_be_a_symlink(root: Path) -> None:
    (root / "d/x").touch()
    (root / "link").symlink_to("d")
    assert Directory(root / "link").names("") == ["x"]


def test_files_with_several_names(root: Path) -> None:
    (root / "d/b").hardlink_to(root / "a")
    files = Directory(root)
    first, second = files.look("a"), files.look("d/b")
    assert first is not None
    assert second is not None
    assert first.identity == second.identity is not None


@pytest.mark.parametrize("kind", ["symlink", "pipe", "directory"])
def test_a_file_that_became_something_else_is_not_read(root: Path, kind: str) -> None:
    (root / "a").unlink()
    if kind == "symlink":
        (root / "secret").write_text("secret")
        (root / "a").symlink_to(root / "secret")
    elif kind == "pipe":
        os.mkfifo(root / "a")
    else:
        (root / "a").mkdir()
    with pytest.raises(
        OSError, match=r"(Too many levels of symbolic links|Not a regular file|Is a directory): '.*/a'$"
    ):
        Directory(root).open("a")


def test_a_device_is_not_read() -> None:
    with pytest.raises(OSError, match=r"Not a regular file: '/dev/null'"):
        Directory("/dev").open("null")


def test_special_files(root: Path) -> None:
    os.mkfifo(root / "p")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(root / "k"))
    # Only root may create a device, but every system has this one.
    nodes = [Directory(root).look("p"), Directory("/dev").look("null"), Directory(root).look("k")]
    entries = [node.entry for node in nodes if node]
    assert [stat.S_IFMT(entry.mode) for entry in entries] == [stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK]
    assert [entry.device for entry in entries] == [(0, 0), (1, 3), (0, 0)]
    assert [entry.size for entry in entries] == [0, 0, 0]
