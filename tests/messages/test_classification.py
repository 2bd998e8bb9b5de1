"""Classification of errors: by their text, by their status, the same for one cause on all engines."""

from __future__ import annotations

from typing import Any

import pytest

from dockerproto.errors import (
    BadRequest,
    Conflict,
    DockerError,
    DockerStreamError,
    NotFound,
    NotFoundOrUnauthorized,
    ProtocolViolated,
    ServerError,
    StepFailed,
    StreamBadRequest,
    StreamConflict,
    StreamNotFound,
    StreamNotFoundOrUnauthorized,
    StreamServerError,
    StreamTooManyRequests,
    StreamUnauthorized,
    TooManyRequests,
    Unauthorized,
    UnsupportedVersion,
)
from dockerproto.messages.classification import status_error, stream_error
from dockerproto.messages.decoding import MESSAGE_LIMIT, Decoders, Messages, decoder_for
from tests.support.feeding import feed, recorded, recordings

HUB_DENIAL = (
    "pull access denied for me/private, repository does not exist or may require 'docker login': "
    "denied: requested access to the resource is denied"
)
PODMAN_PULL = "initializing source docker://r.example/a:1: reading manifest 1 in r.example/a: "

# Words that tell the cause, whatever the status is: text, class of an answer's error.
TEXTS: list[tuple[str, type[DockerError]]] = [
    ("client version 1.99 is too new. Maximum supported API version is 1.45", UnsupportedVersion),
    (
        "client version 1.10 is too old. Minimum supported API version is 1.24, please upgrade",
        UnsupportedVersion,
    ),
    ("this engine requires minimum API version 1.44", UnsupportedVersion),
    (HUB_DENIAL, NotFoundOrUnauthorized),
    ("errors:\ndenied: requested access to the resource is denied\nunauthorized: x", NotFoundOrUnauthorized),
    (PODMAN_PULL + "requested access to the resource is denied", NotFoundOrUnauthorized),
    ("server message: insufficient_scope: authorization failed", NotFoundOrUnauthorized),
    ("toomanyrequests: You have reached your pull rate limit.", TooManyRequests),
    (PODMAN_PULL + "toomanyrequests: You have reached your pull rate limit.", TooManyRequests),
    ('Head "http://r.example/v2/a/manifests/1": no basic auth credentials', Unauthorized),
    ("unauthorized: authentication required", Unauthorized),
    (PODMAN_PULL + "unauthorized: authentication required", Unauthorized),
    ("login attempt to http://r.example/v2/ failed with status: 401 Unauthorized", Unauthorized),
    ("denied: no push rights", Unauthorized),
    ("errors:\ndenied: no pull rights", Unauthorized),
    ("unknown: Incorrect username or password", Unauthorized),
    ("COPY failed: file not found in build context or excluded by .dockerignore: stat a", BadRequest),
    ("ADD failed: no source files were specified", BadRequest),
    ('failed to compute cache key: "/absent" not found: not found', BadRequest),
    ('failed to calculate checksum of ref a::b: "/absent": not found', BadRequest),
    ("dockerfile parse error line 2: unknown instruction: BOGUS", BadRequest),
    ("dockerfile parse error on line 2: FROM requires either one or three arguments", BadRequest),
    ('building at STEP "BOGUS ": Build error: Unknown instruction: "BOGUS"', BadRequest),
    ("the Dockerfile (Dockerfile) cannot be empty", BadRequest),
    ("the Dockerfile cannot be empty", BadRequest),
    ("no build stage in current context", BadRequest),
    ("Cannot locate specified Dockerfile: other/Dockerfile", BadRequest),
    ("failed to read dockerfile: open Dockerfile: no such file or directory", BadRequest),
    ("stat /var/tmp/build/Dockerfile: no such file or directory\n", BadRequest),
    ('no contents in "/var/tmp/build/Dockerfile"\n', BadRequest),
    ('building at STEP "COPY a /": checking on sources under "/build": no such file', BadRequest),
    ('target stage "nosuch" could not be found', BadRequest),
    ("failed to reach build target nosuch in Dockerfile", BadRequest),
    ('The target "nosuch" was not found in the provided Dockerfile\n', BadRequest),
    ('network mode "bridge" not supported by buildkit', BadRequest),
    ("multiple outputs not supported", BadRequest),
    ("archive/tar: invalid tar header", BadRequest),
    ("payload does not match any of the supported image formats:\n * oci: x", BadRequest),
    ("unrecognized image format", BadRequest),
    ("Error processing tar file(exit status 1): unexpected EOF", BadRequest),
    ("Untarring file: unexpected EOF", BadRequest),
    ("ApplyLayer exit status 1 stdout:  stderr: unexpected EOF", BadRequest),
    ("open /var/docker-import-1410749431/nope.json: no such file or directory", BadRequest),
    ("the archive does not contain a manifest.json", BadRequest),
    ("invalid reference format", BadRequest),
    ("invalid reference format: repository name (Case) must be lowercase", BadRequest),
    ("normalizing image: normalizing name for compat API: repository name must be lowercase", BadRequest),
    ("invalid tag format", BadRequest),
    ("RUN is not a valid change command", BadRequest),
    ('unable to import tarball: invalid change "RUN x" - invalid instruction RUN', BadRequest),
    ("invalid filter 'colour'", BadRequest),
    ("Invalid filter 'dangling=[maybe]'", BadRequest),
    ('unsupported image filter "colour"', BadRequest),
    ('non-boolean value "dangling" for maybe filter: strconv.ParseBool', BadRequest),
    ("'scratch' is a reserved name", BadRequest),
    ('failed to parse value as time or duration: "tomorrow"', BadRequest),
    ("cannot push a digest reference", BadRequest),
    ("No such image: absent:latest", NotFound),
    ("no such image: absent: No such image: absent:latest", NotFound),
    ("failed to find image absent: docker.io/library/absent: image not known", NotFound),
    ("manifest for r.example/a:1 not found: manifest unknown: manifest unknown", NotFound),
    ("manifest for r.example/a:1 not found", NotFound),
    (PODMAN_PULL + "manifest unknown: manifest unknown", NotFound),
    (PODMAN_PULL + "name unknown: repository name not known to registry", NotFound),
    ("An image does not exist locally with the tag: r.example/a", NotFound),
    ("tag does not exist: r.example/a:1", NotFound),
    ("r.example/a:1: not found", NotFound),
    ("conflict: unable to delete c39e6f72c459 (must be forced) - image is referenced in two", Conflict),
    (
        'conflict: unable to remove repository reference "a:1" (must force) - container x is using it',
        Conflict,
    ),
    ("image sha256:3d729d is in use: image used by e7b3258", Conflict),
    ("unable to delete by ID with more than one tag: please force removal", Conflict),
    ('Get "http://r.example/v2/": dial tcp 10.0.0.1:80: connect: connection refused', ServerError),
    ('Get "https://r.example/v2/": dial tcp: lookup r.example: no such host', ServerError),
    ('Get "https://r.example/v2/": dial tcp 10.0.0.1:443: i/o timeout', ServerError),
    ("received unexpected HTTP status: 500 Internal Server Error", ServerError),
    ("http: server gave HTTP response to HTTPS client", ServerError),
]

