"""dockerproto on asyncio."""

from __future__ import annotations

import asyncio
import math
import socket
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar, Unpack

from dockerproto.docker import AsyncDocker
from dockerproto.endpoint.addresses import TCP, UnixSocket
from dockerproto.errors import DockerError
from dockerproto_local import Options, configure, secure
from dockerproto_local.base_network import Dialled, LocalNetwork
from dockerproto_local.stream import SocketStream, connected_to

__all__ = ["Docker"]

T = TypeVar("T")


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
        async with asyncio.timeout(timeout):
            if isinstance(address, UnixSocket):
                return _Stream(await connected_to(address.path, asyncio.sleep))
            if isinstance(address, TCP):
                return _Stream(await _connected_to_any(address))
        return _Stream(address)

    async def in_thread(self, function: Callable[[], T]) -> T:
        return await asyncio.to_thread(function)

    def lock(self) -> _Lock:
        return _Lock()

    def start(self, coroutine: Coroutine[Any, Any, None], *, leave: bool = False) -> _Task:  # noqa: ARG002  # a task can be cancelled
        return _Task(coroutine)

    def now(self) -> float:
        return time.monotonic()


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
        self._task: Final = asyncio.get_running_loop().create_task(coroutine)

    def cancel(self) -> None:
        with suppress(RuntimeError):  # the loop is closed, and its tasks with it
            self._task.get_loop().call_soon_threadsafe(self._task.cancel)

    async def wait(self) -> None:
        await asyncio.wait((self._task,))


class _Stream(SocketStream):
    """A connection: from its first wait on the socket is watched, and what comes is received at once.

    So the loop does not report it a second time before the one that waits can take it. What waits to be
    sent is sent as there is room, until all is. A wait leaves its timer to the next one, which nearly always
    ends later: most are over long before.
    """

    _watching: asyncio.AbstractEventLoop | None = None
    _waiter: asyncio.Future[None] | None = None
    _deadline: float = math.inf
    _timer: asyncio.TimerHandle | None = None

    async def wait(self, timeout: float | None, *, writing: bool) -> None:
        loop, patience = asyncio.get_running_loop(), math.inf if timeout is None else timeout
        self._waiter = loop.create_future()
        if self._watching is not loop:
            self._forget_timer()
            loop.add_reader(self.descriptor, self._report, loop)
            self._watching = loop
        if writing:
            loop.add_writer(self.descriptor, self._flush, loop, patience)
        self._deadline = loop.time() + patience
        self._watch_the_clock(loop)
        try:
            await self._waiter
        finally:
            self._waiter = None
            if writing and self.socket.fileno() >= 0:
                loop.remove_writer(self.descriptor)

    def interrupt(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def close(self) -> None:
        loop = self._watching
        if loop is None or loop.is_closed():
            super().close()
            return
        with suppress(OSError):
            # The engine knows at once; the rest is the loop's, and of whatever thread this is.
            self.socket.shutdown(socket.SHUT_RDWR)
        loop.call_soon_threadsafe(self._forget, loop)

    def _report(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._arrived is not None:  # nobody has taken what came before
            loop.remove_reader(self.descriptor)
            self._watching = None
            return
        try:
            self._arrived = self._receive()
        except OSError as error:
            self._arrived = error
        if self._arrived is not None:
            self._moved = 0  # the loop has its turn
            self.interrupt()

    def _flush(self, loop: asyncio.AbstractEventLoop, patience: float) -> None:
        try:
            self._send()
        except BlockingIOError:
            return
        except (OSError, DockerError):  # which the one that waits will meet again
            self.interrupt()
        self._deadline = loop.time() + patience
        if not self._unsent:
            self.interrupt()

    def _watch_the_clock(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None and self._timer.when() > self._deadline:
            self._forget_timer()
        if self._timer is None and self._deadline < math.inf:
            self._timer = loop.call_at(self._deadline, self._expire, loop)

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if loop.time() < self._deadline:
            self._watch_the_clock(loop)
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(TimeoutError())

    def _forget(self, loop: asyncio.AbstractEventLoop) -> None:
        self._forget_timer()
        if self.socket.fileno() >= 0:  # else the descriptor may be another's already
            loop.remove_reader(self.descriptor)
            loop.remove_writer(self.descriptor)
            self._watching = None
            super().close()
        self.interrupt()

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


async def _connected_to_any(address: TCP) -> socket.socket:
    """Connect to the first address of a name that takes the connection."""
    failure = OSError(f"{address.name} has no address")
    loop = asyncio.get_running_loop()
    for family, _, _, _, found in await loop.getaddrinfo(address.name, address.port, type=socket.SOCK_STREAM):
        try:
            return await _connected(family, found)
        except OSError as error:
            failure = error
    raise failure


async def _connected(family: int, address: tuple[object, ...]) -> socket.socket:
    connection = socket.socket(family)
    connection.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(connection, address)
    except BaseException:
        connection.close()
        raise
    return connection
