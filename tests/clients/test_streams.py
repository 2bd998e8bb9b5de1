"""Streams: what was handed out to its end ended properly, what is left early is closed, nothing leaks."""

from __future__ import annotations

import gc
import json
import re
import threading
import tracemalloc
import warnings
from collections.abc import Callable
from typing import Any

import anyio
import anyio.to_thread
import pytest

import dockerproto
from dockerproto import (
    AsyncStream,
    BadRequest,
    ClientClosed,
    ConnectionFailed,
    DockerError,
    DockerStreamError,
    NotFound,
    ProtocolViolated,
    TimedOut,
)
from tests.conftest import Connect
from tests.support.facade import Transport
from tests.support.waiting import until
from tests.testbed.scripted import (
    LAST_CHUNK,
    Close,
    Pause,
    ReadBody,
    Reset,
    ScriptedEngine,
    Step,
    UntilClosed,
    WaitFor,
    chunk,
    chunked,
    head,
    json_response,
    stream_head,
    wait_until,
)

pytestmark = pytest.mark.anyio

PULL = ("POST", "/images/create")
FIRST = {"status": "Pulling from library/busybox", "id": "latest"}
SECOND = {"status": "Pull complete", "id": "0123456789ab"}


def line(message: Any) -> bytes:
    return json.dumps(message).encode() + b"\r\n"


async def closed(engine: ScriptedEngine) -> None:
    """Wait until the engine has no connection any more."""
    await anyio.to_thread.run_sync(wait_until, lambda: engine.connections_open == 0)


CUTS: dict[str, tuple[type[DockerError], list[Step]]] = {
    "closed between chunks": (ConnectionFailed, [stream_head(), chunk(line(FIRST)), Close()]),
    "closed in a chunk": (ConnectionFailed, [stream_head(), chunk(line(FIRST)), b"40\r\n{", Close()]),
    "reset": (ConnectionFailed, [stream_head(), chunk(line(FIRST)), Reset()]),
    "broken chunk": (ProtocolViolated, [stream_head(), chunk(line(FIRST)), b"no chunk\r\n", Close()]),
    "no framing": (ConnectionFailed, [head(200, {}), line(FIRST), Close()]),
    "too short": (ConnectionFailed, [head(200, {"Content-Length": "999"}), line(FIRST), Close()]),
    "cut message": (ProtocolViolated, [chunked(line(FIRST), b'{"status": "Pu')]),
    "not JSON": (ProtocolViolated, [chunked(line(FIRST), b"<html>\n")]),
    "not an object": (ProtocolViolated, [chunked(line(FIRST), b"[1]\n")]),
    "silence": (TimedOut, [stream_head(), chunk(line(FIRST)), UntilClosed()]),
}


@pytest.mark.parametrize(("error", "reply"), CUTS.values(), ids=CUTS)
async def test_a_stream_that_does_not_end_properly_raises(
    scripted: ScriptedEngine, connect: Connect, error: type[DockerError], reply: list[Step]
) -> None:
    scripted.script(*PULL, reply)
    async with connect(scripted.url) as docker:
        timeout = dockerproto.Timeout(idle=0.3)
        items: list[Any] = []
        with pytest.raises(error) as streamed:
            async for item in docker.images.pull("busybox", stream=True, timeout=timeout):
                items.append(item)  # noqa: PERF401  # what came before the error counts
        assert items == [FIRST]
        with pytest.raises(error) as collected:
            await docker.images.pull("busybox", timeout=timeout)
        for raised in (streamed, collected):
            assert raised.value.messages == [FIRST]
            assert raised.value.status == 0
    await closed(scripted)


async def test_an_error_in_the_stream_raises_with_what_came_before(
    scripted: ScriptedEngine, connect: Connect
) -> None:
    detail = {"message": "unknown blob", "code": 7}
    scripted.script(*PULL, chunked(line(FIRST) + line(SECOND) + line({"errorDetail": detail, "error": "x"})))
    async with connect(scripted.url) as docker:
        items: list[Any] = []
        with pytest.raises(DockerStreamError) as streamed:
            async for item in docker.images.pull("busybox", stream=True):
                items.append(item)  # noqa: PERF401  # what came before the error counts
        assert items == [FIRST, SECOND]
        with pytest.raises(DockerStreamError) as collected:
            await docker.images.pull("busybox")
        for raised in (streamed, collected):
            assert raised.value.message == "unknown blob"
            assert raised.value.error_detail == detail
            assert raised.value.messages == [FIRST, SECOND]


