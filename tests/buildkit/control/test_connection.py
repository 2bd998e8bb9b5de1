"""A connection to the Control API: bytes go both ways while neither side has room, and in their order."""

from __future__ import annotations

from typing import Any, cast

from dockerproto.buildkit.control.connection import ControlConnection
from dockerproto.http.connection import Connection, Connections
from dockerproto.timeouts import UNLIMITED, Timer
from dockerproto.transport.runtime import run
from tests.support.controlling import ControlServer, workers


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


class AnyOwner:
    """Connections that belong to every scope."""

    def check(self, _: object) -> None:
        """Accept any connection."""


def test_it_receives_while_it_cannot_send() -> None:
    narrow: Any = NarrowConnection()
    connection = ControlConnection(cast("Connection", narrow), cast("Connections", AnyOwner()))
    call = connection.calls.begin("ListWorkers")
    assert run(connection.reply(call, Timer(UNLIMITED, lambda: 0.0))) == workers()
