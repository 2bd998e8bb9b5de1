"""Writing the output of a build, including obstacles in the directory."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dockerproto_local.output_directory import OutputDirectory, PartialFile, create_tar
from tests.support.filesync import Seen, directory, file, link, listing, seen, symlink
from tests.support.limits import largest_file

NS = 1_700_000_000_123_456_789


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "dist"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory that must stay unchanged."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").write_text("kept")
    return tmp_path / "outside"


@pytest.fixture
def output(root: Path) -> Iterator[OutputDirectory]:
    descriptors = listing("/proc/self/fd")
    output = OutputDirectory(root)
    output.prepare()
    yield output
    output.close()
    assert listing("/proc/self/fd") == descriptors


def write(output: OutputDirectory, path: str, content: bytes = b"new", mode: int = 0o644) -> None:
    """Write a whole file."""
    part = output.create(file(path, len(content), mode, NS))
    try:
        part.write(content)
        part.commit()
    except BaseException:
        part.discard()
        raise


def test_a_tree(output: OutputDirectory, root: Path) -> None:
    output.directory(directory("d"))
    output.directory(directory("d/e"))
    write(output, "d/e/f", b"content", 0o4750)
    write(output, "a", b"", 0o600)
    output.symlink(symlink("s", "../outside/\udcff", NS))
    output.link(link("d/h", "d/e/f"))
    output.link(link("h", "a"))
    output.settle(directory("d/e", 0o1777, NS))
    output.settle(directory("d", 0o500, NS))
    assert seen(root) == [
        Seen("a", 0o100600, b""),
        Seen("d", 0o040500),
        Seen("d/e", 0o041777),
        Seen("d/e/f", 0o104750, b"content"),
        Seen("d/h", 0o104750, b"content"),
        Seen("h", 0o100600, b""),
        Seen("s", 0o120777, "../outside/\udcff"),
    ]
    assert {(root / path).lstat().st_mtime_ns for path in ("a", "d", "d/e", "d/e/f", "s")} == {NS}
    assert (root / "d/h").samefile(root / "d/e/f")


def test_it_is_closed_only_once(output: OutputDirectory, tmp_path: Path) -> None:
    """A descriptor that was closed may be another file's already."""
    output.directory(directory("a"))
    output.write(file("a/b"), b"")
    output.close()
    others = [os.open(tmp_path, os.O_RDONLY) for _ in range(4)]
    output.close()
    for each in others:
        os.close(each)


def test_times_before_there_were_any(output: OutputDirectory, root: Path) -> None:
    part = output.create(file("a", mtime=-6_795_364_578_871_345_152))
    part.commit()
    assert (root / "a").stat().st_mtime < 0


def test_the_directory_is_made_with_those_above_it(tmp_path: Path) -> None:
    output = OutputDirectory(str(tmp_path / "a/b/c"))
    output.prepare()
    output.close()
    output.close()
    assert (tmp_path / "a/b/c").is_dir()


def test_the_directory_itself_may_be_a_symlink(tmp_path: Path, outside: Path) -> None:
    (tmp_path / "dist").symlink_to(outside)
    output = OutputDirectory(tmp_path / "dist")
    output.prepare()
    write(output, "a")
    output.close()
    assert (outside / "a").read_text() == "new"


def test_the_directory_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "dist").write_text("")
    with pytest.raises(FileExistsError):
        OutputDirectory(tmp_path / "dist").prepare()


def test_a_file_is_there_when_it_is_complete(output: OutputDirectory, root: Path) -> None:
    (root / "a").write_text("old")
    part = output.create(file("a", 6))
    part.write(b"new")
    assert (root / "a").read_text() == "old"
    names = listing(root)
    assert len(names) == 2
    assert [name for name in names if name.startswith(".dockerproto-")]
    part.write(b"est")
    part.commit()
    assert seen(root) == [Seen("a", 0o100644, b"newest")]


