"""Promises that take a real engine to be believed: the engine stops, nothing leaks, memory stays flat."""

from __future__ import annotations

import gc
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

import dockerproto_httpx
from dockerproto import InvalidReference, Timeout
from tests.conftest import Connect
from tests.engines.differences import Difference
from tests.support.facade import Transport
from tests.support.waiting import read_until_begun, sockets, until
from tests.testbed.base_image import context
from tests.testbed.private import PrivateEngine
from tests.testbed.processes import NotInTimeError
from tests.testbed.unix_http import ask

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


builds_stop = pytest.mark.differs(Difference.BUILDS_GO_ON, raises=NotInTimeError)


def begin(docker: Any, command: str, **options: Any) -> Any:
    """Return the stream of a build that takes longer than any test."""
    dockerfile = f"FROM busybox\nRUN echo begun; {command}\n"
    return docker.images.build(
        fileobj=context(dockerfile), network_mode="none", nocache=True, forcerm=True, stream=True, **options
    )


class TestLeavingEarlyStopsTheEngine:
    @builds_stop
    async def test_by_leaving_a_build(self, engine: PrivateEngine, connect: Connect, command: str) -> None:
        async with connect(engine.url) as docker:
            async with begin(docker, command) as stream:
                await read_until_begun(engine, stream, command)
            await until(lambda: not engine.processes(command), 2)

    @builds_stop
    async def test_by_an_exception(self, engine: PrivateEngine, connect: Connect, command: str) -> None:
        async with connect(engine.url) as docker:
            with pytest.raises(KeyError):
                async with begin(docker, command) as stream:
                    await read_until_begun(engine, stream, command)
                    raise KeyError
            await until(lambda: not engine.processes(command), 2)

    @pytest.mark.parametrize("what", ["stream", "client"])
    @builds_stop
    async def test_by_closing(self, engine: PrivateEngine, connect: Connect, command: str, what: str) -> None:
        async with connect(engine.url) as docker, begin(docker, command) as stream:
            await read_until_begun(engine, stream, command)
            await (stream if what == "stream" else docker).close()
            await until(lambda: not engine.processes(command), 2)

    @builds_stop
    async def test_by_dropping_a_build(self, engine: PrivateEngine, connect: Connect, command: str) -> None:
        async with connect(engine.url) as docker:
            with pytest.warns(ResourceWarning, match="was not closed") as told, anyio.fail_after(10):
                await read_until_begun(engine, begin(docker, command), command)
                while not told:  # the thread of a blocking client may still refer to it
                    gc.collect()
                    await anyio.sleep(0.01)
            await until(lambda: not engine.processes(command), 2)

    @pytest.mark.parametrize("stream", [True, False])
    @pytest.mark.parametrize("transport", ["asyncio", "trio"])  # a blocking call cannot be cancelled
    @builds_stop
    async def test_by_cancellation(
        self, engine: PrivateEngine, connect: Connect, command: str, stream: bool
    ) -> None:
        data = context(f"FROM busybox\nRUN {command}\n")
        async with connect(engine.url) as docker, anyio.create_task_group() as tasks:

            async def build() -> None:
                building = docker.images.build(
                    fileobj=data, network_mode="none", nocache=True, forcerm=True, stream=stream
                )
                await (building.rest() if stream else building)

            tasks.start_soon(build)
            await until(lambda: engine.processes(command))
            tasks.cancel_scope.cancel()
        await until(lambda: not engine.processes(command), 2)

    @builds_stop
    async def test_by_a_timeout(self, engine: PrivateEngine, connect: Connect, command: str) -> None:
        async with connect(engine.url) as docker:
            stream = begin(docker, command, timeout=Timeout(idle=5))
            await read_until_begun(engine, stream, command)
            with pytest.raises(TimeoutError):
                await stream.rest()
        await until(lambda: not engine.processes(command), 2)

    async def test_a_hundred_exports(self, engine: PrivateEngine, connect: Connect) -> None:
        before = sockets()
        async with connect(engine.url) as docker:
            for _ in range(100):
                async with docker.images.export_image("busybox") as download:
                    assert len(await download.read(512)) == 512
            assert await docker.images.exists("busybox")
            await until(lambda: sockets() <= before + 1)  # the one that is kept
        await until(lambda: sockets() <= before)

    async def test_twenty_builds(self, engine: PrivateEngine, connect: Connect, command: str) -> None:
        before = sockets()
        async with connect(engine.url) as docker:
            for _ in range(20):
                async with begin(docker, command) as stream:
                    await read_until_begun(engine, stream, command)
            if not Difference.BUILDS_GO_ON.on(engine):
                await until(lambda: not engine.processes(command), 2)
            assert await docker.images.exists("busybox")
            await until(lambda: sockets() <= before + 1)  # the one that is kept
        await until(lambda: sockets() <= before)


class TestNamesStayInImages:
    async def test_no_name_deletes_a_container(self, engine: PrivateEngine, connect: Connect) -> None:
        name = f"victim{time.time_ns()}"
        config = json.dumps({"Image": "busybox", "Cmd": ["sh"]}).encode()
        headers = {"Content-Type": "application/json"}
        created = ask(engine.socket, "POST", f"/containers/create?name={name}", config, headers)
        assert created.status == 201
        async with connect(engine.url) as docker:
            for text in (f"../containers/{name}?x=", f"../containers/{name}", f"%2e%2e/containers/{name}"):
                with pytest.raises(InvalidReference):
                    await docker.images.delete(text)
                with pytest.raises(InvalidReference):
                    await docker.images.inspect(text)
        assert ask(engine.socket, "GET", f"/containers/{name}/json").status == 200
        ask(engine.socket, "DELETE", f"/containers/{name}?force=1")


MEBIBYTE = 2**20
LAYER = 300 * MEBIBYTE


@pytest.fixture(scope="module")
def big(engine: PrivateEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two images of 300 MiB in the engine, and an archive of the first."""
    directory = tmp_path_factory.mktemp("big")
    archive = directory / "image.tar"
    with dockerproto_httpx.Docker(engine.url) as docker:
        for number in ("1", "2"):
            docker.images.import_filesystem(_layer(number), repo="dockerproto/big", tag=number)
        with archive.open("wb") as file, docker.images.export_image("dockerproto/big:1") as download:
            shutil.copyfileobj(download, file)
        yield archive
        for number in ("1", "2"):
            docker.images.delete(f"dockerproto/big:{number}")
    archive.unlink()


def _layer(name: str) -> Iterator[bytes]:
    member = tarfile.TarInfo(name)
    member.size = LAYER
    yield member.tobuf()
    block = os.urandom(MEBIBYTE)
    for _ in range(LAYER // MEBIBYTE):
        yield block
    yield bytes(1024)


class TestMemoryStaysFlat:
    def test_of_a_program_that_moves_large_archives(
        self, engine: PrivateEngine, transport: Transport, big: Path
    ) -> None:
        program = [sys.executable, "-m", "tests.support.memory", transport, engine.url, str(big)]
        images = ["dockerproto/big:1", "dockerproto/big:2"]
        done = subprocess.run([*program, *images], capture_output=True, text=True, check=True)
        assert done.stderr == ""
        grown = json.loads(done.stdout)
        assert grown["exported"] > 2 * LAYER
        assert grown["export"] < 20 * MEBIBYTE
        assert grown["import"] < 20 * MEBIBYTE
