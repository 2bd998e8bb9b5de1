"""HTTP framing: the bytes of requests, and responses cut at any place."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, repeat
from typing import Any, NamedTuple

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerproto.agent import AGENT
from dockerproto.errors import ConnectionFailed, DockerError, ProtocolViolated
from dockerproto.http.http11 import HEAD_LIMIT, Exchange, Head, WireRequest
from dockerproto.transport.chunks import Buffer
from tests.support.feeding import any_cuts, bytewise, cut_at, cuts

HOST = [("Host", "docker"), AGENT]
CLOSED = "the engine closed the connection before its response was complete"
UNFRAMED_END = "connection closed; the response had no framing, so it may be truncated"


class NoUpload:
    """An upload that is never read."""

    async def next(self) -> Buffer:
        raise AssertionError

    async def close(self) -> None:
        raise AssertionError


GET = WireRequest("GET", "/v1.41/images/json", HOST)
UPLOAD = WireRequest("POST", "/v1.41/build?rm=1", HOST, NoUpload())


class Result(NamedTuple):
    """Outcome of an exchange."""

    status: int | None
    headers: dict[str, str]
    body: bytes
    error: type[DockerError] | None = None
    message: str = ""
    reusable: bool = False


def talk(parts: Iterable[bytes], exchange: Exchange | None = None) -> Result:
    """Feed bytes as a connection does: more whenever they are needed, then the end."""
    if exchange is None:
        exchange = Exchange()
        exchange.start(GET)
    more = chain(parts, repeat(b"", 2))
    head: Head | None = None
    body = b""
    try:
        while (head := exchange.head()) is None:
            exchange.feed(next(more))
        while (data := exchange.body()) != b"":
            if data is None:
                exchange.feed(next(more))
            else:
                body += data
    except DockerError as error:
        return Result(*_of(head), body, type(error), error.message)
    return Result(*_of(head), body, reusable=exchange.reusable)


def _of(head: Head | None) -> tuple[int | None, dict[str, str]]:
    return (None, {}) if head is None else (head.status, dict(head.headers))


def assert_result(data: bytes, expected: Result) -> None:
    """Check the result of bytes that come at once, one by one, and cut once at every place."""
    cutting = [[data] if data else [], bytewise(data)]
    cutting += [cut_at(data, (place,)) for place in range(1, min(len(data), 300))]
    for parts in cutting:
        assert talk(parts)[: len(expected) - 1] == expected[:-1]
    assert talk(bytewise(data)).reusable == expected.reusable


LENGTH = b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n1;ext=1\r\n \r\n0005\r\nworld\r\n0\r\n\r\n"
)
TRAILED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n"
UNFRAMED = b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\n\r\nfailed"

LENGTH_HEADERS = {"api-version": "1.41", "content-length": "5"}
CHUNKED_HEADERS = {"transfer-encoding": "chunked"}

RESPONSES = [
    pytest.param(LENGTH, Result(200, LENGTH_HEADERS, b"hello", reusable=True), id="length"),
    pytest.param(CHUNKED, Result(200, CHUNKED_HEADERS, b"hello world", reusable=True), id="chunked"),
    pytest.param(TRAILED, Result(200, CHUNKED_HEADERS, b"hi", reusable=True), id="trailers"),
    pytest.param(
        b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
        Result(201, {"content-length": "0"}, b"", reusable=True),
        id="no body",
    ),
    pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", Result(204, {}, b"", reusable=True), id="no content"),
    pytest.param(
        b"HTTP/1.1 304 Not Modified\r\n\r\n", Result(304, {}, b"", reusable=True), id="not modified"
    ),
    pytest.param(
        b"HTTP/1.1 404 \r\nContent-Length: 2\r\n\r\nno",
        Result(404, {"content-length": "2"}, b"no", reusable=True),
        id="no reason",
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        Result(200, {"content-length": "2"}, b"ok", reusable=True),
        id="bare line feeds",
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nServer: Docker/\xfc\r\nContent-Length: 0\r\n\r\n",
        Result(200, {"server": "Docker/\u00fc", "content-length": "0"}, b"", reusable=True),
        id="a header in latin-1",
    ),
    pytest.param(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + LENGTH,
        Result(200, LENGTH_HEADERS, b"hello", reusable=True),
        id="interim responses",
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        Result(200, {"connection": "close", "content-length": "2"}, b"ok"),
        id="connection: close",
    ),
    pytest.param(
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        Result(200, {"content-length": "2"}, b"ok"),
        id="1.0",
    ),
    pytest.param(
        UNFRAMED, Result(500, {"content-type": "text/plain"}, b"failed"), id="an error up to the end"
    ),
    pytest.param(b"HTTP/1.1 404 Not Found\r\n\r\n", Result(404, {}, b""), id="an error without a body"),
    pytest.param(b"HTTP/1.1 301 Moved\r\n\r\nx", Result(301, {}, b"x"), id="a redirect up to the end"),
]

BROKEN = [
    pytest.param(
        b"HTTP/1.1 200 OK\r\n\r\nhello",
        Result(200, {}, b"hello", ConnectionFailed, UNFRAMED_END),
        id="up to the end",
    ),
    pytest.param(
        b"HTTP/1.1 200 OK\r\n\r\n", Result(200, {}, b"", ConnectionFailed, UNFRAMED_END), id="nothing tells"
    ),
    pytest.param(b"", Result(None, {}, b"", ConnectionFailed, CLOSED), id="nothing"),
    pytest.param(
        b"HTTP/1.1 100 Continue\r\n\r\n", Result(None, {}, b"", ConnectionFailed, CLOSED), id="interim"
    ),
]


@pytest.mark.parametrize(("data", "expected"), [*RESPONSES, *BROKEN])
def test_responses(data: bytes, expected: Result) -> None:
    assert_result(data, expected)


@any_cuts
@given(st.data(), st.sampled_from([each.values for each in [*RESPONSES, *BROKEN]]))
def test_responses_cut_anywhere(data: st.DataObject, response: tuple[bytes, Result]) -> None:
    assert talk(data.draw(cuts(response[0])))[:5] == response[1][:5]


@pytest.mark.parametrize("response", [LENGTH, CHUNKED, TRAILED], ids=["length", "chunked", "trailers"])
def test_a_response_that_is_cut_is_never_complete(response: bytes) -> None:
    whole = talk([response])
    for size in range(len(response)):
        for parts in ([response[:size]] if size else [], bytewise(response[:size])):
            result = talk(parts)
            assert (result.error, result.message) == (ConnectionFailed, CLOSED)
            assert whole.body.startswith(result.body)


@pytest.mark.parametrize("size", range(UNFRAMED.index(b"\r\n\r\n") + 4))
def test_an_error_whose_head_is_cut(size: int) -> None:
    assert talk([UNFRAMED[:size]] if size else []).error is ConnectionFailed


GARBAGE = [
    pytest.param(b"\0\1\2\3\r\n\r\n", id="binary"),
    pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", id="ssh"),
    pytest.param(b"HTTP/2 200 OK\r\n\r\n", id="http/2"),
    pytest.param(b"HTTP/1.1 OK\r\n\r\n", id="no status"),
    pytest.param(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", id="no colon"),
    pytest.param(b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", id="a space before the colon"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", id="a malformed length"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n", id="two lengths"),
    pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", id="another encoding"),
    pytest.param(CHUNKED.replace(b"5\r\nhello", b"x\r\nhello"), id="a chunk without size"),
    pytest.param(CHUNKED.replace(b"5\r\nhello", b"4\r\nhello"), id="a chunk too short"),
    pytest.param(CHUNKED.replace(b"5\r\nhello", b"-5\r\nhello"), id="a negative chunk"),
    pytest.param(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n", id="an upgrade"),
    pytest.param(b"HTTP/1.1 99 Odd\r\n\r\n", id="an invalid status"),
]


@pytest.mark.parametrize("data", GARBAGE)
def test_what_is_no_http(data: bytes) -> None:
    for parts in ([data], bytewise(data), cut_at(data, (3, 20))):
        result = talk(parts)
        assert result.error is ProtocolViolated
        assert result.message.startswith("invalid HTTP response: ")
        assert not result.reusable


def head_of(size: int) -> bytes:
    """Return the head of a response with this many bytes."""
    begin = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + b"A: \r\n" * 1000 + b"X-Filler: "
    return begin + b"x" * (size - len(begin) - 4) + b"\r\n\r\n"


@pytest.mark.parametrize(
    ("size", "error"),
    [
        (HEAD_LIMIT - 1, None),
        (HEAD_LIMIT, None),
        (HEAD_LIMIT + 1, ProtocolViolated),
        (HEAD_LIMIT + 2, ProtocolViolated),
        (HEAD_LIMIT * 2, ProtocolViolated),
    ],
)
def test_the_longest_head(size: int, error: type[DockerError] | None) -> None:
    head = head_of(size)
    assert (len(head), HEAD_LIMIT) == (size, 65536)
    for places in ((), (1,), (size - 1,), (size - 2,), range(0, size, 1000), range(size - 9, size)):
        assert talk(cut_at(head, places)).error is error


def test_a_head_without_end_is_rejected_before_it_ends() -> None:
    result = talk(chain([b"HTTP/1.1 200 OK\r\n"], repeat(b"X: " + b"x" * 997 + b"\r\n", 66)))
    assert (result.error, result.message) == (
        ProtocolViolated,
        "invalid HTTP response: Receive buffer too long",
    )


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        pytest.param(
            GET,
            b"GET /v1.41/images/json HTTP/1.1\r\nHost: docker\r\nUser-Agent: dockerproto\r\n\r\n",
            id="get",
        ),
        pytest.param(
            WireRequest("POST", "/v1.41/images/a/tag?repo=b", [*HOST, ("X-Registry-Auth", "e30=")]),
            b"POST /v1.41/images/a/tag?repo=b HTTP/1.1\r\nHost: docker\r\nUser-Agent: dockerproto\r\n"
            b"X-Registry-Auth: e30=\r\nContent-Length: 0\r\n\r\n",
            id="post without a body",
        ),
        pytest.param(
            WireRequest("DELETE", "/v1.41/images/a", HOST),
            b"DELETE /v1.41/images/a HTTP/1.1\r\nHost: docker\r\nUser-Agent: dockerproto\r\n\r\n",
            id="delete",
        ),
        pytest.param(
            UPLOAD,
            b"POST /v1.41/build?rm=1 HTTP/1.1\r\nHost: docker\r\nUser-Agent: dockerproto\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n",
            id="post with a body",
        ),
    ],
)
def test_what_is_sent(message: WireRequest, sent: bytes) -> None:
    assert Exchange().start(message) == sent.replace(b"dockerproto", AGENT[1].encode())


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview])
def test_a_chunk_of_a_body_is_not_copied(make: Any) -> None:
    exchange = Exchange()
    exchange.start(UPLOAD)
    data = make(b"x" * 1000)
    before, part, after = exchange.chunk(data)
    assert (before, after) == (b"3e8\r\n", b"\r\n")
    assert part is data
    assert exchange.finish() == b"0\r\n\r\n"


UNSENDABLE = [
    pytest.param(
        WireRequest("GET", "/x", [("Host", "docker"), ("X-A", "a\r\nX-B: b")]), id="a header within a header"
    ),
    pytest.param(
        WireRequest("GET", "/x", [("Host", "docker"), ("X-A\r\nX-B", "b")]), id="a header within a name"
    ),
    pytest.param(WireRequest("GET", "/x", [("Host", "docker"), ("X-A", "a\0b")]), id="nul"),
    pytest.param(
        WireRequest("GET", "/x", [("Host", "docker"), ("X-A", "\u00fc")]), id="a header that is not ascii"
    ),
    pytest.param(WireRequest("GET", "/x", [("Host", "d\u00f6cker")]), id="a host that is not ascii"),
    pytest.param(WireRequest("GET", "/x HTTP/1.1\r\nX-A: b\r\n\r\n", HOST), id="a request within a target"),
    pytest.param(WireRequest("GET", "/x y", HOST), id="a space in a target"),
    pytest.param(WireRequest("GET", "/\u00fc", HOST), id="a target that is not ascii"),
    pytest.param(WireRequest("GET /x HTTP/1.1\r\n", "/x", HOST), id="a request within a method"),
    pytest.param(WireRequest("GET", "/x", []), id="no host"),
]


@pytest.mark.parametrize("message", UNSENDABLE)
def test_invalid_requests(message: WireRequest) -> None:
    with pytest.raises(DockerError, match=r"^invalid HTTP request: ") as caught:
        Exchange().start(message)
    assert type(caught.value) is DockerError
    assert caught.value.status == 0


def test_an_interrupt_does_not_show_the_frames_of_h11(monkeypatch: pytest.MonkeyPatch) -> None:
    def send(*_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(h11.Connection, "send", send)
    with pytest.raises(KeyboardInterrupt) as caught:
        Exchange().start(GET)
    assert "send" not in [frame.name for frame in caught.traceback]


def test_an_exchange_after_another() -> None:
    exchange = Exchange()
    for _ in range(3):
        assert exchange.start(GET).startswith(b"GET ")
        assert talk([LENGTH], exchange) == Result(200, LENGTH_HEADERS, b"hello", reusable=True)
        assert exchange.start(UPLOAD).startswith(b"POST ")
        assert not exchange.reusable
        exchange.chunk(b"x")
        exchange.finish()
        assert talk([CHUNKED], exchange) == Result(200, CHUNKED_HEADERS, b"hello world", reusable=True)


def test_the_framing_of_one_response_is_not_that_of_the_next() -> None:
    exchange = Exchange()
    exchange.start(GET)
    assert talk([LENGTH], exchange).error is None
    exchange.start(GET)
    assert talk([b"HTTP/1.1 200 OK\r\n\r\nhello"], exchange).message == UNFRAMED_END


@pytest.mark.parametrize("after", [b"x", b"HTTP/1.1 200 OK\r\n", b"\r\n"])
def test_what_comes_after_the_response_makes_the_connection_useless(after: bytes) -> None:
    result = talk([LENGTH + after])
    assert (result.body, result.error, result.reusable) == (b"hello", None, False)


def test_the_end_after_the_response_makes_the_connection_useless() -> None:
    exchange = Exchange()
    exchange.start(GET)
    assert talk([LENGTH], exchange).reusable
    exchange.feed(b"")
    assert not exchange.reusable


def test_a_response_before_the_request_is_complete() -> None:
    exchange = Exchange()
    exchange.start(UPLOAD)
    exchange.chunk(b"x" * 100)
    rejection = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno"
    result = talk([rejection], exchange)
    assert (result.status, result.body, result.error, result.reusable) == (400, b"no", None, False)


def test_a_response_between_two_chunks_of_the_request() -> None:
    exchange = Exchange()
    exchange.start(UPLOAD)
    exchange.feed(LENGTH)
    head = exchange.head()
    assert head is not None
    assert not head.is_error
    assert exchange.chunk(b"abc") == [b"3\r\n", b"abc", b"\r\n"]
    assert (exchange.body(), exchange.reusable) == (b"hello", False)
    assert (exchange.finish(), exchange.body(), exchange.reusable) == (b"0\r\n\r\n", b"", True)


def test_a_response_is_handed_out_as_it_comes() -> None:
    exchange = Exchange()
    exchange.start(GET)
    assert (exchange.untouched, exchange.head()) == (True, None)
    exchange.feed(CHUNKED[:20])
    assert (exchange.untouched, exchange.head()) == (False, None)
    exchange.feed(CHUNKED[20 : CHUNKED.index(b"5\r\nhello")])
    assert exchange.head() == Head(200, CHUNKED_HEADERS)
    seen = [exchange.body()]
    for byte in (b"1", b"\r\n", b"h", b"\r", b"\n0\r\n", b"\r\n"):
        exchange.feed(byte)
        seen.append(exchange.body())
    assert seen == [None, None, None, b"h", None, None, b""]


def test_what_comes_after_the_head_waits_until_that_is_read() -> None:
    for response in (CHUNKED, LENGTH):
        exchange = Exchange()
        exchange.start(GET)
        place = response.index(b"\r\n\r\n") + 6
        for part in (*cut_at(response, (place, place + 3)), b""):
            exchange.feed(part)
        assert exchange.head() is not None
        body = list(iter(lambda: exchange.body() or b"", b""))  # noqa: B023  # it is used at once
        assert b"".join(body) == talk([response]).body


def test_a_connection_that_ends_at_once_is_untouched() -> None:
    exchange = Exchange()
    exchange.start(GET)
    exchange.feed(b"")
    assert exchange.untouched
    with pytest.raises(ConnectionFailed):
        exchange.head()


def test_untouched_begins_anew_with_each_request() -> None:
    exchange = Exchange()
    exchange.start(GET)
    talk([LENGTH], exchange)
    assert not exchange.untouched
    exchange.start(GET)
    assert exchange.untouched


@pytest.mark.parametrize(
    ("method", "repeatable"),
    [("GET", True), ("HEAD", True), ("POST", False), ("DELETE", False), ("PUT", False)],
)
def test_what_may_be_sent_twice(method: str, repeatable: bool) -> None:
    assert WireRequest(method, "/x", HOST).repeatable is repeatable


@pytest.mark.parametrize(
    ("status", "is_error"), [(200, False), (299, False), (300, True), (404, True), (500, True)]
)
def test_which_statuses_are_errors(status: int, is_error: bool) -> None:
    assert Head(status, {}).is_error is is_error


def test_a_message_shows_no_headers() -> None:
    message = WireRequest("POST", "/x", [("X-Registry-Auth", "c2VjcmV0")])
    assert repr(message) == "WireRequest(method='POST', target='/x', upload=None, size=None)"
