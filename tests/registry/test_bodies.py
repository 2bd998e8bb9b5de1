"""Bodies of responses, fed byte by byte: their limits, and the errors that they report."""

from __future__ import annotations

import json

import pytest

from dockerproto import DockerError, NotFound, ProtocolViolated, ServerError, TooManyRequests, Unauthorized
from dockerproto.registry.bodies import BoundedBody, RefusalBody


def errors(*found: object) -> bytes:
    return json.dumps({"errors": found}).encode()


DENIED = {"code": "DENIED", "message": "requested access to the resource is denied"}


@pytest.mark.parametrize(
    ("status", "body", "error", "message"),
    [
        (404, b"", NotFound, "404 Not Found"),
        (499, b"", DockerError, "status 499"),
        (
            404,
            errors({"code": "MANIFEST_UNKNOWN", "message": "manifest unknown", "detail": {}}),
            NotFound,
            "manifest unknown",
        ),
        (
            404,
            errors({"code": "NAME_UNKNOWN", "message": "no such repository"}),
            NotFound,
            "name unknown: no such repository",
        ),
        (403, errors(DENIED), Unauthorized, f"denied: {DENIED['message']}"),
        (429, errors({"code": "TOOMANYREQUESTS"}), TooManyRequests, "toomanyrequests"),
        (
            400,
            errors(DENIED, DENIED, {"code": "UNSUPPORTED"}),
            Unauthorized,
            f"denied: {DENIED['message']}\nunsupported",
        ),
        (
            401,
            b'{"details": "incorrect username or password"}',
            Unauthorized,
            "incorrect username or password",
        ),
        (
            400,
            b'{"error": "invalid_grant", "error_description": "expired"}',
            DockerError,
            "invalid grant: expired",
        ),
        (500, errors(), ServerError, "500 Internal Server Error"),
        (500, errors(5, None), ServerError, "500 Internal Server Error"),
        (502, b"<html>bad gateway</html>", ServerError, "<html>bad gateway</html>"),
        (503, b"\xff", ServerError, "\ufffd"),
        (503, b"[" * 5000, ServerError, "[" * 1000),
    ],
    ids=lambda value: str(value)[:25],
)
def test_an_error_is_told(status: int, body: bytes, error: type[DockerError], message: str) -> None:
    refusal = RefusalBody(status, "r.example/a:1")
    assert all(refusal.feed(body[at : at + 1]) for at in range(len(body)))
    raised = refusal.error()
    assert isinstance(raised, error)
    assert (raised.status, raised.message) == (status, f"r.example/a:1: {message}")


def test_the_name_of_an_image_does_not_classify() -> None:
    assert type(RefusalBody(500, "r.example/denied:1").error()) is ServerError


def test_an_endless_error_is_cut() -> None:
    refusal = RefusalBody(500, "x")
    fed = 0
    while refusal.feed(b"y" * 1000):
        fed += 1000
    assert fed < 70_000
    assert refusal.error().message == f"x: {'y' * 1000}"


def test_a_body_has_a_limit() -> None:
    body = BoundedBody(3, "a blob")
    for _ in range(3):
        body.feed(b"x")
    with pytest.raises(ProtocolViolated, match="a blob is longer than the limit of 3 bytes"):
        body.feed(b"x")
    assert body.data == b"xxx"