OPERATIONS: dict[str, tuple[tuple[str, str], dict[str, Any]]] = {
    "pull": (PULL, {"from_image": "busybox"}),
    "push": (("POST", "/images/busybox/push"), {"name": "busybox"}),
    "build": (("POST", "/build"), {"fileobj": b"tar"}),
    "import_image": (("POST", "/images/load"), {"data": b"tar"}),
    "import_filesystem": (PULL, {"source": b"tar"}),
}


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_every_operation_with_progress_raises_an_error_in_its_stream(
    scripted: ScriptedEngine, connect: Connect, operation: str
) -> None:
    endpoint, arguments = OPERATIONS[operation]
    scripted.script(*endpoint, chunked(line(FIRST) + line({"errorDetail": {"message": "no space left"}})))
    async with connect(scripted.url) as docker:
        with pytest.raises(DockerStreamError, match="no space left") as collected:
            await getattr(docker.images, operation)(**arguments)
        with pytest.raises(DockerStreamError, match="no space left") as streamed:
            async for _ in getattr(docker.images, operation)(**arguments, stream=True):
                pass
        assert collected.value.messages == streamed.value.messages == [FIRST]


async def test_entering_a_stream_sends_the_request(scripted: ScriptedEngine, connect: Connect) -> None:
    scripted.script(*PULL, json_response({"message": "manifest unknown"}, 404))
    async with connect(scripted.url) as docker:
        stream = docker.images.pull("busybox", stream=True)
        assert not scripted.requests
        with pytest.raises(NotFound, match="manifest unknown"):
            async with stream:
                pytest.fail("a refused stream was entered")


async def test_a_stream_that_is_left_early_is_closed(scripted: ScriptedEngine, connect: Connect) -> None:
    scripted.script(*PULL, [stream_head(), chunk(line(FIRST) + line(SECOND)), UntilClosed()])
    async with connect(scripted.url) as docker:
        async with docker.images.pull("busybox", stream=True) as stream:
            assert await anext(stream) == FIRST
        assert [item async for item in stream] == []  # what had come is not handed out any more
        await closed(scripted)
        with pytest.raises(RuntimeError, match="of the caller"):
            async with docker.images.pull("busybox", stream=True):
                raise RuntimeError("of the caller")
        await closed(scripted)
        stream = docker.images.pull("busybox", stream=True)
        assert await anext(stream) == FIRST
        await stream.close()
        await stream.close()
        await closed(scripted)


async def test_a_stream_shows_what_it_is_of(connect: Connect, transport: Transport) -> None:
    async with connect("unix:///x") as docker:
        stream = docker.images.pull("busybox", stream=True)
        name = "Progress" if transport == "httpx" else "AsyncProgress"
        assert repr(getattr(stream, "blocking", stream)) == f"<{name} of POST /images/create>"
        await stream.close()


async def test_a_stream_that_is_closed_before_it_began_sends_nothing(
    scripted: ScriptedEngine, connect: Connect
) -> None:
    async with connect(scripted.url) as docker:
        stream = docker.images.pull("busybox", stream=True)
        await stream.close()
        async with stream:
            assert [item async for item in stream] == []
    assert not scripted.requests


async def test_a_stream_that_is_dropped_is_closed_with_a_warning(
    scripted: ScriptedEngine, connect: Connect
) -> None:
    scripted.script(*PULL, [stream_head(), chunk(line(FIRST)), UntilClosed()])
    async with connect(scripted.url) as docker:
        not_closed = r"<AsyncProgress of POST /images/create> was not closed"
        with pytest.warns(ResourceWarning, match=not_closed) as warned:
            async for item in docker.images.pull("busybox", stream=True):
                assert item == FIRST
                break
            # The thread that has called the blocking client may hold it a moment longer.
            await anyio.to_thread.run_sync(wait_until, lambda: gc.collect() >= 0 and len(warned))
        await closed(scripted)


STREAMS: dict[str, dict[str, Any]] = {
    **{name: {**arguments, "stream": True} for name, (_, arguments) in OPERATIONS.items()},
    "export_image": {"name": "busybox"},
}


@pytest.mark.parametrize("operation", STREAMS)
async def test_a_stream_that_is_never_started_warns(
    scripted: ScriptedEngine, connect: Connect, operation: str
) -> None:
    async with connect(scripted.url) as docker:
        never = rf"^stream 'images\.{operation}' was never started: iterate over it, or close it$"
        with pytest.warns(RuntimeWarning, match=never):
            getattr(docker.images, operation)(**STREAMS[operation])
            gc.collect()
    assert not scripted.requests


