"""Features of single transports: threads, other transports of httpx, sockets."""

from __future__ import annotations

import _thread
import asyncio
import gc
import os
import threading
import time
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest
import trio

import dockerproto_asyncio
import dockerproto_httpx
import dockerproto_trio
from dockerproto import (
    BadRequest,
    ClientClosed,
    ConnectionFailed,
    DockerError,
    NotFound,
    ProtocolViolated,
    ServerError,
    TimedOut,
    Timeout,
    UnixSocket,
)
from dockerproto.messages.decoding import ERROR_LIMIT
from dockerproto_httpx import EngineTransport
from dockerproto_httpx.transport import Content
from tests.conftest import Connect
from tests.support.facade import Transport
from tests.support.forks import call_in_child
from tests.testbed.scripted import (
    LAST_CHUNK,
    Close,
    Pause,
    ReadSome,
    ScriptedEngine,
    Step,
    UntilClosed,
    chunk,
    chunked,
    json_response,
    stream_head,
    wait_until,
)

LOAD = ("POST", "/images/load")
LIST = ("GET", "/images/json")
PULL = ("POST", "/images/create")


class Recorder:
    """A blocking file that notes in which threads it is read."""

    def __init__(self) -> None:
        self.threads: set[int] = set()
        self.left = 5

    def read(self, size: int) -> bytes:
        self.threads.add(threading.get_ident())
        self.left -= 1
        return b"x" * self.left

    def __iter__(self) -> Iterator[bytes]:
        while data := self.read(1):
            yield data


@pytest.mark.anyio
@pytest.mark.parametrize("form", ["file", "generator"])
async def test_what_may_block_is_read_in_worker_threads(
    scripted: ScriptedEngine, connect: Connect, transport: Transport, form: str
) -> None:
    scripted.script(*LOAD, chunked(b'{"stream":"done"}\n'))
    source = Recorder()
    async with connect(scripted.url) as docker:
        if transport == "httpx":
            docker.blocking.images.import_image(source)
            assert source.threads == {threading.get_ident()}
        else:
            await docker.images.import_image(source if form == "file" else iter(source))
            assert source.threads
            assert threading.get_ident() not in source.threads
    assert scripted.requests[-1].length == 4 + 3 + 2 + 1


@pytest.mark.anyio
async def test_a_read_that_is_cancelled_is_left_to_its_thread(
    scripted: ScriptedEngine, connect: Connect, transport: Transport
) -> None:
    if transport == "httpx":
        return  # a blocking call cannot be cancelled
    reading, go_on, closed = threading.Event(), threading.Event(), threading.Event()

    def pieces() -> Iterator[bytes]:
        try:
            yield b"x"
            reading.set()
            go_on.wait(20)
            yield b"y"
        finally:
            closed.set()

    async with connect(scripted.url) as docker:
        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(docker.images.import_image, pieces())
                await anyio.to_thread.run_sync(reading.wait, 10)
                tasks.cancel_scope.cancel()
    assert not closed.is_set()
    go_on.set()
    await anyio.to_thread.run_sync(wait_until, closed.is_set)


class TestAsyncio:
    def test_a_stream_that_outlives_its_loop_can_be_collected(self, scripted: ScriptedEngine) -> None:
        scripted.script(*PULL, [stream_head(), chunk(b'{"status":"a"}\n'), UntilClosed()])

        async def main() -> Any:
            stream = dockerproto_asyncio.Docker(scripted.url).images.pull("busybox", stream=True)
            await anext(stream)
            return stream

        stream = asyncio.run(main())
        with pytest.warns(ResourceWarning):
            del stream
            gc.collect()
        wait_until(lambda: scripted.connections_open == 0)

    def test_a_client_may_meet_another_loop(self, scripted: ScriptedEngine) -> None:
        scripted.script(*LIST, json_response([]))
        docker = dockerproto_asyncio.Docker(scripted.url)
        for _ in range(2):
            assert asyncio.run(docker.images.list()) == []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # each loop left a connection behind
            asyncio.run(docker.close())
            del docker
            gc.collect()

    def test_a_stream_can_be_collected_in_any_thread(self, scripted: ScriptedEngine) -> None:
        scripted.script(*PULL, [stream_head(), chunk(b'{"status":"a"}\n'), UntilClosed()])

        async def main() -> None:
            async with dockerproto_asyncio.Docker(scripted.url) as docker:
                streams = [docker.images.pull("busybox", stream=True)]
                await anext(streams[0])
                with pytest.warns(ResourceWarning):
                    await asyncio.to_thread(streams.clear)
                await asyncio.to_thread(wait_until, lambda: scripted.connections_open == 0)

        asyncio.run(main(), debug=True)

    def test_an_answer_that_was_not_read_before_a_write_failed(self, scripted: ScriptedEngine) -> None:
        refusal = json_response({"message": "bad parameter"}, 400, {"Connection": "close"})
        scripted.script(*LOAD, [ReadSome(10), refusal, Close()])

        async def pieces() -> AsyncIterator[bytes]:
            yield b"x" * 10
            wait_until(lambda: scripted.connections_open == 0)  # the loop does not see what comes
            yield b"x" * 1_000_000

        async def main() -> None:
            async with dockerproto_asyncio.Docker(scripted.url) as docker:
                with pytest.raises(BadRequest, match="bad parameter"):
                    await docker.images.import_image(pieces())

        asyncio.run(main())

    def test_a_slow_reader_slows_the_engine_down(self, scripted: ScriptedEngine) -> None:
        blocks = [chunk(bytes(2**20)) for _ in range(8)]
        scripted.script("GET", "/images/x/get", [stream_head(), *blocks, chunked()[len(stream_head()) :]])

        async def main() -> int:
            size = 0
            async with dockerproto_asyncio.Docker(scripted.url) as docker:
                async for data in docker.images.export_image("x"):
                    await asyncio.sleep(0.001)
                    size += len(data)
            return size

        assert asyncio.run(main()) == 8 * 2**20


