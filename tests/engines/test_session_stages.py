"""Builds that are left or lose a connection, at each of their stages, on real engines."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import anyio
import pytest

from dockerproto import ConnectionFailed, DockerError, DockerStreamError, Tar, UnsupportedEngine
from dockerproto_local.directory import Directory
from dockerproto_local.output_directory import PartialFile
from tests.conftest import Connect
from tests.engines.differences import Difference
from tests.support.stored import Machine
from tests.support.waiting import sockets, until
from tests.testbed.base_image import context
from tests.testbed.private import PrivateEngine
from tests.testbed.registry import Registry
from tests.testbed.relay import Relay

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.engine,
    pytest.mark.usefixtures("buildkit"),
    pytest.mark.differs(Difference.NO_BUILDKIT, raises=UnsupportedEngine),
]

SLOW: Final = 0.005
LARGE: Final = "FROM busybox\nRUN dd if=/dev/zero of=/large bs=1 count=1 seek=64M\n"


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of a build, which lasts longer than any test."""

    options: dict[str, Any]
    """The build."""
    said: str
    """Text of the engine when the stage begins."""
    reached: Callable[[], object]
    """Returns whether the stage has begun."""
    left: Callable[[], object]
    """Returns whether nothing of the stage is left."""
    release: Callable[[], object] = int
    """Lets go what the client may leave to itself."""


