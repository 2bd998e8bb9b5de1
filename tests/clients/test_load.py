"""Builds on a scripted daemon whose image a scripted engine loads: the ways in which both end."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import anyio
import pytest

import dockerproto_asyncio
import dockerproto_httpx
from dockerproto import (
    CacheOnly,
    ClientClosed,
    ConnectionFailed,
    DockerError,
    DockerStreamError,
    ProtocolViolated,
    ServerError,
    TimedOut,
    Timeout,
)
from dockerproto.buildkit.control.loading import BATCH_BYTES, LINES_LIMIT, PIPE_LIMIT
from dockerproto.buildkit.files.fsutil import BytesMessage
from dockerproto.buildkit.rpc.handler import Code, Status
from tests.conftest import Connect
from tests.support.calling import Speaking
from tests.support.controlling import IMAGE, Control, Controlled, Native, solved
from tests.support.facade import Transport
from tests.support.waiting import until
from tests.testbed.scripted import (
    LAST_CHUNK,
    Close,
    DontReadBody,
    ScriptedEngine,
    UntilClosed,
    chunk,
    json_response,
    stream_head,
)

pytestmark = pytest.mark.anyio

FILE_SEND: Final = "/moby.filesync.v1.FileSend/DiffCopy"
TAR: Final = b"x" * 512 + bytes(1024)
LARGE: Final = bytes(3 * PIPE_LIMIT)
LOADED: Final = (stream_head(), chunk(b'{"stream": "Loaded image: app:1\\n"}\n'), LAST_CHUNK)
HELD: Final = UntilClosed()


class Daemon:
    """A scripted daemon, and the engine beside it: `statuses` has the ends of the calls that send images."""

    def __init__(self, daemon: ScriptedEngine, engine: ScriptedEngine) -> None:
        self.daemon = daemon
        self.engine = engine
        self.statuses: list[Status] = []
        self.sent = threading.Event()

    def play(self, *images: bytes, solve: Status | None = None, wait: bool = True) -> None:
        """Let it send an image in each of some calls, and end the build; with None it succeeds."""

        def speak(speaking: Speaking) -> None:
            try:
                for image in images:
                    self._send(speaking, image)
            finally:
                self.sent.set()

        def control(controlled: Controlled) -> None:
            controlled.begin()
            controlled.reply("Status")
            controlled.flush()
            if wait:
                self.sent.wait()
            if solve is None:
                controlled.reply("Solve", solved())
            else:
                controlled.reply("Solve", status=solve)

        self.daemon.script("PRI", "*", (Native(Control(control), speak), HELD))

    def _send(self, speaking: Speaking, image: bytes) -> None:
        pieces = [image[at : at + BATCH_BYTES] for at in range(0, len(image), BATCH_BYTES)]
        stream = speaking.begin(FILE_SEND, *(BytesMessage(each).encode() for each in pieces))
        speaking.grpc.finish(stream)
        self.statuses.append(speaking.end(stream)[1])


@pytest.fixture
def pair(scripted: ScriptedEngine, tmp_path: Path) -> Iterator[Daemon]:
    with ScriptedEngine(tmp_path) as engine:
        yield Daemon(scripted, engine)


@pytest.fixture
def loading(connect: Connect, connect_daemon: Connect) -> Callable[..., Any]:
    """Return a function that opens both clients, and passes a build with `load` to another function."""

    async def run(pair: Daemon, use: Callable[[Any], Any], **options: Any) -> Any:
        async with connect(pair.engine.url) as docker, connect_daemon(pair.daemon.url) as buildkit:
            arguments = {"remote": "https://h/a.git", "tag": "app:1", "load": docker, **options}
            result = await use(buildkit.build(**arguments))
            await until(lambda: pair.daemon.connections_open == 0)
            await until(lambda: pair.engine.connections_open <= 1)  # that of the ping is kept
            return result

    return run


async def outcome(building: Any) -> Any:
    return await building


async def failure(building: Any) -> DockerError:
    with pytest.raises(DockerError) as caught:
        await building
    return caught.value


async def test_the_engine_gets_the_image(pair: Daemon, loading: Any) -> None:
    pair.play(LARGE + TAR)
    pair.engine.script("POST", "/images/load", LOADED)
    messages = await loading(pair, outcome)
    (load,) = (each for each in pair.engine.requests if each.method == "POST")
    assert (load.length, load.complete) == (len(LARGE + TAR), True)
    assert load.query == {"quiet": ["0"]}
    assert messages[-1] == {"stream": "Loaded image: app:1\n"}
    assert (messages.result.image, messages.result.tags) == (IMAGE, ("app:1",))
    assert [each.code for each in pair.statuses] == [Code.OK]


async def test_the_progress_of_both_is_in_one_stream(pair: Daemon, loading: Any) -> None:
    pair.play(TAR)
    loaded = [{"status": "Loading layer", "id": "a"}, {"stream": f"Loaded image ID: {IMAGE}\n"}]
    lines = (chunk(json.dumps(each).encode() + b"\n") for each in loaded)
    pair.engine.script("POST", "/images/load", (stream_head(), *lines, LAST_CHUNK))

    async def use(stream: Any) -> Any:
        async with stream:
            return [each async for each in stream], stream.result

    messages, result = await loading(pair, use, stream=True)
    assert messages[-3:] == [{"id": "moby.image.id", "aux": {"ID": IMAGE}}, *loaded]
    assert result.tags == ()


async def test_unread_messages_of_the_load_are_bounded(pair: Daemon, loading: Any) -> None:
    line = b'{"status": "' + b"x" * 1000 + b'"}\n'
    pair.play(TAR)
    pair.engine.script("POST", "/images/load", (stream_head(), *[chunk(line * 100)] * 20, *LOADED[1:]))

    async def use(stream: Any) -> Any:
        async with stream:
            await until(lambda: any(each.path == "/images/load" for each in pair.engine.requests))
            await until(lambda: pair.engine.connections_open <= 1)
            return [each async for each in stream]

    messages = await loading(pair, use, stream=True)
    assert messages[-1] == {"stream": "Loaded image: app:1\n"}
    assert len(messages) * 1000 < 2 * LINES_LIMIT


FAILURES: Final[dict[str, tuple[Any, type[DockerError], str]]] = {
    "before it reads": (
        (DontReadBody(), json_response({"message": "no space left on device"}, 500), Close()),
        ServerError,
        "no space left on device",
    ),
    "after it has read": (json_response({"message": "no space left"}, 500), ServerError, "no space left"),
    "in the stream": (
        json_response({"errorDetail": {"message": "no space left on device"}}),
        DockerStreamError,
        "no space left on device",
    ),
    "by hanging up": (Close(), ConnectionFailed, "closed"),
}


@pytest.mark.parametrize(("step", "error", "message"), FAILURES.values(), ids=FAILURES)
@pytest.mark.parametrize("image", [LARGE + TAR, TAR], ids=["large", "small"])
async def test_a_load_that_fails_ends_the_build(
    pair: Daemon, loading: Any, *, image: bytes, step: Any, error: type[DockerError], message: str
) -> None:
    pair.play(image)
    pair.engine.script("POST", "/images/load", step)
    failed = await loading(pair, failure)
    assert isinstance(failed, error)
    assert message in failed.message


async def test_a_build_that_fails_ends_the_load(pair: Daemon, loading: Any) -> None:
    """The daemon fails while it sends; its error is raised, and the engine gets no complete request."""
    pair.play(LARGE, solve=Status(2, "the disk broke"))
    pair.engine.script("POST", "/images/load", (DontReadBody(), UntilClosed()))

    def send(speaking: Speaking) -> None:
        speaking.begin(FILE_SEND, BytesMessage(bytes(BATCH_BYTES)).encode())
        pair.sent.set()

    def control(controlled: Controlled) -> None:
        controlled.begin()
        pair.sent.wait()
        controlled.reply("Status")
        controlled.reply("Solve", status=Status(2, "the disk broke"))

    pair.daemon.script("PRI", "*", (Native(Control(control), send), HELD))
    failed = await loading(pair, failure)
    assert isinstance(failed, DockerStreamError)
    assert failed.message == "the disk broke"
    assert all(not each.complete for each in pair.engine.requests if each.method == "POST")


async def test_an_image_without_its_end_is_not_loaded(pair: Daemon, loading: Any) -> None:
    pair.play(TAR[:512], solve=Status(2, "EOF"))
    pair.engine.script("POST", "/images/load", LOADED)
    failed = await loading(pair, failure)
    assert isinstance(failed, DockerStreamError)
    assert "truncated after 512 bytes" in str(failed.__cause__ or failed)
    assert all(not each.complete for each in pair.engine.requests if each.method == "POST")


async def test_a_build_without_an_image_is_an_error(pair: Daemon, loading: Any) -> None:
    pair.play()
    failed = await loading(pair, failure)
    assert isinstance(failed, ProtocolViolated)
    assert "without sending the image" in failed.message


async def test_only_one_image_is_loaded(pair: Daemon, loading: Any) -> None:
    pair.play(TAR, TAR)
    pair.engine.script("POST", "/images/load", LOADED)
    assert (await loading(pair, outcome)).result.tags == ("app:1",)
    assert [each.code for each in pair.statuses] == [Code.OK, Code.ALREADY_EXISTS]


async def test_leaving_ends_both(pair: Daemon, loading: Any) -> None:
    pair.play(LARGE)
    pair.engine.script("POST", "/images/load", (DontReadBody(), UntilClosed()))

    async def use(stream: Any) -> None:
        async with stream:
            await until(lambda: any(each.path == "/images/load" for each in pair.engine.requests))

    await loading(pair, use, stream=True)
    assert all(not each.complete for each in pair.engine.requests if each.method == "POST")


async def test_cancelling_ends_both(pair: Daemon, loading: Any, transport: Transport) -> None:
    if transport == "httpx":
        return  # a blocking call cannot be cancelled; it can be left
    pair.play(LARGE)
    pair.engine.script("POST", "/images/load", (DontReadBody(), UntilClosed()))

    async def use(building: Any) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: building)
            await until(lambda: any(each.path == "/images/load" for each in pair.engine.requests))
            tasks.cancel_scope.cancel()

    await loading(pair, use)


async def test_a_build_that_cannot_be_sent_loads_nothing(pair: Daemon, loading: Any, tmp_path: Path) -> None:
    pair.play(TAR)
    failed = await loading(pair, failure, secrets={"token": tmp_path / "missing"})
    assert "missing" in failed.message
    assert not any(each.method == "POST" for each in pair.engine.requests)


async def test_an_engine_that_does_not_answer_times_out(pair: Daemon, loading: Any) -> None:
    pair.play(TAR)
    pair.engine.script("POST", "/images/load", UntilClosed())
    failed = await loading(pair, failure, timeout=Timeout(idle=0.3))
    assert isinstance(failed, TimedOut)


async def test_a_load_by_a_closed_client_fails(
    pair: Daemon, connect: Connect, connect_daemon: Connect
) -> None:
    pair.play(TAR)
    docker = connect(pair.engine.url)
    await docker.close()
    async with connect_daemon(pair.daemon.url) as buildkit:
        with pytest.raises(ClientClosed):
            await buildkit.build(remote="https://h/a.git", load=docker)
        await until(lambda: pair.daemon.connections_open == 0)


class TestArguments:
    async def test_need_a_client_of_an_engine(self, connect_daemon: Connect) -> None:
        async with connect_daemon("unix:///absent") as buildkit:
            for wrong in (buildkit, "docker", 5):
                with pytest.raises(TypeError, match="load must be a Docker client, not "):
                    await buildkit.build(remote="https://h/a.git", load=wrong)

    async def test_need_no_outputs(self, connect: Connect, connect_daemon: Connect) -> None:
        async with connect("unix:///absent") as docker, connect_daemon("unix:///absent") as buildkit:
            with pytest.raises(ValueError, match="load and outputs must not be given together"):
                await buildkit.build(remote="https://h/a.git", load=docker, outputs=CacheOnly())

    async def test_need_a_client_of_the_same_package(
        self, transport: Transport, connect_daemon: Connect
    ) -> None:
        other: Any = dockerproto_asyncio if transport == "httpx" else dockerproto_httpx
        async with connect_daemon("unix:///absent") as buildkit:
            with pytest.raises(TypeError, match="load must be a client of the same package: "):
                await buildkit.build(remote="https://h/a.git", load=other.Docker("unix:///absent"))