class TestTrio:
    def test_a_stream_that_outlives_its_run_can_be_collected(self, scripted: ScriptedEngine) -> None:
        scripted.script(*PULL, [stream_head(), chunk(b'{"status":"a"}\n'), UntilClosed()])

        async def main() -> Any:
            stream = dockerproto_trio.Docker(scripted.url).images.pull("busybox", stream=True)
            await anext(stream)
            return stream

        stream = trio.run(main)
        with pytest.warns(ResourceWarning):
            del stream
            gc.collect()
        wait_until(lambda: scripted.connections_open == 0)


class TestEngineTransport:
    def test_it_serves_a_client_of_httpx(self, scripted: ScriptedEngine) -> None:
        scripted.script("GET", "/containers/json", json_response([{"Id": "x"}]))
        scripted.script("POST", "/containers/create", json_response({"Id": "y"}, 201))
        transport = EngineTransport(UnixSocket(str(scripted.socket)))
        with httpx.Client(transport=transport, base_url="http://docker") as client:
            assert client.get("/v1.41/containers/json", params={"all": "1"}).json() == [{"Id": "x"}]
            assert client.post("/v1.41/containers/create", json={"Image": "z"}).status_code == 201
        first, second = scripted.requests
        assert first.query == {"all": ["1"]}
        assert second.body == b'{"Image":"z"}'
        assert second.headers["content-type"] == "application/json"
        assert first.connection == second.connection

    def test_it_keeps_the_limits_of_httpx(self, scripted: ScriptedEngine) -> None:
        scripted.script("GET", "/slow", [Pause(30)])
        transport = EngineTransport(UnixSocket(str(scripted.socket)))
        client = httpx.Client(transport=transport, base_url="http://docker", timeout=0.1)
        with client, pytest.raises(TimedOut):
            client.get("/slow")


def ping(request: httpx.Request) -> httpx.Response | None:
    if request.url.path == "/_ping":
        return httpx.Response(200, text="OK", headers={"Api-Version": "1.41"})
    return None


FOREIGN: dict[str, tuple[Exception, type[DockerError]]] = {
    "connect": (httpx.ConnectError("no"), ConnectionFailed),
    "read": (httpx.ReadError("no"), ConnectionFailed),
    "timeout": (httpx.ReadTimeout(""), TimedOut),
    "protocol": (httpx.RemoteProtocolError("no"), ProtocolViolated),
}


def engine(request: httpx.Request) -> httpx.Response:
    """Respond as an engine without images."""
    if request.url.path == "/v1.41/images/load":
        return httpx.Response(200, content=b'{"stream":"%d bytes"}\n' % len(request.read()))
    return ping(request) or httpx.Response(404, json={"message": "No such image: x"})


def test_an_interrupt_that_does_not_end_a_wait_is_heeded(scripted: ScriptedEngine) -> None:
    heeded, too_late = threading.Event(), threading.Event()

    def interrupt() -> None:
        wait_until(lambda: scripted.requests[1:])
        time.sleep(0.2)  # it waits by then; if not, it is heeded at once
        _thread.interrupt_main()  # as a signal that came just before the wait
        if not heeded.wait(30):
            too_late.set()
            docker.close()

    scripted.script(*PULL, [stream_head(), UntilClosed()])
    interrupter = threading.Thread(target=interrupt)
    with dockerproto_httpx.Docker(scripted.url) as docker:
        interrupter.start()
        with pytest.raises(KeyboardInterrupt):
            docker.images.pull("busybox")
        heeded.set()
    interrupter.join()
    assert not too_late.is_set()


