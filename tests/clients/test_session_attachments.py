"""Attachments of a session are validated before it begins; requests that an agent never receives."""

from __future__ import annotations

import socket
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from struct import pack
from types import SimpleNamespace
from typing import Any

import pytest

from dockerproto import BadRequest, Secret, UploadFailed
from dockerproto.buildkit.files.fsutil import BytesMessage
from dockerproto.buildkit.rpc.handler import OK, Code, Status
from dockerproto.buildkit.session.messages import CheckAgentRequest
from dockerproto.buildkit.session.serving import Bare, SessionServer
from dockerproto.buildkit.session.ssh import ssh
from dockerproto.transport.runtime import run
from dockerproto_local.blocking import BlockingTransport
from dockerproto_local.local_host import LocalHost
from tests.conftest import Connect
from tests.support.calling import Engine
from tests.support.facade import Transport
from tests.testbed.scripted import ScriptedEngine

CHECK = "/moby.sshforward.v1.SSH/CheckAgent"
FORWARD = "/moby.sshforward.v1.SSH/ForwardAgent"
LIST = pack(">IB", 1, 11)


class Agent:
    """An agent that answers late, or hangs up, on one connection, after others that only look for it."""

    def __init__(self, path: Path, answer: bytes, late: threading.Event, *, looks: int = 0) -> None:
        self.path = str(path)
        self.asked = threading.Event()
        self._answer, self._late, self._looks = answer, late, looks
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(self.path)
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        for _ in range(self._looks):
            self._socket.accept()[0].close()
        connection, _ = self._socket.accept()
        with connection:
            assert connection.recv(100) == LIST
            self.asked.set()
            self._late.wait(10)
            connection.sendall(self._answer)

    def close(self) -> None:
        self._thread.join()
        self._socket.close()


@pytest.fixture
def late() -> threading.Event:
    return threading.Event()


def asked(engine: Engine) -> int:
    stream = engine.begin(FORWARD, BytesMessage(LIST[:3]).encode(), BytesMessage(LIST[3:]).encode())
    engine.grpc.finish(stream)
    return stream


def test_an_agent_may_say_much(tmp_path: Path, late: threading.Event) -> None:
    answer = pack(">I", 40_000) + bytes(40_000)
    agent = Agent(tmp_path / "agent", answer, late)
    engine = Engine(ssh({"default": agent.path}, BlockingTransport()))
    late.set()
    stream = asked(engine)
    engine.run()
    agent.close()
    told = [BytesMessage.decode(message).data for message in engine.messages[stream]]
    assert (b"".join(told), engine.statuses[stream]) == (answer, OK)
    assert max(map(len, told)) <= 32 * 2**10


def test_an_agent_may_hang_up(tmp_path: Path, late: threading.Event) -> None:
    late.set()
    agent = Agent(tmp_path / "agent", b"", late)
    engine = Engine(ssh({"default": agent.path}, BlockingTransport()))
    stream = asked(engine)
    engine.run()
    agent.close()
    assert engine.statuses[stream].code == Code.UNKNOWN
    assert "closed the connection" in engine.statuses[stream].message


@pytest.mark.parametrize("data", [pack(">IB", 1, 19), pack(">IB", 1, 17), pack(">I", 0)])
def test_what_is_not_for_the_agent_does_not_reach_it(data: bytes, tmp_path: Path) -> None:
    engine = Engine(ssh({"default": str(tmp_path / "nobody")}, BlockingTransport()))
    stream = engine.begin(FORWARD, BytesMessage(data).encode())
    engine.grpc.finish(stream)
    engine.run()
    told = [BytesMessage.decode(message).data for message in engine.messages[stream]]
    assert (told, engine.statuses[stream]) == ([pack(">IB", 1, 5)], OK)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("", OK),
        ("default", OK),
        ("other", Status(Code.NOT_FOUND, "unknown ssh agent 'other'")),
    ],
)
def test_the_engine_may_ask_for_an_agent(name: str, status: Status, tmp_path: Path) -> None:
    engine = Engine(ssh({"default": str(tmp_path / "nobody")}, BlockingTransport()))
    messages, answered = engine.ask(CHECK, CheckAgentRequest(name).encode())
    assert (messages, answered) == ([b""] if status is OK else [], status)