def test_a_file_that_is_not_completed_leaves_nothing(output: OutputDirectory, root: Path) -> None:
    (root / "a").write_text("old")
    for path in ("a", "b"):
        part = output.create(file(path, 6, 0o600))
        part.write(b"new")
        part.discard()
    assert [each.path for each in seen(root)] == ["a"]
    assert (root / "a").read_text() == "old"


def test_what_is_there_is_kept_unless_it_has_the_same_name(output: OutputDirectory, root: Path) -> None:
    (root / "d").mkdir()
    (root / "d/other").write_text("kept")
    (root / "d/same").write_text("old")
    output.directory(directory("d"))
    write(output, "d/same")
    assert [(each.path, each.content) for each in seen(root)][1:] == [
        ("d/other", b"kept"),
        ("d/same", b"new"),
    ]


def test_a_file_with_other_names_is_replaced_not_written_to(
    output: OutputDirectory, root: Path, outside: Path
) -> None:
    (root / "a").hardlink_to(outside / "kept")
    write(output, "a")
    assert (outside / "kept").read_text() == "kept"
    assert (root / "a").read_text() == "new"


def test_a_directory_that_cannot_be_written_to_is_made_writable(output: OutputDirectory, root: Path) -> None:
    (root / "d").mkdir(0o500)
    output.directory(directory("d"))
    assert stat.S_IMODE((root / "d").stat().st_mode) == 0o700


def test_a_file_that_cannot_be_written_is_named(output: OutputDirectory, root: Path) -> None:
    part = output.create(file("a", 100))
    with largest_file(10), pytest.raises(OSError, match=r"File too large: 'a'$"):
        part.write(b"x" * 100)
    part.discard()
    assert listing(root) == []


def test_nothing_is_left_of_a_small_file_that_cannot_be_written(output: OutputDirectory, root: Path) -> None:
    with largest_file(10), pytest.raises(OSError, match=r"File too large: 'a'$"):
        output.write(file("a", 100), b"x" * 100)
    assert listing(root) == []


MAKES: dict[str, Callable[[OutputDirectory, str], None]] = {
    "file": write,
    "small file": lambda output, path: output.write(file(path, 3), b"new"),
    "directory": lambda output, path: output.directory(directory(path)),
    "symlink": lambda output, path: output.symlink(symlink(path, "new")),
    "link": lambda output, path: output.link(link(path, "file")),
}
IN_THE_WAY: dict[str, Callable[[Path, Path], None]] = {
    "file": lambda path, _: path.touch(),
    "symlink to a directory": lambda path, outside: path.symlink_to(outside),
    "symlink to a file": lambda path, outside: path.symlink_to(outside / "kept"),
    "symlink to nothing": lambda path, outside: path.symlink_to(outside / "nothing"),
    "symlink to itself": lambda path, _: path.symlink_to(path.name),
    "pipe": lambda path, _: os.mkfifo(path),
    "empty directory": lambda path, _: path.mkdir(),
}
TYPES = {"directory": stat.S_IFDIR, "symlink": stat.S_IFLNK}


@pytest.mark.parametrize("there", IN_THE_WAY)
@pytest.mark.parametrize("made", MAKES)
def test_what_is_in_the_way_is_replaced(
    output: OutputDirectory, root: Path, outside: Path, made: str, there: str
) -> None:
    write(output, "file")
    output.directory(directory("d"))
    IN_THE_WAY[there](root / "d" / "x", outside)
    MAKES[made](output, "d/x")
    assert stat.S_IFMT((root / "d/x").lstat().st_mode) == TYPES.get(made, stat.S_IFREG)
    assert listing(root / "d") == ["x"]
    assert seen(outside) == [Seen("kept", 0o100644, b"kept")]


@pytest.mark.parametrize("made", ["file", "small file", "symlink", "link"])
def test_a_directory_with_something_in_it_is_not_deleted(
    output: OutputDirectory, root: Path, made: str
) -> None:
    write(output, "file")
    (root / "x").mkdir()
    (root / "x/kept").touch()
    with pytest.raises(OSError, match="a directory that is not empty is in the way: 'x'"):
        MAKES[made](output, "x")
    assert [each.path for each in seen(root)] == ["file", "x", "x/kept"]


