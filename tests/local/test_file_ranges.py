"""Files that are uploaded by their paths: how they are sent, and what may become of them meanwhile."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from io import FileIO
from pathlib import Path

import pytest

from dockerproto import UploadFailed
from dockerproto.http.uploads import CHUNK_LIMIT, SlicedUpload
from dockerproto.timeouts import UNLIMITED, Timer
from dockerproto.transport.chunks import FileRange
from dockerproto.transport.host import TimeLeft
from dockerproto.transport.local_work import LocalWork
from dockerproto.transport.runtime import run
from dockerproto_local.blocking import BlockingTransport
from dockerproto_local.file_ranges import WINDOW, LocalFile, read_range
from dockerproto_local.local_host import LocalHost
from tests.conftest import Connect
from tests.support.interrupts import find_points, interrupt, prepare
from tests.support.leftovers import descriptors
from tests.testbed.scripted import ScriptedEngine, chunked

LOAD = ("POST", "/images/load")
LOADED = b'{"stream":"Loaded image: x:1\\n"}\r\n'
DATA = bytes(range(251)) * (3 * CHUNK_LIMIT // 251)

pytestmark = pytest.mark.anyio


@pytest.fixture
def engine(scripted: ScriptedEngine) -> ScriptedEngine:
    scripted.script(*LOAD, chunked(LOADED))
    return scripted


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "image.tar"
    path.write_bytes(DATA)
    return path


async def test_a_file_of_several_windows_arrives(
    engine: ScriptedEngine, connect: Connect, path: Path
) -> None:
    data, told = DATA * 6, list[int]()
    with path.open("wb") as file:
        file.write(data)
    assert len(data) > 2 * WINDOW
    async with connect(engine.url) as docker:
        await docker.images.import_image(path, on_upload=told.append)
    got = engine.requests[-1]
    assert (got.length, got.sha256) == (len(data), sha256(data).hexdigest())
    assert told == [*range(CHUNK_LIMIT, len(data), CHUNK_LIMIT), len(data)]


async def test_what_is_appended_meanwhile_arrives_too(
    engine: ScriptedEngine, connect: Connect, path: Path
) -> None:
    def append(sent: int) -> None:
        if sent == CHUNK_LIMIT:
            with path.open("ab") as file:
                file.write(b"appended")

    async with connect(engine.url) as docker:
        await docker.images.import_image(path, on_upload=append)
    assert engine.requests[-1].sha256 == sha256(DATA + b"appended").hexdigest()


async def test_a_file_that_becomes_shorter_is_an_error(
    engine: ScriptedEngine, connect: Connect, path: Path
) -> None:
    def cut(_: int) -> None:
        os.truncate(path, CHUNK_LIMIT)

    async with connect(engine.url) as docker:
        with pytest.raises(UploadFailed, match="became shorter during the upload"):
            await docker.images.import_image(path, on_upload=cut)
    assert not any(each.complete for each in engine.requests if each.path == LOAD[1])


async def test_a_file_that_does_not_tell_its_size_arrives(engine: ScriptedEngine, connect: Connect) -> None:
    async with connect(engine.url) as docker:
        await docker.images.import_image("/proc/version")
    assert engine.requests[-1].body.startswith(b"Linux version ")


async def test_a_named_pipe_is_read(engine: ScriptedEngine, connect: Connect, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(DATA,))
    writer.start()
    async with connect(engine.url) as docker:
        await docker.images.import_image(pipe)
    writer.join()
    assert engine.requests[-1].sha256 == sha256(DATA).hexdigest()


def failing(code: int) -> Callable[..., int]:
    """Return a call of the system that fails."""

    def fail(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    return fail


async def test_a_file_that_the_system_does_not_send_is_read(
    engine: ScriptedEngine, connect: Connect, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sendfile", failing(errno.EINVAL))
    async with connect(engine.url) as docker:
        await docker.images.import_image(path)
    assert engine.requests[-1].sha256 == sha256(DATA).hexdigest()


async def test_a_disk_that_fails_is_an_error(
    engine: ScriptedEngine, connect: Connect, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sendfile", failing(errno.EIO))
    monkeypatch.setattr(os, "pread", failing(errno.EIO))
    async with connect(engine.url) as docker:
        with pytest.raises(UploadFailed, match=r"cannot read the file to upload: .*Input/output error"):
            await docker.images.import_image(path)


@pytest.mark.filterwarnings("ignore:unclosed file", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_while_a_file_is_opened_leaves_no_descriptor(path: Path) -> None:
    open_file = partial(LocalFile, path)
    prepare(open_file)
    points = find_points(open_file, lambda: None)
    before = descriptors()
    for point in points:
        prepare(open_file)
        with pytest.raises(KeyboardInterrupt):
            interrupt(open_file, point)
        assert descriptors() == before, point


def test_a_file_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = descriptors()
    for path, error in ((tmp_path, IsADirectoryError), (tmp_path / "missing", FileNotFoundError)):
        with pytest.raises(error) as raised:
            LocalFile(path)
        assert (raised.value.filename, descriptors()) == (path, before)

    def interrupted(_: object, __: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "open", interrupted)
    with pytest.raises(KeyboardInterrupt):
        LocalFile(tmp_path)


def test_a_part_is_read_whole_or_not_at_all(path: Path) -> None:
    with LocalFile(path) as file:
        assert read_range(FileRange(file.fileno(), 5, 10)) == DATA[5:15]
        with pytest.raises(UploadFailed, match=r"became shorter .*: 7 bytes are missing"):
            read_range(FileRange(file.fileno(), len(DATA) - 3, 10))


def test_a_file_is_read_on_after_its_parts(path: Path) -> None:
    with LocalFile(path) as file:
        assert [part.size for part in file.ranges()] == [len(DATA)]
        assert file.read() == b""


class PlainHost(LocalHost):
    """A host that opens files without ranges."""

    def open_file(self, path: str | os.PathLike[str], time_left: TimeLeft, /) -> FileIO:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]  # as a Host may
        return FileIO(path)


class PlainTransport(BlockingTransport):
    @property
    def host(self) -> LocalHost:
        return PlainHost()


def test_a_file_without_parts_is_read(path: Path) -> None:
    transport, got = PlainTransport(), bytearray()
    upload = SlicedUpload(path, transport, LocalWork(transport, Timer(UNLIMITED, transport.now)))
    while piece := run(upload.next()):
        assert not isinstance(piece, FileRange)
        got += piece
    run(upload.close())
    assert got == DATA
