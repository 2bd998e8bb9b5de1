"""The cost of a file transfer in a session: counted in threads, sends and steps, which go by batches."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from dockerproto.buildkit.files.fsutil import Packet, PacketType, encode_data, encode_entry
from dockerproto.buildkit.rpc.handler import OK
from dockerproto.buildkit.session.session import ServedCall
from dockerproto_local.stream import SocketStream
from tests.clients.test_session_waits import REMOTE, SEND, SYNC
from tests.conftest import Connect
from tests.support.calling import Speak, Speaking
from tests.support.facade import Transport
from tests.support.filesync import FIN, file, request
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


class Sending:
    """A script of an engine that sends a tree of files."""

    def __init__(self, files: int) -> None:
        self._files = files
        self.over = threading.Event()

    def __call__(self, speaking: Speaking) -> None:
        entries = (file(f"{number:05}", 1) for number in range(self._files))
        stream = speaking.begin(SEND, *map(encode_entry, entries), END.encode())
        at, received = 0, b""
        while received != FIN.encode():
            speaking.hear()
            new = speaking.messages[stream][at:]
            at += len(new)
            for received in new:
                self._reply(speaking, stream, Packet.decode(received))
        speaking.grpc.send(stream, FIN.encode())
        speaking.grpc.finish(stream)
        assert speaking.end(stream)[1] == OK
        self.over.set()

    def _reply(self, speaking: Speaking, stream: int, packet: Packet) -> None:
        if packet.type == PacketType.REQ:
            speaking.grpc.send(stream, encode_data(packet.ID, b"."))
            speaking.grpc.send(stream, encode_data(packet.ID, b""))


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


async def build(
    scripted: ScriptedEngine, connect: Connect, script: Receiving | Sending, **options: Any
) -> None:
    """Build with a script of the engine."""
    scripted.script("POST", "/session", (Speak(script), UntilClosed()))
    scripted.script("POST", "/build", (WaitFor(script.over), stream_head(), chunk(b"{}"), LAST_CHUNK))
    async with connect(scripted.url) as docker:
        await docker.images.build(builder="buildkit", **options)


async def test_many_small_files_go_by_batches(
    scripted: ScriptedEngine, connect: Connect, tmp_path: Path, counts: Counter[str]
) -> None:
    for number in range(FILES):
        (tmp_path / f"{number:05}").write_bytes(b".")
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    received = Receiving()
    await build(scripted, connect, received, path=tmp_path)
    assert received.content == b"." * FILES + b"FROM scratch\n"
    assert counts["step"] < FILES / 20
    assert counts["send"] < FILES / 10


async def test_an_output_of_many_small_files_goes_by_batches(
    scripted: ScriptedEngine, connect: Connect, tmp_path: Path, counts: Counter[str]
) -> None:
    await build(scripted, connect, Sending(FILES), remote=REMOTE, output=tmp_path / "dist")
    assert [each.read_bytes() for each in (tmp_path / "dist").iterdir()] == [b"."] * FILES
    assert counts["step"] < FILES / 20
    assert counts["send"] < FILES / 5


async def test_one_thread_does_the_steps_of_a_session(
    scripted: ScriptedEngine, connect: Connect, tmp_path: Path, counts: Counter[str], transport: Transport
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "large").write_bytes(bytes(LARGE))
    received = Receiving()
    await build(scripted, connect, received, path=tmp_path)
    assert received.content == b"FROM scratch\n" + bytes(LARGE)
    assert counts["step"] > 8
    assert counts["dockerproto session"] == (2 if transport == "httpx" else 0)
    assert not [each for each in threading.enumerate() if each.name == "dockerproto session"]
