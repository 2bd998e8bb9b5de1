"""Walks of directories."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dockerproto import UploadFailed
from dockerproto.buildcontext.dockerignore import Patterns
from dockerproto.buildcontext.entry import FileEntry
from dockerproto.buildkit.files.selection import Selection, select
from dockerproto_local.directory import Directory
from dockerproto_local.pack import pack
from dockerproto_local.walk import walk
from tests.support.users import ordinary_user

TIME = 1_700_000_000


def make(root: Path, *names: str) -> None:
    """Make files, and directories for names that end with a slash."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir(exist_ok=True)
        else:
            path.write_bytes(os.fsencode(name))


def found(root: Path, *patterns: str, classic: bool = False) -> list[str]:
    choice = Patterns(patterns, classic=classic).root
    return [entry.path for entry in walk(root, choice, parents=not classic)]


def test_directories_come_first_and_siblings_in_the_order_of_bytes(tmp_path: Path) -> None:
    names = ["a/q", "a.txt", "a-b/x", "aa", "B", "é", "\udcff", "empty/", "a/q2/r"]
    make(tmp_path, *names)
    expected = [
        *("B", "a", "a/q", "a/q2", "a/q2/r", "a-b", "a-b/x", "a.txt", "aa", "empty", "é", "\udcff"),
    ]
    assert [entry.path for entry in walk(tmp_path)] == expected
    assert found(tmp_path) == expected


def test_an_entry_says_what_a_file_is(tmp_path: Path) -> None:
    make(tmp_path, "dir/", "file")
    (tmp_path / "link").symlink_to("no\udcffwhere")
    os.mkfifo(tmp_path / "pipe", 0o640)
    (tmp_path / "file").chmod(0o4751)
    (tmp_path / "dir").chmod(0o1777)
    for name in ("dir", "file", "link", "pipe"):
        os.utime(tmp_path / name, ns=(0, TIME * 10**9 + 5), follow_symlinks=False)
    mtime = TIME * 10**9 + 5
    (tmp_path / "pipe").chmod(0o640)
    assert [*walk(tmp_path)] == [
        FileEntry(path="dir", mode=stat.S_IFDIR | 0o1777, mtime=mtime),
        FileEntry(path="file", mode=stat.S_IFREG | 0o4751, size=4, mtime=mtime),
        FileEntry(path="link", mode=stat.S_IFLNK | 0o777, mtime=mtime, target="no\udcffwhere"),
        FileEntry(path="pipe", mode=stat.S_IFIFO | 0o640, mtime=mtime),
    ]


def test_a_device_has_its_numbers() -> None:
    choice = Patterns(["*", "!null"]).root
    (null,) = walk("/dev", choice, parents=False)
    assert (null.path, stat.S_ISCHR(null.mode), null.device, null.size) == ("null", True, (1, 3), 0)


def test_the_second_name_of_a_file_is_a_link_to_the_first_that_is_taken(tmp_path: Path) -> None:
    make(tmp_path, "b", "d/")
    for name in ("a", "c", "d/e"):
        (tmp_path / name).hardlink_to(tmp_path / "b")
    (tmp_path / "s").symlink_to("x")
    os.link(tmp_path / "s", tmp_path / "t", follow_symlinks=False)
    entries = {entry.path: entry for entry in walk(tmp_path, Patterns(["a"]).root)}
    assert [path for path, entry in entries.items() if entry.hard] == ["c", "d/e", "t"]
    assert [entries[path].target for path in ("b", "c", "d/e", "s", "t")] == ["", "b", "b", "x", "s"]
    assert (entries["b"].size, entries["c"].size) == (1, 0)
    assert stat.S_ISREG(entries["t"].mode)


def test_a_socket_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        assert found(tmp_path) == []


def test_the_root_may_be_a_link_and_others_are_not_followed(tmp_path: Path) -> None:
    make(tmp_path, "real/a", "other/b")
    (tmp_path / "root").symlink_to("real")
    (tmp_path / "real/link").symlink_to("../other")
    assert found(tmp_path / "root") == ["a", "link"]


TREE = ["a/b/c", "a/d", "e", "x/y/z", "x/w"]

CHOICES: list[tuple[str, str, str]] = [
    # patterns, what is sent to BuildKit, what to the classic builder
    ("", "a a/b a/b/c a/d e x x/w x/y x/y/z", "a a/b a/b/c a/d e x x/w x/y x/y/z"),
    ("a", "e x x/w x/y x/y/z", "e x x/w x/y x/y/z"),
    ("* !e", "e", "e"),
    ("* !a/d", "a a/d", "a/d"),
    ("* !a/b/c !x/y", "a a/b a/b/c x x/y x/y/z", "a/b/c x/y x/y/z"),
    ("* !**/z", "x x/y x/y/z", ""),
    ("* !*/y !e", "e x x/y x/y/z", "e"),
    ("**/b !**/c", "a a/b a/b/c a/d e x x/w x/y x/y/z", "a a/d e x x/w x/y x/y/z"),
]


