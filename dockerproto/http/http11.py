"""HTTP/1.1 framing over h11, without I/O: one connection, one exchange after another.

Bytes go in by `Exchange.feed`, b"" being the end of the connection; what they mean comes out of
`Exchange.head` and `Exchange.body`. A body whose end cannot be told from a cut is refused: engines
frame every success.
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
from dockerproto.http.chunked import Chunks
from dockerproto.redacted import Redacted
from dockerproto.transport.chunks import Buffer as Buffer  # noqa: PLC0414  # it is taken from here
from dockerproto.transport.chunks import Chunk

HEAD_LIMIT: Final = 64 * 2**10
"""The longest head of an answer, in bytes."""
SWITCHED: Final = 101
"""The status with which an engine turns a connection over to another protocol, if it was asked to."""
_NO_CONTENT: Final = 204
_BODYLESS: Final = frozenset({_NO_CONTENT, 304})
_BLANK_LINE: Final = re.compile(rb"\n\r?\n")
"""What ends a head, for h11."""
_REFUSAL: Final = 300
_END: Final = h11.EndOfMessage()
_IN_CHUNKS: Final = ("Transfer-Encoding", "chunked")
_NOTHING: Final = ("Content-Length", "0")


class Upload(Protocol):
    """A body that is being sent."""

    async def next(self) -> Chunk:
        """Return the next bytes, none at the end; they may be overwritten by the next call."""
        ...

    async def close(self) -> None:
        """Let go of where it comes from."""
        ...


class WireRequest(Redacted, frozen=True):
    """A request as it goes over the wire."""

    _hidden = ("headers",)

    method: str
    """The HTTP method."""
    target: str
    """Path and query."""
    headers: Sequence[tuple[str, str]]
    """All headers but those of the framing; there are secrets among them."""
    upload: Upload | None = None
    """The body, if there is one."""

    @property
    def repeatable(self) -> bool:
        """Whether it may be sent a second time when its connection turns out to be dead."""
        return self.method in ("GET", "HEAD")


class Head(Struct, frozen=True):
    """The head of an answer."""

    status: int
    """The HTTP status."""
    headers: Mapping[str, str]
    """The headers by name in lower case."""

    @property
    def refused(self) -> bool:
        """Whether the engine does not do what it was asked."""
        return self.status >= _REFUSAL


class Exchange:
    """A connection's side of HTTP/1.1."""

    def __init__(self) -> None:
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_LIMIT)
        self._eof = False
        self._framed = True
        self._bodyless = False
        self._heading = False
        self._head_ended = False
        self._last = b""
        self._size = 0
        self._beyond: list[bytes] = []
        self._chunks: Chunks | None = None
        self._ready: Final = deque[bytes]()
        self.untouched: bool = True
        """Whether no byte of an answer has come yet."""

    def start(self, message: WireRequest) -> bytes:
        """Return the bytes of a request's head."""
        if self._http.our_state is h11.DONE:
            self._http.start_next_cycle()
        self.untouched = True
        self._heading = True
        self._size = 0
        self._bodyless = message.method == "HEAD"
        try:
            headers = _headers(message)
            head = self._send(h11.Request(method=message.method, target=message.target, headers=headers))
            if message.upload is None:
                self.finish()
        except (h11.LocalProtocolError, UnicodeEncodeError) as error:
            raise DockerError(0, f"this cannot be sent: {error}") from None
        return head

    def chunk(self, data: Chunk) -> list[Chunk]:
        """Return what to send for a piece of the body: the piece is not copied."""
        # h11 takes any object with a length and says that it passes it through as it is.
        return list(self._http.send_with_data_passthrough(h11.Data(data=data)) or ())  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    def finish(self) -> bytes:
        """Return what to send at the end of the body."""
        return self._send(_END)

    def feed(self, data: Buffer) -> None:
        """Take bytes from the connection, none at its end; they may be overwritten afterwards."""
        self.untouched = self.untouched and not data
        self._eof = self._eof or not data
        if self._chunks is not None:
            self._feed_chunks(self._chunks, data)
        elif self._head_ended:
            self._beyond.append(bytes(data))
        elif self._heading:
            self._feed_head(data)
        else:
            self._http.receive_data(bytes(data))

    def head(self) -> Head | None:
        """Return the head of the answer; None: feed me first.

        Raises:
            ConnectionFailed: The connection ended before the answer was complete.
            ProtocolViolated: This is no HTTP.
        """
        event = self._event()
        while isinstance(event, h11.InformationalResponse) and event.status_code != SWITCHED:
            self._feed_beyond()
            event = self._event()
        if isinstance(event, h11.Response | h11.InformationalResponse):
            return self._read_head(event)
        return None

    def body(self) -> bytes | None:
        """Return the next bytes of the body, b"" at its end; None: feed me first. Raises as `head`."""
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
        """Whether another exchange can follow: both sides are done, and nothing came after the answer."""
        done = self._http.our_state is h11.DONE and self._http.their_state is h11.DONE
        return done and self._http.trailing_data == (b"", False)

    @property
    def beyond(self) -> bytes:
        """What came after the end of HTTP, on a connection that was turned over to another protocol."""
        return self._http.trailing_data[0]

    def _send(self, event: h11.Request | h11.EndOfMessage) -> bytes:
        return self._http.send(event) or b""

    def _event(self) -> object:
        try:
            return self._http.next_event()
        except h11.RemoteProtocolError as error:
            if self._eof:
                message = "the engine closed the connection before its answer was complete"
                raise ConnectionFailed(0, message) from error
            raise ProtocolViolated(0, f"the answer is no HTTP: {error}") from error

    def _feed_head(self, data: Buffer) -> None:
        """Show h11 the head and nothing of what follows, which it would not give back."""
        seen = self._last + data
        found = _BLANK_LINE.search(seen)
        end = found.end() - len(self._last) if found else len(data)
        self._http.receive_data(bytes(data[:end]))
        self._size += end
        self._last = b"" if found else seen[-2:]
        self._head_ended = found is not None
        if end < len(data):
            self._beyond.append(bytes(data[end:]))

    def _feed_beyond(self) -> None:
        """Feed what came after a head."""
        self._head_ended = False
        self._size = 0
        beyond, self._beyond = self._beyond, []
        for data in beyond:
            self.feed(data)

    def _feed_chunks(self, chunks: Chunks, data: Buffer) -> None:
        """Keep what is data; what is not is for h11, and all that follows."""
        if taken := chunks.read(data):
            self._ready.append(taken)
        rest = chunks.rest if data else b""
        if rest is not None:
            self._chunks = None
            self._http.receive_data(rest)

    def _read_head(self, response: h11.Response | h11.InformationalResponse) -> Head:
        if self._size > HEAD_LIMIT:
            raise ProtocolViolated(0, f"the head of the answer is longer than {HEAD_LIMIT} bytes")
        raw = response.headers.raw_items()  # in lower case they are had one by one, by slow calls
        headers = {name.decode("ascii").lower(): value.decode("latin-1") for name, value in raw}
        status, in_chunks = response.status_code, "transfer-encoding" in headers
        self._framed = in_chunks or "content-length" in headers or self._bodyless
        self._framed |= status == _NO_CONTENT or status >= _REFUSAL
        has_chunks = in_chunks and not self._bodyless and status not in _BODYLESS
        self._chunks = Chunks() if has_chunks else None
        self._heading = False
        self._feed_beyond()
        return Head(status, headers)

    def _end(self) -> bytes:
        if not self._framed:
            raise ConnectionFailed(0, "the connection ended, and nothing tells whether the answer did")
        return b""


def _headers(message: WireRequest) -> Any:
    """Return headers for h11; those that most requests have and no others, it has checked already."""
    if message.upload is not None:
        return [*message.headers, _IN_CHUNKS]
    if message.method == "POST":
        return [*message.headers, _NOTHING]
    match message.headers:
        case [("Host", host), agent] if agent == AGENT:
            return _plain(host)
        case headers:
            return headers


@lru_cache
def _plain(host: str) -> Any:
    """Return the headers of a request that has none of its own: to check them takes 6 of 43 us."""
    return h11.Request(method="GET", target="/", headers=[("Host", host), AGENT]).headers
