"""A connection as the core sees it: four methods to implement, three more that only sessions call."""

from __future__ import annotations

from abc import ABC, abstractmethod

from dockerproto.errors import UnsupportedTransport
from dockerproto.transport.chunks import Buffer, Chunk


class ByteStream(ABC):
    """A connection.

    Its methods raise OSError when the connection fails, and TimeoutError when a wait takes longer than
    ``timeout`` seconds; None means no limit. ConnectionRefusedError means that there was no connection in
    the first place, as ssh and TLS find out only when the first bytes are expected.
    """

    __slots__ = ()

    @abstractmethod
    async def send(self, data: Chunk, timeout: float | None) -> int:
        """Send data and return the number of bytes sent.

        That is all of them, unless `send` would have to wait while `receive` would not: the core then
        reads first and sends the rest later, so that neither side waits for the other.
        """

    @abstractmethod
    async def receive(self, timeout: float | None) -> Buffer:
        """Return some bytes, empty at the end of the connection; valid until the next wait on the stream."""

    @abstractmethod
    async def readable(self) -> bool:
        """Return, without waiting, True if `receive` would return or raise at once."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection at once, without waiting; closing it again does nothing.

        A task that waits in another method is woken: its wait ends or raises OSError.
        """

    async def ready(self) -> None:
        """Wait until `receive` would return at once or `wake` is called; a spurious return is allowed."""
        raise UnsupportedTransport(0, f"{type(self).__name__} has no method ready(), which sessions need")

    def wake(self) -> None:
        """End the current wait in `ready`, or else the next one; may be called from any thread."""
        raise UnsupportedTransport(0, f"{type(self).__name__} has no method wake(), which sessions need")

    def hung_up(self) -> bool:
        """Return, without waiting, True if the peer has closed the connection, even if bytes are unread."""
        return False
