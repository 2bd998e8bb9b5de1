"""Sessions that break, and builds that are left: both connections are closed, and the reason is told."""

from __future__ import annotations

import gc
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from dockerproto import (
    BadRequest,
    ConnectionFailed,
    DockerError,
    DockerStreamError,
    ProtocolViolated,
    ServerError,
    Unauthorized,
    UnsupportedVersion,
)
from dockerproto.buildkit.rpc.handler import OK
from dockerproto.buildkit.session.messages import CredentialsRequest, GetSecretRequest, GetSecretResponse
from dockerproto.buildkit.session.session import Session
from dockerproto.credentials.credentials import Credentials
from dockerproto_local.stream import SocketStream
from tests.buildkit.session.test_session import AUTH, HEALTH, SECRET
from tests.conftest import Connect
from tests.support.calling import SWITCHING, Speak, Speaking
from tests.support.facade import Transport
from tests.testbed.scripted import (
    LAST_CHUNK,
    Close,
    Reset,
    ScriptedEngine,
    Step,
    UntilClosed,
    WaitFor,
    chunk,
    chunked,
    json_response,
    response,
    stream_head,
    wait_until,
)

pytestmark = pytest.mark.anyio

CLOSING = b'{"errorDetail":{"message":"rpc error: transport is closing"}}'
BROKE = "^the session of the build broke: "


def building(docker: Any, **options: Any) -> Any:
    return docker.images.build(remote="https://example.com/a.git", builder="buildkit", **options)


async def until(predicate: Callable[[], object]) -> None:
    await anyio.to_thread.run_sync(wait_until, predicate)


def threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == "dockerproto session"]


async def nothing_is_left(scripted: ScriptedEngine, idle: int = 0) -> None:
    await until(lambda: scripted.connections_open <= idle)
    assert not threads()


@pytest.fixture
def asked() -> threading.Event:
    """Set by a test when the engine may go on."""
    return threading.Event()


class TestASession:
    async def test_ends_with_its_build(self, scripted: ScriptedEngine, connect: Connect) -> None:
        scripted.script("POST", "/session", (Speak(), UntilClosed()))
        scripted.script("POST", "/build", chunked(b'{"stream":"done"}\n'))
        async with connect(scripted.url) as docker:
            assert await building(docker) == [{"stream": "done"}]
            await nothing_is_left(scripted, idle=2)  # those that are kept for the next request
            (session, build) = (each for each in scripted.requests if each.method == "POST")
        assert (session.path, build.path) == ("/session", "/build")
        assert (session.headers["upgrade"], session.headers["connection"]) == ("h2c", "Upgrade")
        assert build.query["session"] == [session.headers["x-docker-expose-session-uuid"]]
        assert build.query["version"] == ["2"]
        assert "remote" in build.query

    async def test_is_served_while_nobody_reads_the_answer(
        self, scripted: ScriptedEngine, connect: Connect, asked: threading.Event
    ) -> None:
        answers: list[Any] = []

        def speak(speaking: Speaking) -> None:
            answers.append(speaking.ask(HEALTH))
            answers.append(speaking.ask(SECRET, GetSecretRequest("token").encode()))
            asked.set()

        scripted.script("POST", "/session", (Speak(speak), UntilClosed()))
        scripted.script("POST", "/build", (stream_head(), chunk(b'{"stream":"a"}{"stream":"b"}'), LAST_CHUNK))
        async with (
            connect(scripted.url) as docker,
            building(docker, secrets={"token": b"hush"}, stream=True) as stream,
        ):
            await until(asked.is_set)
            assert len([message async for message in stream]) == 2
        assert answers[0][1] == OK
        assert answers[1] == ([GetSecretResponse(b"hush").encode()], OK)
        await nothing_is_left(scripted)

    @pytest.mark.parametrize(
        ("status", "error", "message"),
        [
            (400, BadRequest, "?"),
            (400, UnsupportedVersion, "client version 1.41 is too old"),
            (500, ServerError, "?"),
        ],
    )
    async def test_may_be_refused(
        self, scripted: ScriptedEngine, connect: Connect, status: int, error: type[DockerError], message: str
    ) -> None:
        scripted.script("POST", "/session", json_response({"message": message}, status))
        async with connect(scripted.url) as docker:
            with pytest.raises(error) as raised:
                await building(docker)
        assert (raised.value.status, raised.value.message) == (status, message)
        assert [each.path for each in scripted.requests] == ["/_ping", "/session"]

    @pytest.mark.parametrize("status", [404, 501])
    async def test_may_be_unknown(self, scripted: ScriptedEngine, connect: Connect, status: int) -> None:
        scripted.script("POST", "/session", json_response({"message": "?"}, status))
        scripted.script("POST", "/grpc", json_response({"message": "?"}, status))
        async with connect(scripted.url) as docker:
            for _ in range(2):
                with pytest.raises(UnsupportedVersion) as raised:
                    await building(docker)
                message = "this engine has no sessions, which builds with BuildKit need: ?"
                assert (raised.value.status, raised.value.message) == (status, message)
        assert [each.path for each in scripted.requests] == ["/_ping", "/session", "/grpc", "/grpc"]

    async def test_may_be_cut_off_at_once(self, scripted: ScriptedEngine, connect: Connect) -> None:
        scripted.script("POST", "/session", Close())
        async with connect(scripted.url) as docker:
            with pytest.raises(ConnectionFailed):
                await building(docker)
        await nothing_is_left(scripted)

    async def test_ends_with_a_build_that_is_refused(
        self, scripted: ScriptedEngine, connect: Connect
    ) -> None:
        scripted.script("POST", "/session", (Speak(), UntilClosed()))
        scripted.script("POST", "/build", json_response({"message": "bad platform"}, 400))
        async with connect(scripted.url) as docker:
            with pytest.raises(BadRequest, match="bad platform"):
                await building(docker)
            await nothing_is_left(scripted, idle=2)


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")
GOODBYE = PREFACE + bytes.fromhex("000008070000000000" + "00" * 8)
ENDS: dict[str, tuple[Step, ...]] = {
    "closed": (Close(),),
    "reset": (Reset(),),
    "garbage": (b"HTTP/1.1 400 Bad Request\r\n\r\n" + bytes(30), UntilClosed()),
    "goodbye": (Speak(lambda speaking: speaking.wire.send(GOODBYE)), Close()),
}


