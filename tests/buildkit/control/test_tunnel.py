"""A session inside the control connection, without I/O: its bytes both ways, their bounds and their ends."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from dockerproto import ConnectionFailed, ProtocolViolated
from dockerproto.buildkit.control.calls import Calls
from dockerproto.buildkit.control.tunnel import CHUNK, Tunnel
from dockerproto.buildkit.files.fsutil import BytesMessage
from dockerproto.buildkit.rpc.handler import Status
from dockerproto.buildkit.rpc.http2 import MESSAGE_LIMIT
from tests.support.controlling import ControlServer, workers

GOAWAY = b"\0\0\x08\7\0\0\0\0\0" + bytes(8)


class Both:
    """A tunnel and the engine; `notes` counts what came for other calls."""

    def __init__(self) -> None:
        self.calls = Calls(nullcontext())
        self.engine = ControlServer()
        self.notes = 0
        self.tunnel = Tunnel(self.calls, [("x-name", "value")], self._notify)
        self.carry()

    def carry(self, data: bytes = b"") -> bytes:
        """Send bytes of the session, carry all there is in both directions, and return those that came."""
        received, pending = b"", [data]
        while there := self.tunnel.frame(lambda: pending.pop() if pending else b""):
            self.engine.feed(there)
            received += self.receive()
        return received

    def receive(self) -> bytes:
        """Carry what the engine has sent."""
        return self.tunnel.feed(self.engine.grpc.data_to_send())

    def send(self, *parts: bytes) -> None:
        """Send bytes as the engine does."""
        self.engine.reply("Session", *(BytesMessage(each).encode() for each in parts), status=None)

    def _notify(self) -> None:
        self.notes += 1


def test_bytes_go_both_ways() -> None:
    both = Both()
    assert both.engine.metadata["Session"]["x-name"] == ("value",)
    assert both.carry(b"there") == b""
    assert both.engine.tunnelled == b"there"
    both.send(b"ba", b"", b"ck")
    assert both.receive() == b"back"
    assert both.notes == 0


@pytest.mark.parametrize("size", [CHUNK, CHUNK + 1, 5 * CHUNK])
def test_large_data_goes_in_messages_within_the_windows(size: int) -> None:
    both, data = Both(), bytes(range(256)) * (size // 256) + bytes(size % 256)
    both.carry(data)
    assert both.engine.tunnelled == data


def test_nothing_is_taken_from_the_session_while_there_is_no_room() -> None:
    both, produced = Both(), 0

    def produce() -> bytes:
        nonlocal produced
        produced += 2**20
        return bytes(2**20)

    for _ in range(100):  # to an engine that does not read
        both.tunnel.frame(produce)
    assert produced < 16 * 2**20


def test_other_calls_are_told() -> None:
    both = Both()
    call = both.calls.begin("ListWorkers")
    both.carry()
    both.send(b"x")
    assert both.receive() == b"x"
    assert (both.notes, call.ended) == (0, None)
    both.engine.reply("ListWorkers", workers())
    assert both.receive() == b""
    assert both.notes == 1
    assert both.calls.reply(call) == workers()


def test_the_end_of_the_session_is_an_error_after_its_bytes() -> None:
    both = Both()
    both.engine.reply("Session", BytesMessage(b"last").encode(), status=Status(2, "no such session"))
    assert both.receive() == b"last"
    with pytest.raises(ConnectionResetError, match=r"^no such session$"):
        both.tunnel.feed(b"")
    assert both.tunnel.failure is None


def test_the_end_may_have_no_reason() -> None:
    both = Both()
    both.engine.reply("Session")
    with pytest.raises(ConnectionResetError, match=r"^the engine ended it$"):
        both.receive()


def test_a_message_has_a_limit() -> None:
    both = Both()
    both.send(bytes(MESSAGE_LIMIT))
    with pytest.raises(ConnectionResetError, match=r"^a message of \d+ bytes is over the limit of"):
        both.receive()


def test_a_malformed_message_is_an_error() -> None:
    both = Both()
    both.engine.reply("Session", b"\xff", status=None)
    with pytest.raises(ProtocolViolated):
        both.receive()


@pytest.mark.parametrize("data", [GOAWAY, b"\0\0\1\4\0\0\0\0\0\0"], ids=["goaway", "invalid"])
def test_the_end_of_the_connection_is_kept(data: bytes) -> None:
    both = Both()
    with pytest.raises((ConnectionFailed, ProtocolViolated)) as raised:
        both.tunnel.feed(data)
    assert both.tunnel.failure is raised.value
    assert not both.tunnel.closed
    both.tunnel.close()
    assert both.tunnel.closed
    assert both.notes == 1
    with pytest.raises(ConnectionFailed, match=r"^the peer has ended the connection$"):
        both.calls.begin("ListWorkers")


def test_an_engine_may_accept_few_calls() -> None:
    calls, engine = Calls(), ControlServer()
    engine.feed(calls.data_to_send())
    limit = b"\0\0\6\4\0\0\0\0\0" + b"\0\3\0\0\0\1"  # MAX_CONCURRENT_STREAMS
    calls.feed(engine.grpc.data_to_send() + limit)
    calls.begin("ListWorkers")
    with pytest.raises(ConnectionFailed, match=r"^the peer accepts no more calls: "):
        calls.begin("ListWorkers")
    assert calls.data_to_send()