IN_STREAM: dict[type[DockerError], type[DockerStreamError]] = {
    BadRequest: StreamBadRequest,
    Conflict: StreamConflict,
    NotFound: StreamNotFound,
    NotFoundOrUnauthorized: StreamNotFoundOrUnauthorized,
    ServerError: StreamServerError,
    TooManyRequests: StreamTooManyRequests,
    Unauthorized: StreamUnauthorized,
    UnsupportedVersion: DockerStreamError,  # not an error that comes in a stream
}

# Words that tell nothing: the status decides.
STATUSES: list[tuple[int, type[DockerError]]] = [
    (300, ProtocolViolated),
    (301, ProtocolViolated),
    (399, ProtocolViolated),
    (400, BadRequest),
    (401, Unauthorized),
    (402, BadRequest),
    (403, Unauthorized),
    (404, NotFound),
    (405, BadRequest),
    (409, Conflict),
    (422, BadRequest),
    (429, TooManyRequests),
    (499, BadRequest),
    (500, ServerError),
    (501, ServerError),
    (503, ServerError),
    (599, ServerError),
]

COMMANDS = [
    "echo unauthorized: denied",
    "grep 'manifest unknown' log",
    "echo no basic auth credentials; exit 3",
    "curl -v http://nowhere || echo connection refused",
    "echo toomanyrequests",
    "echo COPY failed: ; dockerfile parse error",
    "echo No such image; echo conflict: unable to delete",
    "echo client version 1.99 is too new",
    "echo 'pull access denied'",
]
STEPS = {
    "classic": "The command '/bin/sh -c {}' returned a non-zero code: 3",
    "buildkit": 'process "/bin/sh -c {}" did not complete successfully: exit code: 3',
    "buildkit-20.10": "executor failed running [/bin/sh -c {}]: exit code: 3",
    "podman": 'building at STEP "RUN {}": while running runtime: exit status 3\n',
}


@pytest.mark.parametrize("status", [400, 404, 500])
@pytest.mark.parametrize(("text", "cls"), TEXTS, ids=[text[:40] for text, _ in TEXTS])
def test_known_words_decide(text: str, cls: type[DockerError], status: int) -> None:
    error = status_error(status, text)
    assert type(error) is cls
    assert (error.status, error.message) == (status, text)


@pytest.mark.parametrize(("text", "cls"), TEXTS, ids=[text[:40] for text, _ in TEXTS])
def test_known_words_decide_in_a_stream(text: str, cls: type[DockerError]) -> None:
    error = stream_error(text, {"message": text, "code": 1})
    assert type(error) is IN_STREAM[cls]
    assert (error.status, error.message) == (0, text)
    assert error.error_detail == {"message": text, "code": 1}


