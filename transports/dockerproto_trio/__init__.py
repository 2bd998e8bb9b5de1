"""dockerproto on trio."""

from __future__ import annotations

import math
import socket
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any, TypeVar

from dockerproto.docker import AsyncBuildKit, AsyncDocker
from dockerproto.endpoint.addresses import TCP, UnixSocket
from dockerproto.errors import NotInstalled
from dockerproto.timeouts import Timer
from dockerproto_local import LocalConfiguration, arguments_of, configure, configure_daemon
from dockerproto_local.base_transport import DialTarget, LocalTransport
from dockerproto_local.late import loader
from dockerproto_local.scopes import EventLoops
from dockerproto_local.stream import SocketStream, connect_unix

try:
    import trio
except ModuleNotFoundError as _error:
    raise NotInstalled(0, "dockerproto_trio needs trio: pip install 'dockerproto[trio]'") from _error

__all__ = ["BuildKit", "Docker", "Registry"]

T = TypeVar("T")

if TYPE_CHECKING:
    from dockerproto_trio.registry import Registry
else:
    __getattr__ = loader(__name__, Registry="registry")

_CLOCK: ContextVar[trio.abc.Clock] = ContextVar("clock")
"""Clock of the event loop that has started a worker thread."""


class Docker(AsyncDocker):
    """An engine, on trio: use it with ``async with``, or `close` it.

    The arguments are those of `dockerproto_local.configure`.
    """

    @arguments_of(configure)
    def __init__(self, configuration: LocalConfiguration) -> None:
        super().__init__(configuration, _TrioTransport(configuration.ssl_context))


class BuildKit(AsyncBuildKit):
    """A BuildKit daemon, on trio: use it with ``async with``, or `close` it.

    The arguments are those of `dockerproto_local.configure_daemon`.
    """

    @arguments_of(configure_daemon)
    def __init__(self, configuration: LocalConfiguration) -> None:
        super().__init__(configuration, _TrioTransport(configuration.ssl_context))


def _has_ended(token: trio.lowlevel.TrioToken) -> bool:
    with suppress(trio.RunFinishedError):
        token.run_sync_soon(bool)
        return False
    return True


class _TrioTransport(LocalTransport):
    loops = EventLoops(trio.lowlevel.current_trio_token, _has_ended)

    async def dial(self, target: DialTarget, timeout: float | None) -> _Stream:
        with _limit(timeout):
            if isinstance(target, UnixSocket):
                return _Stream(await connect_unix(target.path, trio.sleep))
            if isinstance(target, TCP):
                return _Stream(await _connect_tcp(target))
        return _Stream(target)

    async def in_thread(self, function: Callable[[], T]) -> T:
        _CLOCK.set(trio.lowlevel.current_clock())
        return await trio.to_thread.run_sync(function, abandon_on_cancel=True)

    async def within(self, timer: Timer, function: Callable[[], Awaitable[T]]) -> T:
        with trio.move_on_after(max(0, timer.left_of_total() or 0)):
            return await function()
        raise timer.total_error()

    def lock(self) -> _Lock:
        return _Lock()

    def spawn(self, coroutine: Coroutine[Any, Any, None], *, leave: bool) -> _Task:  # noqa: ARG002  # a task can be cancelled
        return _Task(coroutine)

    def now(self) -> float:
        try:
            return trio.current_time()
        except RuntimeError:  # in a worker thread
            return _CLOCK.get().current_time()


class _Lock:
    def __init__(self) -> None:
        self._lock = trio.Semaphore(1)  # any task may release it

    async def acquire(self, timeout: float | None) -> None:
        with _limit(timeout):
            await self._lock.acquire()

    def release(self) -> None:
        self._lock.release()


class _Task:
    """A system task: a stream used without ``async with`` offers no nursery."""

    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._scope = trio.CancelScope()
        self._ended = trio.Event()
        self._token = trio.lowlevel.current_trio_token()
        trio.lowlevel.spawn_system_task(self._run, coroutine, context=copy_context())

    def cancel(self) -> None:
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self._scope.cancel)

    async def wait(self) -> None:
        with trio.CancelScope(shield=True):
            await self._ended.wait()

    async def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        try:
            with self._scope:
                await coroutine
        finally:
            self._ended.set()


class _Stream(SocketStream):
    """A connection."""

    _waiting: trio.CancelScope | None = None

    async def wait(self, timeout: float | None, *, writing: bool) -> None:
        with _limit(timeout) as self._waiting:
            if not writing:
                await trio.lowlevel.wait_readable(self.socket)
                return
            async with trio.open_nursery() as either:
                for ready in (trio.lowlevel.wait_readable, trio.lowlevel.wait_writable):
                    either.start_soon(self._cancel_when, ready, either.cancel_scope)

    def interrupt(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()  # a scope that has ended ignores it

    def close(self) -> None:
        # After the end of trio.run(), when a stream may be collected, there is nobody to notify.
        with suppress(RuntimeError):
            if not self.inherited:
                trio.lowlevel.notify_closing(self.socket)
        super().close()

    async def _cancel_when(
        self, ready: Callable[[socket.socket], Awaitable[None]], scope: trio.CancelScope
    ) -> None:
        with suppress(trio.ClosedResourceError):
            await ready(self.socket)
        scope.cancel()


async def _connect_tcp(address: TCP) -> socket.socket:
    """Connect to the first address of a host name that accepts the connection."""
    try:
        stream = await trio.open_tcp_stream(address.name, address.port)
    except OSError as error:
        # trio's cause has one exception for each address of the name.
        reasons: tuple[OSError, ...] = getattr(error.__cause__, "exceptions", (error,))
        texts = dict.fromkeys(each.strerror or str(each) for each in reasons)
        raise OSError(reasons[-1].errno, "; ".join(texts)) from error
    return socket.socket(fileno=stream.socket.detach())


@contextmanager
def _limit(timeout: float | None) -> Generator[trio.CancelScope]:
    """Limit a wait, and convert trio's exceptions to those the core expects.

    Cancelling the yielded scope ends the wait early, without an error.
    """
    try:
        with trio.CancelScope(relative_deadline=math.inf if timeout is None else timeout) as scope:
            yield scope
    except trio.ClosedResourceError as error:
        raise ConnectionAbortedError("closed here") from error
    if scope.cancelled_caught and trio.current_time() >= scope.deadline:
        raise TimeoutError("timed out")