@pytest.mark.parametrize(("patterns", "buildkit", "classic"), CHOICES)
def test_what_is_left_out_is_not_there(patterns: str, buildkit: str, classic: str, tmp_path: Path) -> None:
    make(tmp_path, *TREE)
    assert found(tmp_path, *patterns.split()) == buildkit.split()
    assert found(tmp_path, *patterns.split(), classic=True) == classic.split()


def test_a_directory_that_is_left_out_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, *TREE)
    read: list[str] = []
    scandir = os.scandir

    def spied(descriptor: int) -> Any:
        read.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        return scandir(descriptor)

    monkeypatch.setattr("os.scandir", spied)
    assert found(tmp_path, "*", "!a/d", "!x*/none") == ["a", "a/d"]
    assert read == [str(tmp_path), f"{tmp_path}/a", f"{tmp_path}/x"]


def test_trees_may_be_deeper_than_python_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # relative paths, as the kernel walks a path from its start
    for _ in range(1_800):
        Path("a").mkdir()
        os.chdir("a")
    assert len([*walk(tmp_path)]) == 1_800
    for _ in range(1_800):
        os.chdir("..")
        Path("a").rmdir()


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    """Return a directory with directories in each other, whose paths exceed what engines accept."""
    root, directory = tmp_path / "deep", os.open(tmp_path, os.O_RDONLY)
    for name in ("deep", *["d"] * 2100):
        os.mkdir(name, dir_fd=directory)
        child = os.open(name, os.O_RDONLY, dir_fd=directory)
        os.close(directory)
        directory = child
    os.close(directory)
    yield root
    subprocess.run(["rm", "-r", root], check=True)  # shutil.rmtree() recurses


def selected(root: Path, selection: Selection) -> list[str]:
    """Return the paths that a session sends."""
    with closing(Directory(root)) as files:
        return [entry.path for entry in select(files, selection) if entry is not None]


SENDERS: dict[str, Callable[[Path], object]] = {
    "entries": lambda root: [*walk(root)],
    "an archive": lambda root: [*pack(str(root), walk(root))],
    "a session": lambda root: selected(root, Selection()),
    "a part in a session": lambda root: selected(root, Selection(include=("**/file",))),
}


@pytest.mark.parametrize("send", SENDERS.values(), ids=SENDERS)
def test_paths_that_no_engine_accepts_are_refused(deep: Path, send: Callable[[Path], object]) -> None:
    with pytest.raises(
        UploadFailed, match=r"cannot send 'd/d/d.*the path has more than 4095 bytes"
    ) as raised:
        send(deep)
    assert len(raised.value.message) < 500


def test_deep_directories_may_be_excluded(deep: Path) -> None:
    assert found(deep, "d/d/d/d") == ["d", "d/d", "d/d/d"]
    assert selected(deep, Selection(exclude=("d/d",))) == ["d"]


@pytest.mark.parametrize("name", ["none", "file"])
def test_a_root_that_is_no_directory_is_told(name: str, tmp_path: Path) -> None:
    make(tmp_path, "file")
    with pytest.raises(UploadFailed, match=rf"^cannot read {tmp_path}/{name}: N") as caught:
        found(tmp_path / name)
    assert isinstance(caught.value.__cause__, OSError)


def test_what_vanishes_while_it_is_walked_is_told(tmp_path: Path) -> None:
    make(tmp_path, "a", "b")
    entries = walk(tmp_path)
    assert next(entries).path == "a"
    (tmp_path / "b").unlink()
    with pytest.raises(UploadFailed, match=rf"^cannot read {tmp_path}/b: No such file"):
        next(entries)


def test_a_directory_that_vanishes_is_told(tmp_path: Path) -> None:
    make(tmp_path, "a/")
    entries = walk(tmp_path)
    assert next(entries).path == "a"
    (tmp_path / "a").rmdir()
    with pytest.raises(UploadFailed, match=rf"^cannot read {tmp_path}/a: No such file"):
        next(entries)


def test_a_directory_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "closed/a")
    (tmp_path / "closed").chmod(0)
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    with ordinary_user(), pytest.raises(UploadFailed, match=r"^cannot read \./closed: Permission denied"):
        found(Path())
