"""dockerproto on asyncio."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar, Unpack, cast

from dockerproto.docker import AsyncDocker
from dockerproto.endpoint import TCP, UnixSocket
from dockerproto.http11 import Buffer
from dockerproto_local import Options, configure, secure
from dockerproto_local.network import Dialled, LocalNetwork

__all__ = ["Docker"]

T = TypeVar("T")

_HIGH_WATER: Final = 256 * 2**10


class Docker(AsyncDocker):
    """An engine, on asyncio: ``async with`` it, or `close` it.

    Args:
        url: Where it listens, in the forms of `parse_host`; by default what the docker command would take.
        options: See `dockerproto_local.Options`.
    """

    def __init__(self, url: str | None = None, **options: Unpack[Options]) -> None:
        configuration = configure(url, options)
        super().__init__(configuration, _AsyncioNetwork(secure(configuration.endpoint, options)))


class _AsyncioNetwork(LocalNetwork):
    async def dial(self, address: Dialled, timeout: float | None) -> _Stream:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(timeout):
            if isinstance(address, UnixSocket):
                _, stream = await loop.create_unix_connection(_Stream, address.path)
            elif isinstance(address, TCP):
                _, stream = await loop.create_connection(_Stream, address.name, address.port)
            else:
                _, stream = await loop.create_unix_connection(_Stream, sock=address)
        return stream

    async def in_thread(self, function: Callable[[], T]) -> T:
        return await asyncio.to_thread(function)

    def lock(self) -> _Lock:
        return _Lock()

    def start(self, coroutine: Coroutine[Any, Any, None]) -> _Task:
        return _Task(coroutine)

    def now(self) -> float:
        return asyncio.get_running_loop().time()


class _Lock:
    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def acquire(self, timeout: float | None) -> None:
        async with asyncio.timeout(timeout):
            await self._lock.acquire()

    def release(self) -> None:
        self._lock.release()


class _Task:
    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._loop: Final = asyncio.get_running_loop()
        self._task: Final = self._loop.create_task(coroutine)

    def cancel(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._task.cancel)

    async def wait(self) -> None:
        await asyncio.wait((self._task,))


class _Stream(asyncio.Protocol):
    """A connection: what comes waits in a queue of a bounded size."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._loop: Final = asyncio.get_running_loop()
        self._queue: Final = deque[bytes]()
        self._size = 0
        self._ended = False
        self._error: OSError | None = None
        self._news: Final = asyncio.Event()
        self._writable: Final = asyncio.Event()

    async def send(self, data: Buffer, timeout: float | None) -> None:
        self._transport.write(data)
        if not self._writable.is_set():
            async with asyncio.timeout(timeout):
                await self._writable.wait()
        if self._transport.is_closing():
            raise self._error or ConnectionResetError("closed by the engine")

    async def receive(self, timeout: float | None) -> bytes:
        if not await self.readable():
            self._news.clear()
            async with asyncio.timeout(timeout):
                await self._news.wait()
        if self._queue:
            return self._take()
        if self._error is not None:
            raise self._error
        return b""

    async def readable(self) -> bool:
        return self._ended or bool(self._queue) or self._loop.is_closed()

    def close(self) -> None:
        if not self._ended:
            self._end(ConnectionAbortedError("closed here"))
        with suppress(OSError):
            # The engine knows at once; asyncio closes when the loop runs again, of whatever thread this is.
            self._transport.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._transport.abort)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # that of a stream protocol is one
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._queue.append(data)
        self._size += len(data)
        if self._size > _HIGH_WATER:
            self._transport.pause_reading()
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self._salvage()
        if not self._ended:
            self._end(None if exc is None else exc if isinstance(exc, OSError) else OSError(str(exc)))

    def eof_received(self) -> None:
        self._end(None)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _take(self) -> bytes:
        data = self._queue.popleft()
        self._size -= len(data)
        if (
            self._size <= _HIGH_WATER
            and not self._transport.is_reading()
            and not self._transport.is_closing()
        ):
            self._transport.resume_reading()
        return data

    def _end(self, error: OSError | None) -> None:
        self._ended = True
        self._error = error
        self._news.set()
        self._writable.set()

    def _salvage(self) -> None:
        """Read what the engine said before it reset the connection, which asyncio would drop."""
        with suppress(OSError):
            while data := os.read(self._transport.get_extra_info("socket").fileno(), _HIGH_WATER):
                self.data_received(data)
