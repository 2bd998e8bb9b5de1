"""Decoders of response bodies: fed with bytes, and b"" at their end, they return items.

A decoder raises if the body is incomplete or reports an error, so a body that was decoded to its end
did end properly. Complete HTTP framing is checked before this: see `http11`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar, cast

import msgspec

from dockerproto.errors import (
    DockerError,
    DockerStreamError,
    NotFound,
    ProtocolViolated,
    StreamBadRequest,
    StreamNotFound,
)
from dockerproto.messages.models import Message
from dockerproto.messages.trace import TRACE, StatusResponse, decode_trace

T_co = TypeVar("T_co", covariant=True)

MESSAGE_LIMIT: Final = 16 * 2**20
"""Default limit of one message of a stream, in bytes."""
DOCUMENT_LIMIT: Final = 64 * 2**20
"""Default limit of a body that is one document, in bytes; a list of 10,000 images has 10 to 20 MB."""
ERROR_LIMIT: Final = 64 * 2**10
"""Bytes of an error's body that are read: far more than an engine sends, and other servers' may never end."""
_LONG: Final = 4096
"""Size from which a line counts as long, in bytes."""
_BLOCK: Final = 512
_TAIL: Final = 8 * _BLOCK
_json: Final = msgspec.json.Decoder()
_Line: TypeAlias = bytes | bytearray | memoryview


class Decoder(Protocol[T_co]):
    """An incremental parser that turns body bytes into items."""

    def feed(self, data: bytes, /) -> Iterable[T_co]:
        """Take the next bytes of the body, b"" at its end, and return the items that are complete.

        The caller takes all items before it feeds more; an error is raised after the items before it.
        """
        ...


Decoders: TypeAlias = Mapping[int, "Callable[[int], Decoder[T_co]]"]
"""Factories of the decoders of an operation, by status; any other status is an error.

