"""DATA frames that are joined: h2 sees the same connection in fewer frames."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import pytest
from hyperframe.frame import DataFrame, Frame, PingFrame, RstStreamFrame, SettingsFrame, WindowUpdateFrame
from hypothesis import given
from hypothesis import strategies as st

from dockerproto.buildkit.rpc.data_frames import PREFACE, DataFrames
from dockerproto.errors import ProtocolViolated
from tests.support.feeding import any_cuts, bytewise, cuts

LIMIT: Final = 16384
HEADERS: Final = [(":method", "POST"), (":scheme", "http"), (":authority", "x"), (":path", "/a")]
STREAMS: Final = (1, 3)
UNUSED: Final = 5


def joiner(*streams: int) -> DataFrames:
    """Return a joiner that has had the first frame."""
    frames = DataFrames(0, LIMIT, streams.__contains__)
    assert frames.feed(FIRST) == FIRST
    return frames


def data(content: bytes, stream: int = 1, *flags: str) -> bytes:
    return DataFrame(stream, content, flags=flags).serialize()


def padded(content: bytes, stream: int, padding: int) -> bytes:
    return DataFrame(stream, content, flags=["PADDED"], pad_length=padding).serialize()


FIRST: Final = SettingsFrame(0).serialize()
PING: Final = PingFrame(0, b"12345678").serialize()
UPDATE: Final = WindowUpdateFrame(1, 5).serialize()
RESET: Final = RstStreamFrame(1).serialize()
CASES: Final[dict[str, tuple[list[bytes], list[bytes]]]] = {
    "one": ([data(b"a")], [data(b"a")]),
    "two": ([data(b"a"), data(b"b")], [data(b"ab")]),
    "empty ones": ([data(b""), data(b"")], [data(b"")]),
    "the last one": ([data(b"a"), data(b"b", 1, "END_STREAM")], [data(b"ab", 1, "END_STREAM")]),
    "two streams": (
        [data(b"a"), data(b"b"), data(b"c", 3), data(b"d", 3), data(b"e")],
        [data(b"ab"), data(b"cd", 3), data(b"e")],
    ),
    "others between": (
        [data(b"a"), data(b"b"), PING, data(b"c"), UPDATE],
        [data(b"ab"), PING, data(b"c"), UPDATE],
    ),
    "padding": ([data(b"a"), padded(b"b", 1, 3), data(b"c")], [data(b"a"), padded(b"b", 1, 3), data(b"c")]),
    "a closed stream": ([data(b"a", 7), data(b"b", 7)], [data(b"a", 7), data(b"b", 7)]),
    "after a reset": (
        [data(b"a"), RESET, data(b"b"), data(b"c")],
        [data(b"a"), RESET, data(b"b"), data(b"c")],
    ),
    "after the last one": (
        [data(b"a", 1, "END_STREAM"), data(b"b"), data(b"c")],
        [data(b"a", 1, "END_STREAM"), data(b"b"), data(b"c")],
    ),
    "as many as fit": (
        [data(bytes(LIMIT - 1)), data(b"a"), data(b"b"), data(b"c")],
        [data(bytes(LIMIT - 1) + b"a"), data(b"bc")],
    ),
    "the longest": ([data(bytes(LIMIT)), data(b"a")], [data(bytes(LIMIT)), data(b"a")]),
}


@pytest.mark.parametrize("name", CASES)
def test_frames_become_fewer(name: str) -> None:
    given_frames, expected = CASES[name]
    assert joiner(1, 3).feed(b"".join(given_frames)) == b"".join(expected)


@pytest.mark.parametrize("name", CASES)
def test_frames_that_come_in_bytes_stay_as_they_are(name: str) -> None:
    sent = b"".join(CASES[name][0])
    frames = joiner(1, 3)
    assert b"".join(map(frames.feed, bytewise(sent))) == sent


def test_the_preface_is_no_frame() -> None:
    frames = DataFrames(len(PREFACE), LIMIT, lambda _: True)
    assert frames.feed(PREFACE[:7]) == PREFACE[:7]
    assert frames.feed(PREFACE[7:] + FIRST + data(b"a") + data(b"b")) == PREFACE[7:] + FIRST + data(b"ab")


@pytest.mark.parametrize("length", [LIMIT + 1, 2**24 - 1])
@pytest.mark.parametrize("kind", [0, 1, 0xFF])
def test_the_head_of_an_overlong_frame_is_enough(kind: int, length: int) -> None:
    head = length.to_bytes(3) + bytes([kind, 0]) + (1).to_bytes(4)
    frames = joiner(1)
    assert frames.feed(PING + head[:8]) == PING
    with pytest.raises(
        ProtocolViolated, match=rf"^invalid HTTP/2: a frame of {length} bytes is over the limit"
    ):
        frames.feed(head[8:])


@pytest.mark.parametrize(
    "start",
    [PING, SettingsFrame(0, flags=["ACK"]).serialize(), b"HTTP/1.1 404 Not Found\r\n", b"GET / HTTP/1.1\r\n"],
)
def test_the_first_frame_is_settings(start: bytes) -> None:
    frames = DataFrames(0, LIMIT, lambda _: True)
    assert frames.feed(start[:8]) == b""
    assert not frames.started
    with pytest.raises(ProtocolViolated, match=r"^not HTTP/2: the first frame is not SETTINGS: b'"):
        frames.feed(start[8:])
    assert not frames.started


def frames_of(stream: int) -> st.SearchStrategy[Frame]:
    """Return frames on a stream, which may be closed, or not open yet."""
    contents = st.one_of(st.binary(max_size=20), st.integers(0, 9000).map(bytes))
    flags = st.sampled_from([(), (), (), ("END_STREAM",)])
    return st.one_of(
        st.builds(DataFrame, st.just(stream), contents, flags=flags),
        st.builds(
            DataFrame, st.just(stream), contents, flags=st.just(("PADDED",)), pad_length=st.integers(0, 9)
        ),
        st.builds(WindowUpdateFrame, st.just(stream), st.integers(1, 99)),
        st.builds(RstStreamFrame, st.just(stream)),
        st.just(PingFrame(0, b"12345678")),
    )


class Connection:
    """A side that is called, by streams 1 and 3; `joined` says whether frames are joined before h2."""

    def __init__(self, *, joined: bool) -> None:
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.h2.initiate_connection()
        self.frames = DataFrames(len(PREFACE), LIMIT, self.is_open) if joined else None
        self.events: list[Any] = []
        self.error: type[Exception] | None = None

    def is_open(self, stream: int) -> bool:
        return stream in self.h2.streams and self.h2.streams[stream].open

    def feed(self, sent: Iterable[bytes]) -> None:
        try:
            for each in sent:
                for event in self.h2.receive_data(each if self.frames is None else self.frames.feed(each)):
                    self._note(event)
        except h2.exceptions.ProtocolError as error:
            self.error = type(error)

    def _note(self, event: h2.events.Event) -> None:
        """Note an event; data that follows data of the same stream is the same event."""
        if not isinstance(event, h2.events.DataReceived):
            self.events.append((type(event), getattr(event, "stream_id", 0)))
        elif self.events and self.events[-1][:2] == (h2.events.DataReceived, event.stream_id):
            *_, content, size = self.events.pop()
            self.events.append(
                (
                    h2.events.DataReceived,
                    event.stream_id,
                    content + event.data,
                    size + event.flow_controlled_length,
                )
            )
        else:
            self.events.append(
                (h2.events.DataReceived, event.stream_id, event.data, event.flow_controlled_length)
            )


def opening() -> bytes:
    client = h2.connection.H2Connection()
    client.initiate_connection()
    for stream in STREAMS:
        client.send_headers(stream, HEADERS)
    return client.data_to_send()


OPENING: Final = opening()


@any_cuts
@given(
    frames=st.lists(st.sampled_from((*STREAMS, 1, 1, UNUSED)).flatmap(frames_of), max_size=40), pick=st.data()
)
def test_h2_comes_to_the_same_result(frames: list[Frame], pick: st.DataObject) -> None:
    sent = OPENING + b"".join(frame.serialize() for frame in frames)
    pieces = pick.draw(cuts(sent))
    plain, joined = Connection(joined=False), Connection(joined=True)
    for each in (plain, joined):
        each.feed(pieces)
    assert (joined.error, joined.events) == (plain.error, plain.events)
    assert joined.h2.inbound_flow_control_window == plain.h2.inbound_flow_control_window
    assert joined.h2.data_to_send() == plain.h2.data_to_send()
