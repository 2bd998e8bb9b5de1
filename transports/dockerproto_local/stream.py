"""A connected non-blocking socket; the transports differ only in how they wait for it.

Data that is there already is received without asking the event loop first, which makes large bodies fast;
after a megabyte of that, the loop gets its turn.
"""

from __future__ import annotations

import select
import socket
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from dockerproto.transport.chunks import Chunk, FileRange
from dockerproto.transport.streams import ByteStream
from dockerproto_local.file_ranges import send_range
from dockerproto_local.scopes import LocalScope

_SMALLEST: Final = 16 * 2**10
_LARGEST: Final = 120 * 2**10
"""Size of the receive buffer, and so of the chunks of a body. malloc maps and unmaps blocks from 128 KiB on
each time, which doubled the CPU time of a download on asyncio."""
_SEND_BUFFER: Final = 2**20
"""Size of the kernel's send buffer of a unix socket, if the machine allows it: a larger one means fewer
waits in an upload."""
_YIELD_AFTER: Final = 2**20
"""Bytes to move before the event loop gets its turn."""
_TURN: Final = 2**16
"""Bytes to receive in a session before the event loop gets its turn: frames of nine bytes make 7,000."""
_RETRY_SECONDS: Final = 0.01
_NOTHING: Final = memoryview(b"")
_HUNG_UP: Final = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)  # the last on Linux only


class SocketStream(ByteStream):
    """A connection over a socket of any kind."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        if connection.family == socket.AF_UNIX:  # TCP tunes its own buffers
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        self.socket: Final = connection
        """The connected socket."""
        self.descriptor: Final = connection.fileno()
        """Descriptor of the socket while it was open; the system may reuse the number later."""
        self._opened_in = LocalScope.current(None)
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)
        self._moved = 0
        self._awaits_reply = False
        self._woken = False
        self._buffer = memoryview(bytearray(_SMALLEST))
        self._unsent: memoryview | FileRange = _NOTHING
        """The data being sent; a subclass that watches the socket may send more of it."""
        self._arrived: int | OSError | None = None
        """Result of a receive by a subclass that watches the socket: bytes in the buffer, or the error."""

    async def send(self, data: Chunk, timeout: float | None) -> int:
        """Send data and return how many bytes were sent: all, or those before something arrived."""
        self._unsent = data if isinstance(data, FileRange) else memoryview(data)
        self._awaits_reply = True
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
        """Return some bytes, empty at the end, in a buffer that the next wait overwrites."""
        if self._arrived is None and (self._awaits_reply or self._moved > _YIELD_AFTER):
            await self._wait(timeout)  # the reply to a request just sent has not arrived yet
        size = self._take()
        while size is None:
            await self._wait(timeout)
            size = self._take()
        self._awaits_reply = False
        self._moved += size
        received = self._buffer[:size]
        if size == len(self._buffer) < _LARGEST:
            self._buffer = memoryview(bytearray(_LARGEST))
        return received

    async def readable(self) -> bool:
        """Return True if `receive` would return or raise at once."""
        if self._arrived is not None or self.socket.fileno() < 0:
            return True
        readable = bool(self._poll.poll(0))
        self._awaits_reply = self._awaits_reply and not readable
        return readable

    async def ready(self) -> None:
        """Wait until `receive` would return at once or `wake` is called; a spurious return is possible."""
        turn = self._moved > _TURN  # the loop's: the bytes of a session may take long to handle
        if not self._woken and (turn or not await self.readable()):
            await self._wait(None)
        self._woken = False

    def wake(self) -> None:
        """End the current wait in `ready`, or else the next one."""
        self._woken = True
        self.interrupt()

    def hung_up(self) -> bool:
        """Return True if the peer has closed the connection, even if bytes are unread."""
        poll = select.poll()  # not self._poll: another thread may be waiting in it
        poll.register(self.descriptor, _HUNG_UP)
        hung_up = any(events & _HUNG_UP for _, events in poll.poll(0))
        return (
            hung_up and self.socket.fileno() >= 0
        )  # else another thread closed it: what was polled is unknown

    @property
    def inherited(self) -> bool:
        """True in a forked child of the process that opened the connection."""
        return self._opened_in.inherited

    def shut_down(self) -> None:
        """End the connection for the engine too, unless it is inherited: then it is the parent's."""
        if not self.inherited:
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket and wake any waiter; an inherited connection stays open in the parent."""
        self.shut_down()
        self.socket.close()

    def _send(self) -> None:
        data = self._unsent
        if isinstance(data, FileRange):
            self._unsent = send_range(self.socket, data)
        else:
            self._unsent = data[self.socket.send(data) :]

    def _take(self) -> int | None:
        """Return the number of bytes received into the buffer, None if nothing has arrived."""
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
        self._check_open()
        self._moved = 0
        await self.wait(timeout, writing=writing)

    def _check_open(self) -> None:
        if self.socket.fileno() < 0:
            raise ConnectionAbortedError("closed here")

    @abstractmethod
    async def wait(self, timeout: float | None, *, writing: bool) -> None:
        """Wait until the socket is readable, or writable if `writing`; raise OSError or TimeoutError.

        A spurious return is allowed.
        """

    @abstractmethod
    def interrupt(self) -> None:
        """End the current wait, if there is one."""


async def connect_unix(path: str, sleep: Callable[[float], Awaitable[None]]) -> socket.socket:
    """Connect to a unix socket, ``@name`` in the abstract namespace; while its queue is full, retry.

    With a full queue the kernel reports EAGAIN, which event loops mistake for a connection in progress.
    """
    connection = socket.socket(socket.AF_UNIX)
    connection.setblocking(False)
    if path.startswith("@"):
        path = f"\0{path[1:]}"
    try:
        while not _try_connect(connection, path):
            await sleep(_RETRY_SECONDS)
    except BaseException:
        connection.close()
        raise
    return connection


def _try_connect(connection: socket.socket, path: str) -> bool:
    try:
        connection.connect(path)
    except BlockingIOError:
        return False
    return True
