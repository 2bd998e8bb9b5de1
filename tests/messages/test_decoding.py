"""Messages and documents: the same items and the same exceptions, however the bytes are cut."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerproto.errors import (
    DockerError,
    DockerStreamError,
    ProtocolViolated,
    StepFailed,
    StreamNotFound,
)
from dockerproto.messages.decoding import MESSAGE_LIMIT, Document, Messages
from tests.support.feeding import (
    Failure,
    Outcome,
    any_cuts,
    assert_outcome,
    bytewise,
    cut_at,
    cuts,
    feed,
    recorded,
    recordings,
)
from tests.testbed.recordings import ENGINES

DEEP = 200_000  # beyond what any Python nests; 3.14 goes on while there is stack


def violated(message: str) -> Failure:
    return Failure(ProtocolViolated, 0, message)


def streamed(message: str, cls: type[DockerError] = DockerStreamError, **detail: Any) -> Failure:
    return Failure(cls, 0, message, {"message": message, **detail})


def no_object(shown: str) -> Failure:
    return violated(f"a message must be a JSON object, not {shown}")


def no_json(shown: str) -> Failure:
    return violated(f"invalid JSON in a message: {shown!r}")


BODIES = [
    pytest.param(b"", Outcome([]), id="nothing"),
    pytest.param(b"\r\n", Outcome([]), id="a blank line"),
    pytest.param(b"\n \t\r\n\n\r\n", Outcome([]), id="blank lines"),
    pytest.param(b'{"id":"a"}\r\n', Outcome([{"id": "a"}]), id="crlf"),
    pytest.param(b'{"id":"a"}\n', Outcome([{"id": "a"}]), id="lf"),
    pytest.param(b'{"id":"a"}', Outcome([{"id": "a"}]), id="no final newline"),
    pytest.param(b'{"id":"a"}\r', Outcome([{"id": "a"}]), id="half a line end"),
    pytest.param(b"{}\r\n{}\r\n", Outcome([{}, {}]), id="empty objects"),
    pytest.param(
        b'\r\n{"id":"a"}\r\n\r\n\n{"id":"b"}\n\n',
        Outcome([{"id": "a"}, {"id": "b"}]),
        id="between blank lines",
    ),
    pytest.param(b' \t{"id": "a"} \r\n', Outcome([{"id": "a"}]), id="spaces around"),
    pytest.param(b'{"id":"a"}{"id":"b"}\n', Outcome([{"id": "a"}, {"id": "b"}]), id="two on a line"),
    pytest.param(
        b'{"id":"a"} \t{"id":"b"}\r{"id":"c"}', Outcome([{"id": "a"}, {"id": "b"}, {"id": "c"}]), id="three"
    ),
    pytest.param(b'{"stream":"a\\nb\\r\\n"}\n', Outcome([{"stream": "a\nb\r\n"}]), id="escaped line ends"),
    pytest.param('{"id":"ü☃😀"}\n'.encode(), Outcome([{"id": "ü☃😀"}]), id="several bytes a character"),
    pytest.param(b'{"id":"\\u00fc\\ud83d\\ude00"}\n', Outcome([{"id": "ü😀"}]), id="escaped characters"),
    pytest.param(b'{"id":"\xff\xfe"}\n', Outcome([{"id": "\ufffd\ufffd"}]), id="invalid utf-8"),
    pytest.param(b'{"id":"\xc3"}\n{"id":"b"}\n', Outcome([{"id": "\ufffd"}, {"id": "b"}]), id="cut utf-8"),
    pytest.param(
        b'{"progressDetail":{"current":18446744073709551616}}\n',
        Outcome([{"progressDetail": {"current": 2**64}}]),
        id="a large number",
    ),
    pytest.param(b'{"id":"a"}\n{"id":', Outcome([{"id": "a"}], no_json('{"id":')), id="cut"),
    pytest.param(b'{"id":"a"}\n{', Outcome([{"id": "a"}], no_json("{")), id="cut at once"),
    pytest.param(b'{"id":"a"}{"id"\n', Outcome([{"id": "a"}], no_json('{"id"')), id="cut on one line"),
    pytest.param(b'{"id":\n"a"}\n', Outcome([], no_json('{"id":')), id="a document on two lines"),
    pytest.param(b"<html>\n", Outcome([], no_json("<html>")), id="html"),
    pytest.param(b'{"id":"a"}}\n', Outcome([{"id": "a"}], no_json("}")), id="a bracket too many"),
    pytest.param(b"\x00\n", Outcome([], no_json("\0")), id="nul"),
    pytest.param(b"[" * DEEP + b"\n", Outcome([], no_json("[" * 200)), id="deep and cut"),
    pytest.param(b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"\n", Outcome([], no_json('{"a":' * 40)), id="deep"),
    pytest.param(b"[1,2]\n", Outcome([], no_object("[1, 2]")), id="a list"),
    pytest.param(b'{"id":"a"}\n"x"\n', Outcome([{"id": "a"}], no_object("'x'")), id="a text"),
    pytest.param(b"null\n", Outcome([], no_object("None")), id="null"),
    pytest.param(b"12\n", Outcome([], no_object("12")), id="a number"),
    pytest.param(b"true\r\n", Outcome([], no_object("True")), id="a boolean"),
    pytest.param(b'{} ["' + b"x" * 300 + b'"]', Outcome([{}], no_object("['" + "x" * 198)), id="long"),
]

ERRORS = [
    pytest.param(
        b'{"errorDetail":{"message":"failed"},"error":"failed"}\r\n', streamed("failed"), id="both, crlf"
    ),
    pytest.param(
        b'{"errorDetail":{"code":3,"message":"failed"},"error":"failed"}\n',
        streamed("failed", code=3),
        id="code",
    ),
    pytest.param(b'{"error":"failed"}\n', streamed("failed"), id="no detail"),
    pytest.param(b'{"errorDetail":{"message":"failed"}}\n', streamed("failed"), id="detail alone"),
    pytest.param(b'{"errorDetail":{"code":3},"error":"failed"}', streamed("failed", code=3), id="no message"),
    pytest.param(b'{"errorDetail":{},"error":"failed"}', streamed("failed"), id="an empty detail"),
    pytest.param(b'{"errorDetail":"odd","error":"failed"}', streamed("failed"), id="a detail that is text"),
    pytest.param(b'{"errorDetail":null,"error":"failed"}', streamed("failed"), id="a detail that is null"),
    pytest.param(b'{"error":""}', streamed("an error without a message"), id="an empty error"),
    pytest.param(b'{"errorDetail":{}}', streamed("an error without a message"), id="nothing said"),
    pytest.param(b'{"error":{"reason":1}}', streamed("{'reason': 1}"), id="an error that is an object"),
    pytest.param(b'{"error":"one"}{"error":"two"}', streamed("one"), id="two on a line"),
    pytest.param(b'{"status":"x","progressDetail":{},"error":"failed"}', streamed("failed"), id="other keys"),
    pytest.param(
        b'{"error":"manifest unknown"}', streamed("manifest unknown", StreamNotFound), id="a known cause"
    ),
    pytest.param(b'{"error":"f\xff"}\n', streamed("f\ufffd"), id="invalid utf-8"),
]


@pytest.mark.parametrize(("body", "expected"), BODIES)
def test_messages(body: bytes, expected: Outcome) -> None:
    if len(body) > 1000:  # the other cuts would take long
        parts = bytewise(body) if len(body) < 10_000 else cut_at(body, range(0, len(body), 999))
        assert feed(Messages(), [body]) == feed(Messages(), parts) == expected
    else:
        assert_outcome(Messages, body, expected)


@pytest.mark.parametrize(("body", "expected"), ERRORS)
def test_errors_in_a_stream(body: bytes, expected: Failure) -> None:
    assert_outcome(Messages, body, Outcome([], expected))
    before, after = b'{"id":"a"}\r\n{"id":"b"}\n', b'\n{"id":"never"}\n'
    assert_outcome(Messages, before + body + after, Outcome([{"id": "a"}, {"id": "b"}], expected))


LINES: list[bytes] = [cast("bytes", each.values[0]) for each in BODIES[:20] + ERRORS]


@any_cuts
@given(
    pieces=st.lists(st.sampled_from(LINES), max_size=5)
    .map(b"\n".join)
    .flatmap(lambda body: st.tuples(st.just(body), cuts(body)))
)
def test_messages_cut_anywhere(pieces: tuple[bytes, list[bytes]]) -> None:
    body, cut = pieces
    assert feed(Messages(), cut) == feed(Messages(), [body] if body else [])


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
DOCUMENTS = st.dictionaries(
    TEXT.filter(lambda name: name not in ("error", "errorDetail")),
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    max_size=4,
)


@any_cuts
@given(
    st.data(),
    st.lists(DOCUMENTS, max_size=5),
    st.sampled_from(["\n", "\r\n", "\r\n\r\n", " ", ""]),
    st.booleans(),
)
def test_messages_are_those_that_were_sent(
    data: st.DataObject, documents: list[dict[str, Any]], separator: str, ascii_only: bool
) -> None:
    text = "".join(json.dumps(each, ensure_ascii=ascii_only) + separator for each in documents)
    assert feed(Messages(), data.draw(cuts(text.encode()))) == Outcome(documents)


LIMIT = 40


@pytest.mark.parametrize("end", [b"", b"\n", b"\n{}\n"], ids=["end", "newline", "more"])
@pytest.mark.parametrize(
    ("size", "fits"), [(LIMIT - 1, True), (LIMIT, True), (LIMIT + 1, False), (500, False)]
)
def test_the_longest_message(size: int, fits: bool, end: bytes) -> None:
    message = b'{"id":"%s"}' % (b"x" * (size - 9))
    assert len(message) == size
    following: list[dict[str, Any]] = [{}] if end.endswith(b"{}\n") else []
    expected = Outcome([{}, {"id": "x" * (size - 9)}, *following])
    refused = Outcome([{}], violated("a message is longer than the limit of 40 bytes"))
    assert_outcome(lambda: Messages(LIMIT), b"{}\n" + message + end, expected if fits else refused)


def test_a_line_end_counts_with_its_carriage_return_only() -> None:
    message = b'{"id":"%s"}' % (b"x" * (LIMIT - 10))
    assert_outcome(lambda: Messages(LIMIT), message + b"\r\n", Outcome([{"id": "x" * (LIMIT - 10)}]))
    refused = Outcome([], violated("a message is longer than the limit of 40 bytes"))
    assert_outcome(lambda: Messages(LIMIT), message + b" \r\n", refused)


@any_cuts
@given(st.data(), st.integers(LIMIT - 2, LIMIT + 2), st.integers(0, 3))
def test_the_longest_message_cut_anywhere(data: st.DataObject, size: int, before: int) -> None:
    body = b"{}\n" * before + b'{"id":"%s"}\n' % (b"x" * (size - 9)) + b"{}\n"
    assert feed(Messages(LIMIT), data.draw(cuts(body))) == feed(Messages(LIMIT), [body])


def test_a_message_without_end_is_refused_before_it_ends() -> None:
    messages = Messages(LIMIT)
    assert list(messages.feed(b"x" * LIMIT)) == []
    with pytest.raises(ProtocolViolated, match=r"^a message is longer than the limit of 40 bytes$"):
        list(messages.feed(b"x"))


def test_the_default_limit() -> None:
    assert MESSAGE_LIMIT == 16 * 1024 * 1024
    message = b'{"id":"%s"}' % (b"x" * (MESSAGE_LIMIT - 9))
    assert len(feed(Messages(), cut_at(message, range(0, MESSAGE_LIMIT, 2**20))).items) == 1
    assert feed(Messages(), [b" ", message]).failure == violated(
        f"a message is longer than the limit of {MESSAGE_LIMIT} bytes"
    )


class Counted(bytes):
    """Bytes that count how often they are searched."""

    searched = 0

    def split(self, *args: Any, **kwargs: Any) -> list[bytes]:
        Counted.searched += len(self)
        return super().split(*args, **kwargs)


def test_every_byte_is_searched_once_and_joined_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Counted, "searched", 0)
    body = b'{"stream":"%s"}\n' % (b"x" * 5000)
    messages = Messages()
    for piece in bytewise(body[:-1]):
        assert list(messages.feed(Counted(piece))) == []
    assert messages._pending == [body[:-1]]  # pyright: ignore[reportPrivateUsage]  # the point
    assert list(messages.feed(Counted(b"\n"))) == [{"stream": "x" * 5000}]
    assert messages._pending == []  # pyright: ignore[reportPrivateUsage]  # the point
    assert Counted.searched == len(body)


STREAMS = [
    "pull-ok",
    "push-ok",
    "build-classic-ok",
    "build-buildkit-ok",
    "load-ok-not-quiet",
    "import-stdin-ok",
]
FAILING = ["pull-mid-stream-error", "build-classic-failing-step", "build-buildkit-failing-step"]


def _all(operations: list[str]) -> list[Any]:
    return [each for operation in operations for each in recordings(operation)]


@pytest.mark.parametrize(("engine", "operation"), _all([*STREAMS, *FAILING]))
def test_recorded_streams(engine: str, operation: str) -> None:
    body = recorded(engine, operation).body
    lines = [json.loads(line) for line in body.splitlines()]
    if operation in STREAMS:
        expected = Outcome(lines)
    else:
        last = lines.pop()
        text, detail = last["error"], last["errorDetail"]
        if operation.endswith("failing-step"):
            detail["code"] = 3  # where the engine has it in its text only, it is read from there
        cls = StepFailed if operation.endswith("failing-step") else DockerStreamError
        expected = Outcome(lines, Failure(cls, 0, text.strip(), detail))
    assert len(lines) > 0
    assert_outcome(Messages, body, expected)


@any_cuts
@given(st.data(), st.sampled_from([each.values for each in _all([*STREAMS, *FAILING])]))
def test_recorded_streams_cut_anywhere(data: st.DataObject, recording: tuple[str, str]) -> None:
    body = recorded(*recording).body
    assert feed(Messages(), data.draw(cuts(body))) == feed(Messages(), [body])


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"{}", {}),
        (b'{"Id":"x"}\n', {"Id": "x"}),
        (b"[]\r\n", []),
        (b"null\n", None),
        (b"12", 12),
        (b' [1, "\xc3\xbc"] ', [1, "ü"]),
        (b'{"a":\n\n{"b":[\r\n]}}', {"a": {"b": []}}),
    ],
)
def test_documents(body: bytes, value: Any) -> None:
    assert_outcome(Document, body, Outcome([value]))


@pytest.mark.parametrize(
    "body",
    [b"", b"\n", b"{", b'{"a":1', b"{}{}", b"{}x", b"<html>", b'"\xff"', b"[" * 5000, b"nul"],
    ids=repr,
)
def test_documents_that_are_none(body: bytes) -> None:
    outcome = feed(Document(), [body] if body else [])
    assert outcome.items == []
    assert outcome.failure is not None
    assert outcome.failure.type is ProtocolViolated
    assert outcome.failure.message.startswith("invalid JSON in the response: ")
    assert feed(Document(), bytewise(body)) == outcome


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("operation", ["list", "inspect-by-id", "history", "version", "prune-nothing"])
def test_recorded_documents(engine: str, operation: str) -> None:
    body = recorded(engine, operation).body
    assert_outcome(Document, body, Outcome([json.loads(body)]))


@any_cuts
@given(st.data())
def test_documents_cut_anywhere(data: st.DataObject) -> None:
    body = recorded("docker-26.1", "inspect-by-id").body
    assert feed(Document(), data.draw(cuts(body))) == Outcome([json.loads(body)])


@any_cuts
@given(st.data())
def test_long_messages_are_as_good_as_short_ones(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.sampled_from([0, 1, 100, 4090, 5000, 9000]), max_size=6))
    messages = [{"stream": "x" * size} for size in sizes]
    body = b"".join(json.dumps(each).encode() + b"\r\n" for each in messages)
    assert feed(Messages(), data.draw(cuts(body))) == Outcome(messages)
