"""An httpx transport that sends requests over the connections of the core.

So the guarantees of the library hold for blocking programs too: bytes after a response are never taken for
the next response, an early response to an upload is read, and timeouts apply while a body is read.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from typing import Final, cast

import httpx

from dockerproto.endpoint.addresses import Address
from dockerproto.http.connection import Connections, HTTPResponse
from dockerproto.http.http11 import Upload, WireRequest
from dockerproto.redacted import RedactedText, hides_frames
from dockerproto.timeouts import Timeout, Timer
from dockerproto.transport.chunks import Buffer, FileRange
from dockerproto.transport.runtime import run
from dockerproto_local.blocking import BlockingTransport
from dockerproto_local.file_ranges import read_range

TIMER: Final = "dockerproto.timer"
"""Request extension that holds the timer of the operation."""
TARGET: Final = "dockerproto.target"
"""Request extension that holds the target of the request, instead of its URL."""
REQUEST: Final = "dockerproto.request"
"""Request extension that holds the request itself, as this library sends it."""
DUMMY_URL: Final = "http://docker"
"""URL of a request whose target is an extension."""
_FRAMING: Final = frozenset({"connection", "content-length", "transfer-encoding"})
"""Headers that `Connections` sets itself."""


class EngineTransport(httpx.BaseTransport):
    """Send the requests of httpx to an engine.

    `Docker` uses one by default. ``httpx.Client(transport=EngineTransport(address))`` reaches the rest of the
    engine's API. It raises the library's own exceptions and applies the limits of ``timeout=``.

    Args:
        address: Address of the engine, see `parse_host`.
        tls: SSL context for connecting, if the engine uses TLS.
        origin: Source of the address as a phrase, for messages, such as ``from DOCKER_HOST``.
    """

    def __init__(self, address: Address, tls: ssl.SSLContext | None = None, origin: str = "") -> None:
        self._connections = Connections(BlockingTransport(tls), address, origin)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return its response, whose body is read on demand."""
        timer = request.extensions.get(TIMER) or Timer(_timeout(request), time.monotonic)
        wire_request = request.extensions.get(REQUEST) or _wire_request(request)
        response = run(self._connections.send(wire_request, timer))
        return httpx.Response(
            response.head.status, headers=list(response.head.headers.items()), stream=Body(response)
        )

    def close(self) -> None:
        """Close all connections."""
        self._connections.close()


class Body(httpx.SyncByteStream):
    """The body of a response."""

    def __init__(self, response: HTTPResponse) -> None:
        self._response = response
        self.receive: Final = response.receive
        """Receive the next bytes, empty at the end."""
        self.reused: Final = response.reused
        """True if an earlier request used the connection, False for a new one."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body in chunks."""
        while data := run(self.receive()):
            yield data

    def close(self) -> None:
        """Close the connection unless the body was read to its end."""
        self._response.close()


class Content(httpx.SyncByteStream):
    """The body of a request."""

    def __init__(self, upload: Upload | None) -> None:
        self.upload: Final = upload
        """Body of the request, None if it has none."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body in chunks for other transports, which may keep them: bytes are copied."""
        while self.upload is not None and (data := run(self.upload.next())):
            yield read_range(data) if isinstance(data, FileRange) else bytes(data)


class _Upload:
    """The body of a request made by httpx."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks

    async def next(self) -> Buffer:
        return next(filter(None, self._chunks), b"")

    async def close(self) -> None:
        """Do nothing: httpx closes its own streams."""


@hides_frames
def _wire_request(request: httpx.Request) -> WireRequest:
    pairs = (
        (name.decode("latin-1"), RedactedText(value.decode("latin-1"))) for name, value in request.headers.raw
    )
    headers = [each for each in pairs if each[0].lower() not in _FRAMING]
    target = request.extensions.get(TARGET) or request.url.raw_path.decode("ascii")
    return WireRequest(request.method, target, headers, _upload(request))


def _upload(request: httpx.Request) -> Upload | None:
    body = cast("httpx.SyncByteStream", request.stream)  # the only kind in a blocking client
    if isinstance(body, Content):  # of a transport that wraps this one
        return body.upload
    has_body = "transfer-encoding" in request.headers or request.headers.get("content-length", "0") != "0"
    return _Upload(iter(body)) if has_body else None


def _timeout(request: httpx.Request) -> Timeout:
    limits = request.extensions.get("timeout", {})
    read = limits.get("read")
    return Timeout(connect=limits.get("connect"), response=read, idle=read)