async def test_the_warning_says_where_the_stream_was_created(connect: Connect) -> None:
    docker = connect("unix:///x")
    tracemalloc.start(10)
    try:
        with pytest.warns(RuntimeWarning, match="never started") as warned:
            docker.images.pull("busybox", stream=True)
            gc.collect()
        created = tracemalloc.get_object_traceback(warned[0].source)
    finally:
        tracemalloc.stop()
    assert created is not None
    assert __file__ in {frame.filename for frame in created}


FORGOTTEN: dict[str, Callable[[Any], object]] = {
    "images.pull": lambda docker: docker.images.pull("busybox"),
    "images.build": lambda docker: docker.images.build(fileobj=b"tar"),
    "images.delete": lambda docker: docker.images.delete("busybox"),
    "images.list": lambda docker: docker.images.list(),
    "Docker.version": lambda docker: docker.version(),
    "Docker.login": lambda docker: docker.login("r.example", "user", "password"),
}


@pytest.mark.parametrize("name", FORGOTTEN)
@pytest.mark.parametrize("transport", ["asyncio", "trio"])
async def test_a_forgotten_await_names_the_operation(connect: Connect, name: str) -> None:
    docker = connect("unix:///x")
    with pytest.warns(RuntimeWarning, match=f"^coroutine '{re.escape(name)}' was never awaited"):
        FORGOTTEN[name](docker)
        gc.collect()


@pytest.mark.parametrize("operation", STREAMS)
async def test_a_client_closes_its_streams(
    scripted: ScriptedEngine, connect: Connect, operation: str
) -> None:
    for (method, path), _ in OPERATIONS.values():
        scripted.script(method, path, [ReadBody(), stream_head(), chunk(line(FIRST)), UntilClosed()])
    scripted.script("GET", "/images/busybox/get", [stream_head(), chunk(b"tar"), UntilClosed()])
    async with connect(scripted.url) as docker:
        stream = getattr(docker.images, operation)(**STREAMS[operation])
        assert await anext(stream)
    await closed(scripted)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        del stream
        gc.collect()
    assert not warned


async def test_streams_read_to_their_end_share_a_connection(
    scripted: ScriptedEngine, connect: Connect
) -> None:
    scripted.script(*PULL, chunked(line(FIRST), line(SECOND)))
    async with connect(scripted.url) as docker:
        for _ in range(3):
            async with docker.images.pull("busybox", stream=True) as stream:
                assert await anext(stream) == FIRST
                assert await stream.rest() == [SECOND]
                assert await stream.rest() == []
        assert await docker.images.pull("busybox") == [FIRST, SECOND]
        assert scripted.connections_opened == 1
    await closed(scripted)


async def test_messages_are_handed_out_as_they_come(scripted: ScriptedEngine, connect: Connect) -> None:
    half = line(SECOND)
    scripted.script(
        *PULL,
        [stream_head(), chunk(line(FIRST) + half[:9]), Pause(0.05), chunk(half[9:]), UntilClosed()],
    )
    async with connect(scripted.url) as docker, docker.images.pull("busybox", stream=True) as stream:
        assert await anext(stream) == FIRST
        assert await anext(stream) == SECOND


async def test_a_message_beyond_the_limit_is_refused(scripted: ScriptedEngine, connect: Connect) -> None:
    long = {"stream": "x" * 1000}
    scripted.script(*PULL, [stream_head(), chunk(line(FIRST) + line(long)[:600]), UntilClosed()])
    async with connect(scripted.url, message_limit=500) as docker:
        with pytest.raises(ProtocolViolated, match="longer than the limit of 500 bytes") as raised:
            await docker.images.pull("busybox")
        assert raised.value.messages == [FIRST]
    await closed(scripted)


async def test_only_the_last_thousand_messages_of_a_stream_are_kept(
    scripted: ScriptedEngine, connect: Connect
) -> None:
    messages = [{"stream": str(number)} for number in range(1500)]
    scripted.script(*PULL, chunked(*map(line, messages), line({"errorDetail": {"message": "late"}})))
    async with connect(scripted.url) as docker:
        with pytest.raises(DockerStreamError, match="late") as raised:
            async for _ in docker.images.pull("busybox", stream=True):
                pass
        assert raised.value.messages == messages[-1000:]
        with pytest.raises(DockerStreamError, match="late") as raised:
            await docker.images.pull("busybox")
        assert raised.value.messages == messages


