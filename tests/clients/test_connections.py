"""Connections kept, closed by the engine or dropped; uploads rejected early; timeouts."""

from __future__ import annotations

import io
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from dockerproto import (
    BadRequest,
    ConnectionFailed,
    DockerError,
    ProtocolViolated,
    ServerError,
    TimedOut,
    Timeout,
    UploadFailed,
)
from dockerproto.http.connection import Connection
from dockerproto.http.pool import Pool
from tests.conftest import Connect
from tests.support.facade import Transport
from tests.testbed.scripted import (
    Close,
    DontReadBody,
    Pause,
    ReadSome,
    Reset,
    ScriptedEngine,
    Step,
    UntilClosed,
    WaitFor,
    chunked,
    head,
    json_response,
    response,
    stream_head,
    wait_until,
)

pytestmark = pytest.mark.anyio

LIST = ("GET", "/images/json")
LOAD = ("POST", "/images/load")
LOADED = b'{"stream":"Loaded image: busybox:latest\\n"}\r\n'


async def until(predicate: Callable[[], object]) -> None:
    await anyio.to_thread.run_sync(wait_until, predicate)


class TestKept:
    async def test_calls_share_a_connection(self, scripted: ScriptedEngine, connect: Connect) -> None:
        scripted.script(*LIST, json_response([]), json_response({"message": "no"}, 500), json_response([]))
        async with connect(scripted.url) as docker:
            assert await docker.images.list() == []
            with pytest.raises(ServerError):
                await docker.images.list()
            assert await docker.images.list() == []
            assert scripted.connections_opened == 1
        await until(lambda: scripted.connections_open == 0)

    async def test_no_more_than_the_limit_are_kept(
        self, scripted: ScriptedEngine, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pools = {Connection: partial(Pool[Connection], limit=10)}  # Pool[Connection]() is called
        monkeypatch.setattr("dockerproto.http.connection.Pool", pools)
        everyone = threading.Event()
        scripted.script(*LIST, [WaitFor(everyone), json_response([])])
        async with connect(scripted.url) as docker:
            await docker.ping()
            async with anyio.create_task_group() as tasks:
                for _ in range(15):
                    tasks.start_soon(docker.images.list)
                await until(lambda: scripted.connections_open == 15)
                everyone.set()
            await until(lambda: scripted.connections_open == 10)

    @pytest.mark.parametrize("end", [Close(), Reset()], ids=["closed", "reset"])
    async def test_one_that_the_engine_closed_is_noticed(
        self, scripted: ScriptedEngine, connect: Connect, end: Step
    ) -> None:
        scripted.script(*LIST, [json_response([]), end], json_response([]))
        scripted.script(*LOAD, chunked(LOADED))
        async with connect(scripted.url) as docker:
            assert await docker.images.list() == []
            await until(lambda: scripted.connections_open == 0)
            assert await docker.images.import_image(b"tar") == [{"stream": "Loaded image: busybox:latest\n"}]

    async def test_a_get_is_sent_again_once_when_its_connection_dies(
        self, scripted: ScriptedEngine, connect: Connect
    ) -> None:
        scripted.script(*LIST, json_response([]), Close(), json_response([{"Id": "x"}]))
        async with connect(scripted.url) as docker:
            await docker.images.list()
            assert [each["Id"] for each in await docker.images.list()] == ["x"]
            assert [each.connection for each in scripted.requests] == [1, 1, 1, 2]

    async def test_it_is_not_sent_a_third_time(self, scripted: ScriptedEngine, connect: Connect) -> None:
        scripted.script(*LIST, json_response([]), Close())
        async with connect(scripted.url) as docker:
            await docker.images.list()
            with pytest.raises(ConnectionFailed, match="before its response was complete"):
                await docker.images.list()
            assert len([each for each in scripted.requests if each.path == LIST[1]]) == 3

    async def test_it_is_not_sent_again_when_a_response_had_begun(
        self, scripted: ScriptedEngine, connect: Connect
    ) -> None:
        scripted.script(*LIST, json_response([]), [b"HTTP/1.1 200 ", Close()])
        async with connect(scripted.url) as docker:
            await docker.images.list()
            with pytest.raises(ConnectionFailed):
                await docker.images.list()
            assert len([each for each in scripted.requests if each.path == LIST[1]]) == 2

    async def test_what_changes_the_engine_is_not_sent_again(
        self, scripted: ScriptedEngine, connect: Connect
    ) -> None:
        scripted.script("DELETE", "/images/busybox", Close())
        async with connect(scripted.url) as docker:
            await docker.ping()
            with pytest.raises(ConnectionFailed):
                await docker.images.delete("busybox")
            assert len([each for each in scripted.requests if each.method == "DELETE"]) == 1

    async def test_what_follows_a_response_is_never_the_next(
        self, scripted: ScriptedEngine, connect: Connect
    ) -> None:
        smuggled = json_response([{"Id": "smuggled"}])
        scripted.script(*LIST, json_response([{"Id": "first"}]) + smuggled, json_response([{"Id": "second"}]))
        async with connect(scripted.url) as docker:
            assert [each["Id"] for each in await docker.images.list()] == ["first"]
            assert [each["Id"] for each in await docker.images.list()] == ["second"]
            assert scripted.connections_opened == 2

    async def test_an_engine_may_close_after_its_response(
        self, scripted: ScriptedEngine, connect: Connect
    ) -> None:
        scripted.script(*LIST, response(200, b"[]", {"Connection": "close"}))
        async with connect(scripted.url) as docker:
            for _ in range(3):
                assert await docker.images.list() == []


class TestResponses:
    @pytest.mark.parametrize("status", [301, 302, 304, 307])
    async def test_redirects_are_not_followed(
        self, scripted: ScriptedEngine, connect: Connect, status: int
    ) -> None:
        scripted.script(
            "GET", "/images/busybox/json", response(status, b"", {"Location": "/v1.41/images/json"})
        )
        scripted.script(*LIST, json_response([]))
        async with connect(scripted.url) as docker:
            with pytest.raises(DockerError, match=rf"^\[{status}\]"):
                await docker.images.inspect("busybox")
        assert [each.path for each in scripted.requests] == ["/_ping", "/images/busybox/json"]

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b'{"message":"from JSON"}\n', "from JSON"),
            (b'{"cause":"c","message":"from Podman","response":500}', "from Podman"),
            (b"plain text\n", "plain text"),
            (b'{"other":1}', '{"other":1}'),
            (b'["list"]', '["list"]'),
            (b"", "status 500 without a message"),
            (b"caf\xe9 <html>", "caf\N{REPLACEMENT CHARACTER} <html>"),
        ],
        ids=["JSON", "Podman", "text", "no message", "no object", "empty", "not UTF-8"],
    )
    async def test_any_body_of_an_error_is_decoded(
        self, scripted: ScriptedEngine, connect: Connect, body: bytes, message: str
    ) -> None:
        scripted.script(*LIST, response(500, body), [head(500, {"Connection": "close"}), body, Close()])
        async with connect(scripted.url) as docker:
            for _ in range(2):
                with pytest.raises(ServerError) as raised:
                    await docker.images.list()
                assert (raised.value.status, raised.value.message) == (500, message)

    async def test_a_head_without_end_is_rejected(self, scripted: ScriptedEngine, connect: Connect) -> None:
        endless = b"HTTP/1.1 200 OK\r\n" + b"X-Filler: %s\r\n" % (b"x" * 1000) * 100
        scripted.script(*LIST, [endless, UntilClosed()])
        async with connect(scripted.url) as docker:
            with pytest.raises(ProtocolViolated):
                await docker.images.list()

    async def test_a_response_that_is_not_http_is_rejected(
        self, scripted: ScriptedEngine, connect: Connect
    ) -> None:
        scripted.script(*LIST, b"220 mail.example ESMTP\r\n\r\n")
        async with connect(scripted.url) as docker:
            with pytest.raises(ProtocolViolated, match="invalid HTTP response"):
                await docker.images.list()

    async def test_interim_responses_are_skipped(self, scripted: ScriptedEngine, connect: Connect) -> None:
        scripted.script(*LIST, head(100, {}) + head(103, {"Link": "x"}) + json_response([]))
        async with connect(scripted.url) as docker:
            assert await docker.images.list() == []


