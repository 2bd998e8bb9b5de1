"""Small files that are read whole: nobody waits for what has no end, and memory has a limit."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dockerproto_local import small_files
from dockerproto_local.small_files import (
    READ_LIMIT,
    check_regular,
    read_any,
    read_open,
    read_regular,
    regular_mode,
    regular_path,
)
from tests.support.special_files import fifo, link, sparse

SECONDS = 30
SHORT = 0.05
NOT_REGULAR, DIRECTORY = r"^\[Errno 22\] Not a regular file: ", r"^\[Errno 21\] Is a directory: "
TOO_LARGE = rf"^\[Errno 27\] Larger than {READ_LIMIT} bytes: "
SPECIAL: dict[str, tuple[Callable[[Path], None], str]] = {
    "a pipe": (fifo, NOT_REGULAR),
    "a link to a device": (link("/dev/zero"), NOT_REGULAR),
    "a link to a terminal": (link("/dev/ptmx"), NOT_REGULAR),
    "a directory": (Path.mkdir, DIRECTORY),
    "a terabyte": (sparse, TOO_LARGE),
    "nothing": (lambda _: None, r"^\[Errno 2\] No such file or directory: "),
    "a link to nothing": (link("nothing"), r"^\[Errno 2\] No such file or directory: "),
}


def descriptors() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


@pytest.fixture(autouse=True)
def _no_leak() -> Iterator[None]:
    before = descriptors()
    yield
    assert descriptors() == before


@pytest.fixture
def path(tmp_path: Path) -> str:
    """The path of a regular file, through symlinks as Kubernetes makes them."""
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..2026" / "file").write_bytes(b"content")
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "file").symlink_to("..data/file")
    return str(tmp_path / "file")


def load_by_path(path: str) -> bytes:
    with regular_path(path) as checked:
        return Path(checked).read_bytes()


def read_short(path: str) -> bytes:
    return read_any(path, 100)


@pytest.mark.parametrize("read", [read_regular, load_by_path, read_short])
def test_a_regular_file(read: Callable[[str], bytes], path: str) -> None:
    assert read(path) == b"content"
    assert b"\0" in read("/proc/self/cmdline")  # which tells no size


@pytest.mark.parametrize("read", [read_regular, load_by_path])
@pytest.mark.parametrize("kind", SPECIAL)
def test_what_is_not_a_small_file(read: Callable[[str], bytes], kind: str, tmp_path: Path) -> None:
    make, error = SPECIAL[kind]
    make(tmp_path / "special")
    with pytest.raises(OSError, match=error) as raised:
        read(str(tmp_path / "special"))
    assert raised.value.filename == str(tmp_path / "special")


def test_the_limit_itself(path: str) -> None:
    Path(path).write_bytes(b"x" * READ_LIMIT)
    assert len(read_regular(path)) == len(load_by_path(path)) == READ_LIMIT
    assert len(read_any(path, 3)) == 3
    Path(path).write_bytes(b"x" * (READ_LIMIT + 1))
    for read in (read_regular, load_by_path):
        with pytest.raises(OSError, match=TOO_LARGE):
            read(path)


def test_the_null_device_masks_a_file(tmp_path: Path) -> None:
    assert read_regular(os.devnull) == b""
    (tmp_path / "masked").symlink_to(os.devnull)
    assert read_regular(str(tmp_path / "masked")) == b""


def test_a_file_that_was_checked_stays_the_same(path: str, tmp_path: Path) -> None:
    with regular_path(path) as checked:
        Path(path).unlink()
        os.mkfifo(path)
        assert Path(checked).read_bytes() == b"content"


def test_a_system_without_names_of_open_files(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_files, "_DESCRIPTORS", "/nowhere")
    with regular_path(path) as checked:
        assert checked == path


def test_an_open_file(path: str) -> None:
    assert read_open(os.open(path, os.O_RDONLY), "name") == b"content"
    for other, error in (("/dev/zero", NOT_REGULAR), ("/", DIRECTORY)):
        with pytest.raises(OSError, match=f"{error}'name'"):
            read_open(os.open(other, os.O_RDONLY), "name")
        with pytest.raises(OSError, match=f"{error}'name'"):
            check_regular(os.open(other, os.O_RDONLY), "name")


def test_a_file_to_replace(path: str, tmp_path: Path) -> None:
    assert stat.S_ISREG(regular_mode(path) or 0)
    assert regular_mode(tmp_path / "nothing") is None
    with pytest.raises(OSError, match=f"{NOT_REGULAR}'/dev/null'"):
        regular_mode("/dev/null")


class TestFilesOfAnyKind:
    def test_a_pipe_that_is_written_late_and_slowly(self, tmp_path: Path) -> None:
        path = tmp_path / "pipe"
        os.mkfifo(path)

        def write() -> None:
            with path.open("wb", buffering=0) as file:
                for _ in range(20):
                    file.write(b"x" * 10_000)

        writer = threading.Timer(SHORT, write)
        writer.start()
        assert read_any(str(path), 10**6, SECONDS) == b"x" * 200_000
        writer.join()

    def test_a_pipe_without_a_name(self) -> None:
        reader, writer = os.pipe()
        os.write(writer, b"secret")
        os.close(writer)
        assert read_any(f"/dev/fd/{reader}", 100, SECONDS) == b"secret"
        os.close(reader)

    def test_a_pipe_that_another_reader_empties(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reader, writer = os.pipe()
        os.write(writer, b"first")
        read = os.read
        steps: list[Callable[[], object]] = [
            lambda: read(reader, 100),
            lambda: os.write(writer, b"second"),
            lambda: os.close(writer),
        ]

        def read_later(descriptor: int, size: int) -> bytes:
            if steps:
                steps.pop(0)()
            return read(descriptor, size)

        monkeypatch.setattr(os, "read", read_later)
        monkeypatch.setattr("select.poll", _Always)
        assert read_any(f"/dev/fd/{reader}", 100, SECONDS) == b"second"
        os.close(reader)

    @pytest.mark.parametrize("written", [b"", b"half"])
    def test_a_pipe_that_does_not_end(self, tmp_path: Path, written: bytes) -> None:
        path = str(tmp_path / "pipe")
        os.mkfifo(path)
        writer = os.open(path, os.O_RDWR) if written else None
        if writer is not None:
            os.write(writer, written)
        with pytest.raises(OSError, match=rf"^\[Errno 62\] No end within {SHORT} s: '{path}'$"):
            read_any(path, 100, SHORT)
        if writer is not None:
            os.close(writer)

    def test_what_has_no_end_or_is_no_file(self, tmp_path: Path) -> None:
        assert read_any("/dev/zero", 10**6, SECONDS) == bytes(10**6)
        with pytest.raises(OSError, match=f"{DIRECTORY}'{tmp_path}'"):
            read_any(str(tmp_path), 100)


class _Always:
    """A poll object that reports whatever is registered."""

    def register(self, descriptor: int, events: int) -> None:
        pass

    def poll(self, timeout: int) -> bool:
        return True
