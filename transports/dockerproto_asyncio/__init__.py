"""dockerproto on asyncio."""

from __future__ import annotations

import asyncio
import math
import os
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from dockerproto.docker import AsyncBuildKit, AsyncDocker
from dockerproto.endpoint.addresses import TCP, UnixSocket
from dockerproto.errors import DockerError
from dockerproto.timeouts import Timer
from dockerproto_local import LocalConfiguration, arguments_of, configure, configure_daemon
from dockerproto_local.base_transport import DialTarget, LocalTransport
from dockerproto_local.late import loader
from dockerproto_local.scopes import EventLoops
from dockerproto_local.stream import SocketStream, connect_unix

__all__ = ["BuildKit", "Docker", "Registry"]

T = TypeVar("T")

if TYPE_CHECKING:
    from dockerproto_asyncio.registry import Registry
else:
    __getattr__ = loader(__name__, Registry="registry")


class Docker(AsyncDocker):
    """An engine, on asyncio: use it with ``async with``, or `close` it.

    The arguments are those of `dockerproto_local.configure`.
    """

    @arguments_of(configure)
    def __init__(self, configuration: LocalConfiguration) -> None:
        super().__init__(configuration, _AsyncioTransport(configuration.ssl_context))


class BuildKit(AsyncBuildKit):
    """A BuildKit daemon, on asyncio: use it with ``async with``, or `close` it.

    The arguments are those of `dockerproto_local.configure_daemon`.
    """

    @arguments_of(configure_daemon)
    def __init__(self, configuration: LocalConfiguration) -> None:
        super().__init__(configuration, _AsyncioTransport(configuration.ssl_context))


class _AsyncioTransport(LocalTransport):
    loops = EventLoops(asyncio.get_running_loop, lambda loop: loop.is_closed())

    async def dial(self, target: DialTarget, timeout: float | None) -> _Stream:
        async with asyncio.timeout(timeout):
            if isinstance(target, UnixSocket):
                return _Stream(await connect_unix(target.path, asyncio.sleep))
            if isinstance(target, TCP):
                return _Stream(await _connect_tcp(target))
        return _Stream(target)

    async def in_thread(self, function: Callable[[], T]) -> T:
        return await asyncio.to_thread(function)

    async def within(self, timer: Timer, function: Callable[[], Awaitable[T]]) -> T:
        limit = asyncio.timeout(timer.left_of_total())
        try:
            async with limit:
                return await function()
        except TimeoutError:
            if not limit.expired():
                raise
        raise timer.total_error()

    def lock(self) -> _Lock:
        return _Lock()

    def spawn(self, coroutine: Coroutine[Any, Any, None], *, leave: bool) -> _Task:  # noqa: ARG002  # a task can be cancelled
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
        self._task = asyncio.get_running_loop().create_task(coroutine)

    def cancel(self) -> None:
        with suppress(RuntimeError):  # the loop is closed, and its tasks have ended
            self._task.get_loop().call_soon_threadsafe(self._task.cancel)

    async def wait(self) -> None:
        await asyncio.wait((self._task,))


class _Stream(SocketStream):
    """A connection. From its first wait on, the loop watches the socket, and its callbacks move the data.

    A callback receives at once, so the loop does not report the same bytes again before the waiting task
    runs; another one sends as the socket has room, until all is sent. A wait keeps its timer for the next
    wait, whose deadline nearly always is later: most waits end long before theirs.
    """

    _watching: asyncio.AbstractEventLoop | None = None
    _waiter: asyncio.Future[None] | None = None
    _deadline: float = math.inf
    _timer: asyncio.TimerHandle | None = None

    async def wait(self, timeout: float | None, *, writing: bool) -> None:
        loop, limit = asyncio.get_running_loop(), math.inf if timeout is None else timeout
        self._waiter = loop.create_future()
        if self._watching is not loop:
            self._cancel_timer()
            loop.add_reader(self.descriptor, self._on_readable, loop)
            self._watching = loop
        if writing:
            loop.add_writer(self.descriptor, self._on_writable, loop, limit)
        self._deadline = loop.time() + limit
        self._arm_timer(loop)
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
        if (loop := self._watching) is None or loop.is_closed() or self.inherited:
            super().close()
            return
        self.shut_down()  # now, so that the engine notices; the loop's thread cleans up: this may be another
        loop.call_soon_threadsafe(self._release, loop)

    def _on_readable(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._arrived is not None:  # no task has taken the bytes before these
            loop.remove_reader(self.descriptor)
            self._watching = None
            return
        try:
            self._arrived = self._receive()
        except OSError as error:
            self._arrived = error
        if self._arrived is not None:
            self._moved = 0  # the loop has just had its turn
            self.interrupt()

    def _on_writable(self, loop: asyncio.AbstractEventLoop, limit: float) -> None:
        try:
            self._send()
        except BlockingIOError:
            return
        except (OSError, DockerError):  # which the waiting task will raise
            self.interrupt()
        self._deadline = loop.time() + limit
        if not self._unsent:
            self.interrupt()

    def _arm_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None and self._timer.when() > self._deadline:
            self._cancel_timer()
        if self._timer is None and self._deadline < math.inf:
            self._timer = loop.call_at(self._deadline, self._on_deadline, loop)

    def _on_deadline(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if loop.time() < self._deadline:
            self._arm_timer(loop)
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(TimeoutError())

    def _release(self, loop: asyncio.AbstractEventLoop) -> None:
        self._cancel_timer()
        if self.socket.fileno() >= 0:  # otherwise the descriptor may belong to another file
            loop.remove_reader(self.descriptor)
            loop.remove_writer(self.descriptor)
            self._watching = None
            super().close()
        self.interrupt()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


async def _connect_tcp(address: TCP) -> socket.socket:
    """Connect to the first address of a host name that accepts the connection."""
    failure = OSError(f"host name {address.name} has no address")
    loop = asyncio.get_running_loop()
    for family, *_, resolved in await loop.getaddrinfo(address.name, address.port, type=socket.SOCK_STREAM):
        try:
            return await _connect(family, resolved)
        except OSError as error:
            failure = OSError(error.errno, os.strerror(error.errno or 0))  # the loop's message lacks it
    raise failure


async def _connect(family: int, address: tuple[object, ...]) -> socket.socket:
    connection = socket.socket(family)
    connection.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(connection, address)
    except BaseException:
        connection.close()
        raise
    return connection
