"""The cost of a file transfer in a session: counted in threads, sends and steps, which go by batches."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from dockerproto.buildkit.fsutil import Packet, PacketType
from dockerproto.buildkit.handler import OK
from dockerproto.buildkit.session import ServedCall
from dockerproto_local.stream import SocketStream
from tests.clients.test_session_waits import SYNC
from tests.conftest import Connect
from tests.support.calling import Speak, Speaking
from tests.support.facade import Transport
from tests.support.filesync import FIN, request
from tests.testbed.scripted import LAST_CHUNK, ScriptedEngine, UntilClosed, WaitFor, chunk, stream_head

pytestmark = pytest.mark.anyio

FILES: Final = 2000
LARGE: Final = 8 * 2**20
END: Final = Packet()


class Receiving:
    """A script of an engine that receives the whole build context."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.over = threading.Event()

    def __call__(self, speaking: Speaking) -> None:
        stream = speaking.begin(SYNC, metadata=[("dir-name", "context")])
        announced = speaking.messages[stream]
        while not announced or Packet.decode(announced[-1]) != END:
            speaking.hear()
        entries = list(map(Packet.decode, announced[:-1]))
        wanted = [at for at, each in enumerate(entries) if each.stat is not None and each.stat.mode < 2**31]
        for identifier in wanted:
            speaking.grpc.send(stream, request(identifier).encode())
        received = self._receive(speaking, stream, len(announced), len(wanted))
        self.content += b"".join(received)
        speaking.grpc.send(stream, FIN.encode())
        speaking.grpc.finish(stream)
        assert speaking.end(stream)[1] == OK
        self.over.set()

    def _receive(self, speaking: Speaking, stream: int, at: int, wanted: int) -> list[bytes]:
        contents = list[bytes]()
        files = wanted
        while files:
            speaking.hear()
            new = speaking.messages[stream][at:]
            at += len(new)
            contents += [packet.data for packet in map(Packet.decode, new) if packet.type == PacketType.DATA]
            files = wanted - contents.count(b"")
        return contents


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts the threads, the sends and the blocking steps of clients."""
    counted = Counter[str]()

    def count(owner: type, name: str, what: Callable[[Any], str]) -> None:
        function = getattr(owner, name)

        def counting(self: Any, *arguments: Any) -> Any:
            counted[what(self)] += 1
            return function(self, *arguments)

        monkeypatch.setattr(owner, name, counting)

    count(threading.Thread, "start", lambda thread: thread.name)
    count(SocketStream, "send", lambda _: "send")
    count(ServedCall, "run", lambda _: "step")
    return counted


async def build(scripted: ScriptedEngine, connect: Connect, root: Path) -> Receiving:
    """Build from a directory; return what the engine received."""
    receiving = Receiving()
    scripted.script("POST", "/session", (Speak(receiving), UntilClosed()))
    scripted.script("POST", "/build", (WaitFor(receiving.over), stream_head(), chunk(b"{}"), LAST_CHUNK))
    async with connect(scripted.url) as docker:
        await docker.images.build(path=root, builder="buildkit")
    return receiving


async def test_many_small_files_go_by_batches(
    scripted: ScriptedEngine, connect: Connect, tmp_path: Path, counts: Counter[str]
) -> None:
    for number in range(FILES):
        (tmp_path / f"{number:05}").write_bytes(b".")
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    received = await build(scripted, connect, tmp_path)
    assert received.content == b"." * FILES + b"FROM scratch\n"
    assert counts["step"] < FILES / 20
    assert counts["send"] < FILES / 10


async def test_one_thread_does_the_steps_of_a_session(
    scripted: ScriptedEngine, connect: Connect, tmp_path: Path, counts: Counter[str], transport: Transport
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "large").write_bytes(bytes(LARGE))
    received = await build(scripted, connect, tmp_path)
    assert received.content == b"FROM scratch\n" + bytes(LARGE)
    assert counts["step"] > 8
    assert counts["dockerproto session"] == (2 if transport == "httpx" else 0)
    assert not [each for each in threading.enumerate() if each.name == "dockerproto session"]
