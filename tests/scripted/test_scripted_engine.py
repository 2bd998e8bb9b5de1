"""The scripted engine that programs use in their own tests, on three clients."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from dockerproto import (
    ConnectionFailed,
    DockerError,
    DockerStreamError,
    NotFound,
    ServerError,
    TimedOut,
    Timeout,
)
from dockerproto_testing import ReceivedRequest, ScriptedEngine
from dockerproto_testing.scripts import Script
from dockerproto_testing.steps import Exchange, WaitFor
from dockerproto_testing.wire import Body, Wire
from tests.conftest import Connect
from tests.testbed.processes import wait_until
from tests.testbed.unix_http import UnixConnection, ask

PULL = ("POST", "/images/create")
LIST = ("GET", "/images/json")
MESSAGES = [{"status": "Pulling from library/busybox", "id": "latest"}, {"status": "Status: none"}]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[ScriptedEngine]:
    with ScriptedEngine(tmp_path) as engine:
        yield engine


@pytest.mark.anyio
async def test_replies_reach_the_client(engine: ScriptedEngine, connect: Connect) -> None:
    engine.on(*LIST, json=[{"Id": "sha256:1"}])
    engine.on(*PULL, messages=MESSAGES)
    engine.on("GET", "/images/app/get", body=bytes(1024))
    async with connect(engine.url) as docker:
        assert [image["Id"] for image in await docker.images.list()] == ["sha256:1"]
        assert list(await docker.images.pull("busybox")) == MESSAGES
        async with docker.images.export_image("app") as archive:
            assert b"".join([data async for data in archive]) == bytes(1024)
    (pull,) = engine.received(*PULL)
    assert (pull.query, pull.version, pull.complete) == (
        {"fromImage": ["busybox"], "tag": ["latest"]},
        "1.41",
        True,
    )
    assert [request.path for request in engine.requests][:2] == ["/_ping", "/images/json"]


FAULTS: dict[str, tuple[dict[str, Any], type[Exception], str | None]] = {
    "status": ({"status": 404, "error": "no such image"}, NotFound, "no such image"),
    "error": ({"error": "the disk is full"}, ServerError, "the disk is full"),
    "error in a stream": ({"messages": MESSAGES, "error": "layer is gone"}, DockerStreamError, "layer is"),
    "cut stream": ({"messages": MESSAGES, "end": "cut"}, ConnectionFailed, None),
    "reset stream": ({"messages": MESSAGES, "end": "reset"}, ConnectionFailed, None),
    "hanging stream": ({"messages": MESSAGES, "end": "hang"}, TimedOut, None),
    "cut document": ({"json": [1], "end": "cut"}, ConnectionFailed, None),
    "cut error": ({"error": "no", "end": "cut"}, DockerError, None),
    "nothing": ({"end": "cut"}, ConnectionFailed, None),
    "nothing for ever": ({"end": "hang"}, TimedOut, None),
}


@pytest.mark.anyio
@pytest.mark.parametrize("fault", FAULTS)
async def test_faults_reach_the_client(engine: ScriptedEngine, connect: Connect, fault: str) -> None:
    reply, error, text = FAULTS[fault]
    engine.on(*PULL, **reply)
    async with connect(engine.url) as docker:
        with pytest.raises(error, match=text) as raised:
            await docker.images.pull("busybox", timeout=Timeout(response=0.2, idle=0.2))
    if "messages" in reply and isinstance(raised.value, DockerError):
        assert raised.value.messages[:2] == MESSAGES


@pytest.mark.anyio
async def test_a_client_that_leaves_closes_a_hanging_reply(
    engine: ScriptedEngine, connect: Connect, transport: str
) -> None:
    engine.on(*PULL, messages=MESSAGES, end="hang")
    async with connect(engine.url) as docker, docker.images.pull("busybox", stream=True) as stream:
        async for _ in stream:
            break
    await anyio.to_thread.run_sync(wait_until, lambda: engine.connections_open == 0)


def test_replies_are_used_in_turn_and_the_last_one_again(engine: ScriptedEngine) -> None:
    engine.on("GET", "/x", json=1)
    engine.on("GET", "/x", json=2, status=201, headers={"X-One": "1"})
    answers = [ask(engine.socket, "GET", "/v1.30/x?a=1") for _ in range(3)]
    assert [(answer.status, answer.body) for answer in answers] == [(200, b"1"), (201, b"2"), (201, b"2")]
    assert answers[1].headers["x-one"] == "1"
    engine.on("GET", "/x", status=204)
    assert ask(engine.socket, "GET", "/x").status == 204, "a later reply follows those that were used"


def test_the_version_can_be_chosen() -> None:
    with ScriptedEngine(api_version="1.47") as engine:
        assert ask(engine.socket, "GET", "/_ping").headers["api-version"] == "1.47"


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ({"json": 1, "body": b""}, "a reply has one of json, messages and body, not json and body"),
        ({"json": 1, "error": "no"}, "a reply with an error has no json"),
        ({"end": "half"}, "end must be complete, cut, reset or hang, not 'half'"),
        ({"path": "images/json"}, "a path begins with a slash: 'images/json'"),
        ({"path": "/images/json?all=1"}, "a path has no query"),
        ({"path": "/v1.41/images/json"}, "a path has no API version"),
    ],
)
def test_a_reply_that_cannot_be_is_refused(
    engine: ScriptedEngine, reply: dict[str, Any], message: str
) -> None:
    path = reply.pop("path", "/images/json")
    with pytest.raises(ValueError, match=message):
        engine.on("GET", path, **reply)


def test_a_received_request_is_data(engine: ScriptedEngine) -> None:
    with closing(UnixConnection(engine.socket, timeout=5)) as connection:
        connection.ask("POST", "/v1.41/build?t=app", b"a tar", {"X-One": "1"})
    (request,) = engine.received("POST", "/build")
    assert isinstance(request, ReceivedRequest)
    assert (request.query, request.headers["x-one"], request.body) == ({"t": ["app"]}, "1", b"a tar")
    assert (request.length, request.chunked, request.connection) == (5, False, 1)


class Later(threading.Event):
    """An event that is set after some waits."""

    def __init__(self) -> None:
        super().__init__()
        self._waits = 0

    def wait(self, timeout: float | None = None) -> bool:
        self._waits += 1
        return self._waits > 2


class Quiet(Wire):
    """A connection that the client holds open."""

    def __init__(self) -> None:
        """Connect to nobody."""

    def hung_up(self, seconds: float | None) -> bool:
        return False


def test_a_step_waits_for_an_event() -> None:
    wire = Quiet()
    WaitFor(Later()).perform(Exchange(wire, Body(wire, {})))


def test_a_script_without_a_request_yields_its_first_reply() -> None:
    replies: Sequence[Sequence[bytes]] = [[b"1"], [b"2"]]
    assert list(Script(replies).next()) == [b"1"]


def test_http2_is_received_as_a_request(engine: ScriptedEngine) -> None:
    with closing(UnixConnection(engine.socket, timeout=5)) as connection:
        connection.connect()
        connection.sock.sendall(b"PRI * HTTP/2.0\r\n\r\n")
        assert connection.sock.recv(12) == b"HTTP/1.1 404"
    (request,) = engine.requests
    assert (request.method, request.path) == ("PRI", "*")


def test_a_wire_knows_when_something_can_be_read(engine: ScriptedEngine) -> None:
    ours, theirs = socket.socketpair()
    wire = Wire(theirs)
    with ours:
        assert not wire.readable(0)
        ours.sendall(b"a line\nmore")
        assert wire.line() == b"a line"
        assert wire.readable(0)
        wire.close()
