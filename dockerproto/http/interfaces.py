"""Interfaces between an engine's client and the HTTP library that carries its requests."""

from __future__ import annotations

from typing import Protocol

from dockerproto.http.http11 import Head, WireRequest
from dockerproto.timeouts import Timer


class Response(Protocol):
    """An HTTP response whose head has arrived."""

    @property
    def head(self) -> Head:
        """Status and headers."""
        ...

    @property
    def reused(self) -> bool | None:
        """True if an earlier request used the connection, False for a new one, None if unknown."""
        ...

    async def receive(self) -> bytes:
        """Return the next bytes of the body, b"" at its end."""
        ...

    def close(self) -> None:
        """Close the connection at once, unless the body was read to its end."""
        ...

    async def settle(self) -> None:
        """Wait until all tasks that serve this response are over."""
        ...

    @property
    def cause(self) -> Exception | None:
        """The first local failure while the engine worked, which may be why the engine failed."""
        ...


class RequestSender(Protocol):
    """A carrier of requests: `dockerproto.http.connection.Connections`, or an HTTP library."""

    async def send(self, request: WireRequest, timer: Timer) -> Response:
        """Send a request, and return its response as soon as the head has arrived."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...