class TestASessionThatBreaks:
    @pytest.mark.parametrize("end", [end for end in ENDS if end != "goodbye"])
    @pytest.mark.parametrize("stage", ["no head", "head", "messages"])
    async def test_breaks_the_build_off(
        self, scripted: ScriptedEngine, connect: Connect, asked: threading.Event, end: str, stage: str
    ) -> None:
        said = {
            "no head": (),
            "head": (stream_head(),),
            "messages": (stream_head(), chunk(b'{"stream":"a"}\n')),
        }
        scripted.script("POST", "/session", (SWITCHING, WaitFor(asked), *ENDS[end]))
        scripted.script("POST", "/build", (*said[stage], UntilClosed()))
        async with connect(scripted.url) as docker:

            async def read() -> None:
                stream = building(docker, stream=True)
                with pytest.raises(ConnectionFailed, match=BROKE) as raised:
                    async for _ in stream:
                        asked.set()
                assert isinstance(raised.value.__cause__, OSError | ProtocolViolated)
                assert raised.value.messages == [{"stream": "a"}] * (stage == "messages")

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(read)
                await until(lambda: any(each.path == "/build" for each in scripted.requests))
                if stage != "messages":
                    asked.set()
            await nothing_is_left(scripted, idle=1)

    async def test_is_the_cause_of_what_the_engine_says_first(
        self,
        scripted: ScriptedEngine,
        connect: Connect,
        asked: threading.Event,
        monkeypatch: pytest.MonkeyPatch,
        transport: Transport,
    ) -> None:
        def leave(speaking: Speaking) -> None:
            speaking.wire.some(1)  # what the client says first
            speaking.wire.interrupt()
            asked.set()

        async def pause() -> None:
            await anyio.sleep(0.01) if transport != "httpx" else time.sleep(0.01)  # noqa: ASYNC251

        async def never(stream: SocketStream) -> None:
            """Wait until the stream is closed here, so that nobody reads that the engine has left."""
            while stream.socket.fileno() >= 0:
                await pause()

        monkeypatch.setattr(SocketStream, "ready", never)
        scripted.script("POST", "/session", (Speak(leave), UntilClosed()))
        scripted.script("POST", "/build", (WaitFor(asked), stream_head(), chunk(CLOSING), LAST_CHUNK))
        async with connect(scripted.url) as docker:
            with pytest.raises(DockerStreamError) as raised:
                await building(docker)
        assert raised.value.message == "rpc error: transport is closing"
        assert isinstance(raised.value.__cause__, ConnectionFailed)
        message = "the session of the build broke: the engine closed the connection"
        assert raised.value.__cause__.message == message
        await nothing_is_left(scripted, idle=1)

    async def test_by_our_own_fault_is_told_too(
        self,
        scripted: ScriptedEngine,
        connect: Connect,
        asked: threading.Event,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def wrong(_: Session, __: bytes) -> None:
            asked.set()
            raise KeyError("a mistake")

        monkeypatch.setattr(Session, "feed", wrong)
        scripted.script("POST", "/session", (Speak(), UntilClosed()))
        scripted.script("POST", "/build", (WaitFor(asked), stream_head(), chunk(CLOSING), LAST_CHUNK))
        async with connect(scripted.url) as docker:
            with pytest.raises(DockerError) as raised:
                await building(docker)
        broken = raised.value if isinstance(raised.value, ConnectionFailed) else raised.value.__cause__
        assert isinstance(broken, ConnectionFailed)
        assert broken.message == "the session of the build broke: 'a mistake'"
        await nothing_is_left(scripted, idle=1)

    async def test_after_a_goodbye(self, scripted: ScriptedEngine, connect: Connect) -> None:
        scripted.script("POST", "/session", ENDS["goodbye"])
        scripted.script("POST", "/build", UntilClosed())
        async with connect(scripted.url) as docker:
            with pytest.raises(ConnectionFailed, match=BROKE):
                await building(docker)


class TestABuildThatIsLeft:
    @pytest.fixture
    def begun(self, scripted: ScriptedEngine) -> ScriptedEngine:
        """An engine whose builds never end."""
        scripted.script("POST", "/session", (Speak(), UntilClosed()))
        scripted.script("POST", "/build", (stream_head(), chunk(b'{"stream":"a"}\n'), UntilClosed()))
        return scripted

    @pytest.mark.parametrize("how", ["leave", "close", "error"])
    async def test_closes_both_connections(self, begun: ScriptedEngine, connect: Connect, how: str) -> None:
        async with connect(begun.url) as docker:
            stream = building(docker, stream=True)
            with suppress(KeyError):
                async with stream:
                    assert await anext(stream) == {"stream": "a"}
                    if how == "close":
                        await stream.close()
                        await stream.close()
                    if how == "error":
                        raise KeyError
            await nothing_is_left(begun, idle=1)

    async def test_and_dropped_closes_both_connections(self, begun: ScriptedEngine, connect: Connect) -> None:
        async with connect(begun.url) as docker:
            with pytest.warns(ResourceWarning, match="was not closed") as warned:
                stream = building(docker, stream=True)
                assert await anext(stream) == {"stream": "a"}
                del stream
                gc.collect()
                # The thread that has called the blocking client may hold it a moment longer.
                await until(lambda: gc.collect() >= 0 and len(warned))
            await until(lambda: not threads())  # which nobody waited for
            await nothing_is_left(begun, idle=1)

    async def test_with_its_client_closes_both_connections(
        self, begun: ScriptedEngine, connect: Connect
    ) -> None:
        async with connect(begun.url) as docker:
            stream = building(docker, stream=True)
            assert await anext(stream) == {"stream": "a"}
            await docker.close()
            with pytest.raises(ConnectionFailed):
                await anext(stream)
            await nothing_is_left(begun)

    async def test_and_dropped_after_its_client_was_closed_does_not_warn(
        self, begun: ScriptedEngine, connect: Connect
    ) -> None:
        async with connect(begun.url) as docker:
            stream = building(docker, stream=True)
            assert await anext(stream) == {"stream": "a"}
            await docker.close()
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always")
                del stream
                await until(lambda: gc.collect() >= 0 and not threads())
            await nothing_is_left(begun)
        assert not warned

    @pytest.mark.parametrize("stream", [True, False])
    @pytest.mark.parametrize("transport", ["asyncio", "trio"])  # a blocking call cannot be cancelled
    async def test_by_cancellation_closes_both_connections(
        self, begun: ScriptedEngine, connect: Connect, stream: bool
    ) -> None:
        async with connect(begun.url) as docker:
            async with anyio.create_task_group() as tasks:

                async def read() -> None:
                    made = building(docker, stream=stream)
                    await (made.rest() if stream else made)

                tasks.start_soon(read)
                await until(lambda: any(each.path == "/build" for each in begun.requests))
                tasks.cancel_scope.cancel()
            await nothing_is_left(begun, idle=1)

    async def test_by_a_timeout_closes_both_connections(
        self, begun: ScriptedEngine, connect: Connect
    ) -> None:
        async with connect(begun.url) as docker:
            with pytest.raises(TimeoutError):
                await building(docker, timeout=0.3)
            await nothing_is_left(begun, idle=1)


class TestALookup:
    told = ""

    @pytest.fixture
    def asking(self, scripted: ScriptedEngine, asked: threading.Event) -> ScriptedEngine:
        """An engine that asks for credentials."""

        def speak(speaking: Speaking) -> None:
            for _ in range(2):  # it is looked up once, unless that fails
                _, status = speaking.ask(AUTH, CredentialsRequest("r.example").encode())
                self.told = status.message
            asked.set()

        scripted.script("POST", "/session", (Speak(speak), UntilClosed()))
        failed = b'{"errorDetail":{"message":"401 Unauthorized"},"error":"401 Unauthorized"}'
        scripted.script("POST", "/build", (WaitFor(asked), stream_head(), chunk(failed), LAST_CHUNK))
        return scripted

    async def test_that_fails_is_the_cause(self, asking: ScriptedEngine, connect: Connect) -> None:
        def get(_: str) -> Credentials:
            raise KeyError("where are they?")

        async with connect(asking.url, credentials=get) as docker:
            with pytest.raises(Unauthorized) as raised:
                await building(docker)
        assert isinstance(raised.value, DockerStreamError)
        assert isinstance(raised.value.__cause__, KeyError)
        assert self.told == "'where are they?'"

    @pytest.mark.parametrize("transport", ["asyncio", "trio"])
    async def test_may_be_a_coroutine(
        self, asking: ScriptedEngine, connect: Connect, transport: Transport
    ) -> None:
        places: list[str] = []

        async def get(registry: str) -> None:
            places.append(registry)
            await anyio.lowlevel.checkpoint()

        async with connect(asking.url, credentials=get) as docker:
            with pytest.raises(Unauthorized) as raised:
                await building(docker)
        assert places == ["r.example"]
        assert raised.value.__cause__ is None

    @pytest.mark.parametrize("transport", ["asyncio", "trio"])
    async def test_that_hangs_does_not_outlive_the_build(
        self, asking: ScriptedEngine, connect: Connect, transport: Transport
    ) -> None:
        left: list[bool] = []

        async def get(_: str) -> None:
            try:
                await anyio.sleep_forever()
            finally:
                left.append(True)

        async with connect(asking.url, credentials=get) as docker:
            with pytest.raises(TimeoutError):
                await building(docker, timeout=0.3)
            assert left == [True]


async def test_pings_tell_the_default(
    scripted: ScriptedEngine, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_BUILDKIT")
    headers = {"Api-Version": "1.45", "Builder-Version": "2"}
    scripted.script("GET", "/_ping", response(200, b"OK", headers))
    scripted.script("POST", "/session", (Speak(), UntilClosed()))
    scripted.script("POST", "/build", chunked(b'{"stream":"done"}\n'))
    for version in ("auto", "1.45"):
        async with connect(scripted.url, api_version=version) as docker:
            for _ in range(2):
                await docker.images.build(remote="https://example.com/a.git")
        paths = [each.path for each in scripted.requests]
        assert paths == ["/_ping", "/session", "/build", "/session", "/build"]
        scripted.requests.clear()
