"""While a call of the engine waits, the session responds to other calls, and can end."""

from __future__ import annotations

import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

import anyio
import anyio.to_thread
import pytest

from dockerproto.buildkit.files.fsutil import BytesMessage, Packet, PacketType
from dockerproto.buildkit.rpc.handler import OK, Status
from dockerproto.buildkit.session.messages import CredentialsRequest, CredentialsResponse
from dockerproto.endpoint.addresses import UnixSocket
from dockerproto.transport.runtime import run
from dockerproto.transport.streams import ByteStream
from dockerproto_local.directory import Directory
from dockerproto_local.output_directory import OutputDirectory
from tests.buildkit.session.test_session import AUTH, HEALTH
from tests.clients.test_session_attachments import FORWARD, LIST, Agent
from tests.conftest import Connect
from tests.support.calling import Speak, Speaking
from tests.support.facade import Transport
from tests.support.stored import ME, PASSWORD, USER, Machine
from tests.support.waiting import until
from tests.testbed.scripted import (
    LAST_CHUNK,
    ScriptedEngine,
    UntilClosed,
    WaitFor,
    chunk,
    stream_head,
    wait_until,
)

pytestmark = pytest.mark.anyio

P = ParamSpec("P")
T = TypeVar("T")

SYNC: Final = "/moby.filesync.v1.FileSync/DiffCopy"
SEND: Final = "/moby.filesync.v1.FileSend/DiffCopy"
KNOWN: Final = CredentialsResponse(USER, PASSWORD).encode()
REMOTE: Final = "https://example.com/a.git"
SECONDS: Final = 20
FIN: Final = Packet(type=PacketType.FIN).encode()


class Gate:
    """A gate that blocks a step until the engine has the response to its health check."""

    def __init__(self, directory: Path) -> None:
        self.begun = threading.Event()
        self.alive = threading.Event()
        self.file = directory / "alive"

    def wait(self) -> None:
        self.begun.set()
        assert self.alive.wait(SECONDS), "the session did not answer meanwhile"

    def before(self, function: Callable[P, T]) -> Callable[P, T]:
        """Return a function that waits here first."""

        def waits(*args: P.args, **kwargs: P.kwargs) -> T:
            self.wait()
            return function(*args, **kwargs)

        return waits

    def open(self) -> None:
        self.file.write_text("")
        self.alive.set()


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    (tmp_path / "gate").mkdir()
    gate = Gate(tmp_path / "gate")
    yield gate
    gate.open()


@dataclass(frozen=True, slots=True)
class Asked:
    """A call of the engine."""

    path: str
    messages: tuple[bytes, ...]
    metadata: tuple[tuple[str, str], ...] = ()

    def begin(self, speaking: Speaking) -> int:
        stream = speaking.begin(self.path, *self.messages, metadata=self.metadata)
        speaking.grpc.finish(stream)
        return stream


LOOKUP: Final = Asked(AUTH, (CredentialsRequest("r.example").encode(),))


class Script:
    """A script of an engine in a session: it makes a call and health checks at the same time."""

    def __init__(self, asked: Asked, begun: Callable[[], object], gate: Gate) -> None:
        self._asked, self._begun, self._gate = asked, begun, gate
        self._told: tuple[list[bytes], Status] | None = None
        self._over = threading.Event()

    async def run(self, scripted: ScriptedEngine, docker: Any, **options: Any) -> Any:
        """Build with this script; return the call's outcome."""
        scripted.script("POST", "/session", (Speak(self._speak), UntilClosed()))
        scripted.script("POST", "/build", (WaitFor(self._over), stream_head(), chunk(b"{}"), LAST_CHUNK))
        await docker.images.build(**({"remote": REMOTE} | options), builder="buildkit")
        return self._told

    def _speak(self, speaking: Speaking) -> None:
        stream = self._asked.begin(speaking)
        speaking.wire.send(speaking.grpc.data_to_send())
        wait_until(self._begun, SECONDS)
        assert speaking.ask(HEALTH)[1] == OK
        assert stream not in speaking.statuses
        self._gate.open()
        self._told = speaking.end(stream)
        self._over.set()


