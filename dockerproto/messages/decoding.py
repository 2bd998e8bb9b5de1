"""How to read an answer: a decoder is fed body bytes, b"" at their end, and hands out items.

A decoder raises when the body is not complete or reports an error; so a body that was handed out
to its end did end properly. That the HTTP framing is complete is checked before: see `http11`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar, cast

import msgspec

from dockerproto.errors import DockerError, DockerStreamError, NotFound, ProtocolViolated
from dockerproto.messages.classification import status_error, stream_error
from dockerproto.messages.models import Message
from dockerproto.messages.trace import TRACE, decode_trace

T_co = TypeVar("T_co", covariant=True)

MESSAGE_LIMIT: Final = 16 * 2**20
"""Default of the longest message of a stream, in bytes."""
_ERROR_LIMIT: Final = 64 * 2**10
_LONG: Final = 4096
"""A line from which on it is long, in bytes."""
_BLOCK: Final = 512
_TAIL: Final = 8 * _BLOCK
_json: Final = msgspec.json.Decoder()
_Line: TypeAlias = bytes | memoryview


class Decoder(Protocol[T_co]):
    """Turns body bytes into items."""

    def feed(self, data: bytes, /) -> Iterable[T_co]:
        """Take the next bytes of the body; b"" is its end.

        The items are to be taken before more is fed; an error comes after the items before it.
        """
        ...


Decoders: TypeAlias = Mapping[int, "Callable[[int], Decoder[T_co]]"]
"""How to read the answers of an operation, by status; any other status is an error.

What makes a decoder is given the longest message that is allowed, in bytes.
"""


class Document:
    """A body that is one JSON document."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def feed(self, data: bytes, /) -> Iterable[Any]:
        """Hand out the document once it is complete."""
        if data:
            self._pieces.append(data)
            return ()
        try:
            return (_json.decode(b"".join(self._pieces)),)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ProtocolViolated(0, f"the answer is no JSON: {error}") from error


