"""Refusals of registries in the words of engines, whatever wraps them, and names that only look like one."""

from __future__ import annotations

import json
import re

import pytest

from dockerproto import errors
from dockerproto.errors import (
    BadRequest,
    Conflict,
    DockerError,
    DockerStreamError,
    NotFound,
    ServerError,
    StepFailed,
    TooManyRequests,
    Unauthorized,
)
from dockerproto.messages import error_phrases
from dockerproto.messages.classification import status_error, stream_error
from dockerproto.messages.error_text import causes, registry_codes, without_names
from tests.support.feeding import VECTORS

TEXTS: dict[str, list[str]] = json.loads((VECTORS / "refusals.json").read_text())
"""Texts by the name of their class; the wording of containerd, BuildKit, Podman and of several registries."""
CASES = [(text, getattr(errors, name)) for name, texts in TEXTS.items() for text in texts]

# Names, paths, arguments and commands with the words of a refusal.
NOT_REFUSED: list[tuple[str, type[DockerError]]] = [
    ("No such image: app:toomanyrequests", NotFound),
    ("no such image: unauthorized: No such image: unauthorized:latest", NotFound),
    ("failed to find image denied: docker.io/library/denied: image not known", NotFound),
    ("An image does not exist locally with the tag: unauthorized", NotFound),
    ("tag does not exist: app:denied", NotFound),
    ("manifest for r.example/unauthorized:403 not found: manifest unknown: manifest unknown", NotFound),
    ("reading manifest toomanyrequests in r.example/denied: manifest unknown", NotFound),
    ("pulling from host r.example failed with status code [manifests 429]: 404 Not Found", NotFound),
    ("denied: failed to resolve source metadata for a/denied:latest: a/denied:latest: not found", NotFound),
    ("dockerfile parse error on line 1: unknown instruction: UNAUTHORIZED", BadRequest),
    ("Cannot locate specified Dockerfile: denied", BadRequest),
    ("failed to reach build target forbidden in Dockerfile", BadRequest),
    ("COPY failed: file not found in build context: stat a: denied: file does not exist", BadRequest),
    ('failed to process "${X:?unauthorized}": X: denied', BadRequest),
    ("invalid reference format: repository name (library/DENIED) must be lowercase", BadRequest),
    ('network mode "429 Too Many Requests" not supported by buildkit', BadRequest),
    ('target stage "unauthorized" could not be found', BadRequest),
    ('failed to calculate checksum of ref a::b: "/503 Service Unavailable": not found', BadRequest),
    ("denied is not a valid change command", BadRequest),
    ("unknown flag: forbidden", BadRequest),
    ("conflict: unable to delete app:denied (must be forced) - image is being used by container 0", Conflict),
    (
        'process "/bin/sh -c echo denied: toomanyrequests" did not complete successfully: exit code: 1',
        StepFailed,
    ),
]
UNDECIDED = [
    "denied: failed to resolve source metadata for docker.io/library/denied:latest: no active sessions",
    "secret toomanyrequests: not found",
    'failed to parse build arg "returned a non-zero code: 2"',
    'invalid argument "unauthorized: denied"',
    "invalid value 'too many requests'",
    "open unauthorized: permission denied",
    "copying 403 files",
    "took 500 ms",
    "fetching blob: blob unknown",
    "reading blob sha256:0: fetching blob: invalid status code from registry 404 (Not Found)",
    "unexpected status code 404",
    "unexpected HTTP status: 418 I'm a teapot",
    "<html><title>429 Too Many Requests</title></html>",  # of a proxy in front of the engine
    "no space left on device",
    "unknown blob",
]


@pytest.mark.parametrize("status", [404, 500])
@pytest.mark.parametrize(("text", "cls"), CASES)
def test_a_refusal_decides_whatever_the_status(text: str, cls: type[DockerError], status: int) -> None:
    assert type(status_error(status, text)) is cls


@pytest.mark.parametrize(("text", "cls"), CASES)
def test_a_refusal_decides_in_a_stream(text: str, cls: type[DockerError]) -> None:
    error = stream_error(text, {"message": text})
    assert type(error).__mro__[1:3] == (DockerStreamError, cls)