The argument of a factory is the limit of one message, in bytes.
"""


class Document:
    """A body that is one JSON document.

    Raises `ProtocolViolated` if it is longer than `DOCUMENT_LIMIT`, or than `limit` if that is more.
    """

    def __init__(self, limit: int = MESSAGE_LIMIT) -> None:
        self._limit = max(limit, DOCUMENT_LIMIT)
        self._body = bytearray()

    def feed(self, data: bytes, /) -> Iterable[Any]:
        """Return the document once it is complete."""
        if data:
            self._body += data
            if len(self._body) > self._limit:
                raise ProtocolViolated(0, f"the response is longer than the limit of {self._limit} bytes")
            return ()
        try:
            return (_json.decode(self._body),)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ProtocolViolated(0, f"invalid JSON in the response: {error}") from error


class Messages:
    r"""A body of JSON objects, one in each line: the progress of an operation.

    >>> messages = Messages()
    >>> list(messages.feed(b'{"status": "Pull')), list(messages.feed(b'ing"}\r\n'))
    ([], [{'status': 'Pulling'}])

    Raises `DockerStreamError` if a message reports an error, and `ProtocolViolated` if a message is not a
    JSON object or is longer than `limit` bytes. The cost is linear in the bytes, whatever the chunks.
    """

    def __init__(self, limit: int = MESSAGE_LIMIT) -> None:
        self._limit = limit
        self._pending: list[_Line] = []
        """Beginning of a message; short chunks are joined, as an object takes more than it contains."""
        self._size = 0

    def feed(self, data: bytes, /) -> Iterable[Message]:
        """Return the messages that are complete."""
        if not data:
            return self._finish()
        *lines, rest = _split(data)
        if lines and self._pending:
            lines[0] = b"".join((*self._pending, lines[0]))
            self._pending.clear()
            self._size = 0
        if rest:
            self._keep(rest)
        return self._decode_fast(lines) or self._decode(lines)

    def _keep(self, rest: _Line) -> None:
        self._size += len(rest)
        if len(rest) >= _LONG:
            self._pending.append(rest)
        elif self._pending and isinstance(last := self._pending[-1], bytearray):
            last += rest
        else:
            self._pending.append(bytearray(rest))

    def _decode_fast(self, lines: list[_Line]) -> list[Message]:
        """Return the messages if each line is one and none is an error, otherwise an empty list.

        Engines send such lines nearly always; it takes a third of the time of `_decode`.
        """
        if self._size + sum(map(len, lines)) > self._limit:
            return []
        try:
            documents = list(map(_json.decode, lines))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return []
        for each in documents:
            if type(each) is not dict or "error" in each or "errorDetail" in each:
                return []
        return cast("list[Message]", documents)  # as in `_validate`

    def _finish(self) -> Iterator[Message]:
        rest = b"".join(self._pending)
        self._pending.clear()
        return self._decode([rest])

    def _decode(self, lines: list[_Line]) -> Iterator[Message]:
        for line in lines:
            self._check_size(len(line))
            try:
                yield _validate(_json.decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                yield from map(_validate, _documents(bytes(line)))
        self._check_size(self._size)

    def _check_size(self, size: int) -> None:
        if size > self._limit:
            raise ProtocolViolated(0, f"a message is longer than the limit of {self._limit} bytes")


class BuildMessages(Messages):
    """The messages of a build, with the traces of BuildKit decoded: see `Message`."""

    def feed(self, data: bytes, /) -> Iterable[Message]:
        """Return the messages that are complete."""
        return map(decode_message_trace, super().feed(data))


def decode_message_trace(message: Message) -> Message:
    """Return a message of a build with its trace decoded, if it has one.

    Raises:
        ProtocolViolated: The trace is malformed.
    """
    if message.get("id") != TRACE or isinstance(message.get("trace"), StatusResponse):
        return message
    return {**message, "trace": decode_trace(message.get("aux"))}


class LoadMessages(Messages):
    """The messages of a load of images.

    Engine 28.5 responds with 200 and an empty object if the archive lacks the requested platform, and with a
    bare "unexpected EOF" if it is truncated, which elsewhere is a fault of a connection.

    Args:
        platform: The requested platform, for the error message; None: any.
        limit: Limit of one message, in bytes.
    """

    def __init__(self, platform: str | None = None, limit: int = MESSAGE_LIMIT) -> None:
        super().__init__(limit)
        self._platform = platform
        self._loaded = False

    def feed(self, data: bytes, /) -> Iterable[Message]:
        """Return the messages that are complete; raise `NotFound` at the end if nothing was loaded."""
        return self._check(super().feed(data), last=not data)

    def _check(self, messages: Iterable[Message], *, last: bool) -> Iterator[Message]:
        try:
            for message in messages:
                self._loaded = self._loaded or (bool(message) and "progressDetail" not in message)
                yield message
        except DockerStreamError as error:
            if type(error) is DockerStreamError and error.message.endswith("EOF"):
                raise StreamBadRequest(error.message, error_detail=error.error_detail) from None
            raise
        if last and not self._loaded:
            wanted = "" if self._platform is None else f" for platform {self._platform}"
            raise StreamNotFound(f"nothing was loaded: the archive has no image{wanted}")


class ArchiveBody:
    """A body that is a tar archive; its bytes are returned as they come.

    An engine that fails in the middle appends its error to the archive, or just ends the body, so the
    end is checked: it must be two blocks of zeros.
    """

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, data: bytes, /) -> Iterable[bytes]:
        """Return the bytes."""
        if data:
            self._tail = (data if len(data) >= _TAIL else self._tail + data)[-_TAIL:]
            return (data,)
        if self._tail[-2 * _BLOCK :] != bytes(2 * _BLOCK):
            raise self._error()
        return ()

    def _error(self) -> DockerError:
        """Return the error that the engine appended, if one reaches to the end of the body."""
        for start in (b'{"errorDetail":', b'{"message":'):
            at = self._tail.rfind(start)
            with suppress(msgspec.DecodeError, UnicodeDecodeError):
                message = _json.decode(self._tail[at:] if at >= 0 else b"{}")
                if error := _reported_error({"errorDetail": message.get("errorDetail", message or None)}):
                    return error
        return ProtocolViolated(0, "the archive is incomplete")


class Value(Generic[T_co]):
    """A body that is ignored: the status decides the value."""

    def __init__(self, value: T_co) -> None:
        self._value = value

    def feed(self, data: bytes, /) -> Iterable[T_co]:
        """Return the value at the end."""
        return () if data else (self._value,)


class ErrorBody:
    """The body of an error status, of any form; raises when it is complete, or at the limit."""

    def __init__(self, status: int) -> None:
        self._status = status
        self._body = bytearray()

    def feed(self, data: bytes, /) -> Iterable[Any]:
        """Raise once the message is complete, or has `ERROR_LIMIT` bytes."""
        self._body += data[: ERROR_LIMIT - len(self._body)]
        if data and len(self._body) < ERROR_LIMIT:
            return ()
        from dockerproto.messages.classification import status_error  # noqa: PLC0415  # only for errors

        raise status_error(self._status, _error_message(self._body) or _default_message(self._status))


class MissingImage:
    """The body of a 404: False if the image is missing, otherwise the error is raised."""

    def __init__(self) -> None:
        self._error = ErrorBody(404)

    def feed(self, data: bytes, /) -> Iterable[bool]:
        """Return False at the end if the image is missing."""
        try:
            return self._error.feed(data)
        except NotFound as error:
            if data or "no such image" not in error.message.lower():
                raise
            return (False,)


def decoder_for(status: int, decoders: Decoders[T_co], limit: int = MESSAGE_LIMIT) -> Decoder[T_co]:
    """Return the decoder for the body of a response with this status.

    Raises:
        ProtocolViolated: The status is a success, but not one that the operation expects.
    """
    if status in decoders:
        return decoders[status](limit)
    success, error = 200, 300
    if success <= status < error:
        raise ProtocolViolated(status, f"unexpected success status {status}")
    return ErrorBody(status)


def _split(data: bytes) -> Sequence[_Line]:
    """Split at line feeds, like `bytes.split`, but faster on long lines.

    `bytes.split` looks at each byte, `bytes.find` skips ahead, and a `memoryview` copies nothing: splitting
    and copying took as long as decoding a line of 64 KiB.
    """
    if len(data) < _LONG or data.find(b"\n", 0, _LONG) >= 0:
        return data.split(b"\n")
    view, lines, start = memoryview(data), list[_Line](), 0
    while (end := data.find(b"\n", start)) >= 0:
        lines.append(view[start:end])
        start = end + 1
    return [*lines, view[start:]]


def _validate(document: Any) -> Message:
    if type(document) is not dict:
        raise ProtocolViolated(0, f"a message must be a JSON object, not {document!r:.200}")
    message = cast("dict[str, Any]", document)
    if ("errorDetail" in message or "error" in message) and (error := _reported_error(message)) is not None:
        raise error
    return cast("Message", message)  # its values are the engine's: described, not checked


def _reported_error(message: dict[str, Any]) -> DockerStreamError | None:
    """Return the error that a message reports; None also if its keys are there, but null."""
    error, detail = message.get("error"), message.get("errorDetail")
    if error is None and detail is None:
        return None
    fields = cast("dict[str, Any]", detail) if isinstance(detail, dict) else {}
    text = str(fields.get("message") or error or "an error without a message").strip()
    from dockerproto.messages.classification import stream_error  # noqa: PLC0415  # only for errors

    return stream_error(text, {"message": text, **fields})


def _documents(line: bytes) -> Iterator[Any]:
    """Yield the documents of a line that is not exactly one: none, several, or one that is not UTF-8."""
    text = line.decode(errors="replace")
    end = _skip(text, 0)
    while end < len(text):
        try:
            document, end = _document(text, end)
        except (ValueError, RecursionError) as error:
            raise ProtocolViolated(0, f"invalid JSON in a message: {text[end : end + 200]!r}") from error
        yield document
        end = _skip(text, end)


def _document(text: str, start: int) -> tuple[Any, int]:
    """Return the document that begins at `start`, and its end; raise ValueError or RecursionError."""
    from json import JSONDecoder  # noqa: PLC0415  # msgspec does not return the end

    return JSONDecoder().raw_decode(text, start)


def _skip(text: str, start: int) -> int:
    while start < len(text) and text[start] in " \t\r\n":
        start += 1
    return start


def _default_message(status: int) -> str:
    redirects = range(300, 400)
    return (
        "a redirect, which is not followed" if status in redirects else f"status {status} without a message"
    )


def _error_message(body: bytes | bytearray) -> str:
    """Return the message in the body of an error: that of its JSON, otherwise the whole text."""
    text = body.decode(errors="replace").strip()
    try:
        document: Any = _document(text, 0)[0]
    except (ValueError, RecursionError):
        return text
    if not isinstance(document, dict):
        return text
    fields = cast("dict[str, Any]", document)
    detail = fields.get("errorDetail")
    inner: Any = cast("dict[str, Any]", detail).get("message") if isinstance(detail, dict) else None
    message = fields.get("message") or inner or fields.get("error")
    return message.strip() if isinstance(message, str) and message.strip() else text