class TestTheSessionIsAliveDuring:
    async def test_a_helper_that_runs(
        self, scripted: ScriptedEngine, connect: Connect, machine: Machine, gate: Gate
    ) -> None:
        machine.write({"credsStore": "slow"})
        waits = f"end = time.time() + {SECONDS}\nwhile not Path({str(gate.file)!r}).exists():\n"
        waits += "    time.sleep(0.01)\n    assert time.time() < end"
        machine.helper("slow", waits, Username=USER, Secret=PASSWORD)
        script = Script(LOOKUP, lambda: machine.asked, gate)
        async with connect(scripted.url) as docker:
            assert await script.run(scripted, docker) == ([KNOWN], OK)
        assert machine.asked == ["get r.example"]

    async def test_a_function_that_blocks(
        self, scripted: ScriptedEngine, connect: Connect, gate: Gate
    ) -> None:
        def get(_: str) -> dict[str, str]:
            gate.wait()
            return ME

        script = Script(LOOKUP, gate.begun.is_set, gate)
        async with connect(scripted.url, credentials=get) as docker:
            assert await script.run(scripted, docker) == ([KNOWN], OK)

    @pytest.mark.parametrize("transport", ["asyncio", "trio"])
    async def test_a_coroutine_that_waits(
        self, scripted: ScriptedEngine, connect: Connect, transport: Transport, gate: Gate
    ) -> None:
        async def get(_: str) -> dict[str, str]:
            await anyio.to_thread.run_sync(gate.wait)
            return ME

        script = Script(LOOKUP, gate.begun.is_set, gate)
        async with connect(scripted.url, credentials=get) as docker:
            assert await script.run(scripted, docker) == ([KNOWN], OK)

    async def test_a_question_to_an_agent(
        self, scripted: ScriptedEngine, connect: Connect, gate: Gate, tmp_path: Path
    ) -> None:
        answer = b"\0\0\0\1\x0c"
        agent = Agent(tmp_path / "agent", answer, gate.alive, looks=1)
        script = Script(Asked(FORWARD, (BytesMessage(LIST).encode(),)), agent.asked.is_set, gate)
        async with connect(scripted.url) as docker:
            told = await script.run(scripted, docker, ssh={"default": agent.path})
        assert told == ([BytesMessage(answer).encode()], OK)
        agent.close()

    async def test_a_look_at_a_directory(
        self,
        scripted: ScriptedEngine,
        connect: Connect,
        gate: Gate,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        root = tmp_path / "context"
        root.mkdir()
        (root / "Dockerfile").write_text("FROM scratch\n")
        monkeypatch.setattr(Directory, "names", gate.before(Directory.names))
        script = Script(Asked(SYNC, (FIN,), (("dir-name", "context"),)), gate.begun.is_set, gate)
        async with connect(scripted.url) as docker:
            messages, status = await script.run(scripted, docker, remote=None, path=root)
        sent = [packet.stat.path for packet in map(Packet.decode, messages) if packet.stat is not None]
        assert (sent, status) == (["Dockerfile"], OK)

    async def test_a_write_to_a_disk(
        self,
        scripted: ScriptedEngine,
        connect: Connect,
        gate: Gate,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(OutputDirectory, "prepare", gate.before(OutputDirectory.prepare))
        script = Script(Asked(SEND, (Packet().encode(), FIN)), gate.begun.is_set, gate)
        async with connect(scripted.url) as docker:
            assert await script.run(scripted, docker, output=tmp_path / "dist") == ([FIN], OK)
        assert (tmp_path / "dist").is_dir()


async def test_a_build_may_be_left_during_a_lookup(
    scripted: ScriptedEngine, connect: Connect, gate: Gate
) -> None:
    """It ends before the lookup does, which nobody waits for any more."""

    def get(_: str) -> None:
        gate.wait()

    scripted.script("POST", "/session", (Speak(unanswered), UntilClosed()))
    scripted.script("POST", "/build", (stream_head(), UntilClosed()))
    async with connect(scripted.url, credentials=get) as docker:
        stream = docker.images.build(remote=REMOTE, builder="buildkit", stream=True)
        async with stream:
            await until(gate.begun.is_set)
        assert not [each for each in threading.enumerate() if each.name == "dockerproto session"]
    gate.open()


def unanswered(speaking: Speaking) -> None:
    LOOKUP.begin(speaking)
    speaking.wire.send(speaking.grpc.data_to_send())


class TestAConnection:
    @pytest.fixture
    async def pair(self, connect: Connect, tmp_path: Path) -> AsyncIterator[tuple[Any, socket.socket]]:
        """A connection of the transport, and its other end."""
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "s"))
            listener.listen()
            async with connect(f"unix://{tmp_path}/s") as docker:
                transport = getattr(docker, "blocking", docker).client.transport
                stream = await transport.connect(UnixSocket(str(tmp_path / "s")), 5)
                other, _ = listener.accept()
                with other:
                    yield stream, other
                    stream.close()

    async def test_is_ready_when_it_is_woken(
        self, pair: tuple[Any, socket.socket], transport: Transport
    ) -> None:
        stream, other = pair
        stream.wake()
        await ready(stream, transport)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ready, stream, transport)
            await anyio.wait_all_tasks_blocked()
            stream.wake()
        assert not await stream.readable()
        other.send(b"data")
        await ready(stream, transport)
        assert await stream.receive(5) == b"data"
        stream.wake()

    async def test_that_was_woken_waits_on_for_something_else(
        self, pair: tuple[Any, socket.socket], transport: Transport
    ) -> None:
        stream, _ = pair
        stream.wake()
        await ready(stream, transport)
        stream.wake()
        with pytest.raises(TimeoutError):
            await stream.receive(0.01)

    async def test_tells_that_the_other_side_has_left(
        self, pair: tuple[Any, socket.socket], transport: Transport
    ) -> None:
        stream, other = pair
        assert not stream.hung_up()
        other.send(b"unread")
        assert not stream.hung_up()
        other.shutdown(socket.SHUT_WR)
        assert stream.hung_up()
        assert await stream.receive(5) == b"unread"
        assert stream.hung_up()

    async def test_may_be_woken_when_it_is_closed(self, pair: tuple[Any, socket.socket]) -> None:
        stream, _ = pair
        stream.close()
        stream.wake()

    async def test_that_is_closed_is_not_waited_for(self, pair: tuple[Any, socket.socket]) -> None:
        stream, _ = pair
        stream._moved = 2**30  # so much that the event loop is to have its turn
        stream.close()
        with pytest.raises(ConnectionAbortedError, match="closed here"):
            await stream.receive(5)


async def ready(stream: ByteStream, transport: Transport) -> None:
    if transport == "httpx":
        await anyio.to_thread.run_sync(run, stream.ready())
    else:
        await stream.ready()
