"""The server's end of one HTTP/1.1 connection, read byte by byte as scripts need it.

Rule: the last byte that was read stays in the kernel ("owed") until the next read or the orderly close. A
unix socket resets its peer if and only if it is closed with unread bytes, so a reset is possible at any time,
without a race.
"""

import hashlib
import math
import select
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Final
from urllib.parse import parse_qs

from msgspec import Struct

PIECE: Final = 64 * 1024
LONGEST_LINE: Final = 128 * 1024
KEPT_BODY: Final = 1024 * 1024


class GoneError(ConnectionError):
    """The client closed the connection, or the engine is being shut down."""


class BadRequestError(ValueError):
    """The client sent something that is not HTTP/1.1."""


class Wire:
    """A connected socket, read with one byte of lag."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._owed = 0

    def send(self, data: bytes) -> None:
        """Send all of it; raise OSError if the client is gone."""
        self._socket.sendall(data)

    def some(self, limit: int) -> bytes:
        """Read between 1 and `limit` bytes; raise GoneError at the end."""
        data = self._peek(limit)
        self._consume(len(data))
        return data

    def line(self) -> bytes:
        """Read up to the next line feed, without the line end; raise GoneError at the end."""
        line = bytearray()
        while not line.endswith(b"\n"):
            data = self._peek(PIECE)
            taken = data.find(b"\n") + 1 or len(data)
            self._consume(taken)
            line += data[:taken]
            if len(line) > LONGEST_LINE:
                raise BadRequestError("line is too long")
        return bytes(line).rstrip(b"\r\n")

    def hung_up(self, seconds: float | None) -> bool:
        """Wait for the client to close the connection, reading nothing; return False if it did not."""
        poll = select.poll()
        poll.register(self._socket, 0)  # POLLHUP and POLLERR are always reported
        return bool(poll.poll(None if seconds is None else math.ceil(seconds * 1000)))

    def readable(self, seconds: float) -> bool:
        """Wait until `some` would return or raise at once; return False if it would not."""
        self._discard(self._owed)
        self._owed = 0
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(math.ceil(seconds * 1000)))

    def interrupt(self) -> None:
        """End at once what another thread does on this connection."""
        self._shut_down()

    def close(self) -> None:
        """Close so that the client reads what was sent, then the end."""
        self._shut_down()
        with suppress(OSError):
            while self._socket.recv(PIECE):
                pass
        self._socket.close()

    def reset(self) -> None:
        """Close so that the client gets ECONNRESET: the owed byte is still unread."""
        self._socket.close()

    def _shut_down(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _peek(self, limit: int) -> bytes:
        self._discard(self._owed)
        self._owed = 0
        data = self._socket.recv(limit, socket.MSG_PEEK)
        if not data:
            raise GoneError
        return data

    def _consume(self, count: int) -> None:
        self._discard(count - 1)
        self._owed = 1

    def _discard(self, count: int) -> None:
        while count:
            count -= len(self._socket.recv(count))


class RequestHead(Struct, frozen=True, kw_only=True):
    """A request line and its headers."""

    method: str
    """The method, in upper case."""
    target: str
    """Path and query as sent."""
    path: str
    """The path without API version and query, as sent: special characters are escaped."""
    version: str | None
    """The API version, such as ``1.41``."""
    query: dict[str, list[str]]
    """The parameters of the query."""
    headers: dict[str, str]
    """The headers, by their names in lower case."""

    @property
    def keeps_alive(self) -> bool:
        """True if the client will send more requests."""
        return "close" not in self.headers.get("connection", "").lower()


def read_head(wire: Wire) -> RequestHead | None:
    """Read the head of the next request; return None if the client closed the connection instead."""
    try:
        first = wire.line()
    except GoneError:
        return None
    match first.decode("latin-1").split(" "):
        case [method, target, "HTTP/1.1"]:
            return _head(method, target, _read_fields(wire))
        case ["PRI", "*", "HTTP/2.0"]:  # the first part of the preface of HTTP/2
            return _head("PRI", "*", _read_fields(wire))
        case _:
            raise BadRequestError(f"invalid request line: {first[:100]!r}")


def _head(method: str, target: str, headers: dict[str, str]) -> RequestHead:
    path, _, query = target.partition("?")
    first, _, rest = path.removeprefix("/").partition("/")
    version = first[1:] if first[:1] == "v" and first[1:2].isdecimal() else None
    return RequestHead(
        method=method,
        target=target,
        path=path if version is None else f"/{rest}",
        version=version,
        query=parse_qs(query, keep_blank_values=True),
        headers=headers,
    )


def _read_fields(wire: Wire) -> dict[str, str]:
    """Read headers or trailers up to the empty line; repeated ones are joined with a comma."""
    fields: dict[str, str] = {}
    while line := wire.line():
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon:
            raise BadRequestError(f"invalid header: {line[:100]!r}")
        key = name.lower()
        fields[key] = f"{fields[key]}, {value.strip()}" if key in fields else value.strip()
    return fields


class Body:
    """The body of a request, without chunked encoding: counted, hashed, and kept up to 1 MiB."""

    def __init__(self, wire: Wire, headers: Mapping[str, str]) -> None:
        self._wire = wire
        self._kept = bytearray()
        self._hash = hashlib.sha256()
        self.length: int = 0
        self.chunked: bool = "chunked" in headers.get("transfer-encoding", "").lower()
        self._left = 0 if self.chunked else _number(headers.get("content-length", "0"), 10)
        self.complete: bool = not self.chunked and not self._left

    @property
    def kept(self) -> bytes:
        """The part of the body that was read; empty if that is more than 1 MiB."""
        return bytes(self._kept) if self.length <= KEPT_BODY else b""

    @property
    def sha256(self) -> str:
        """Hash of the part of the body that was read, in hexadecimal."""
        return self._hash.hexdigest()

    def read(self, limit: int | None = None) -> None:
        """Read `limit` more bytes, or all that is left."""
        while not self.complete and limit != 0:
            if not self._left:
                self._next_chunk()
                continue
            data = self._wire.some(min(self._left, PIECE if limit is None else min(limit, PIECE)))
            limit = None if limit is None else limit - len(data)
            self._take(data)

    def _take(self, data: bytes) -> None:
        self._left -= len(data)
        self.length += len(data)
        self._hash.update(data)
        if self.length <= KEPT_BODY:
            self._kept += data
        else:
            self._kept.clear()
        if self._left:
            return
        if self.chunked:
            self._wire.line()  # the line end that follows a chunk
        else:
            self.complete = True

    def _next_chunk(self) -> None:
        self._left = _number(self._wire.line().partition(b";")[0].decode("latin-1"), 16)
        if not self._left:
            _read_fields(self._wire)
            self.complete = True


def _number(text: str, base: int) -> int:
    digits = text.strip()
    try:
        if digits.isalnum():  # int() takes signs and underscores too
            return int(digits, base)
    except ValueError:
        pass
    raise BadRequestError(f"invalid length: {text[:100]!r}")