@pytest.mark.parametrize("made", MAKES)
@pytest.mark.parametrize("swapped", ["d", "d/e"])
def test_a_directory_that_is_swapped_for_a_symlink_is_not_followed(
    output: OutputDirectory, root: Path, outside: Path, made: str, swapped: str
) -> None:
    swap(output, root, outside, swapped, used="other")
    with pytest.raises(OSError, match=r"cannot write into this directory \(Not a directory\): 'd/e'"):
        MAKES[made](output, "d/e/x")
    assert [each.path for each in seen(outside)] == ["e", "kept"]


@pytest.mark.parametrize("made", MAKES)
@pytest.mark.parametrize("swapped", ["d", "d/e"])
def test_a_directory_that_is_swapped_while_it_is_open_is_written_to_where_it_is(
    output: OutputDirectory, root: Path, outside: Path, made: str, swapped: str
) -> None:
    swap(output, root, outside, swapped, used="d/e")
    MAKES[made](output, "d/e/x")
    assert (root / "away" / ("e" if swapped == "d" else "") / "x").lstat()
    assert [each.path for each in seen(outside)] == ["e", "kept"]


def swap(output: OutputDirectory, root: Path, outside: Path, swapped: str, *, used: str) -> None:
    """Replace a directory by a symlink, after another directory was used last."""
    (outside / "e").mkdir()
    write(output, "file")
    for path in ("d", "d/e", "other"):
        output.directory(directory(path))
    write(output, f"{used}/a")
    (root / swapped).rename(root / "away")
    (root / swapped).symlink_to(outside)


def test_a_directory_is_swapped_while_a_file_in_it_is_written(
    output: OutputDirectory, root: Path, outside: Path
) -> None:
    output.directory(directory("d"))
    part = output.create(file("d/kept", 3))
    (root / "d").rename(root / "away")
    (root / "d").symlink_to(outside)
    part.write(b"new")
    part.commit()
    assert (outside / "kept").read_text() == "kept"
    assert (root / "away/kept").read_text() == "new"


@pytest.mark.parametrize("path", ["d", "d/e"])
def test_a_symlink_in_place_of_a_directory_gets_no_mode(
    output: OutputDirectory, root: Path, outside: Path, path: str
) -> None:
    (outside / "e").mkdir()
    before = outside.stat().st_mode
    output.directory(directory("d"))
    (root / "d").rmdir()
    (root / "d").symlink_to(outside)
    with pytest.raises(OSError, match="cannot write into this directory"):
        output.settle(directory(path, 0o777))
    assert outside.stat().st_mode == before


def test_a_symlink_appears_between_looking_and_making(
    output: OutputDirectory, root: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "x").touch()
    unlink = os.unlink

    def raced(path: str, *, dir_fd: int) -> None:
        unlink(path, dir_fd=dir_fd)
        (root / "x").symlink_to(outside)

    monkeypatch.setattr(os, "unlink", raced)
    with pytest.raises(FileExistsError):
        output.directory(directory("x"))
    assert [each.path for each in seen(outside)] == ["kept"]


