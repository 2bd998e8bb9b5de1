"""dockerproto on blocking unix sockets, with nothing but the standard library."""

import select
import socket
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from dockerproto.docker import AsyncDocker
from dockerproto.endpoint.addresses import Address, UnixSocket
from dockerproto.transport.chunks import Chunk, FileRange
from dockerproto.transport.streams import ByteStream
from dockerproto.transport.transport import Transport
from dockerproto_local import configure
from dockerproto_local.blocking import ThreadLock, ThreadTask
from dockerproto_local.file_ranges import read_range
from dockerproto_local.local_host import LocalHost


class SocketTransport(Transport):
    host = LocalHost()  # for paths, environment variables and BuildKit

    async def connect(self, address: Address, timeout: float | None) -> "SocketStream":
        if not isinstance(address, UnixSocket):
            raise OSError(f"{address} is not a unix socket")
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout)
        connection.connect(address.path)
        return SocketStream(connection)

    async def in_thread(self, function: Callable[[], Any]) -> Any:
        return function()  # it blocks no other task

    def lock(self) -> ThreadLock:
        return ThreadLock()

    def now(self) -> float:
        return time.monotonic()

    def start(self, coroutine: Coroutine[Any, Any, None], *, leave: bool = False) -> ThreadTask:
        return ThreadTask(coroutine, leave=leave)  # for BuildKit


class SocketStream(ByteStream):
    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection

    async def send(self, data: Chunk, timeout: float | None) -> int:
        rest = memoryview(read_range(data) if isinstance(data, FileRange) else data)
        while rest:
            readable, writable, _ = select.select([self.socket], [self.socket], [], timeout)
            if not (readable or writable):
                raise TimeoutError("timed out")
            if not writable:
                break  # the engine responds before it reads on
            rest = rest[self.socket.send(rest, socket.MSG_DONTWAIT) :]
        return len(data) - len(rest)

    async def receive(self, timeout: float | None) -> bytes:
        self.socket.settimeout(timeout)
        return self.socket.recv(2**16)

    async def readable(self) -> bool:
        return self.socket.fileno() < 0 or select.select([self.socket], [], [], 0)[0] != []

    def close(self) -> None:
        with suppress(OSError):  # another thread has closed it
            self.socket.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits in it
        self.socket.close()

    async def ready(self) -> None:
        select.select([self.socket], [], [], 0.01)  # for BuildKit: it polls

    def wake(self) -> None:
        """Do nothing: `ready` returns soon anyway."""


def Docker(url: str | None = None) -> AsyncDocker:  # noqa: N802  # it stands for a class
    return AsyncDocker(configure(url), SocketTransport())