@pytest.mark.parametrize("wrap", ["failed to solve: {}", "creating build container: {}\n", "error: {}."])
@pytest.mark.parametrize(("text", "cls"), CASES)
def test_a_refusal_decides_inside_another_error(text: str, cls: type[DockerError], wrap: str) -> None:
    assert isinstance(stream_error(wrap.format(text), {}), cls)


@pytest.mark.parametrize(("text", "cls"), NOT_REFUSED)
def test_a_name_or_an_argument_does_not_decide(text: str, cls: type[DockerError]) -> None:
    assert isinstance(stream_error(text, {}), cls)
    assert not isinstance(stream_error(text, {}), Unauthorized | TooManyRequests | ServerError)


@pytest.mark.parametrize("text", UNDECIDED)
def test_other_texts_leave_it_to_the_status(text: str) -> None:
    assert type(stream_error(text, {})) is DockerStreamError
    assert type(status_error(500, text)) is ServerError
    assert type(status_error(404, text)) is NotFound


@pytest.mark.parametrize("filling", ['"', "\\", "'", "a", "a/", "<", ": ", "\n", 'process "', "x: denied: "])
def test_only_the_ends_of_a_long_text_are_looked_at(filling: str) -> None:
    middle = filling * (96 * 1024 // len(filling))
    assert isinstance(
        stream_error(f"{'x' * 4096}\n{middle}\n{'x' * 4000}: toomanyrequests: slow down", {}), TooManyRequests
    )
    assert isinstance(stream_error(f"manifest unknown\n{'x ' * 2048}{middle}{'x ' * 2048}", {}), NotFound)
    assert type(stream_error(f"{'x' * 4096}: denied: {'x ' * 2048}", {})) is DockerStreamError


def test_a_long_command_is_recognised_by_its_ends() -> None:
    command = "echo unauthorized: denied; " * 4096
    text = f'process "/bin/sh -c {command}" did not complete successfully: exit code: 3'
    error = stream_error(text, {})
    assert type(error) is StepFailed
    assert error.error_detail["code"] == 3


PATTERNS = [
    *(
        pattern
        for table in (error_phrases.OWN, error_phrases.REFUSALS, error_phrases.CONTEXTS)
        for _, pattern in table
    ),
    *error_phrases.HTTP_STATUSES,
    error_phrases.HTTP_REQUEST,
    error_phrases.NO_IMAGE,
    error_phrases.AMBIGUOUS,
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_phrase_can_backtrack_without_a_bound(pattern: str) -> None:
    assert re.search(r"(?<!\\)[*+]|\{\d*,\}", pattern) is None
    assert pattern == pattern.lower() or "\\S" in pattern


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ('Head "https://r.example/v2/": x', 'Head "": x'),
        ("No such image: app:1", "No such image: ~"),
        ("reading manifest 1 in r.example:5000/o/a@sha256:0: x", "reading manifest 1 in ~: x"),
        ("lookup r.example on 127.0.0.11:53: x", "lookup r.example on ~: x"),
        ("pulling docker://r.example/a:1: x", "pulling ~: x"),
        ("stat /var/lib/a/Dockerfile: no such file", "stat /var/lib/a/Dockerfile: no such file"),
        ("read: i/o timeout", "read: i/o timeout"),
        ("invalid filter 'a b'", "invalid filter ''"),
        ("it isn't 'x', can't be", "it isn't '', can't be"),
        ('an open " quote: denied', 'an open " quote: denied'),
        (r'"a\"b" c', '"" c'),
        (r"\"a\": c", r"\"a\": c"),
        ("<html><b>403</b>", "  403 "),
        ("1 < 2: x", "1 < 2: x"),
        ("a: failed to resolve source metadata for b:1: c", "failed to resolve source metadata for ~: c"),
    ],
)
def test_names_and_quotes_are_taken_out(text: str, plain: str) -> None:
    assert without_names(text) == plain


def test_the_last_cause_is_first() -> None:
    text = "rpc error: code = Unknown desc = a: errors:\n * b.\n\n: c"
    assert causes(text) == ["c", "b", "errors", "a", "code = Unknown", "rpc error"]
    assert causes("") == []


def test_codes_of_a_registrys_error_document() -> None:
    assert registry_codes('{"code":"denied"},{"code": "name_unknown"},{"code":1},{\\"code\\":\\"x\\"}') == [
        "denied",
        "name unknown",
    ]