class Messages:
    r"""A body of JSON objects, one a line: the progress of an operation.

    >>> messages = Messages()
    >>> list(messages.feed(b'{"status": "Pull')), list(messages.feed(b'ing"}\r\n'))
    ([], [{'status': 'Pulling'}])

    Raises `DockerStreamError` at a message that reports an error, and `ProtocolViolated` at what is
    no JSON object or longer than `limit` bytes. The cost is linear in the bytes, however they are cut.
    """

    def __init__(self, limit: int = MESSAGE_LIMIT) -> None:
        self._limit = limit
        self._pieces: list[_Line] = []
        self._size = 0

    def feed(self, data: bytes, /) -> Iterable[Message]:
        """Hand out the messages that are complete."""
        if not data:
            return self._finish()
        *lines, rest = _split(data)
        if lines and self._pieces:
            lines[0] = b"".join((*self._pieces, lines[0]))
            self._pieces.clear()
            self._size = 0
        self._pieces.append(rest)
        self._size += len(rest)
        return self._plain(lines) or self._read(lines)

    def _plain(self, lines: list[_Line]) -> list[Message]:
        """Return the messages of lines that are one each and no error; none if it is not as simple as that.

        This is what engines send nearly always, and takes a third of the time of `_read`.
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
        return cast("list[Message]", documents)  # as in `_checked`

    def _finish(self) -> Iterator[Message]:
        rest = b"".join(self._pieces)
        self._pieces.clear()
        return self._read([rest])

    def _read(self, lines: list[_Line]) -> Iterator[Message]:
        for line in lines:
            self._check(len(line))
            try:
                yield _checked(_json.decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                yield from map(_checked, _several(bytes(line)))
        self._check(self._size)

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise ProtocolViolated(0, f"a message of more than {self._limit} bytes")


class BuildMessages(Messages):
    """The messages of a build: those of BuildKit have their trace decoded, see `Message`."""

    def feed(self, data: bytes, /) -> Iterable[Message]:
        """Hand out the messages that are complete."""
        return map(traced, super().feed(data))


def traced(message: Message) -> Message:
    """Return a message of a build with its trace decoded, if it has one.

    Raises:
        ProtocolViolated: The trace is none.
    """
    if message.get("id") != TRACE or "trace" in message:
        return message
    return {**message, "trace": decode_trace(message.get("aux"))}


class Archive:
    """A tar, handed out as it comes.

    An engine that fails in the middle appends its error to the data, or just ends; so the end is
    checked: two blocks of zeros.
    """

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, data: bytes, /) -> Iterable[bytes]:
        """Hand out the bytes."""
        if data:
            self._tail = (data if len(data) >= _TAIL else self._tail + data)[-_TAIL:]
            return (data,)
        if self._tail[-2 * _BLOCK :] != bytes(2 * _BLOCK):
            raise self._failure()
        return ()

    def _failure(self) -> DockerError:
        """Return the error that the engine appended, if there is one that reaches to the end."""
        for start in (b'{"errorDetail":', b'{"message":'):
            at = self._tail.rfind(start)
            with suppress(msgspec.DecodeError, UnicodeDecodeError):
                message = _json.decode(self._tail[at:] if at >= 0 else b"{}")
                if error := _reported({"errorDetail": message.get("errorDetail", message or None)}):
                    return error
        return ProtocolViolated(0, "the archive is incomplete")


class Value(Generic[T_co]):
    """A body that does not matter: the status says it all."""

    def __init__(self, value: T_co) -> None:
        self._value = value

    def feed(self, data: bytes, /) -> Iterable[T_co]:
        """Hand out the value at the end."""
        return () if data else (self._value,)


class ErrorBody:
    """The body of an error status; raises when it is complete. Any body is coped with."""

    def __init__(self, status: int) -> None:
        self._status = status
        self._body = b""

    def feed(self, data: bytes, /) -> Iterable[Any]:
        """Raise once the message is complete."""
        if data:
            self._body = (self._body + data)[:_ERROR_LIMIT]
            return ()
        raise status_error(self._status, _message(self._body) or _unsaid(self._status))


class Missing:
    """The body of a 404 that may mean "there is none": hands out False, or raises if it means else."""

    def __init__(self) -> None:
        self._error = ErrorBody(404)

    def feed(self, data: bytes, /) -> Iterable[bool]:
        """Hand out False if it is an image that is missing."""
        try:
            return self._error.feed(data)
        except NotFound as error:
            if "no such image" not in error.message.lower():
                raise
            return (False,)


def decoder_for(status: int, decoders: Decoders[T_co], limit: int = MESSAGE_LIMIT) -> Decoder[T_co]:
    """Return what reads the body of an answer with this status."""
    if status in decoders:
        return decoders[status](limit)
    success, error = 200, 300
    if success <= status < error:
        raise ProtocolViolated(status, "a success, but not the one that was asked for")
    return ErrorBody(status)


def _split(data: bytes) -> Sequence[_Line]:
    """Split at line feeds, as `bytes.split` does, which looks at each byte: `bytes.find` skips long lines.

    Long lines are not copied: that and the finding took as long as the decoding of a line of 64 KiB.
    """
    if len(data) < _LONG or data.find(b"\n", 0, _LONG) >= 0:
        return data.split(b"\n")
    view, lines, start = memoryview(data), list[_Line](), 0
    while (end := data.find(b"\n", start)) >= 0:
        lines.append(view[start:end])
        start = end + 1
    return [*lines, view[start:]]


def _checked(document: Any) -> Message:
    if type(document) is not dict:
        raise ProtocolViolated(0, f"a message that is no JSON object: {document!r:.200}")
    message = cast("dict[str, Any]", document)
    if ("errorDetail" in message or "error" in message) and (error := _reported(message)) is not None:
        raise error
    return cast("Message", message)  # its values are the engine's: described, not checked


def _reported(message: dict[str, Any]) -> DockerStreamError | None:
    """Return the error that a message reports; the key for it may be there and null."""
    error, detail = message.get("error"), message.get("errorDetail")
    if error is None and detail is None:
        return None
    known = cast("dict[str, Any]", detail) if isinstance(detail, dict) else {}
    text = str(known.get("message") or error or "an error without a message").strip()
    return stream_error(text, {"message": text, **known})


def _several(line: bytes) -> Iterator[Any]:
    """Yield the documents of a line that is not one: none, several, or one that is not UTF-8."""
    text = line.decode(errors="replace")
    end = _skip(text, 0)
    while end < len(text):
        try:
            document, end = _document(text, end)
        except (ValueError, RecursionError) as error:
            raise ProtocolViolated(0, f"a message that is no JSON: {text[end : end + 200]!r}") from error
        yield document
        end = _skip(text, end)


def _document(text: str, start: int) -> tuple[Any, int]:
    """Return the document that begins there, and where it ends; raise ValueError or RecursionError."""
    from json import JSONDecoder  # noqa: PLC0415  # msgspec's does not tell the end

    return JSONDecoder().raw_decode(text, start)


def _skip(text: str, start: int) -> int:
    while start < len(text) and text[start] in " \t\r\n":
        start += 1
    return start


def _unsaid(status: int) -> str:
    redirects = range(300, 400)
    return (
        "a redirect, which is not followed" if status in redirects else f"status {status} without a message"
    )


def _message(body: bytes) -> str:
    """Return the message of an error's body: JSON with one, else the text."""
    text = body.decode(errors="replace").strip()
    try:
        document: Any = _document(text, 0)[0]
    except (ValueError, RecursionError):
        return text
    if not isinstance(document, dict):
        return text
    found = cast("dict[str, Any]", document)
    detail = found.get("errorDetail")
    inner: Any = cast("dict[str, Any]", detail).get("message") if isinstance(detail, dict) else None
    message = found.get("message") or inner or found.get("error")
    return message.strip() if isinstance(message, str) and message.strip() else text
