"""Chunks: the fast reader and h11 agree on every byte string, however it is cut."""

from __future__ import annotations

from typing import Any, NamedTuple

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dockerproto.errors import ConnectionFailed, DockerError, ProtocolViolated
from dockerproto.http.chunked import PlainChunks
from dockerproto.http.http11 import HEAD_LIMIT, Exchange, WireRequest
from tests.support.feeding import bytewise, cuts

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
GET = WireRequest("GET", "/x", [("Host", "docker")])


class Result(NamedTuple):
    """Outcome of a body."""

    data: bytes
    error: type[DockerError] | None
    reusable: bool


def by_us(parts: list[bytes]) -> Result:
    """Decode a body with the library."""
    exchange, body = Exchange(), b""
    exchange.start(GET)
    for part in (HEAD, *parts, b"", b""):
        try:
            if part is HEAD:
                exchange.feed(part)
                assert exchange.head()
                continue
            while data := exchange.body():
                body += data
            if data == b"":
                return Result(body, None, exchange.reusable)
            exchange.feed(part)
        except DockerError as error:
            return Result(body, type(error), exchange.reusable)
    raise AssertionError(parts)


def by_h11(parts: list[bytes]) -> Result:
    """Decode a body with h11 alone."""
    connection, body = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_LIMIT), b""
    connection.send(h11.Request(method="GET", target="/x", headers=[("Host", "docker")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(HEAD)
    assert isinstance(connection.next_event(), h11.Response)
    ended = False
    for part in (*parts, b"", b""):
        try:
            while isinstance(event := connection.next_event(), h11.Data):
                body += bytes(event.data)
            if isinstance(event, h11.EndOfMessage):
                done = connection.their_state is h11.DONE and connection.trailing_data == (b"", False)
                return Result(body, None, done)
            ended = not part
            connection.receive_data(part)
        except h11.RemoteProtocolError:
            return Result(body, ConnectionFailed if ended else ProtocolViolated, reusable=False)
    raise AssertionError(parts)


FRAGMENTS = st.sampled_from(
    [
        *(
            b"\r\n",
            b"\r",
            b"\n",
            b"0\r\n",
            b"0\r\n\r\n",
            b"000\r\n",
            b"1\r\n",
            b"A\r\n",
            b"a;x=y\r\n",
            b"5 \r\n",
        ),
        *(b"x", b"hello", b"-1\r\n", b"0x5\r\n", b"+5\r\n", b"1_0\r\n", b"X-Sum: 1\r\n", b"\r\n\r\n", b";"),
        *(b"5\r\nhello\r\n", b"0000000000000005\r\n", b"00000000000000000005\r\n", b"0" * 21 + b"5\r\n"),
        *(b"ffffffffffffffff\r\n", b"1\nx\n", b"\0", b"\t", b"HTTP/1.1 200 OK\r\n"),
    ]
)
LINE = b"40\r\n" + b"x" * 64 + b"\r\n"
PROPER = st.lists(st.binary(min_size=1, max_size=40), max_size=6).map(
    lambda parts: b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
)
RUNS = st.tuples(st.sampled_from([1, 2, 7, 63, 64]), st.binary(min_size=1, max_size=300), st.booleans()).map(
    lambda run: b"".join(
        (b"0%x\r\n%s\r\n" if run[2] else b"%x\r\n%s\r\n") % (len(part), part)
        for part in (run[1][at : at + run[0]] for at in range(0, len(run[1]), run[0]))
    )
)
"""Chunks of one size, except the last."""


def bodies(*lengths: int) -> st.SearchStrategy[bytes]:
    """Return bodies that begin well; some have chunks of these lengths whose data look like frames."""
    lines = st.lists(
        st.tuples(st.sampled_from(lengths), st.sampled_from([b"{}\r\n", b"\r\n40\r\n", b"\r"])), max_size=6
    ).map(lambda lines: b"".join(b"%x\r\n%s\r\n" % (size, (text * size)[:size]) for size, text in lines))
    rest = st.lists(st.one_of(FRAGMENTS, RUNS, lines), max_size=8)
    return st.tuples(st.one_of(PROPER, RUNS, lines), rest.map(b"".join)).map(b"".join)


@settings(max_examples=1000)
@given(st.data(), bodies(63, 64, 65, 100, 4095, 4096))
def test_we_agree_with_h11_on_anything(data: st.DataObject, body: bytes) -> None:
    parts = data.draw(cuts(body))
    expected = by_h11(parts)
    assert by_us(parts) == expected
    buffers: list[Any] = [memoryview(bytearray(part)) for part in parts]
    assert by_us(buffers) == expected


@settings(max_examples=200)
@given(bodies(63, 64, 65, 100))  # no chunk is complete in one part, however long it is
@example(b"5\r\nhello\r\n0\r\n\r\n")
@example(b"5\r\nhello\r\r")
@example(b"\r\n5\r\nhello\r\n0\r\n\r\n")
def test_we_agree_byte_by_byte(body: bytes) -> None:
    parts = bytewise(body)
    assert by_us(parts) == by_h11(parts)


@pytest.mark.parametrize(
    ("body", "data", "rest"),
    [
        pytest.param(b"5\r\nhello\r\n0\r\n\r\n", b"hello", b"0\r\n\r\n", id="the last chunk"),
        pytest.param(b"5\r\nhello\r\n1;x\r\ny\r\n", b"hello", b"1;x\r\ny\r\n", id="an extension"),
        pytest.param(b"x", b"", b"x", id="no size"),
        pytest.param(b"5\r\nhello\r\n1 \r\ny\r\n", b"hello", b"1 \r\ny\r\n", id="a space"),
        pytest.param(b"0" * 17, b"", b"0" * 17, id="a long size"),
        pytest.param(b"5\r\nhello\r\n5\r\nwor", b"hellowor", None, id="cut in data"),
        pytest.param(b"5\r\nhello\r\n5\r", b"hello", None, id="cut in a size"),
        pytest.param(b"4\r\nhello\r\n", b"hell", b"\r\no\r\n", id="too long"),
        pytest.param(b"5\r\nhello\r", b"hello", None, id="cut after data"),
        pytest.param(LINE * 3 + b"40\r", LINE[4:-2] * 3, None, id="lines, cut in a size"),
        pytest.param(LINE * 3 + b"40", LINE[4:-2] * 3, None, id="lines, cut before the end of a size"),
        pytest.param(LINE * 3 + b"0\r\n\r\n", LINE[4:-2] * 3, b"0\r\n\r\n", id="lines, and the last chunk"),
        pytest.param(LINE * 3 + b"2\r\nok\r\n", LINE[4:-2] * 3 + b"ok", None, id="lines, and a short one"),
        pytest.param(LINE * 2 + b"x", LINE[4:-2] * 2, b"x", id="lines, and no size"),
    ],
)
def test_what_is_taken_and_what_is_left(body: bytes, data: bytes, rest: bytes | None) -> None:
    chunks = PlainChunks()
    assert (chunks.feed(body), chunks.rest) == (data, rest)


def test_what_was_read_stays_when_the_buffer_is_used_again() -> None:
    chunks, buffer = PlainChunks(), bytearray(b"a\r\nhell")
    first = chunks.feed(memoryview(buffer))
    buffer[:4] = b"o wo"
    second = chunks.feed(memoryview(buffer)[:4])
    buffer[:4] = b"rl\r\n"
    assert (first, second, chunks.feed(memoryview(buffer)[:2])) == (b"hell", b"o wo", b"rl")