@pytest.mark.parametrize("text", ["", "EOF", "something went wrong", "unknown blob", "context canceled"])
@pytest.mark.parametrize(("status", "cls"), STATUSES, ids=[str(status) for status, _ in STATUSES])
def test_unknown_words_leave_it_to_the_status(status: int, cls: type[DockerError], text: str) -> None:
    error = status_error(status, text)
    assert type(error) is cls
    assert (error.status, error.message) == (status, text)


@pytest.mark.parametrize("text", ["", "EOF", "unknown blob", "no active sessions", "context canceled"])
def test_unknown_words_in_a_stream(text: str) -> None:
    assert type(stream_error(text, {"message": text})) is DockerStreamError


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("builder", STEPS)
def test_the_command_of_a_failing_step_is_not_mistaken_for_its_cause(builder: str, command: str) -> None:
    text = STEPS[builder].format(command)
    assert type(stream_error(text, {"message": text, "code": 3})) is StepFailed
    assert type(status_error(500, text)) is ServerError


@pytest.mark.parametrize(
    "command", ["exit 3", "echo exit code: 5; exit 3", "echo while running runtime: exit status 5\n"]
)
@pytest.mark.parametrize("builder", ["buildkit", "buildkit-20.10", "podman"])
def test_the_exit_code_of_a_failing_step_is_read_from_its_text(builder: str, command: str) -> None:
    text = STEPS[builder].format(command)
    assert stream_error(text, {"message": text}).error_detail == {"message": text, "code": 3}
    assert stream_error(text, {"message": text, "code": 7}).error_detail["code"] == 7


# One cause, as the three engines report it: by status or in a stream.
CAUSES: list[tuple[str, type[DockerError]]] = [
    ("build-buildkit-failing-step", StepFailed),
    ("build-classic-failing-step", StepFailed),
    ("build-classic-missing-copy-source", BadRequest),
    ("build-classic-missing-dockerfile", BadRequest),
    ("build-classic-private-base-no-credentials", Unauthorized),
    ("build-classic-syntax-error", BadRequest),
    ("build-classic-unknown-target", BadRequest),
    ("delete-by-id-two-tags-conflict", Conflict),
    ("delete-in-use-by-name", Conflict),
    ("export-404", NotFound),
    ("import-bad-changes", BadRequest),
    ("import-garbage", BadRequest),
    ("inspect-404", NotFound),
    ("list-filter-unknown", BadRequest),
    ("load-garbage", BadRequest),
    ("pull-access-denied-hub-style", NotFoundOrUnauthorized),
    ("pull-auth-none", Unauthorized),
    ("pull-auth-wrong-password", Unauthorized),
    ("pull-connection-refused", ServerError),
    ("pull-mid-stream-error", DockerStreamError),
    ("pull-registry-500", ServerError),
    ("pull-too-many-requests", TooManyRequests),
    ("pull-unknown-repository", NotFound),
    ("pull-unknown-tag", NotFound),
    ("push-denied-no-credentials", Unauthorized),
    ("push-unknown-tag", NotFound),
    ("tag-invalid-tag", BadRequest),
]
# To containerd, a registry without its credentials may lack the repository too.
OF_CONTAINERD: dict[str, type[DockerError]] = {
    "build-classic-private-base-no-credentials": NotFoundOrUnauthorized,
    "pull-auth-none": NotFoundOrUnauthorized,
}
MESSAGES: Decoders[Any] = {200: Messages}


def _causes() -> list[Any]:
    cases = ((each, cls) for operation, cls in CAUSES for each in recordings(operation))
    return [pytest.param(*each.values, cls, id=each.id) for each, cls in cases]


@pytest.mark.parametrize(("engine", "operation", "cls"), _causes())
def test_one_cause_is_one_class_on_all_engines(engine: str, operation: str, cls: type[DockerError]) -> None:
    answer = recorded(engine, operation)
    failure = feed(decoder_for(answer.status, MESSAGES, MESSAGE_LIMIT), [answer.body]).failure
    assert failure is not None
    expected = OF_CONTAINERD.get(operation, cls) if engine.endswith("-containerd") else cls
    assert failure.type is (IN_STREAM.get(expected, expected) if answer.status == 200 else expected)
    assert failure.status == (0 if answer.status == 200 else answer.status)


@pytest.mark.parametrize("engine", ["docker-20.10", "docker-26.1"])
def test_a_version_that_the_engine_does_not_speak(engine: str) -> None:
    answer = recorded(engine, "error-version-too-new")
    failure = feed(decoder_for(answer.status, MESSAGES), [answer.body]).failure
    assert failure is not None
    assert (failure.type, failure.status) == (UnsupportedVersion, 400)
