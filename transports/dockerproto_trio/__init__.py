"""dockerproto on trio."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import BinaryIO, Final, TypeVar

import trio

from dockerproto.decoding import MESSAGE_LIMIT
from dockerproto.docker import AsyncDocker
from dockerproto.endpoint import Address, UnixSocket
from dockerproto.http11 import Buffer
from dockerproto.lookup import CredentialsLike
from dockerproto.timeouts import DEFAULT, Default, TimeoutLike
from dockerproto_local import configure, open_file

__all__ = ["Docker"]

T = TypeVar("T")

_RECEIVED_AT_ONCE: Final = 64 * 2**10


class Docker(AsyncDocker):
    """An engine, on trio: ``async with`` it, or `close` it.

    Args:
        url: Where it listens, ``unix:///path`` or ``tcp://host:port``; by default ``DOCKER_HOST``, else
            the first of the usual sockets that exists.
        api_version: ``"auto"``, the newest that both speak, or one to insist on, such as ``"1.43"``.
        timeout: Limits of short calls, 60 seconds by default; see `Timeout`.
        message_limit: The longest message of a stream, in bytes.
        credentials: Where the credentials of registries are looked up, see `CredentialsLike`; by default
            where ``docker login`` has left them, with None nowhere.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        api_version: str = "auto",
        timeout: TimeoutLike = DEFAULT,
        message_limit: int = MESSAGE_LIMIT,
        credentials: CredentialsLike | Default | None = DEFAULT,
    ) -> None:
        configuration = configure(url, api_version, timeout, message_limit, credentials)
        super().__init__(configuration, _TrioNetwork())


class _TrioNetwork:
    async def connect(self, address: Address, timeout: float | None) -> _Stream:
        with _edge(timeout):
            if isinstance(address, UnixSocket):
                return _Stream(await trio.open_unix_socket(address.path))
            return _Stream(await trio.open_tcp_stream(address.name, address.port))

    async def in_thread(self, function: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(function, abandon_on_cancel=True)

    def open_file(self, path: str | os.PathLike[str]) -> BinaryIO:
        return open_file(path)

    def lock(self) -> _Lock:
        return _Lock()

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

    @property
    def readable(self) -> bool:
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
