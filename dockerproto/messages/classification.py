"""Choose the exception for an error of the engine: by its text if that tells the cause, else by its status.

Engines report one cause in several ways. A pull without credentials is a 500 on Docker and a line in a
200 stream on Podman; an invalid archive is a line in a stream on Docker and a 500 on Podman. So the text
comes first, without the names and quotes in it (see `error_text`). Its phrases (see `error_phrases`) are
looked for in this order:

1. A failed command; its text may contain anything.
2. The engine's own phrases: it quotes names and lines of the Dockerfile without marking them.
3. Refusals of registries, HTTP statuses and errors of the network, from the last cause of the chain to the
   first: each is the reason for the one before it.
4. Phrases that tell the cause only if nothing else does.
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
)
from dockerproto.messages.command_failure import exit_code, is_command_failure
from dockerproto.messages.error_phrases import (
    AMBIGUOUS,
    CONTEXTS,
    HTTP_REQUEST,
    HTTP_STATUSES,
    NO_IMAGE,
    OWN,
    REFUSALS,
    Phrases,
)
from dockerproto.messages.error_text import causes, registry_codes, shorten, without_names, without_quotes

_CLIENT_ERROR, _MISSING, _SERVER_ERROR = 400, 404, 500
_BY_STATUS: Final[Mapping[int, type[DockerError]]] = {
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    409: Conflict,
    429: TooManyRequests,
}

_BY_REGISTRY_STATUS: Final[Mapping[int, type[DockerError]]] = {
    **_BY_STATUS,
    407: ServerError,
    408: ServerError,
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
    text = shorten(message)
    if is_command_failure(without_quotes(text)):  # first, as it may contain any other text
        return StepFailed
    if text.startswith("<"):  # the page of a proxy in front of the engine, whose status is the proxy's
        return None
    words = without_names(text)
    return _match(OWN, words) or _refusal(text, words) or _match(CONTEXTS, words)


def _refusal(text: str, words: str) -> type[DockerError] | None:
    chain = (*causes(words), *registry_codes(text))
    cause = next((found for each in chain if (found := _match(REFUSALS, each) or _http(each, words))), None)
    is_ambiguous = cause in (None, Unauthorized) and _search(AMBIGUOUS, words)
    return NotFoundOrUnauthorized if is_ambiguous else cause


def _http(cause: str, words: str) -> type[DockerError] | None:
    """Return the class for an HTTP status in a cause, or for a request that failed without one."""
    match = next((found for each in HTTP_STATUSES if (found := _search(each, cause))), None)
    if match is None or (status := int(match[1])) < _CLIENT_ERROR:
        return ServerError if _search(HTTP_REQUEST, cause) else None
    if status == _MISSING and _search(NO_IMAGE, words):
        return None
    return ServerError if status >= _SERVER_ERROR else _BY_REGISTRY_STATUS.get(status)


def _match(phrases: Phrases, text: str) -> type[DockerError] | None:
    return next((cause for cause, pattern in phrases if _search(pattern, text)), None)


def _search(pattern: str, text: str) -> re.Match[str] | None:
    return _compile(pattern).search(text)


@cache
def _compile(pattern: str) -> re.Pattern[str]:
    """Return a compiled pattern; cached, and not compiled before the first error."""
    return re.compile(pattern)


def _cause_of_status(status: int) -> type[DockerError]:
    if status < _CLIENT_ERROR:
        return ProtocolViolated
    return _BY_STATUS.get(status, BadRequest if status < _SERVER_ERROR else ServerError)