SIZE = 3_000_001
DATA = bytes(range(256)) * (SIZE // 256 + 1)


CHUNKS = [DATA[start : min(start + 70_000, SIZE)] for start in range(0, SIZE, 70_000)]
SOURCES: dict[str, Callable[[Path], Any]] = {
    "bytes": lambda _: DATA[:SIZE],
    "bytearray": lambda _: bytearray(DATA[:SIZE]),
    "memoryview": lambda _: memoryview(DATA)[:SIZE],
    "path": lambda path: path,
    "text path": str,
    "file": lambda _: io.BytesIO(DATA[:SIZE]),
    "list": lambda _: [b"", *CHUNKS, b""],
    "generator": lambda _: (chunk for chunk in [b"", *CHUNKS]),
}
"""Create each kind of upload source; the argument is a file that contains the same bytes."""


class Parts:
    """An async iterator that is not a generator."""

    def __init__(self) -> None:
        self._left = 3

    def __aiter__(self) -> Parts:
        return self

    async def __anext__(self) -> bytes:
        self._left -= 1
        if self._left < 0:
            raise StopAsyncIteration
        return b"x" * self._left


async def asynchronously(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        await anyio.lowlevel.checkpoint()
        yield part


class TestUploads:
    @pytest.mark.parametrize("kind", SOURCES)
    async def test_every_kind_of_source_arrives(
        self, scripted: ScriptedEngine, connect: Connect, tmp_path: Path, kind: str
    ) -> None:
        path = tmp_path / "image.tar"
        path.write_bytes(DATA[:SIZE])
        scripted.script(*LOAD, chunked(LOADED))
        async with connect(scripted.url) as docker:
            await docker.images.import_image(SOURCES[kind](path))
        got = scripted.requests[-1]
        assert (got.length, got.sha256) == (SIZE, sha256(DATA[:SIZE]).hexdigest())
        assert got.chunked
        assert got.complete
        assert got.headers["content-type"] == "application/x-tar"
        assert "content-length" not in got.headers

    async def test_an_async_iterable_arrives_or_is_rejected_at_once(
        self, scripted: ScriptedEngine, connect: Connect, transport: Transport
    ) -> None:
        scripted.script(*LOAD, chunked(LOADED))
        source = asynchronously(iter([b"a" * 300_000, b"", b"b"]))
        async with connect(scripted.url) as docker:
            if transport == "httpx":
                for stream in (True, False):
                    with pytest.raises(TypeError, match="async iterable"):
                        docker.blocking.images.import_image(source, stream=stream)
                assert not scripted.requests
            else:
                await docker.images.import_image(source)
                assert scripted.requests[-1].length == 300_001
                await docker.images.import_image(Parts())
                assert scripted.requests[-1].body == b"xx" + b"x"

    async def test_a_file_of_the_callers_stays_open(self, scripted: ScriptedEngine, connect: Connect) -> None:
        scripted.script(*LOAD, chunked(LOADED))
        async with connect(scripted.url) as docker:
            file = io.BytesIO(b"skipped" + b"sent")
            file.seek(7)
            await docker.images.import_image(file)
            assert scripted.requests[-1].body == b"sent"
            assert not file.closed

    async def test_what_cannot_be_read_is_known_before_anything_is_sent(
        self, scripted: ScriptedEngine, connect: Connect, tmp_path: Path
    ) -> None:
        async with connect(scripted.url) as docker:
            with pytest.raises(UploadFailed, match=r"nothing\.tar") as raised:
                await docker.images.import_image(tmp_path / "nothing.tar")
            assert isinstance(raised.value.__cause__, FileNotFoundError)
            with pytest.raises(TypeError, match="must yield bytes, not str"):
                await docker.images.import_image(iter(["text"]))
            with pytest.raises(
                TypeError,
                match=r"^data must read bytes, not text: open the file in mode 'rb', or use BytesIO$",
            ):
                await docker.images.import_image(io.StringIO("text"))
            for wrong in (7, None, object()):
                with pytest.raises(TypeError):
                    await docker.images.import_image(wrong)
        assert not scripted.requests

    async def test_what_fails_in_the_middle_closes_the_connection(
        self, scripted: ScriptedEngine, connect: Connect
    ) -> None:
        def failing(error: Exception) -> Iterator[bytes]:
            yield b"x" * 10
            raise error

        scripted.script(*LOAD, chunked(LOADED))
        async with connect(scripted.url) as docker:
            with pytest.raises(UploadFailed, match="disk on fire"):
                await docker.images.import_image(failing(OSError("disk on fire")))
            with pytest.raises(KeyError, match="of the caller"):
                await docker.images.import_image(failing(KeyError("of the caller")))
            await until(lambda: scripted.connections_open == 0)
        assert not any(each.complete for each in scripted.requests if each.path == LOAD[1])

    @pytest.mark.parametrize("end", [Close(), Reset()], ids=["closed", "reset"])
    async def test_an_early_rejection_is_read(
        self, scripted: ScriptedEngine, connect: Connect, end: Step
    ) -> None:
        rejection = json_response({"message": "bad parameter"}, 400, {"Connection": "close"})
        scripted.script(*LOAD, [ReadSome(65536), rejection, end])
        async with connect(scripted.url) as docker:
            with pytest.raises(BadRequest, match="bad parameter"):
                await docker.images.import_image(b"x" * 40_000_000)

    async def test_an_early_rejection_without_an_end_is_read(
        self, scripted: ScriptedEngine, connect: Connect
    ) -> None:
        rejection = json_response({"message": "bad parameter"}, 400)
        scripted.script(*LOAD, [DontReadBody(), rejection, UntilClosed()])

        def slowly() -> Iterator[bytes]:
            for _ in range(100):
                yield b"x"
                wait_until(lambda: scripted.requests[-1].path == LOAD[1])

        async with connect(scripted.url) as docker:
            with pytest.raises(BadRequest, match="bad parameter"):
                await docker.images.import_image(slowly())

    async def test_an_early_success_does_not_stop_the_upload(
        self, scripted: ScriptedEngine, connect: Connect
    ) -> None:
        scripted.script(*LOAD, [ReadSome(10), chunked(LOADED)])
        async with connect(scripted.url) as docker:
            assert len(await docker.images.import_image(DATA)) == 1
            await until(lambda: scripted.requests[-1].complete)
            assert scripted.requests[-1].length == len(DATA)

    async def test_a_connection_that_dies_in_the_middle_is_an_error(
        self, scripted: ScriptedEngine, connect: Connect
    ) -> None:
        scripted.script(*LOAD, [ReadSome(1000), Reset()])
        async with connect(scripted.url) as docker:
            with pytest.raises(ConnectionFailed):
                await docker.images.import_image(b"x" * 40_000_000)


class TestTimeouts:
    async def test_the_response_may_take_only_so_long(
        self, scripted: ScriptedEngine, connect: Connect
    ) -> None:
        scripted.script(*LIST, [Pause(30), json_response([])])
        async with connect(scripted.url) as docker:
            with pytest.raises(TimedOut, match=r"^no progress for 0\.1 s \(response\)$"):
                await docker.images.list(timeout=Timeout(response=0.1))
            await until(lambda: scripted.connections_open == 0)

    @pytest.mark.parametrize("timeout", [1, 0.2, Timeout(total=0.2)], ids=str)
    async def test_a_number_limits_it_all(
        self, scripted: ScriptedEngine, connect: Connect, timeout: Any
    ) -> None:
        trickle = [step for _ in range(100) for step in (Pause(0.05), b"1\r\n \r\n")]
        scripted.script("POST", "/images/create", [stream_head(), *trickle])
        async with connect(scripted.url) as docker:
            with pytest.raises(TimedOut, match=r"\(total\)"):
                await docker.images.pull("busybox", timeout=timeout)
            await until(lambda: scripted.connections_open == 0)

    async def test_a_timeout_is_a_builtin_one_too(self, scripted: ScriptedEngine, connect: Connect) -> None:
        scripted.script(*LIST, UntilClosed())
        async with connect(scripted.url, timeout=0.1) as docker:
            with pytest.raises(TimeoutError):
                await docker.images.list()

    async def test_those_of_the_client_are_for_short_calls(
        self, scripted: ScriptedEngine, connect: Connect
    ) -> None:
        scripted.script("POST", "/images/create", [Pause(0.4), chunked(b'{"status":"done"}\n')])
        scripted.script(*LIST, UntilClosed())
        async with connect(scripted.url, timeout=0.2) as docker:
            assert await docker.images.pull("busybox") == [{"status": "done"}]
            with pytest.raises(TimedOut):
                await docker.images.list()

    async def test_those_of_a_call_beat_those_of_the_client(
        self, scripted: ScriptedEngine, connect: Connect
    ) -> None:
        scripted.script(*LIST, [Pause(0.4), json_response([])])
        async with connect(scripted.url, timeout=0.2) as docker:
            assert await docker.images.list(timeout=30) == []
            assert await docker.images.list(timeout=None) == []

    async def test_an_engine_that_does_not_read_is_not_waited_for(
        self, scripted: ScriptedEngine, connect: Connect
    ) -> None:
        scripted.script(*LOAD, [DontReadBody(), UntilClosed()])
        async with connect(scripted.url) as docker:
            with pytest.raises(TimedOut, match=r"\(idle\)"):
                await docker.images.import_image(b"x" * 40_000_000, timeout=Timeout(idle=0.2))

    async def test_negotiation_is_part_of_the_total(self, scripted: ScriptedEngine, connect: Connect) -> None:
        scripted.script("GET", "/_ping", UntilClosed())
        async with connect(scripted.url) as docker:
            for timeout in (0.2, Timeout(total=0.2)):
                with pytest.raises(TimedOut):
                    await docker.images.pull("busybox", timeout=timeout)

    async def test_waiting_for_anothers_negotiation_is_too(
        self, scripted: ScriptedEngine, connect: Connect
    ) -> None:
        answered = threading.Event()
        scripted.script("GET", "/_ping", [WaitFor(answered), response(200, b"OK", {"Api-Version": "1.41"})])
        scripted.script(*LIST, json_response([]))
        async with connect(scripted.url) as docker, anyio.create_task_group() as tasks:
            tasks.start_soon(docker.images.list)
            await until(lambda: scripted.connections_open == 1)
            with pytest.raises(TimedOut):
                await docker.images.list(timeout=0.1)
            answered.set()
