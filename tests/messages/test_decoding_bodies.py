"""The other bodies: archives, errors, and those that do not matter; and which decoder reads which."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerproto.errors import (
    BadRequest,
    DockerError,
    DockerStreamError,
    NotFound,
    ProtocolViolated,
    ServerError,
    StreamNotFound,
    Unauthorized,
)
from dockerproto.messages.decoding import (
    MESSAGE_LIMIT,
    ArchiveBody,
    Decoder,
    Document,
    ErrorBody,
    Messages,
    MissingImage,
    Value,
    decoder_for,
)
from tests.support.feeding import (
    Failure,
    Outcome,
    any_cuts,
    assert_outcome,
    bytewise,
    cut_at,
    cuts,
    failure,
    feed,
    recorded,
)
from tests.testbed.recordings import ENGINES

DEEP = 50_000  # beyond what any Python nests


@pytest.mark.parametrize("body", [b"", b"\n", b"whatever"])
def test_a_body_that_does_not_matter(body: bytes) -> None:
    def make() -> Value[bool]:
        return Value(value=True)

    assert_outcome(make, body, Outcome([True]))


TEXT_LIMIT = 64 * 1024

ERROR_BODIES = [
    pytest.param(b'{"message":"page not found"}\n', "page not found", id="docker"),
    pytest.param(b'{"cause":"c","message":"m","response":404}\n', "m", id="podman"),
    pytest.param(b"Not Found\n", "Not Found", id="text"),
    pytest.param(b"", "status 404 without a message", id="nothing"),
    pytest.param(b"\r\n \t", "status 404 without a message", id="blank"),
    pytest.param(b'{"message":"  spaces \\n"}', "spaces", id="spaces"),
    pytest.param(b'{"message":""}', '{"message":""}', id="an empty message"),
    pytest.param(b'{"message":null,"error":"e"}', "e", id="error"),
    pytest.param(b'{"errorDetail":{"message":"d"},"error":"e"}', "d", id="detail"),
    pytest.param(b'{"errorDetail":"odd"}', '{"errorDetail":"odd"}', id="a detail that is text"),
    pytest.param(b'{"message":5}', '{"message":5}', id="a message that is a number"),
    pytest.param(b'{"reason":"x"}', '{"reason":"x"}', id="no message"),
    pytest.param(b'["x"]', '["x"]', id="a list"),
    pytest.param(b'"x"', '"x"', id="a text"),
    pytest.param(b"12 o'clock", "12 o'clock", id="a number first"),
    pytest.param(b'{"message":"m"', '{"message":"m"', id="cut"),
    pytest.param(b'{"message":"m"} and more', "m", id="more"),
    pytest.param(b'{"message":"\xff"}', "\ufffd", id="invalid utf-8"),
    pytest.param("{'☃'".encode(), "{'☃'", id="characters"),
    pytest.param(b"<html>\n<p>Bad gateway</p>\n</html>\n", "<html>\n<p>Bad gateway</p>\n</html>", id="html"),
]


@pytest.mark.parametrize(("body", "message"), ERROR_BODIES)
def test_bodies_of_errors(body: bytes, message: str) -> None:
    assert_outcome(lambda: ErrorBody(404), body, Outcome([], Failure(NotFound, 404, message)))


@pytest.mark.parametrize("status", [300, 301, 308, 399])
@pytest.mark.parametrize(
    ("body", "message"),
    [(b"", "a redirect, which is not followed"), (b"Moved\n", "Moved")],
    ids=["nothing", "text"],
)
def test_redirects(status: int, body: bytes, message: str) -> None:
    expected = Outcome([], Failure(ProtocolViolated, status, message))
    assert_outcome(lambda: ErrorBody(status), body, expected)


@pytest.mark.parametrize("body", [b"[" * DEEP, b"x" * (TEXT_LIMIT - 1), b"x" * TEXT_LIMIT], ids=len)
def test_long_bodies_of_errors(body: bytes) -> None:
    expected = Outcome([], Failure(ServerError, 500, body.decode()))
    assert feed(ErrorBody(500), [body]) == expected
    assert feed(ErrorBody(500), [body[:7], body[7:]]) == expected


def test_the_longest_body_of_an_error() -> None:
    expected = Outcome([], Failure(ServerError, 500, "x" * TEXT_LIMIT))
    body = b"x" * (TEXT_LIMIT + 5000)
    for pieces in ([body], [body[:-1], body[-1:]], cut_at(body, range(0, len(body), 999))):
        assert feed(ErrorBody(500), pieces) == expected


@any_cuts
@given(st.data(), st.sampled_from(["inspect-404", "error-version-too-new", "delete-in-use-by-name"]))
def test_recorded_errors_cut_anywhere(data: st.DataObject, operation: str) -> None:
    answer = recorded("docker-20.10", operation)
    whole = feed(ErrorBody(answer.status), [answer.body])
    assert whole.failure is not None
    assert (whole.failure.message, whole.items) == (json.loads(answer.body)["message"], [])
    assert feed(ErrorBody(answer.status), data.draw(cuts(answer.body))) == whole


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b'{"message":"No such image: a:1"}\n', Outcome([False]), id="docker"),
        pytest.param(
            b'{"message":"failed to find image a: a: No such image"}\n', Outcome([False]), id="podman"
        ),
        pytest.param(b"no such image", Outcome([False]), id="text"),
        pytest.param(
            b'{"message":"page not found"}\n',
            Outcome([], Failure(NotFound, 404, "page not found")),
            id="route",
        ),
        pytest.param(b"Not Found\n", Outcome([], Failure(NotFound, 404, "Not Found")), id="podman's route"),
        pytest.param(b"", Outcome([], Failure(NotFound, 404, "status 404 without a message")), id="nothing"),
        pytest.param(
            b'{"message":"no basic auth credentials"}',
            Outcome([], Failure(Unauthorized, 404, "no basic auth credentials")),
            id="another cause",
        ),
    ],
)
def test_what_may_be_missing(body: bytes, expected: Outcome) -> None:
    assert_outcome(MissingImage, body, expected)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_missing_on_recorded_engines(engine: str) -> None:
    answer = recorded(engine, "inspect-404")
    assert answer.status == 404
    assert_outcome(MissingImage, answer.body, Outcome([False]))


def test_the_status_chooses_the_decoder() -> None:
    limits: list[int] = []

    def make(limit: int) -> Decoder[Any]:
        limits.append(limit)
        return Messages(limit)

    assert isinstance(decoder_for(200, {200: make}), Messages)
    assert isinstance(decoder_for(404, {200: make, 404: make}, 12), Messages)
    assert limits == [MESSAGE_LIMIT, 12]


@pytest.mark.parametrize("status", [201, 202, 204, 206, 299])
def test_another_success_is_none(status: int) -> None:
    with pytest.raises(ProtocolViolated) as caught:
        decoder_for(status, {200: Messages})
    assert failure(caught.value) == Failure(ProtocolViolated, status, f"unexpected success status {status}")


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (300, ProtocolViolated),
        (301, ProtocolViolated),
        (400, BadRequest),
        (404, NotFound),
        (500, ServerError),
    ],
)
@pytest.mark.parametrize("decoders", [{}, {200: Messages}, {201: Messages}], ids=["none", "200", "201"])
def test_any_other_status_is_an_error(
    status: int, cls: type[DockerError], decoders: dict[int, Callable[[int], Decoder[Any]]]
) -> None:
    expected = Outcome([], Failure(cls, status, "failed"))
    assert_outcome(lambda: decoder_for(status, decoders), b'{"message":"failed"}\n', expected)


def tar(*contents: bytes) -> bytes:
    """Make a small archive."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for number, content in enumerate(contents):
            info = tarfile.TarInfo(f"{number}.json")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