class TestOtherTransports:
    def test_a_mock_can_stand_for_the_engine(self, tmp_path: Path) -> None:
        path = tmp_path / "image.tar"

        with dockerproto_httpx.Docker("unix:///x", transport=httpx.MockTransport(engine)) as docker:
            assert docker.images.exists("x") is False
            assert docker.images.import_image(bytes(300_000)) == [{"stream": "300000 bytes"}]
            path.write_bytes(bytes(3_000_000))
            assert docker.images.import_image(path) == [{"stream": "3000000 bytes"}]
            with pytest.raises(NotFound):
                docker.images.inspect("x")

    @pytest.mark.parametrize(("foreign", "ours"), FOREIGN.values(), ids=FOREIGN)
    def test_exceptions_of_httpx_become_ours(self, foreign: Exception, ours: type[DockerError]) -> None:
        def engine(request: httpx.Request) -> httpx.Response:
            if answer := ping(request):
                return answer
            raise foreign

        with dockerproto_httpx.Docker("unix:///x", transport=httpx.MockTransport(engine)) as docker:
            with pytest.raises(ours) as raised:
                docker.images.list()
            assert raised.value.__cause__ is foreign

    def test_what_httpx_cannot_send_is_our_error(self) -> None:
        transport = httpx.MockTransport(lambda request: ping(request) or httpx.Response(500))
        with (
            dockerproto_httpx.Docker("unix:///x", transport=transport) as docker,
            pytest.raises(DockerError, match="httpx cannot send this request: URL too long"),
        ):
            docker.images.list(query={"x": "y" * 70_000})

    def test_the_transport_of_httpx_serves_too(self, scripted: ScriptedEngine) -> None:
        scripted.script(*LIST, json_response([]))
        scripted.script(*LOAD, chunked(b'{"stream":"done"}\n'))
        scripted.script(*PULL, [stream_head(), chunk(b'{"status":"a"}\n'), UntilClosed()])
        transport = httpx.HTTPTransport(uds=str(scripted.socket))
        with dockerproto_httpx.Docker(scripted.url, transport=transport) as docker:
            assert docker.images.list() == []
            assert docker.images.import_image(bytes(600_000)) == [{"stream": "done"}]
            assert scripted.requests[-1].length == 600_000
            with docker.images.pull("busybox", stream=True) as stream:
                assert next(stream) == {"status": "a"}
            wait_until(lambda: scripted.connections_open == 0)
            with pytest.raises(TimedOut):
                docker.images.pull("busybox", timeout=Timeout(idle=0.1))

    def test_a_wrapper_passes_an_upload_on_without_a_copy(
        self, scripted: ScriptedEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        class Wrapper(httpx.BaseTransport):
            def handle_request(self, request: httpx.Request) -> httpx.Response:
                return inner.handle_request(request)

            def close(self) -> None:
                inner.close()

        def copy(_: Content) -> None:
            raise AssertionError("the upload is copied")

        monkeypatch.setattr(Content, "__iter__", copy)
        scripted.script(*LOAD, chunked(b'{"stream":"done"}\n'))
        (tmp_path / "image.tar").write_bytes(bytes(600_000))
        inner = EngineTransport(UnixSocket(str(scripted.socket)))
        with dockerproto_httpx.Docker(scripted.url, transport=Wrapper()) as docker:
            assert docker.images.import_image(tmp_path / "image.tar") == [{"stream": "done"}]
        assert scripted.requests[-1].length == 600_000

    def test_an_endless_error_is_cut(self, scripted: ScriptedEngine) -> None:
        endless: list[Step] = [stream_head(500), chunk(b"x" * 100_000), UntilClosed()]
        scripted.script(*LIST, endless)
        scripted.script(*PULL, endless)
        transport = httpx.HTTPTransport(uds=str(scripted.socket))
        with dockerproto_httpx.Docker(scripted.url, transport=transport) as docker:
            for call in (
                lambda: docker.images.list(timeout=None),
                lambda: docker.images.pull("a"),
                lambda: next(docker.images.pull("a", stream=True)),
            ):
                with pytest.raises(ServerError) as raised:
                    call()
                assert raised.value.message == "x" * ERROR_LIMIT
            wait_until(lambda: scripted.connections_open == 0)

    def test_it_is_not_used_in_a_forked_child(self, scripted: ScriptedEngine) -> None:
        scripted.script(*LIST, json_response([]))
        scripted.script(*PULL, [stream_head(), chunk(b'{"id":"1"}\n'), LAST_CHUNK])
        transport = httpx.HTTPTransport(uds=str(scripted.socket))
        with dockerproto_httpx.Docker(scripted.url, transport=transport) as docker:
            assert call_in_child(docker.images.list) == []  # not used before
            stream = docker.images.pull("a", stream=True)
            with stream:

                def child() -> list[str]:
                    messages = list[str]()
                    for call in (docker.images.list, lambda: next(stream)):
                        with pytest.raises(ClientClosed) as raised:
                            call()
                        messages.append(raised.value.message)
                    return messages

                message = "this client's transport was used before a fork: create both in the child"
                assert call_in_child(child) == [message] * 2
                assert next(stream) == {"id": "1"}

    def test_in_another_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with dockerproto_httpx.Docker("unix:///x", transport=httpx.MockTransport(engine)) as docker:
            docker.images.exists("x")
            monkeypatch.setattr(os, "getpid", lambda: 1)
            with pytest.raises(ClientClosed, match="used before a fork"):
                docker.images.exists("x")