class SlowDisk:
    """A disk that takes its time for everything."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._used = threading.Event()
        opened, written = Directory.open, PartialFile.write

        def open_slow(directory: Directory, path: str) -> Any:
            file = opened(directory, path)
            return file if path == "Dockerfile" else _SlowFile(file, self._use)

        def write(file: PartialFile, data: bytes) -> None:
            self._use()
            written(file, data)

        monkeypatch.setattr(Directory, "open", open_slow)
        monkeypatch.setattr(PartialFile, "write", write)

    @property
    def used(self) -> bool:
        return self._used.is_set()

    def _use(self) -> None:
        self._used.set()
        time.sleep(SLOW)


class _SlowFile:
    def __init__(self, file: BinaryIO, use: Callable[[], None]) -> None:
        self._file, self._use = file, use

    def read(self, size: int) -> bytes:
        self._use()
        return self._file.read(size)

    def close(self) -> None:
        self._file.close()


def sending(disk: SlowDisk, root: Path) -> Stage:
    (root / "Dockerfile").write_text("FROM busybox\nCOPY large /\n")
    with (root / "large").open("wb") as file:
        file.truncate(2**30)
    return Stage({"path": root}, "transferring context", lambda: disk.used, lambda: True)


def receiving(disk: SlowDisk, root: Path) -> Stage:
    options = {"fileobj": context(LARGE), "output": root / "dist"}

    def left() -> bool:
        names = {each.name for each in (root / "dist").iterdir()}
        return "large" not in names and not any(each.startswith(".dockerproto-") for each in names)

    return Stage(options, "copying files", lambda: disk.used, left)


def receiving_a_tar(disk: SlowDisk, root: Path) -> Stage:
    options = {"fileobj": context(LARGE), "output": Tar(root / "out.tar")}
    return Stage(options, "sending tarball", lambda: disk.used, lambda: not list(root.iterdir()))


def looking_up(helper: Machine, registry: str, root: Path) -> Stage:
    """A stage in which a credential helper runs, until a file is there."""
    end = root / "end"
    helper.write({"credHelpers": {registry: "slow"}})
    helper.helper("slow", f"while not Path({str(end)!r}).exists(): time.sleep(0.01)", NOT="here")
    options = {"fileobj": context(f"FROM {registry}/a\n"), "pull": True}
    return Stage(options, "[internal] load metadata", lambda: helper.asked, lambda: True, end.touch)


STAGES: Final = {each.__name__: each for each in (sending, receiving, receiving_a_tar)}


@pytest.fixture(params=["running", "looking_up", *STAGES])
def stage(  # noqa: PLR0917  # pytest passes them by name
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    engine: PrivateEngine,
    closed_registry: Registry,
    machine: Machine,
    command: str,
) -> Stage:
    root = tmp_path / "root"
    root.mkdir()
    if request.param in STAGES:
        return STAGES[request.param](SlowDisk(monkeypatch), root)
    if request.param == "looking_up":
        return looking_up(machine, closed_registry.host, root)
    build = {"fileobj": context(f"FROM busybox\nRUN echo begun; {command}\n")}
    return Stage(build, "begun", lambda: engine.processes(command), lambda: not engine.processes(command))


@pytest.fixture
def relay(engine: PrivateEngine) -> Iterator[Relay]:
    with Relay(engine.socket) as relay:
        yield relay


def begin(docker: Any, stage: Stage, **options: Any) -> Any:
    return docker.images.build(
        **stage.options, network_mode="none", builder="buildkit", timeout=60, **options
    )


async def read_until_reached(stream: Any, stage: Stage) -> None:
    async for message in stream:
        trace = message.get("trace")
        said = [] if trace is None else [each.id for each in trace.statuses]
        said += [] if trace is None else [each.msg.decode() for each in trace.logs]
        said += [] if trace is None else [each.name for each in trace.vertexes]
        if any(each.startswith(stage.said) for each in said):
            await until(stage.reached)
            return
    pytest.fail("the build ended")


async def nothing_is_left(docker: Any, stage: Stage) -> None:
    """Check that all stopped, on both sides, and that the engine builds on."""
    await until(stage.left, 2)
    assert not [each for each in threading.enumerate() if each.name == "dockerproto session"]
    await docker.images.build(fileobj=context("FROM busybox\n"), builder="buildkit")
    stage.release()


class TestLeaving:
    @pytest.mark.parametrize("how", ["leave", "error", "close", "close the client"])
    async def test_stops_everything(
        self, engine: PrivateEngine, connect: Connect, stage: Stage, how: str
    ) -> None:
        before = sockets()
        async with connect(engine.url) as docker:
            with suppress(KeyError):
                async with begin(docker, stage, stream=True) as stream:
                    await read_until_reached(stream, stage)
                    if how == "error":
                        raise KeyError
                    if how.startswith("close"):
                        await (stream if how == "close" else docker).close()
                        await until(stage.left, 2)
            await until(lambda: sockets() <= before + 1)  # the one that is kept
        async with connect(engine.url) as another:
            await nothing_is_left(another, stage)

    @pytest.mark.parametrize("stream", [True, False])
    @pytest.mark.parametrize("transport", ["asyncio", "trio"])  # a blocking call cannot be cancelled
    async def test_by_cancellation_stops_everything(
        self, engine: PrivateEngine, connect: Connect, stage: Stage, stream: bool
    ) -> None:
        before = sockets()
        async with connect(engine.url) as docker:
            async with anyio.create_task_group() as tasks:

                async def build() -> None:
                    building = begin(docker, stage, stream=stream)
                    await (building.rest() if stream else building)

                tasks.start_soon(build)
                await until(stage.reached)
                tasks.cancel_scope.cancel()
            await until(lambda: sockets() <= before + 1)  # the one that is kept
            await nothing_is_left(docker, stage)


class TestALoss:
    async def test_of_the_session_stops_everything_and_is_told(
        self, relay: Relay, connect: Connect, stage: Stage, docker: Any
    ) -> None:
        error = await lost(connect, relay, stage, "/session")
        if isinstance(error, DockerStreamError):  # the engine was faster, and says that its calls failed
            assert isinstance(error.__cause__, ConnectionFailed)
            error = error.__cause__
        assert isinstance(error, ConnectionFailed)
        assert error.message.startswith("the session of the build broke: ")
        assert isinstance(error.__cause__, OSError)
        await nothing_is_left(docker, stage)

    async def test_of_the_build_stops_everything_and_is_told(
        self, relay: Relay, connect: Connect, stage: Stage, docker: Any
    ) -> None:
        error = await lost(connect, relay, stage, "/build")
        assert type(error) is ConnectionFailed
        assert error.message == "the engine closed the connection before its response was complete"
        await nothing_is_left(docker, stage)


async def lost(connect: Connect, relay: Relay, stage: Stage, path: str) -> DockerError:
    """Begin a build, and cut a connection of it; return the error."""
    errors: list[DockerError] = []
    async with connect(relay.url) as docker:

        async def build() -> None:
            with pytest.raises(DockerError) as raised:
                await begin(docker, stage)
            errors.append(raised.value)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(build)
            await until(stage.reached)
            assert relay.cut(path) == 1
    return errors[0]
