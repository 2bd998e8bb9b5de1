"""Engines that flood a session with frames, and read nothing: memory is bounded, and nobody hangs."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Final

import pytest

from dockerproto import ConnectionFailed
from dockerproto.buildkit.rpc import http2
from dockerproto.buildkit.rpc.handler import OK, Status
from dockerproto.buildkit.session import serving
from dockerproto.buildkit.session.messages import CredentialsRequest
from dockerproto_local import stream
from tests.buildkit.session.test_session import AUTH
from tests.clients.test_session_faults import BROKE, building, nothing_is_left, until
from tests.conftest import Connect
from tests.support.calling import Speak, Speaking
from tests.support.floods import FLOODS, START, Flood, pieces
from tests.testbed.scripted import ScriptedEngine, UntilClosed, stream_head, wait_until

pytestmark = pytest.mark.anyio

UNREAD: Final = f"{BROKE}the peer left more than 4096 bytes of HTTP/2 replies unread"


class Flooding:
    """A script that sends a flood until the client closes the connection."""

    def __init__(self, flood: Flood, size: int = 2**40) -> None:
        self._flood = flood
        self._size = size
        self.sent = 0
        self.under_way = threading.Event()
        self.over = threading.Event()

    def __call__(self, speaking: Speaking) -> None:
        with suppress(OSError):
            speaking.wire.send(START)
            for piece in pieces(self._flood, self._size, 2**14):
                speaking.wire.send(piece)
                self.sent += len(piece)
                if self.sent > 2**18:
                    self.under_way.set()
        self.over.set()


@pytest.fixture
def small_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a short flood fill the buffers."""
    monkeypatch.setattr(stream, "_SEND_BUFFER", 2**12)
    monkeypatch.setattr(http2, "MAX_UNREAD_REPLIES", 2**12)


def flood(scripted: ScriptedEngine, name: str) -> Flooding:
    """Let an engine flood the session of a build."""
    flooding = Flooding(FLOODS[name])
    scripted.script("POST", "/session", (Speak(flooding), UntilClosed()))
    scripted.script("POST", "/build", (stream_head(), UntilClosed()))
    return flooding


@pytest.mark.usefixtures("small_buffers")
@pytest.mark.parametrize("name", ["pings", "settings", "data of a closed call", "headers of a closed call"])
async def test_replies_that_nobody_reads_break_the_build(
    scripted: ScriptedEngine, connect: Connect, name: str
) -> None:
    flooding = flood(scripted, name)
    async with connect(scripted.url) as docker:
        with pytest.raises(ConnectionFailed, match=UNREAD):
            await building(docker)
        await until(flooding.over.is_set)
    await nothing_is_left(scripted)
    assert flooding.sent < 2**22


@pytest.mark.parametrize("name", ["rapid reset", "padding"])
async def test_a_flood_that_needs_no_reply_can_be_left(
    scripted: ScriptedEngine, connect: Connect, name: str
) -> None:
    flooding = flood(scripted, name)
    async with connect(scripted.url) as docker:
        async with building(docker, stream=True):
            await until(flooding.under_way.is_set)
        await until(flooding.over.is_set)
    await nothing_is_left(scripted)


class Lookups:
    """A source of credentials that does not answer until it may."""

    def __init__(self) -> None:
        self.may = threading.Event()
        self.begun = 0
        self.most = 0
        self._running = 0
        self._lock = threading.Lock()

    def __call__(self, _: str) -> None:
        with self._lock:
            self.begun += 1
            self._running += 1
            self.most = max(self.most, self._running)
        self.may.wait(20)
        with self._lock:
            self._running -= 1


async def test_lookups_of_aborted_calls_do_not_pile_up(
    scripted: ScriptedEngine, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "MAX_CALLS", 3)
    lookups = Lookups()
    statuses: list[Status] = []

    def begin(speaking: Speaking, name: str) -> int:
        stream = speaking.begin(AUTH, CredentialsRequest(name).encode())
        speaking.grpc.finish(stream)
        speaking.wire.send(speaking.grpc.data_to_send())
        return stream

    def speak(speaking: Speaking) -> None:
        for number in range(3):
            stream = begin(speaking, f"aborted{number}.example")
            wait_until(lambda: lookups.begun > number)  # noqa: B023  # called at once
            speaking.grpc.reset(stream)
        streams = [begin(speaking, f"r{number}.example") for number in range(3)]
        time.sleep(0.1)  # in which they would begin
        lookups.may.set()
        statuses.extend(speaking.end(stream)[1] for stream in streams)

    scripted.script("POST", "/session", (Speak(speak), UntilClosed()))
    scripted.script("POST", "/build", (stream_head(), UntilClosed()))
    async with (
        connect(scripted.url, credentials=lookups) as docker,
        building(docker, stream=True),
    ):
        await until(lambda: len(statuses) == 3)
    assert statuses == [OK] * 3
    assert (lookups.begun, lookups.most) == (6, 3)
