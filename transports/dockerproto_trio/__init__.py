"""dockerproto on trio."""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from typing import Any, Final, TypeVar, Unpack

import trio

from dockerproto.docker import AsyncDocker
from dockerproto.endpoint import TCP, UnixSocket
from dockerproto.http11 import Buffer
from dockerproto_local import Options, configure, secure
from dockerproto_local.network import Dialled, LocalNetwork

__all__ = ["Docker"]

T = TypeVar("T")

_RECEIVED_AT_ONCE: Final = 64 * 2**10


class Docker(AsyncDocker):
    """An engine, on trio: ``async with`` it, or `close` it.

    Args:
        url: Where it listens, in the forms of `parse_host`; by default what the docker command would take.
        options: See `dockerproto_local.Options`.
    """

    def __init__(self, url: str | None = None, **options: Unpack[Options]) -> None:
        configuration = configure(url, options)
        super().__init__(configuration, _TrioNetwork(secure(configuration.endpoint, options)))


class _TrioNetwork(LocalNetwork):
    async def dial(self, address: Dialled, timeout: float | None) -> _Stream:
        with _edge(timeout):
            if isinstance(address, UnixSocket):
                return _Stream(await trio.open_unix_socket(address.path))
            if isinstance(address, TCP):
                return _Stream(await trio.open_tcp_stream(address.name, address.port))
            return _Stream(trio.SocketStream(trio.socket.from_stdlib_socket(address)))

    async def in_thread(self, function: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(function, abandon_on_cancel=True)

    def lock(self) -> _Lock:
        return _Lock()

    def start(self, coroutine: Coroutine[Any, Any, None]) -> _Task:
        return _Task(coroutine)

    def now(self) -> float:
        return trio.current_time()


class _Lock:
    def __init__(self) -> None:
        self._lock: Final = trio.Lock()

    async def acquire(self, timeout: float | None) -> None:
        with _edge(timeout):
            await self._lock.acquire()

    def release(self) -> None:
        self._lock.release()


class _Task:
    """A system task: a stream need not be in an ``async with``, so there may be no nursery for it."""

    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._scope: Final = trio.CancelScope()
        self._over: Final = trio.Event()
        self._token: Final = trio.lowlevel.current_trio_token()
        trio.lowlevel.spawn_system_task(self._run, coroutine, context=copy_context())

    def cancel(self) -> None:
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self._scope.cancel)

    async def wait(self) -> None:
        with trio.CancelScope(shield=True):
            await self._over.wait()

    async def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        try:
            with self._scope:
                await coroutine
        finally:
            self._over.set()


class _Stream:
    """A connection."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream: Final = stream

    async def send(self, data: Buffer, timeout: float | None) -> None:
        with _edge(timeout):
            await self._stream.send_all(data)

    async def receive(self, timeout: float | None) -> bytes:
        with _edge(timeout):
            return bytes(await self._stream.receive_some(_RECEIVED_AT_ONCE))

    async def readable(self) -> bool:
        return self._stream.socket.fileno() < 0 or self._stream.socket.is_readable()

    def close(self) -> None:
        # A stream that is collected after the run is over is beyond trio; its socket is collected with it.
        with suppress(RuntimeError):
            self._stream.socket.close()


@contextmanager
def _edge(timeout: float | None) -> Generator[None]:
    """Limit a wait, and turn trio's exceptions into those that the core expects."""
    try:
        with trio.fail_after(math.inf if timeout is None else timeout):
            yield
    except trio.TooSlowError as error:
        raise TimeoutError from error
    except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
        raise OSError(str(error.__cause__ or error)) from error