INCOMPLETE = Failure(ProtocolViolated, 0, "the archive is incomplete")
END = bytes(1024)


def joined(outcome: Outcome) -> tuple[bytes, Failure | None]:
    """Return what was handed out in one piece: cuts show in the items, and in nothing else."""
    return b"".join(outcome.items), outcome.failure


def assert_archive(body: bytes, expected: Failure | None) -> None:
    cutting = [[body] if body else [], bytewise(body), cut_at(body, range(0, len(body), 511))]
    for place in (1, 512, 1024, 4095, 4096, 4097, len(body) - 1):
        cutting.append(cut_at(body, (max(place, 0),)))  # noqa: PERF401  # a comprehension says no more
    for pieces in cutting:
        assert joined(feed(ArchiveBody(), pieces)) == (body, expected)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(END, id="nothing in it"),
        pytest.param(tar(), id="empty"),
        pytest.param(tar(b"x"), id="one file"),
        pytest.param(tar(b"x" * 5000, b"", b"y" * 512), id="several"),
        pytest.param(tar(b"x")[:1024] + END, id="unpadded"),
        pytest.param(tar(b'{"message":"no error"}'), id="a message inside"),
    ],
)
def test_archives(body: bytes) -> None:
    assert_archive(body, None)


@pytest.mark.parametrize("engine", ENGINES)
def test_recorded_archives(engine: str) -> None:
    body = recorded(engine, "export-name").body
    assert_archive(body, None)
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        assert "manifest.json" in archive.getnames()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(END[1:], id="a byte missing"),
        pytest.param(tar(b"x")[:1024], id="no end"),
        pytest.param(tar(b"x")[:1024] + END[:512], id="half an end"),
        pytest.param(tar(b"x" * 9000)[:7000], id="cut in a file"),
        pytest.param(END + b"x", id="text after the end"),
    ],
)
def test_archives_that_are_incomplete(body: bytes) -> None:
    assert_archive(body, INCOMPLETE)


