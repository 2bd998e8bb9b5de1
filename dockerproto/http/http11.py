"""HTTP/1.1 framing over h11, without I/O: one connection, one exchange after another.

`Exchange.feed` takes bytes, b"" at the end of the connection; `Exchange.head` and `Exchange.body` return the
parsed response. A successful response without Content-Length or chunked encoding is rejected: a dropped
connection would look the same as its end, and engines always send one of the two.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, Protocol

import h11
from msgspec import Struct

from dockerproto.agent import AGENT
from dockerproto.errors import ConnectionFailed, DockerError, ProtocolViolated
from dockerproto.http.chunked import PlainChunks
from dockerproto.redacted import Redacted, RedactedBytes, hide_frames
from dockerproto.transport.chunks import Buffer, Chunk

HEAD_LIMIT: Final = 64 * 2**10
"""Limit of the head of a response, in bytes."""
INTERIM_LIMIT: Final = 16
"""Limit of the interim responses (1xx) before a response: engines send none or one, and 7,000 took 0.6 s."""
SWITCHED: Final = 101
"""Status of a response that switches the connection to another protocol, as the request asked."""
_NO_CONTENT: Final = 204
_BODYLESS: Final = frozenset({_NO_CONTENT, 304})
_BLANK_LINE: Final = re.compile(rb"\n\r?\n")
"""End of a head, as h11 finds it."""
_FIRST_ERROR: Final = 300
"""Lowest status of an error; redirects are errors, as they are not followed."""
_START: Final = b"HTTP/"
_TLS_ALERT: Final = b"\x15\x03"
_SHOWN: Final = 60
_END: Final = h11.EndOfMessage()
_CHUNKED: Final = ("Transfer-Encoding", "chunked")
_EMPTY: Final = ("Content-Length", "0")
_CHALLENGES: Final = "www-authenticate"


class Upload(Protocol):
    """The body of a request, while it is being sent."""

    async def next(self) -> Chunk:
        """Return the next chunk, empty at the end; the next call may overwrite it."""
        ...

    async def close(self) -> None:
        """Close the source of the body."""
        ...


class WireRequest(Redacted, frozen=True):
    """A request as it is sent, except its framing."""

    _hidden = ("headers",)

    method: str
    """HTTP method."""
    target: str
    """Path and query."""
    headers: Sequence[tuple[str, str]]
    """All headers except those for framing; some contain secrets."""
    upload: Upload | None = None
    """Body of the request, None if it has none."""
    size: int | None = None
    """Size of the body in bytes; None to send it in chunks."""

    @property
    def path(self) -> str:
        """Target without the query, which may contain secrets."""
        return self.target.partition("?")[0]

    @property
    def repeatable(self) -> bool:
        """True if the request may be sent again when its connection turns out to be closed."""
        return self.method in ("GET", "HEAD")


class Head(Struct, frozen=True):
    """The status and headers of a response."""

    status: int
    """HTTP status."""
    headers: Mapping[str, str]
    """Headers by name in lower case."""

    @property
    def is_error(self) -> bool:
        """True if the status is an error; redirects count, as they are not followed."""
        return self.status >= _FIRST_ERROR


class Exchange:
    """The client's side of one HTTP/1.1 connection: request, response, and again.

    Args:
        peer: Name of the server in messages.
    """

    def __init__(self, peer: str = "the engine") -> None:
        self._peer = peer
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_LIMIT)
        self._eof = False
        self._framed = True
        self._bodyless = False
        self._awaits_head = False
        self._head_ended = False
        self._line_end = b""
        self._head_size = 0
        self._interim = 0
        self._after_head: list[bytes] = []
        self._chunks: PlainChunks | None = None
        self._ready = deque[bytes]()
        self.untouched: bool = True
        """True until the first byte of the response is received."""

    def start(self, request: WireRequest) -> bytes:
        """Return the head of a request as bytes to send.

        Raises:
            DockerError: HTTP does not allow its method, target or headers.
        """
        if self._http.our_state is h11.DONE:
            self._http.start_next_cycle()
        self.untouched = True
        self._awaits_head = True
        self._head_size = 0
        self._interim = 0
        self._bodyless = request.method == "HEAD"
        try:
            headers = _headers(request)
            head = self._send(h11.Request(method=request.method, target=request.target, headers=headers))
            if request.upload is None:
                self.finish()
        except (h11.LocalProtocolError, UnicodeEncodeError) as error:
            failure = DockerError(0, f"invalid HTTP request: {error}")
        except BaseException as error:
            hide_frames(error)  # those of h11 have plain headers
            raise
        else:
            return RedactedBytes(head)
        raise failure  # not above: it would have that error, and the frames of h11, as its context

    def chunk(self, data: Chunk) -> list[Chunk]:
        """Return the bytes to send for a chunk of the body; the chunk itself is not copied."""
        # h11 accepts any object with a length, and documents that it passes it through unchanged.
        return list(self._http.send_with_data_passthrough(h11.Data(data=data)) or ())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    def finish(self) -> bytes:
        """Return the bytes that end the body."""
        return self._send(_END)

    def feed(self, data: Buffer) -> None:
        """Take bytes from the connection, empty at its end; the caller may overwrite them afterwards."""
        self.untouched = self.untouched and not data
        self._eof = self._eof or not data
        if self._chunks is not None:
            self._feed_chunks(self._chunks, data)
        elif self._head_ended:
            self._after_head.append(bytes(data))
        elif self._awaits_head:
            self._feed_head(data)
        else:
            self._http.receive_data(bytes(data))

    def head(self) -> Head | None:
        """Return the head of the response, None if more bytes are needed.

        Raises:
            ConnectionFailed: The connection was closed before the response was complete.
            ProtocolViolated: The response is not valid HTTP.
        """
        event = self._event()
        while isinstance(event, h11.InformationalResponse) and event.status_code != SWITCHED:
            self._count_interim()
            self._feed_rest()
            event = self._event()
        if event is h11.NEED_DATA:
            self._check_start()
        if isinstance(event, h11.Response | h11.InformationalResponse):
            return self._read_head(event)
        return None

    def body(self) -> bytes | None:
        """Return the next bytes of the body, b"" at its end, None if more are needed. Raises as `head`."""
        if self._ready:
            return self._ready.popleft()
        if self._chunks is not None:
            return None
        event = self._event()
        if isinstance(event, h11.Data):
            return bytes(event.data)
        if isinstance(event, h11.EndOfMessage):
            return self._end()
        return None

    @property
    def reusable(self) -> bool:
        """True if another request may follow: both sides are done, and no byte followed the response."""
        done = self._http.our_state is h11.DONE and self._http.their_state is h11.DONE
        return done and self._http.trailing_data == (b"", False)

    @property
    def trailing_data(self) -> bytes:
        """Bytes received but not parsed, such as those after a switch to another protocol."""
        return self._http.trailing_data[0]

    def _send(self, event: h11.Request | h11.EndOfMessage) -> bytes:
        return self._http.send(event) or b""

    def _event(self) -> object:
        try:
            return self._http.next_event()
        except h11.RemoteProtocolError as error:
            hide_frames(error)
            if self._eof:
                message = f"{self._peer} closed the connection before its response was complete"
                raise ConnectionFailed(0, message) from error
            reason = "TLS alert" if self.trailing_data.startswith(_TLS_ALERT) else error
            raise ProtocolViolated(0, f"invalid HTTP response: {reason}") from error

    def _check_start(self) -> None:
        """Reject the first bytes of another protocol, whose server may never send a whole head."""
        start = self.trailing_data[:_SHOWN]
        if not (start.startswith(_START) or _START.startswith(start)):
            raise ProtocolViolated(0, f"invalid HTTP response: {start!r}")

    def _count_interim(self) -> None:
        self._interim += 1
        if self._interim > INTERIM_LIMIT:
            raise ProtocolViolated(0, f"more than {INTERIM_LIMIT} interim responses before the response")

    def _feed_head(self, data: Buffer) -> None:
        """Pass the head to h11 and keep the bytes after it, which h11 would not return."""
        seen = self._line_end + data
        found = _BLANK_LINE.search(seen)
        end = found.end() - len(self._line_end) if found else len(data)
        self._http.receive_data(bytes(data[:end]))
        self._head_size += end
        self._line_end = b"" if found else seen[-2:]
        self._head_ended = found is not None
        if end < len(data):
            self._after_head.append(bytes(data[end:]))

    def _feed_rest(self) -> None:
        """Feed the bytes that followed a head."""
        self._head_ended = False
        self._head_size = 0
        kept, self._after_head = self._after_head, []
        for data in kept:
            self.feed(data)

    def _feed_chunks(self, chunks: PlainChunks, data: Buffer) -> None:
        """Decode plain chunks; pass the first other chunk, and all bytes after it, to h11."""
        if decoded := chunks.feed(data):
            self._ready.append(decoded)
        rest = chunks.rest if data else b""
        if rest is not None:
            self._chunks = None
            self._http.receive_data(rest)

    def _read_head(self, response: h11.Response | h11.InformationalResponse) -> Head:
        if self._head_size > HEAD_LIMIT:
            raise ProtocolViolated(0, f"the head of the response is longer than {HEAD_LIMIT} bytes")
        raw = response.headers.raw_items()  # the lower-case names are properties, and slow
        headers = {name.decode("ascii").lower(): value.decode("latin-1") for name, value in raw}
        if _CHALLENGES in headers:  # of other headers, the last one counts
            found = (value.decode("latin-1") for name, value in raw if name.lower() == _CHALLENGES.encode())
            headers[_CHALLENGES] = ", ".join(found)
        status, in_chunks = response.status_code, "transfer-encoding" in headers
        self._framed = in_chunks or "content-length" in headers or self._bodyless
        self._framed |= status == _NO_CONTENT or status >= _FIRST_ERROR
        has_chunks = in_chunks and not self._bodyless and status not in _BODYLESS
        self._chunks = PlainChunks() if has_chunks else None
        self._awaits_head = False
        self._feed_rest()
        return Head(status, headers)

    def _end(self) -> bytes:
        if not self._framed:
            message = "connection closed; the response had no framing, so it may be truncated"
            raise ConnectionFailed(0, message)
        return b""


def _headers(request: WireRequest) -> Any:
    """Return headers for h11; those of the most common requests are validated only once."""
    if request.upload is not None:
        framing = _CHUNKED if request.size is None else ("Content-Length", str(request.size))
        return [*request.headers, framing]
    if request.method == "POST":
        return [*request.headers, _EMPTY]
    match request.headers:
        case [("Host", host), agent] if agent == AGENT:
            return _common(host)
        case headers:
            return headers


@lru_cache
def _common(host: str) -> Any:
    """Return the headers of a request without its own, validated: that takes 6 of the 43 us of a request."""
    return h11.Request(method="GET", target="/", headers=[("Host", host), AGENT]).headers