def test_a_file_appears_under_the_temporary_name(
    output: OutputDirectory, root: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dockerproto_local.output_directory._temporary_name", lambda: ".dockerproto-guessed")
    (root / ".dockerproto-guessed").symlink_to(outside / "kept")
    with pytest.raises(FileExistsError):
        write(output, "a")
    with pytest.raises(FileExistsError):
        output.symlink(symlink("a", "b"))
    assert (outside / "kept").read_text() == "kept"


def test_what_has_its_final_name_is_not_removed_from_the_temporary_one(
    output: OutputDirectory, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "unlink")
    write(output, "a")
    output.symlink(symlink("b", "a"))
    assert listing(root) == ["a", "b"]


def test_a_link_to_what_it_is_already(
    output: OutputDirectory, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(output, "a")
    link_them = os.link

    def raced(*args: str, **options: int) -> None:
        link_them(*args, **options)  # type: ignore[arg-type]  # as they came
        link_them(root / "a", root / "b")

    monkeypatch.setattr(os, "link", raced)
    output.link(link("b", "a"))
    assert listing(root) == ["a", "b"]


def test_a_directory_that_may_not_be_read(
    output: OutputDirectory, monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    (root / "d").mkdir()

    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError):
        output.directory(directory("d"))
    monkeypatch.undo()


@pytest.mark.parametrize("old_mode", [None, 0o640, 0o444])
def test_a_tar(tmp_path: Path, old_mode: int | None) -> None:
    target = tmp_path / "out.tar"
    if old_mode is not None:
        target.write_text("old")
        target.chmod(old_mode)
    part = create_tar(target)
    part.write(b"x" * 100)
    (temporary,) = tmp_path.glob(".dockerproto-*")
    assert stat.S_IMODE(temporary.stat().st_mode) == 0o600
    assert not target.exists() if old_mode is None else target.read_text() == "old"
    part.commit()
    assert target.read_bytes() == b"x" * 100
    assert listing(tmp_path) == ["out.tar"]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(target.stat().st_mode) == (0o666 & ~umask if old_mode is None else old_mode)


@pytest.mark.parametrize("umask", [0, 0o077])
def test_a_new_tar_has_the_permissions_of_any_new_file(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        part = create_tar(tmp_path / "out.tar")
        (temporary,) = tmp_path.iterdir()
        assert stat.S_IMODE(temporary.stat().st_mode) == 0o600
        part.commit()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out.tar").stat().st_mode) == 0o666 & ~umask


def test_a_tar_in_a_directory_that_is_not_writable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("dockerproto_local.output_directory.new_file_mode", refuse)
    before = len([*Path("/proc/self/fd").iterdir()])
    with pytest.raises(PermissionError):
        create_tar(tmp_path / "out.tar")
    assert len([*Path("/proc/self/fd").iterdir()]) == before


def test_a_file_is_private_until_it_is_complete(output: OutputDirectory, root: Path) -> None:
    part = output.create(file("a", 3, 0o666))
    (temporary,) = root.iterdir()
    part.write(b"new")
    assert stat.S_IMODE(temporary.stat().st_mode) == 0o600
    part.commit()
    assert stat.S_IMODE((root / "a").stat().st_mode) == 0o666


def test_a_tar_that_is_not_completed(tmp_path: Path) -> None:
    part = create_tar(str(tmp_path / "out.tar"))
    part.write(b"x")
    part.discard()
    assert listing(tmp_path) == []


def test_a_tar_in_place_of_what_a_symlink_points_to(tmp_path: Path, outside: Path) -> None:
    (tmp_path / "out.tar").symlink_to(outside / "kept")
    part = create_tar(tmp_path / "out.tar")
    part.commit()
    assert (tmp_path / "out.tar").is_symlink()
    assert (outside / "kept").read_bytes() == b""


@pytest.mark.parametrize("there", ["pipe", "empty directory"])
def test_a_tar_is_not_put_in_place_of_what_is_no_file(tmp_path: Path, there: str) -> None:
    IN_THE_WAY[there](tmp_path / "out.tar", tmp_path)
    with pytest.raises(OSError, match="Not a regular file"):
        create_tar(tmp_path / "out.tar")
    assert listing(tmp_path) == ["out.tar"]


def test_a_tar_in_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        create_tar(tmp_path / "missing/out.tar")


def test_a_file_that_is_written_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_all = os.write

    def write_some(descriptor: int, data: memoryview) -> int:
        return write_all(descriptor, data[:2])

    monkeypatch.setattr(os, "write", write_some)
    part = PartialFile(os.open(tmp_path, os.O_RDONLY), "a", lambda _: None)
    part.write(b"12345")
    part.commit()
    assert (tmp_path / "a").read_bytes() == b"12345"
