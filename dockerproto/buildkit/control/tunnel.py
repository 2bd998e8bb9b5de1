"""A session inside the control connection, without I/O: a byte pipe in the messages of one call.

The call ``Control/Session`` carries the bytes of the session's own HTTP/2, in messages of any length in both
directions. Nothing piles up on the way: bytes are taken from the session only while the call has room for a
message, and given to it as soon as they arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from dockerproto.buildkit.control.calls import Calls
from dockerproto.buildkit.files.fsutil import BytesMessage
from dockerproto.errors import DockerError

CHUNK: Final = 2**18
"""Bytes of the session in one message, at most; engines accept messages of 4 MiB."""


class Tunnel:
    """The call that carries a session.

    Args:
        calls: The calls of the connection.
        metadata: Metadata of the call, which announces the session.
        notify: Function that is called when something has come for another call, or the tunnel is closed.
    """

    def __init__(self, calls: Calls, metadata: Iterable[tuple[str, str]], notify: Callable[[], None]) -> None:
        self._calls = calls
        self._call = calls.open("Session", metadata=metadata)
        self._notify = notify
        self.closed: bool = False
        """True once this side has closed the connection, or nobody moves its bytes any more."""
        self.failure: DockerError | None = None
        """Error that ended the connection, rather than the session in it."""

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the connection, and return those of the session.

        Raises:
            ConnectionResetError: The engine has ended the session.
            DockerError: Errors of `Calls.feed`.
        """
        if data:
            self._receive(data)
        received = b"".join(self._messages())
        if (ended := self._call.ended) is not None and not received:
            raise ConnectionResetError(ended.status.message or "the engine ended it")
        return received

    def frame(self, produce: Callable[[], bytes]) -> bytes:
        """Return the bytes to send on the connection, with those of the session that `produce` returns."""
        data = produce() if self._calls.room(self._call) else b""
        for start in range(0, len(data), CHUNK):
            self._calls.send(self._call, BytesMessage(data[start : start + CHUNK]).encode())
        return self._calls.data_to_send()

    def close(self) -> None:
        """Note that nobody moves the bytes of the connection any more."""
        self.closed = True
        self._notify()

    def _receive(self, data: bytes) -> None:
        try:
            found = self._calls.feed(data)
        except DockerError as error:
            self.failure = error
            raise
        if any(call is not self._call for call in found):
            self._notify()

    def _messages(self) -> Iterator[bytes]:
        while (message := self._calls.take(self._call)) is not None:
            yield BytesMessage.decode(message).data
