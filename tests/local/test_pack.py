"""Archives of directories: reproducible, complete or an error, in large chunks."""

from __future__ import annotations

import gc
import gzip
import io
import os
import stat
import tarfile
import tracemalloc
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from dockerproto import UploadFailed
from dockerproto.buildcontext.entry import FileEntry
from dockerproto.buildcontext.tar_writer import BLOCK
from dockerproto_local.pack import CHUNK_SIZE, compress, pack
from dockerproto_local.walk import walk
from tests.support.users import ordinary_user


def packed(root: Path) -> Generator[bytes]:
    return pack(str(root), walk(root))


def make(root: Path, names: list[str]) -> None:
    """Make a tree, whose bytes must not depend on the order of creation."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 100)
        path.chmod(0o644)
    for path in [root, *root.rglob("*")]:
        os.utime(path, (0, 1_600_000_000))


def test_all_is_in_it(tmp_path: Path) -> None:
    make(tmp_path, ["b", "a/c", "é"])
    (tmp_path / "link").symlink_to("b")
    (tmp_path / "z").hardlink_to(tmp_path / "b")
    (tmp_path / "empty").touch()
    generated = FileEntry(path="added", mode=stat.S_IFREG | 0o600, size=3), b"abc"
    archive = b"".join(pack(str(tmp_path), walk(tmp_path), [generated]))
    assert len(archive) % BLOCK == 0
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
        read = {member.name: tar.extractfile(member) for member in tar}
        contents = {name: file and file.read() for name, file in read.items()}
    expected = {"a": None, "a/c": b"a/c" * 100, "b": b"b" * 100, "empty": b"", "link": b"b" * 100}
    expected |= {"z": b"b" * 100, "é": "é".encode() * 100, "added": b"abc"}
    assert contents == expected


def test_the_same_content_makes_the_same_archive(tmp_path: Path) -> None:
    names = [f"{directory}/{index}" for directory in "abc" for index in range(20)]
    make(tmp_path / "one", names)
    make(tmp_path / "two", names[::-1])
    one, two = (b"".join(packed(tmp_path / name)) for name in ("one", "two"))
    assert one == two
    first, second = (b"".join(compress(packed(tmp_path / name))) for name in ("one", "two"))
    assert first == second
    assert first[4:8] == bytes(4), "the time"
    assert gzip.decompress(first) == one


def test_pieces_are_large_whether_files_are_or_not(tmp_path: Path) -> None:
    make(tmp_path, [f"{index:04}" for index in range(1_500)])
    (tmp_path / "big").write_bytes(bytes(3 * CHUNK_SIZE + 1))
    *chunks, last = map(len, packed(tmp_path))
    assert len(chunks) >= 3
    assert all(CHUNK_SIZE <= chunk <= 2 * CHUNK_SIZE + BLOCK for chunk in chunks)
    assert last <= CHUNK_SIZE


def test_memory_does_not_grow_with_files(tmp_path: Path) -> None:
    (tmp_path / "big").touch()
    os.truncate(tmp_path / "big", 200 * 2**20)
    make(tmp_path, [f"{index // 100}/{index}" for index in range(3_000)])
    tracemalloc.start()
    try:
        size = sum(map(len, packed(tmp_path)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size > 200 * 2**20
    assert peak < 8 * 2**20


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def shrink(path: Path) -> None:
    os.truncate(path, 1)


def replace_by_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("a")


def replace_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def replace_by_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "shrinks": (shrink, "/b became shorter while it was read: by 99 of 100 bytes"),
    "vanishes": (Path.unlink, "cannot read .*/b: No such file or directory"),
    "becomes a link": (replace_by_link, "cannot read .*/b: Too many levels of symbolic links"),
    "becomes a pipe": (replace_by_pipe, "/b became shorter while it was read: by 100 of 100 bytes"),
    "becomes a directory": (replace_by_directory, "cannot read .*/b: Is a directory"),
}


@pytest.mark.parametrize(("change", "message"), FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("compressed", [False, True])
def test_what_changes_while_it_is_read_is_told(
    change: Callable[[Path], None], message: str, compressed: bool, tmp_path: Path
) -> None:
    make(tmp_path, ["a", "b"])
    entries = [*walk(tmp_path)]
    change(tmp_path / "b")
    chunks = pack(str(tmp_path), entries)
    with pytest.raises(UploadFailed, match=message):
        b"".join(compress(chunks) if compressed else chunks)


def test_what_grows_has_the_size_that_it_had(tmp_path: Path) -> None:
    make(tmp_path, ["a", "b"])
    entries = [*walk(tmp_path)]
    expected = b"".join(pack(str(tmp_path), entries))
    grow(tmp_path / "a")
    assert b"".join(pack(str(tmp_path), entries)) == expected


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, ["a"])
    (tmp_path / "a").chmod(0)
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    with ordinary_user(), pytest.raises(UploadFailed, match=r"^cannot read \./a: Permission denied"):
        b"".join(packed(Path()))


@pytest.mark.parametrize("compressed", [False, True])
def test_a_file_is_closed_if_no_more_is_wanted(compressed: bool, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(os.urandom(4 * CHUNK_SIZE))
    gc.collect()  # what other tests have left open is not to be closed meanwhile
    before = len([*Path("/proc/self/fd").iterdir()])
    chunks = compress(packed(tmp_path)) if compressed else packed(tmp_path)
    for _ in range(3):
        next(chunks)
    assert len([*Path("/proc/self/fd").iterdir()]) == before + 3  # the file, and the root of each walk
    chunks.close()
    assert len([*Path("/proc/self/fd").iterdir()]) == before
