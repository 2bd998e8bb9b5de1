"""A connected socket that never blocks by itself: the transports differ only by how they wait for it.

What is there already is received without asking the event loop first, which is what makes large bodies
fast; after a megabyte of that, the loop gets its turn nevertheless.
"""

from __future__ import annotations

import select
import socket
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from dockerproto.transport.chunks import Chunk, FileRange
from dockerproto_local.file_ranges import send_part

_SMALLEST: Final = 16 * 2**10
_LARGEST: Final = 120 * 2**10
"""How much is received at once: a body is made of blocks of this size, and those from 128 KiB on are mapped
and unmapped by malloc each time, which doubled the CPU time of a download on asyncio."""
_SENT_AHEAD: Final = 2**20
"""What a unix socket is to hold, as far as the machine lets it: the more, the fewer waits in an upload."""
_TURN: Final = 2**20
"""How many bytes are moved before the event loop is given its turn."""
_AGAIN: Final = 0.01
_NOTHING: Final = memoryview(b"")
_HUNG_UP: Final = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)  # the last on Linux only


class SocketStream(ABC):
    """A connection over a socket of any kind."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        if connection.family == socket.AF_UNIX:  # TCP knows better itself
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SENT_AHEAD)
        self.socket: Final = connection
        """What carries the bytes."""
        self.descriptor: Final = connection.fileno()
        """Its number while it was open; another's may be the same later."""
        self._poll: Final = select.poll()
        self._poll.register(connection, select.POLLIN)
        self._moved = 0
        self._asked = False
        self._woken = False
        self._buffer = memoryview(bytearray(_SMALLEST))
        self._unsent: memoryview | FileRange = _NOTHING
        """What is being sent, which who watches the socket may go on with."""
        self._arrived: int | OSError | None = None
        """What was received by who watches the socket: how much is in the buffer, or why nothing is."""

    async def send(self, data: Chunk, timeout: float | None) -> int:
        """Send data; return how many bytes of it went out before something came in, all if nothing did."""
        self._unsent = data if isinstance(data, FileRange) else memoryview(data)
        self._asked = True
        try:
            while self._unsent:
                try:
                    self._send()
                except BlockingIOError:
                    if await self.readable():
                        break
                    await self._wait(timeout, writing=True)
            return len(data) - len(self._unsent)
        finally:
            self._unsent = _NOTHING

    async def receive(self, timeout: float | None) -> memoryview:
        """Return some bytes, none at the end, in a buffer that is used again when others come."""
        if self._arrived is None and (self._asked or self._moved > _TURN):
            await self._wait(timeout)  # what was asked just now is not answered yet
        size = self._taken()
        while size is None:
            await self._wait(timeout)
            size = self._taken()
        self._asked = False
        self._moved += size
        received = self._buffer[:size]
        if size == len(self._buffer) < _LARGEST:
            self._buffer = memoryview(bytearray(_LARGEST))
        return received

    async def readable(self) -> bool:
        """Whether `receive` would return at once: bytes, the end, or an error."""
        if self._arrived is not None or self.socket.fileno() < 0:
            return True
        found = bool(self._poll.poll(0))
        self._asked = self._asked and not found
        return found

    async def ready(self) -> None:
        """Wait until `receive` would return at once, or until `wake` is called; it may be for nothing."""
        if not (self._woken or await self.readable()):
            await self._wait(None)
        self._woken = False

    def wake(self) -> None:
        """End the wait of `ready`, or the next one: by whatever runs beside it."""
        self._woken = True
        self.interrupt()

    def hung_up(self) -> bool:
        """Whether the other side has closed the connection, or lost it, however much is still unread."""
        poll = select.poll()  # of its own, as another thread may wait by the other one
        poll.register(self.descriptor, _HUNG_UP)
        return any(events & _HUNG_UP for _, events in poll.poll(0))

    def close(self) -> None:
        """Close the socket; who waits for it is woken."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _send(self) -> None:
        data = self._unsent
        if isinstance(data, FileRange):
            self._unsent = send_part(self.socket, data)
        else:
            self._unsent = data[self.socket.send(data) :]

    def _taken(self) -> int | None:
        """Return how many bytes are in the buffer now; None: none have come."""
        arrived, self._arrived = self._arrived, None
        if isinstance(arrived, OSError):
            raise arrived
        return self._receive() if arrived is None else arrived

    def _receive(self) -> int | None:
        try:
            return self.socket.recv_into(self._buffer)
        except BlockingIOError:
            return None

    async def _wait(self, timeout: float | None, *, writing: bool = False) -> None:
        if self.socket.fileno() < 0:
            raise ConnectionAbortedError("closed here")
        self._moved = 0
        await self.wait(timeout, writing=writing)

    @abstractmethod
    async def wait(self, timeout: float | None, *, writing: bool) -> None:
        """Wait until something can be received, or sent if `writing`; raise OSError or TimeoutError.

        It may end for nothing.
        """

    @abstractmethod
    def interrupt(self) -> None:
        """End the wait that is under way, if there is one."""


async def connected_to(path: str, sleep: Callable[[float], Awaitable[None]]) -> socket.socket:
    """Connect to a unix socket, and wait while too many others wait there.

    The kernel says of those that nothing happened, which event loops take for a connection that is coming.
    """
    connection = socket.socket(socket.AF_UNIX)
    connection.setblocking(False)
    try:
        while not _connects(connection, path):
            await sleep(_AGAIN)
    except BaseException:
        connection.close()
        raise
    return connection


def _connects(connection: socket.socket, path: str) -> bool:
    try:
        connection.connect(path)
    except BlockingIOError:
        return False
    return True
