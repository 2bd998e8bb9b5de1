"""Choose the exception for an error of the engine: by its text if that is known, else by its status.

Engines report one cause in several ways. A pull without credentials is a 500 on Docker and a line in a
200 stream on Podman; an invalid archive is a line in a stream on Docker and a 500 on Podman. The texts
below were collected from Docker 20.10, 26.1, 29 (source) and Podman 4.3; the first that matches decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

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
from dockerproto.messages.command_failure import exit_code, is_command_failure

_TEXTS: Final[tuple[tuple[type[DockerError], str], ...]] = (
    (UnsupportedVersion, r"client version \S+ is too (?:new|old)|requires minimum api version"),
    (NotFoundOrUnauthorized, r"pull access denied|requested access to the resource is denied"),
    (NotFoundOrUnauthorized, r"server message: insufficient_scope: "),
    (TooManyRequests, r"toomanyrequests"),
    (Unauthorized, r"no basic auth credentials|unauthorized: |authentication required|\b401 unauthorized"),
    (Unauthorized, r"^denied: |errors:\ndenied: |incorrect username or password"),
    (BadRequest, r"(?:copy|add) failed: |failed to (?:compute cache key|calculate checksum)"),
    (BadRequest, r"dockerfile parse error|unknown instruction: |dockerfile .*cannot be empty|no build stage"),
    (BadRequest, r"cannot locate specified dockerfile|failed to read dockerfile|dockerfile: no such file"),
    (BadRequest, r"no contents in .*dockerfile|checking on sources under"),
    (
        BadRequest,
        r"target stage .* could not be found|failed to reach build target|target .* was not found in",
    ),
    (BadRequest, r"not supported by buildkit|multiple outputs not supported"),
    (BadRequest, r"invalid tar header|any of the supported image formats|unrecognized image format"),
    (BadRequest, r"(?:error processing tar file|untarring file|applylayer).*unexpected eof"),
    (BadRequest, r"docker-import-\d+/\S+: no such file|does not contain a manifest\.json"),
    (BadRequest, r"invalid reference format|must be lowercase|invalid tag format"),
    (BadRequest, r"is not a valid change command|invalid change |invalid filter|unsupported image filter"),
    (BadRequest, r"non-boolean value .* filter|is a reserved name"),
    (BadRequest, r"failed to parse value as time|cannot push a digest reference"),
    (NotFound, r"no such image|image not known|manifest unknown|manifest for .* not found|name unknown"),
    (NotFound, r"does not exist locally with the tag|tag does not exist|^[^\n]*[:@]\S+: not found$"),
    (Conflict, r"conflict: unable to|image is in use|image used by|more than one tag|must be forced"),
    (
        ServerError,
        r"connection refused|no such host|i/o timeout|unexpected http status: 5|server gave http response",
    ),
)

_BY_STATUS: Final[Mapping[int, type[DockerError]]] = {
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    409: Conflict,
    429: TooManyRequests,
}

_IN_STREAM: Final[Mapping[type[DockerError], type[DockerStreamError]]] = {
    BadRequest: StreamBadRequest,
    Conflict: StreamConflict,
    NotFound: StreamNotFound,
    NotFoundOrUnauthorized: StreamNotFoundOrUnauthorized,
    ServerError: StreamServerError,
    StepFailed: StepFailed,
    TooManyRequests: StreamTooManyRequests,
    Unauthorized: StreamUnauthorized,
}


def status_error(status: int, message: str) -> DockerError:
    """Return the exception for a response with an error status.

    >>> status_error(500, 'Get "http://127.0.0.1:5000/v2/": no basic auth credentials')
    Unauthorized(500, 'Get "http://127.0.0.1:5000/v2/": no basic auth credentials')
    """
    cause = _cause(message)
    return (_cause_of_status(status) if cause in (None, StepFailed) else cause)(status, message)


def stream_error(message: str, detail: Mapping[str, Any]) -> DockerStreamError:
    """Return the exception for an error reported in a 200 stream.

    If a step failed, its exit code is in ``error_detail``, whatever the builder.

    >>> type(stream_error("manifest unknown", {"message": "manifest unknown"})).__mro__[1:3]
    (<class 'dockerproto.errors.DockerStreamError'>, <class 'dockerproto.errors.NotFound'>)
    """
    if "code" not in detail and (code := exit_code(message)) is not None:
        detail = {**detail, "code": code}
    cause = _cause(message)
    return (_IN_STREAM.get(cause, DockerStreamError) if cause else DockerStreamError)(
        message, error_detail=detail
    )


def _cause(message: str) -> type[DockerError] | None:
    if is_command_failure(message):  # first, as it quotes the command, which may contain any other text
        return StepFailed
    return next((cause for cause, pattern in _patterns() if pattern.search(message)), None)


@cache
def _patterns() -> tuple[tuple[type[DockerError], re.Pattern[str]], ...]:
    """Return the texts as compiled patterns; cached, and not compiled before the first error."""
    return tuple((cause, re.compile(text, re.IGNORECASE)) for cause, text in _TEXTS)


def _cause_of_status(status: int) -> type[DockerError]:
    client_error, server_error = 400, 500
    if status < client_error:
        return ProtocolViolated
    return _BY_STATUS.get(status, BadRequest if status < server_error else ServerError)