async def test_long_messages_are_kept_as_far_as_they_are_few(
    scripted: ScriptedEngine, connect: Connect
) -> None:
    messages = [{"stream": str(number) * 2**18} for number in range(10, 30)]
    scripted.script(*PULL, chunked(*map(line, messages), line({"errorDetail": {"message": "late"}})))
    async with connect(scripted.url) as docker:
        with pytest.raises(DockerStreamError, match="late") as raised:
            async for _ in docker.images.pull("busybox", stream=True):
                pass
    kept = raised.value.messages
    assert kept == messages[-len(kept) :]
    assert 6 <= len(kept) <= 8  # of half a MiB each, in 4 MiB


class TestDownload:
    EXPORT = ("GET", "/images/busybox/get")
    TAR = b"some member" + bytes(1013) + bytes(1024)

    async def test_it_can_be_iterated(self, scripted: ScriptedEngine, connect: Connect) -> None:
        scripted.script(*self.EXPORT, chunked(self.TAR[:700], self.TAR[700:]))
        async with connect(scripted.url) as docker, docker.images.export_image("busybox") as download:
            assert b"".join([data async for data in download]) == self.TAR

    async def test_it_can_be_read_as_a_file(self, scripted: ScriptedEngine, connect: Connect) -> None:
        go_on = threading.Event()
        rest = chunk(self.TAR[700:]) + LAST_CHUNK
        scripted.script(*self.EXPORT, [stream_head(), chunk(self.TAR[:700]), WaitFor(go_on), rest])
        async with connect(scripted.url) as docker, docker.images.export_image("busybox") as download:
            assert await download.read(11) == b"some member"
            assert await download.read(0) == b""
            assert await download.read(5000) == self.TAR[11:700]
            go_on.set()
            assert await download.read() == self.TAR[700:]
            assert await download.read() == await download.read(5) == b""

    async def test_an_archive_without_its_end_raises(
        self, scripted: ScriptedEngine, connect: Connect
    ) -> None:
        scripted.script(*self.EXPORT, chunked(self.TAR[:700]))
        async with connect(scripted.url) as docker:
            with pytest.raises(ProtocolViolated, match="archive is incomplete") as raised:
                await docker.images.export_image("busybox").read()
            assert raised.value.messages == []

    async def test_an_error_after_the_archive_raises(
        self, scripted: ScriptedEngine, connect: Connect
    ) -> None:
        scripted.script(*self.EXPORT, chunked(self.TAR[:700], b'{"message":"no such layer"}\n'))
        async with connect(scripted.url) as docker:
            with pytest.raises(DockerStreamError, match="no such layer"):
                async for _ in docker.images.export_image("busybox"):
                    pass

    async def test_a_cut_archive_raises(self, scripted: ScriptedEngine, connect: Connect) -> None:
        scripted.script(*self.EXPORT, [chunked(self.TAR, terminated=False), Close()])
        async with connect(scripted.url) as docker:
            with pytest.raises(ConnectionFailed):
                await docker.images.export_image("busybox").read()


async def test_two_cannot_read_one_stream_at_once(
    scripted: ScriptedEngine, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = threading.Event()
    read: Any = vars(AsyncStream)["_step"]

    async def noted(stream: AsyncStream[Any]) -> None:
        reading.set()
        await read(stream)

    scripted.script(*PULL, [stream_head(), chunk(line(FIRST)), UntilClosed()])
    async with connect(scripted.url) as docker:
        stream = docker.images.pull("busybox", stream=True)
        assert await anext(stream) == FIRST

        async def read_on() -> None:
            with pytest.raises(DockerError):
                await anext(stream)

        monkeypatch.setattr(AsyncStream, "_step", noted)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read_on)
            await until(reading.is_set)
            with pytest.raises(ClientClosed, match="already being read by another task"):
                await anext(stream)
            await stream.close()
    await closed(scripted)


STATUSES: dict[str, tuple[bytes, type[DockerError], str]] = {
    "JSON": (json_response({"message": "bad parameter"}, 400), BadRequest, "bad parameter"),
    "unexpected success": (json_response({}, 204), ProtocolViolated, "success"),
}


@pytest.mark.parametrize(("reply", "error", "text"), STATUSES.values(), ids=STATUSES)
async def test_any_other_status_raises(
    scripted: ScriptedEngine, connect: Connect, reply: bytes, error: type[DockerError], text: str
) -> None:
    scripted.script(*PULL, reply + LAST_CHUNK * 0)
    async with connect(scripted.url) as docker:
        with pytest.raises(error, match=text):
            await docker.images.pull("busybox")
