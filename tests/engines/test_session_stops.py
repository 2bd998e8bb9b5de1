"""Leaving a BuildKit build stops the engine, at whatever stage it is, by `/build` and by the Control API."""

from __future__ import annotations

import gc
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import pytest

from dockerproto import UnsupportedEngine
from tests.conftest import Connect
from tests.engines.differences import Difference
from tests.support.addresses import WAYS, Address, addresses
from tests.support.waiting import read_until_begun, sockets, until
from tests.testbed.base_image import context
from tests.testbed.private import PrivateEngine

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.engine,
    pytest.mark.usefixtures("buildkit"),
    pytest.mark.differs(Difference.NO_BUILDKIT, raises=UnsupportedEngine),
]


address = pytest.fixture(addresses, params=WAYS)

Way: TypeAlias = dict[str, Any]
"""Arguments that choose the interface of the engine."""


@pytest.fixture(params=[{"builder": "buildkit"}, {"nocache": ["another"]}], ids=["build", "control"])
def way(request: pytest.FixtureRequest) -> Way:
    way: Way = request.param
    return way


def begin(docker: Any, command: str, **options: Any) -> Any:
    dockerfile = f"FROM busybox\nRUN echo begun; {command}\n"
    return docker.images.build(fileobj=context(dockerfile), network_mode="none", stream=True, **options)


@pytest.mark.parametrize("how", ["leave", "close", "error"])
async def test_in_a_step(engine: PrivateEngine, docker: Any, command: str, how: str, way: Way) -> None:
    with suppress(KeyError):
        async with begin(docker, command, **way) as stream:
            await read_until_begun(engine, stream, command)
            if how == "error":
                raise KeyError
            if how == "close":
                await stream.close()
                await until(lambda: not engine.processes(command), 2)
    await until(lambda: not engine.processes(command), 2)


async def test_by_dropping_it(engine: PrivateEngine, docker: Any, command: str, way: Way) -> None:
    with pytest.warns(ResourceWarning, match="was not closed") as warned:
        await read_until_begun(engine, begin(docker, command, **way), command)
        # The thread that has called the blocking client may hold it a moment longer.
        await until(lambda: gc.collect() >= 0 and len(warned))
    await until(lambda: not engine.processes(command), 2)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("transport", ["asyncio", "trio"])  # a blocking call cannot be cancelled
async def test_by_cancellation(
    engine: PrivateEngine, docker: Any, command: str, stream: bool, way: Way
) -> None:
    data = context(f"FROM busybox\nRUN {command}\n")

    async def build() -> None:
        building = docker.images.build(fileobj=data, network_mode="none", stream=stream, **way)
        await (building.rest() if stream else building)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(build)
        await until(lambda: engine.processes(command))
        tasks.cancel_scope.cancel()
    await until(lambda: not engine.processes(command), 2)


async def test_by_a_timeout(engine: PrivateEngine, docker: Any, command: str, way: Way) -> None:
    with pytest.raises(TimeoutError):
        await begin(docker, command, timeout=3, **way).rest()
    await until(lambda: not engine.processes(command), 2)


async def test_while_files_are_sent(docker: Any, tmp_path: Path, way: Way, address: Address) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(2**30)
    before = sockets()
    stream = docker.images.build(path=tmp_path, dockerfile="FROM busybox\nCOPY . /x\n", stream=True, **way)
    async with stream:
        async for message in stream:
            if any(status.id.startswith("transferring context") for status in message["trace"].statuses):
                break
    await until(lambda: sockets() <= before + address.kept)
    # The engine is free for another one, which needs nothing of the files.
    assert await docker.images.build(dockerfile="FROM busybox\n", builder="buildkit", network_mode="none")


async def test_while_an_output_is_written(docker: Any, tmp_path: Path, way: Way) -> None:
    made = "FROM busybox AS made\nRUN dd if=/dev/zero of=/x bs=1048576 count=300\n"
    dockerfile = made + "FROM scratch\nCOPY --from=made /x /x\n"
    stream = docker.images.build(
        dockerfile=dockerfile, network_mode="none", output=tmp_path / "out", stream=True, **way
    )
    async with stream:
        async for message in stream:
            if any(status.id.startswith("copying files") for status in message["trace"].statuses):
                break
    await until(lambda: not list(tmp_path.rglob(".dockerproto-*")))


async def test_twenty_builds_leave_nothing(
    engine: PrivateEngine, connect: Connect, command: str, way: Way, address: Address
) -> None:
    before = sockets()
    async with connect(address.url) as docker:
        for number in range(20):
            # BuildKit shares a step that is the same with the build before, and may forget to stop it then.
            async with begin(docker, f"{command}{number}", **way) as stream:
                await read_until_begun(engine, stream, command)
        await until(lambda: not engine.processes(command))
        assert await docker.images.exists("busybox")
        await until(lambda: sockets() <= before + address.kept + 1)
    await until(lambda: sockets() <= before)