def test_a_message_that_is_too_long_for_an_agent_is_refused(tmp_path: Path) -> None:
    engine = Engine(ssh({"default": str(tmp_path / "nobody")}, BlockingTransport()))
    stream = engine.begin(FORWARD, BytesMessage(pack(">I", 2**20)).encode())
    engine.run()
    assert engine.statuses[stream].code == Code.UNKNOWN


def test_an_agent_that_was_not_asked_says_nothing(tmp_path: Path) -> None:
    services = ssh({"default": str(tmp_path / "nobody")}, BlockingTransport())
    handler: Any = services[FORWARD]({})
    with pytest.raises(ConnectionError):
        run(handler._agent.receive())
    handler.close()


def test_an_agent_that_is_reached_too_late_is_left_at_once() -> None:
    events: list[str] = []

    class Stream:
        async def send(self, data: bytes, timeout: float | None) -> int:
            raise ConnectionAbortedError("closed here")

        def close(self) -> None:
            events.append("closed")

    class Network:
        async def connect(self, *_: object) -> Stream:
            handler.close()
            return Stream()

    network: Any = Network()
    handler: Any = ssh({"default": "/agent"}, network)[FORWARD]({})
    with pytest.raises(ConnectionAbortedError):
        run(handler._agent.send(LIST))
    assert events == ["closed"]


@pytest.mark.anyio
class TestWhatCannotBeHad:
    async def test_is_told_before_a_session_is_opened(
        self, scripted: ScriptedEngine, connect: Connect, tmp_path: Path
    ) -> None:
        cases: list[dict[str, Any]] = [
            {"secrets": {"a": Secret.from_file(tmp_path / "absent")}},
            {"ssh": {"default": None}},
            {"ssh": {"default": tmp_path / "absent"}},
            {"fileobj": b"no tar"},
        ]
        async with connect(scripted.url) as docker:
            for case in cases:
                remote = None if "fileobj" in case else "https://example.com/a.git"
                with pytest.raises(UploadFailed):
                    await docker.images.build(remote=remote, builder="buildkit", **case)
        assert {each.path for each in scripted.requests} <= {"/_ping"}

    @pytest.mark.parametrize("transport", ["asyncio", "trio"])
    async def test_is_told_of_a_tar_that_comes_in_pieces(
        self, scripted: ScriptedEngine, connect: Connect, transport: Transport
    ) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"no tar"

        async with connect(scripted.url) as docker:
            with pytest.raises(UploadFailed):
                await docker.images.build(fileobj=pieces(), builder="buildkit")

    async def test_is_told_of_a_variable(
        self, scripted: ScriptedEngine, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DOCKER_BUILDKIT", "maybe")
        async with connect(scripted.url) as docker:
            with pytest.raises(BadRequest, match="DOCKER_BUILDKIT must be 1 or 0, not 'maybe'"):
                await docker.images.build(fileobj=b"")


@pytest.fixture
def machine_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(path: str) -> bytes:
        raise FileNotFoundError(path)

    monkeypatch.setattr("dockerproto_local.local_host.read_regular", absent)


def test_a_directory_is_the_same_each_time(tmp_path: Path, machine_without_a_name: None) -> None:
    host = LocalHost()
    assert host.identity(str(tmp_path)) == host.identity(f"{tmp_path}/.")
    assert host.identity(str(tmp_path)) != host.identity(str(tmp_path.parent))


def test_what_comes_while_something_is_sent_is_heard() -> None:
    """The rest is sent after what the engine said, which may wait for that."""
    events: list[bytes] = []

    class Stream:
        async def send(self, data: bytes, timeout: float | None) -> int:
            events.append(data)
            return min(3, len(data))

        async def ready(self) -> None:
            """Return at once."""

        async def receive(self, timeout: float | None) -> bytes:
            return b"heard"

    session = SimpleNamespace(feed=events.append)
    attendance: Any = SimpleNamespace(_session=session, _framing=Bare(b""), _connection=None)
    stream: Any = Stream()
    run(SessionServer._send(attendance, stream, memoryview(b"abcdef")))  # pyright: ignore[reportPrivateUsage]
    assert events == [b"abcdef", b"heard", b"def"]
