"""Bodies of responses: each has a limit, and what has a digest is compared with it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final, cast

import msgspec

from dockerproto.errors import DockerError, ProtocolViolated
from dockerproto.messages.classification import status_error
from dockerproto.messages.decoding import ERROR_LIMIT
from dockerproto.redacted import RedactedBuffer

_SHOWN: Final = 1000
"""Number of characters of an error that is not JSON."""
_ERRORS: Final = 10
"""Number of errors of one document that are shown."""


class BoundedBody:
    """A body that is collected; it raises ProtocolViolated beyond its limit.

    >>> body = BoundedBody(5, "a.example")
    >>> body.feed(b"12"), body.feed(b"345"), bytes(body.data)
    (None, None, b'12345')
    """

    def __init__(self, limit: int, subject: str) -> None:
        self.data: bytearray = RedactedBuffer()  # it may be a token
        """Bytes fed until now."""
        self._limit = limit
        self._subject = subject

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        if len(self.data) + len(data) > self._limit:
            raise ProtocolViolated(0, f"{self._subject} is longer than the limit of {self._limit} bytes")
        self.data += data


class RefusalBody:
    """The body of a response with an error status; its rest is not read beyond a limit."""

    def __init__(self, status: int, subject: str) -> None:
        self._status = status
        self._subject = subject
        self._data = bytearray()

    def feed(self, data: bytes) -> bool:
        """Take the next bytes; return False if no more are needed."""
        self._data += data[: ERROR_LIMIT - len(self._data)]
        return len(self._data) < ERROR_LIMIT

    def error(self) -> DockerError:
        """Return the exception, of the class that the text tells, or else the status."""
        text = _message(bytes(self._data)) or _phrase(self._status)
        cause = type(status_error(self._status, text))
        return cause(self._status, f"{self._subject}: {text}")


def verify(digest: str, data: bytes | bytearray, subject: str) -> None:
    """Raise ProtocolViolated unless data has a digest."""
    algorithm = digest.partition(":")[0]
    found = f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"
    check_digest(digest, found, subject)


def check_digest(expected: str, found: str, subject: str) -> None:
    """Raise ProtocolViolated unless two digests are equal."""
    if found != expected:
        raise ProtocolViolated(0, f"{subject}: the digest of the data is {found}, not {expected}")


def _message(data: bytes) -> str:
    """Return the messages in an error document of a registry, or a text; "" for an empty body."""
    try:
        document: Any = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return data.decode(errors="replace").strip()[:_SHOWN]
    fields = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
    errors = fields.get("errors")
    found = cast("list[object]", errors) if isinstance(errors, list) else [fields]
    return "\n".join(_distinct(map(_line, found[:_ERRORS])))


def _line(error: object) -> str:
    fields = cast("dict[str, object]", error) if isinstance(error, dict) else {}
    code = str(fields.get("code") or fields.get("error") or "").lower().replace("_", " ")
    message = str(fields.get("message") or fields.get("details") or fields.get("error_description") or "")
    return ": ".join(_distinct((code, message)))[:_SHOWN]


def _distinct(parts: Iterable[str]) -> list[str]:
    return [each for each in dict.fromkeys(parts) if each]


def _phrase(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"status {status}"
