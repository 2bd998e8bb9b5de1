"""A connection to the Control API: bytes go both ways while neither side has room, and in their order."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, Final

import pytest

from dockerproto import ConnectionFailed
from dockerproto.buildkit.control.connection import ControlConnection
from dockerproto.timeouts import UNLIMITED, Timer
from dockerproto.transport.runtime import run
from dockerproto_local.blocking import BlockingTransport
from tests.support.controlling import ControlServer, workers

CONNECTIONS: Final[Any] = SimpleNamespace(
    transport=SimpleNamespace(mutex=nullcontext, signal=BlockingTransport().signal),
    target=SimpleNamespace(peer="the engine"),
    check=id,
)
"""The part of connections that is used."""


class NarrowConnection:
    """A connection that takes a few bytes at a time, and each time only after something was received."""

    def __init__(self) -> None:
        self.engine = ControlServer()
        self._blocked = False

    def detach(self) -> tuple[None, bytes]:
        """Return the first bytes of the engine, which came with the head."""
        return None, self.engine.grpc.data_to_send()

    async def send_switched(self, data: memoryview, _: Timer) -> memoryview:
        """Take ten bytes."""
        assert not self._blocked, "sent before anything was received"
        self.engine.feed(bytes(data[:10]))
        self._blocked = len(data) > 10
        return data[10:]

    async def receive_switched(self, _: Timer) -> bytes:
        """Return what the engine sends, at least the acknowledgement of a PING."""
        self._blocked = False
        if "ListWorkers" in self.engine.requests:
            self.engine.reply("ListWorkers", workers())
        return self.engine.grpc.data_to_send() or b"\0\0\x08\6\1\0\0\0\0" + bytes(8)


def test_it_receives_while_it_cannot_send() -> None:
    narrow: Any = NarrowConnection()
    connection = ControlConnection(CONNECTIONS, narrow)
    call = connection.calls.begin("ListWorkers")
    assert run(connection.reply(call, Timer(UNLIMITED, lambda: 0.0))) == workers()


def test_nobody_waits_once_the_session_is_over() -> None:
    woken: list[int] = []
    switched: Any = SimpleNamespace(
        detach=lambda: (SimpleNamespace(wake=lambda: woken.append(1)), b""), close=lambda: None
    )
    connection = ControlConnection(CONNECTIONS, switched)
    link = connection.open_tunnel(())
    link.framing.close()
    for _ in range(2):
        with pytest.raises(ConnectionFailed, match=r"^the connection of the build is closed$"):
            run(connection.move(Timer(UNLIMITED, lambda: 0.0)))
    assert woken == [1, 1]