CUT = tar(b"x" * 9000)[:7000]


@pytest.mark.parametrize(
    "before", [b"", tar(b"x")[:1024], CUT, END], ids=["nothing", "a file", "a cut file", "all"]
)
@pytest.mark.parametrize(
    ("error", "message", "cls"),
    [
        (b'{"message":"disk full"}\n', "disk full", DockerStreamError),
        (b'{"message":"No such image: a:1"}', "No such image: a:1", StreamNotFound),
        (b'{"errorDetail":{"message":"disk full"},"error":"disk full"}\r\n', "disk full", DockerStreamError),
        (b'{"message":"' + b"y" * 4000 + b'"}\n', "y" * 4000, DockerStreamError),
    ],
    ids=["message", "a known cause", "as in a stream", "long"],
)
def test_an_error_that_the_engine_appends(
    before: bytes, error: bytes, message: str, cls: type[DockerStreamError]
) -> None:
    assert_archive(before + error, Failure(cls, 0, message, {"message": message}))


def test_an_error_is_looked_for_at_the_end_only() -> None:
    for after in (b"x", b"x" * 4079, b"x" * 4096, b'{"message":', b"{}"):
        assert_archive(b'{"message":"old"}' + after, INCOMPLETE)


@any_cuts
@given(st.data(), st.sampled_from([tar(b"x"), CUT, CUT + b'{"message":"disk full"}', END[1:], END]))
def test_archives_cut_anywhere(data: st.DataObject, body: bytes) -> None:
    pieces = data.draw(cuts(body))
    outcome = feed(ArchiveBody(), pieces)
    assert outcome.items == pieces
    assert outcome.failure == feed(ArchiveBody(), [body]).failure


def test_an_archive_keeps_no_more_than_its_end() -> None:
    archive = ArchiveBody()
    for piece in (b"x" * 10**6, b"y" * 100, b"z" * 5000, b"a"):
        assert archive.feed(piece) == (piece,)
        assert len(archive._tail) <= 4096  # pyright: ignore[reportPrivateUsage]  # what is kept is the point


@pytest.mark.parametrize(
    ("limit", "size"), [(0, 64 * 2**20), (MESSAGE_LIMIT, 64 * 2**20), (2**26 + 5, 2**26 + 5)]
)
def test_a_document_is_limited(limit: int, size: int) -> None:
    chunk = b" " * 2**20
    document = Document(limit)
    for start in range(2, size, len(chunk)):
        assert document.feed(chunk[: size - start]) == ()
    assert document.feed(b"[]") == ()
    with pytest.raises(ProtocolViolated, match=f"the response is longer than the limit of {size} bytes"):
        document.feed(b" ")


def test_a_list_of_ten_thousand_images_is_within_the_limit() -> None:
    images = [{"Id": f"sha256:{number:064}", "Labels": {"text": "x" * 1800}} for number in range(10_000)]
    body = json.dumps(images).encode()
    assert 2 * 10**7 > len(body) > 10**7
    assert feed(Document(), cut_at(body, range(0, len(body), 2**18))).items == [images]
