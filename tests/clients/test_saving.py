"""Archives saved to files: complete, or not there; on the three clients."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from dockerproto import ClientClosed, ConnectionFailed, NotFound, OutputFailed, ProtocolViolated, TimedOut
from dockerproto_local.local_host import LocalHost
from dockerproto_local.output_directory import PartialFile, create_tar
from tests.conftest import Connect
from tests.support.facade import Transport
from tests.support.waiting import until
from tests.testbed.scripted import (
    Close,
    ScriptedEngine,
    Step,
    UntilClosed,
    chunk,
    json_response,
    response,
    stream_head,
)

pytestmark = pytest.mark.anyio

ARCHIVE = bytes(range(256)) * 20_000 + bytes(10_240)
"""More than is written at once."""
GET = ("GET", "/images/app/get")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


async def test_an_export_to_a_file(scripted: ScriptedEngine, connect: Connect, folder: Path) -> None:
    scripted.script(*GET, response(200, ARCHIVE))
    async with connect(scripted.url) as docker:
        assert await docker.images.export_image("app", to=folder / "a.tar") == len(ARCHIVE)
        assert await docker.images.save("app", to=str(folder / "b.tar")) == len(ARCHIVE)
    assert names(folder) == ["a.tar", "b.tar"]
    for each in ("a.tar", "b.tar"):
        assert (folder / each).read_bytes() == ARCHIVE
        assert (folder / each).stat().st_mode & 0o777 == 0o666 & ~umask()


async def test_a_download_is_saved_from_where_it_was_read(
    scripted: ScriptedEngine, connect: Connect, folder: Path
) -> None:
    scripted.script(*GET, response(200, ARCHIVE))
    path = folder / "a.tar"
    path.write_text("old")
    path.chmod(0o640)
    async with connect(scripted.url) as docker, docker.images.export_image("app") as download:
        assert await download.read(256) == ARCHIVE[:256]
        assert await download.save(path) == len(ARCHIVE) - 256
    assert path.read_bytes() == ARCHIVE[256:]
    assert path.stat().st_mode & 0o777 == 0o640


FAULTS: dict[str, tuple[type[Exception], Any]] = {
    "not found": (NotFound, json_response({"message": "No such image: app"}, 404)),
    "incomplete": (ProtocolViolated, response(200, b"x" * 1024)),
    "cut": (ConnectionFailed, [stream_head(), chunk(ARCHIVE), Close()]),
    "silence": (TimedOut, [stream_head(), chunk(ARCHIVE), UntilClosed()]),
}


@pytest.mark.parametrize(("error", "reply"), FAULTS.values(), ids=FAULTS)
async def test_an_export_that_fails_leaves_what_was_there(
    scripted: ScriptedEngine, connect: Connect, folder: Path, error: type[Exception], reply: Any
) -> None:
    scripted.script(*GET, reply)
    (folder / "a.tar").write_text("old")
    async with connect(scripted.url) as docker:
        with pytest.raises(error):
            await docker.images.export_image("app", 0.5 if error is TimedOut else None, to=folder / "a.tar")
    assert names(folder) == ["a.tar"]
    assert (folder / "a.tar").read_text() == "old"


async def test_a_file_that_cannot_be_written(
    scripted: ScriptedEngine, connect: Connect, folder: Path
) -> None:
    scripted.script(*GET, response(200, ARCHIVE))
    async with connect(scripted.url) as docker:
        for path, reason in ((folder / "no/a.tar", "No such file or directory"), (folder, "Not a regular")):
            with pytest.raises(OutputFailed, match=f"^cannot write {path}: {reason}") as raised:
                await docker.images.export_image("app", to=path)
            assert isinstance(raised.value.__cause__, OSError)
    assert names(folder) == []


async def test_a_full_disk(
    scripted: ScriptedEngine, connect: Connect, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: PartialFile) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(PartialFile, "commit", fail)
    scripted.script(*GET, response(200, ARCHIVE))
    async with connect(scripted.url) as docker:
        with pytest.raises(OutputFailed, match=r"a\.tar: No space left on device"):
            await docker.images.export_image("app", to=folder / "a.tar")
    assert names(folder) == []


async def test_a_closed_download_is_not_saved(
    scripted: ScriptedEngine, connect: Connect, folder: Path
) -> None:
    scripted.script(*GET, response(200, ARCHIVE))
    async with connect(scripted.url) as docker:
        for begin in (False, True):
            download = docker.images.export_image("app")
            if begin:
                await download.read(1)
            await download.close()
            with pytest.raises(ClientClosed, match="the download was closed"):
                await download.save(folder / "a.tar")
    assert names(folder) == []


class SlowFiles:
    """Files whose creation or first write waits until the test lets it go on."""

    def __init__(self, step: str) -> None:
        self._step = step
        self.reached = threading.Event()
        self.go_on = threading.Event()
        self.done = threading.Event()

    def create(self, path: str) -> Any:
        file = create_tar(path)
        if self._step == "create":
            self._wait()
            return file
        return _Slow(file, self._wait)

    def _wait(self) -> None:
        self.reached.set()
        assert self.go_on.wait(20)
        self.done.set()


class _Slow:
    def __init__(self, file: PartialFile, wait: Callable[[], None]) -> None:
        self._file = file
        self._wait = wait

    def write(self, data: bytes) -> None:
        self._wait()
        self._file.write(data)

    def discard(self) -> None:
        self._file.discard()


@pytest.fixture(params=["create", "write"])
def slow(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> SlowFiles:
    slow = SlowFiles(request.param)
    monkeypatch.setattr(LocalHost, "output_file", slow.create)
    return slow


@pytest.mark.parametrize("transport", ["asyncio", "trio"])  # a blocking call cannot be cancelled
async def test_a_cancelled_thread_removes_the_file(
    scripted: ScriptedEngine, connect: Connect, folder: Path, transport: Transport, slow: SlowFiles
) -> None:
    scripted.script(*GET, response(200, ARCHIVE))
    async with connect(scripted.url) as docker:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: docker.images.export_image("app", to=folder / "a.tar"))
            await anyio.to_thread.run_sync(slow.reached.wait)
            tasks.cancel_scope.cancel()
        assert len(names(folder)) == 1
        slow.go_on.set()
        await until(lambda: names(folder) == [])


@pytest.mark.parametrize("transport", ["asyncio", "trio"])
async def test_a_cancelled_export_leaves_no_file(
    scripted: ScriptedEngine, connect: Connect, folder: Path, transport: Transport
) -> None:
    reply: list[Step] = [stream_head(), chunk(ARCHIVE), UntilClosed()]
    scripted.script(*GET, reply)
    async with connect(scripted.url) as docker:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: docker.images.export_image("app", to=folder / "a.tar"))
            await until(lambda: any((folder / each).stat().st_size for each in names(folder)))
            tasks.cancel_scope.cancel()
        await until(lambda: names(folder) == [])
