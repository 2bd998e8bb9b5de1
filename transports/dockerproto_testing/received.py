"""Requests as a scripted engine has received them."""

from __future__ import annotations

from contextlib import suppress

from msgspec.structs import asdict

from dockerproto_testing.wire import Body, RequestHead


class ReceivedRequest(RequestHead, frozen=True, kw_only=True):
    """A request that a scripted engine has received.

    It is recorded when the reply begins, by default after the body was read, and replaced as more of the body
    is read.
    """

    body: bytes
    """The body, without chunked encoding; empty if it has more than 1 MiB."""
    length: int
    """Size of the body in bytes."""
    sha256: str
    """Hash of the body, in hexadecimal."""
    chunked: bool
    """True if the body had chunked encoding."""
    complete: bool
    """True if the whole body was read."""
    connection: int
    """Number of the connection; the first one is 1."""


class Record:
    """The entry of one request in the list of requests, kept up to date.

    Args:
        requests: The list.
        head: Head of the request.
        body: Its body.
        connection: Number of its connection.
    """

    def __init__(
        self, requests: list[ReceivedRequest], head: RequestHead, body: Body, connection: int
    ) -> None:
        self._requests = requests
        self._head = head
        self._body = body
        self._connection = connection
        self._entry: ReceivedRequest | None = None

    def update(self) -> None:
        """Write the entry, unless the test has removed it since."""
        old, self._entry = self._entry, self._current()
        if old is None:
            self._requests.append(self._entry)
            return
        with suppress(IndexError):  # the test empties the list meanwhile
            for index, entry in enumerate(self._requests):
                if entry is old:
                    self._requests[index] = self._entry

    def _current(self) -> ReceivedRequest:
        body = self._body
        return ReceivedRequest(
            **asdict(self._head),
            body=body.kept,
            length=body.length,
            sha256=body.sha256,
            chunked=body.chunked,
            complete=body.complete,
            connection=self._connection,
        )
