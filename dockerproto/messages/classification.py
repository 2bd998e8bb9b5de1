"""Which exception an engine's error is: by its text where that is known, else by its status.

One cause has many faces. A pull without credentials is a 500 on Docker and a line in a 200 stream on
Podman; an archive that is none is a line in a stream on Docker and a 500 on Podman. The texts below
were collected from Docker 20.10, 26.1, 29 (source) and Podman 4.3; the first that is found decides.
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

# A failing step quotes the command, which may contain any of the words further down: so it comes first.
_TEXTS: Final[tuple[tuple[type[DockerError], str], ...]] = (
    (StepFailed, r"returned a non-zero code|did not complete successfully|executor failed running"),
    (StepFailed, r"while running runtime: exit status"),
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

# The classic builder of Docker sends it as a number; BuildKit and Podman have it in their text only.
_EXIT_CODE: Final = re.compile(
    r"(?:did not complete successfully: exit code:|executor failed running \[.*\]: exit code:"
    r"|while running runtime: exit status) (\d+)\s*\Z",
    re.DOTALL,
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
    """Return the exception for an answer with an error status.

    >>> status_error(500, 'Get "http://127.0.0.1:5000/v2/": no basic auth credentials')
    Unauthorized(500, 'Get "http://127.0.0.1:5000/v2/": no basic auth credentials')
    """
    cause = _cause(message)
    return (_by_status(status) if cause in (None, StepFailed) else cause)(status, message)


def stream_error(message: str, detail: Mapping[str, Any]) -> DockerStreamError:
    """Return the exception for an error that came in a stream.

    The exit code of a failed step is in its ``error_detail``, whatever builder it was.

    >>> type(stream_error("manifest unknown", {"message": "manifest unknown"})).__mro__[1:3]
    (<class 'dockerproto.errors.DockerStreamError'>, <class 'dockerproto.errors.NotFound'>)
    """
    if "code" not in detail and (found := _EXIT_CODE.search(message)):
        detail = {**detail, "code": int(found[1])}
    cause = _cause(message)
    return (_IN_STREAM.get(cause, DockerStreamError) if cause else DockerStreamError)(
        message, error_detail=detail
    )


def _cause(message: str) -> type[DockerError] | None:
    return next((cause for cause, text in _known() if text.search(message)), None)


@cache
def _known() -> tuple[tuple[type[DockerError], re.Pattern[str]], ...]:
    """Return the texts, compiled: once, and not before there is an error."""
    return tuple((cause, re.compile(text, re.IGNORECASE)) for cause, text in _TEXTS)


def _by_status(status: int) -> type[DockerError]:
    client_error, server_error = 400, 500
    if status < client_error:
        return ProtocolViolated
    return _BY_STATUS.get(status, BadRequest if status < server_error else ServerError)
