"""gRPC over HTTP/2: both sides joined in memory; limits, windows, and errors of the peer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from struct import pack

import h2.config
import h2.connection
import h2.events
import pytest
from h2.settings import SettingCodes
from hypothesis import given
from hypothesis import strategies as st

from dockerproto.buildkit.rpc.grpc import (
    GRPC,
    CallEnded,
    CallStarted,
    Event,
    HalfClosed,
    MessageReader,
    MessageReceived,
)
from dockerproto.buildkit.rpc.handler import OK, Code, RpcError, Status
from dockerproto.buildkit.rpc.http2 import MESSAGE_LIMIT
from dockerproto.errors import ProtocolViolated
from tests.support.feeding import any_cuts, bytewise, cuts

PATH = "/package.Service/Method"
Pieces = Callable[[bytes], Iterable[bytes]]


def whole(data: bytes) -> list[bytes]:
    return [data]


class Pair:
    """A calling side and a called side."""

    def __init__(self, pieces: Pieces = whole) -> None:
        self.calling, self.called = GRPC(calls=True), GRPC()
        self._pieces = pieces

    def exchange(self) -> tuple[list[Event], list[Event]]:
        """Exchange all bytes; return the events of the calling and the called side."""
        told: tuple[list[Event], list[Event]] = ([], [])
        while True:
            there, back = self.calling.data_to_send(), self.called.data_to_send()
            if not (there or back):
                return told
            for piece in self._pieces(there):
                told[1].extend(self.called.feed(piece))
            for piece in self._pieces(back):
                told[0].extend(self.calling.feed(piece))


def framed(message: bytes, *, compressed: int = 0) -> bytes:
    return pack(">BI", compressed, len(message)) + message


class Caller:
    """A bare HTTP/2 client, for frames that `GRPC` never sends."""

    def __init__(self) -> None:
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.h2.initiate_connection()
        self.grpc = GRPC()
        self.exchange()

    def call(self) -> int:
        stream = self.h2.get_next_available_stream_id()
        headers = [(":method", "POST"), (":scheme", "http"), (":authority", "x"), (":path", PATH)]
        self.h2.send_headers(stream, headers)
        return stream

    def exchange(self) -> list[Event]:
        events = self.grpc.feed(self.h2.data_to_send())
        self.h2.receive_data(self.grpc.data_to_send())
        return events


class TestACall:
    @pytest.mark.parametrize("pieces", [whole, bytewise])
    def test_goes_there_and_back(self, pieces: Pieces) -> None:
        pair = Pair(pieces)
        stream = pair.calling.call(
            PATH, [("dir-name", "context"), ("followpaths", "a"), ("followpaths", "b")]
        )
        pair.calling.send(stream, b"hello")
        pair.calling.send(stream, b"")
        pair.calling.finish(stream)
        _, (called, *received) = pair.exchange()
        assert isinstance(called, CallStarted)
        assert (called.stream, called.path) == (stream, PATH)
        assert called.metadata["dir-name"] == ("context",)
        assert called.metadata["followpaths"] == ("a", "b")
        assert received == [
            MessageReceived(stream, b"hello"),
            MessageReceived(stream, b""),
            HalfClosed(stream),
        ]
        pair.called.send(stream, b"world")
        pair.called.finish(stream)
        assert pair.exchange() == ([MessageReceived(stream, b"world"), CallEnded(stream, OK)], [])

    def test_keeps_names_of_files_that_are_no_unicode(self) -> None:
        pair = Pair()
        pair.calling.call(PATH, [("followpaths", "\udcff/é")])
        _, (called,) = pair.exchange()
        assert isinstance(called, CallStarted)
        assert called.metadata["followpaths"] == ("\udcff/é",)

    def test_keeps_all_values_of_a_header(self) -> None:
        pair = Pair()
        values = tuple(str(number) for number in range(20_000))
        pair.calling.call(PATH, [("followpaths", value) for value in values])
        _, (called,) = pair.exchange()
        assert isinstance(called, CallStarted)
        assert called.metadata["followpaths"] == values

    @pytest.mark.parametrize("message", ["", "plain", "ö %41 \n\t 100%", "x" * 5000, "\udcff"])
    def test_ends_with_a_status_and_its_reason(self, message: str) -> None:
        pair = Pair()
        stream = pair.calling.call(PATH)
        pair.exchange()
        pair.called.finish(stream, Status(Code.NOT_FOUND, message))
        shown = message[:4096].encode(errors="replace").decode()
        answered, _ = pair.exchange()
        assert answered == [CallEnded(stream, Status(Code.NOT_FOUND, shown))]

    def test_ends_once(self) -> None:
        pair = Pair()
        stream = pair.calling.call(PATH)
        pair.exchange()
        pair.called.finish(stream, Status(Code.NOT_FOUND))
        pair.called.finish(stream)
        pair.called.send(99, b"to nobody")
        pair.called.acknowledge(99, b"of nobody")
        pair.called.finish(99)
        assert pair.exchange()[0] == [CallEnded(stream, Status(Code.NOT_FOUND))]
        assert not pair.called.room(stream)

    def test_can_be_broken_off_by_either_side(self) -> None:
        pair = Pair()
        first, second = pair.calling.call(PATH), pair.calling.call(PATH)
        pair.exchange()
        pair.calling.reset(first)
        pair.called.reset(second)
        cancelled = Status(Code.CANCELLED, "the peer aborted the call")
        assert pair.exchange() == ([CallEnded(second, cancelled)], [CallEnded(first, cancelled)])
        pair.calling.reset(first)
        assert pair.exchange() == ([], [])

    def test_that_was_ended_is_not_broken_off_as_well(self) -> None:
        pair = Pair()
        stream = pair.calling.call(PATH)
        pair.exchange()
        pair.calling.reset(stream)
        pair.called.finish(stream)
        assert pair.exchange() == ([], [])

    def test_that_is_answered_before_its_end_is_broken_off(self) -> None:
        pair = Pair()
        stream = pair.calling.call(PATH)
        pair.calling.send(stream, b"first")
        pair.exchange()
        pair.called.finish(stream)
        assert pair.exchange() == ([CallEnded(stream, OK)], [])
        pair.calling.send(stream, b"too late")
        assert pair.exchange() == ([], [])


class TestWindows:
    @pytest.mark.parametrize("size", [65_530, 65_531, 16_384, MESSAGE_LIMIT])
    def test_a_long_message_waits_for_room(self, size: int) -> None:
        pair = Pair()
        stream = pair.calling.call(PATH)
        pair.calling.send(stream, bytes(size))
        pair.calling.finish(stream)
        _, (_, *received) = pair.exchange()
        assert received == [MessageReceived(stream, bytes(size)), HalfClosed(stream)]
        pair.called.send(stream, bytes(size))
        pair.called.finish(stream)
        assert pair.exchange() == ([MessageReceived(stream, bytes(size)), CallEnded(stream, OK)], [])

    def test_no_more_is_welcome_than_the_peer_takes(self) -> None:
        caller = Caller()  # with the smallest windows, 65,535 bytes, which it does not open again
        stream = caller.call()
        caller.exchange()
        sent = 0
        while caller.grpc.room(stream):
            caller.grpc.send(stream, bytes(1000))
            caller.exchange()
            sent += 1000
        assert sent == 131_000  # the window of the peer, and 64 KiB that wait for it
        caller.h2.increment_flow_control_window(100_000)
        caller.h2.increment_flow_control_window(100_000, stream)
        caller.exchange()
        caller.exchange()
        assert caller.grpc.room(stream)

    def test_the_peer_sends_no_more_than_is_consumed(self) -> None:
        pair = Pair()
        stream = pair.calling.call(PATH)
        message, count = bytes(100_000), 0
        while pair.calling.room(stream):
            pair.calling.send(stream, message)
            _, told = pair.exchange()
            count += sum(isinstance(event, MessageReceived) for event in told)
        assert count == (MESSAGE_LIMIT + 2**20) // (len(message) + 5)
        for _ in range(count):
            pair.called.acknowledge(stream, message)
        pair.exchange()
        assert pair.calling.room(stream)

    @pytest.mark.parametrize("end", ["finish", "reset"])
    def test_what_an_ended_call_has_not_consumed_is_given_back(self, end: str) -> None:
        pair = Pair()
        for _ in range(12):  # more than the connection has room for
            stream = pair.calling.call(PATH)
            for _ in range(5):
                pair.calling.send(stream, bytes(2**20))
            _, told = pair.exchange()
            assert sum(isinstance(event, MessageReceived) for event in told) >= 4
            getattr(pair.called, end)(stream)
            pair.exchange()

    def test_what_comes_for_an_ended_call_is_given_back(self) -> None:
        caller = Caller()
        stream = caller.call()
        caller.exchange()
        caller.grpc.finish(stream)
        caller.exchange()
        for _ in range(3000):  # more than the connection has room for
            caller.h2.send_data(stream, bytes(16_000))
            assert caller.exchange() == []


class TestWhatAPeerDoesWrong:
    @pytest.mark.parametrize(
        ("data", "status"),
        [
            (
                framed(b"x", compressed=1),
                Status(Code.UNIMPLEMENTED, "compressed messages are not supported"),
            ),
            (
                pack(">BI", 0, MESSAGE_LIMIT + 1),
                Status(Code.RESOURCE_EXHAUSTED, "a message of 4194305 bytes is over the limit of 4194304"),
            ),
        ],
    )
    def test_in_a_message_ends_the_call(self, data: bytes, status: Status) -> None:
        caller = Caller()
        stream = caller.call()
        caller.h2.send_data(stream, data)
        assert caller.exchange()[1:] == [CallEnded(stream, status)]
        caller.h2.send_data(stream, data)
        assert caller.exchange() == []

    def test_in_cutting_a_message_short_ends_the_call(self) -> None:
        caller = Caller()
        stream = caller.call()
        caller.h2.send_data(stream, framed(b"whole")[:-1], end_stream=True)
        assert caller.exchange()[1:] == [CallEnded(stream, Status(Code.UNKNOWN, "truncated message"))]

    def test_in_breaking_off_a_call_that_it_broke_is_told_once(self) -> None:
        caller = Caller()
        stream = caller.call()
        caller.h2.send_data(stream, framed(b"x", compressed=1))
        caller.h2.reset_stream(stream)
        assert [type(event) for event in caller.exchange()] == [CallStarted, CallEnded]
        assert caller.exchange() == []

    @pytest.mark.parametrize("sizes", [(0,), (100, 5000), (2**31,), (5000, 0, 2**20), (1, 1, 4096)])
    def test_in_changing_the_table_of_headers_has_it_changed(self, sizes: tuple[int, ...]) -> None:
        caller = Caller()
        for round_ in range(2):
            for size in sizes:
                caller.h2.update_settings({SettingCodes.HEADER_TABLE_SIZE: size - (size > round_)})
                caller.exchange()
            stream = caller.call()
            caller.exchange()
            caller.grpc.finish(stream, Status(Code.UNKNOWN, "a" * 300))
            (answer,) = caller.h2.receive_data(caller.grpc.data_to_send())[:1]
            assert isinstance(answer, h2.events.ResponseReceived)
            assert (b"grpc-message", b"a" * 300) in list(answer.headers)

    @pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n" + bytes(20), bytes(40)])
    def test_in_speaking_something_else_ends_the_connection(self, data: bytes) -> None:
        grpc = GRPC()
        with pytest.raises(ProtocolViolated):
            grpc.feed(data)
        assert grpc.ended
        assert grpc.feed(data) == []

    @pytest.mark.parametrize("ask", ["ping", "settings"])
    def test_in_asking_for_answers_that_it_does_not_take_ends_the_connection(self, ask: str) -> None:
        caller = Caller()
        for _ in range(3):
            for _ in range(10_000):
                caller.h2.ping(bytes(8)) if ask == "ping" else caller.h2.update_settings({})
            caller.exchange()
        caller.h2.update_settings({})
        for _ in range(2**14):
            caller.h2.ping(bytes(8))
        with pytest.raises(ProtocolViolated, match=r"^the peer left more than 262144 bytes of "):
            caller.grpc.feed(caller.h2.data_to_send())
        assert caller.grpc.ended
        assert caller.grpc.feed(b"anything") == []

    def test_after_it_said_goodbye_is_not_heard(self) -> None:
        caller = Caller()
        stream = caller.call()
        caller.exchange()
        caller.h2.close_connection()
        assert caller.exchange() == []
        assert caller.grpc.ended
        caller.grpc.send(stream, b"too late")
        caller.grpc.reset(stream)
        assert caller.grpc.feed(b"anything") == []

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ([(":status", "404")], Status(Code.UNKNOWN, "the response has HTTP status 404")),
            ([(":status", "200"), ("grpc-status", "5"), ("grpc-message", "a%2")], Status(5, "a%2")),
            ([(":status", "200"), ("grpc-status", "-1")], Status(2, "the response has HTTP status 200")),
            ([(":status", "200"), ("grpc-status", "1000")], Status(2, "the response has HTTP status 200")),
        ],
    )
    def test_in_answering(self, headers: list[tuple[str, str]], status: Status) -> None:
        answering = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        answering.initiate_connection()
        grpc = GRPC(calls=True)
        stream = grpc.call(PATH)
        grpc.finish(stream)
        answering.receive_data(grpc.data_to_send())
        answering.send_headers(stream, headers, end_stream=True)
        assert grpc.feed(answering.data_to_send()) == [CallEnded(stream, status)]

    def test_in_ending_an_answer_without_a_status(self) -> None:
        answering = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        answering.initiate_connection()
        grpc = GRPC(calls=True)
        stream = grpc.call(PATH)
        answering.receive_data(grpc.data_to_send())
        answering.send_headers(stream, [(":status", "200")])
        answering.send_data(stream, framed(b"x"), end_stream=True)
        over = CallEnded(stream, Status(Code.UNKNOWN, "the response has no status"))
        assert grpc.feed(answering.data_to_send()) == [MessageReceived(stream, b"x"), over]


class TestMessages:
    @given(st.data(), st.lists(st.binary(max_size=50), max_size=5))
    @any_cuts
    def test_come_out_however_they_are_cut(self, data: st.DataObject, messages: list[bytes]) -> None:
        pieces = data.draw(cuts(b"".join(map(framed, messages))))
        decoder = MessageReader()
        assert [message for piece in pieces for message in decoder.feed(piece)] == messages
        assert decoder.complete

    def test_are_not_gathered_beyond_the_limit(self) -> None:
        with pytest.raises(RpcError, match="over the limit"):
            list(MessageReader().feed(pack(">BI", 0, 2**32 - 1)))
