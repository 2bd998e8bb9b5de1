"""A transport of httpx that speaks to an engine over the connections of the core.

So the promises of the library hold for blocking programs too: what follows an answer is never the
next answer, an early answer to an upload is read, and limits are kept while a body is read.
"""

from __future__ import annotations

import math
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from typing import Any, Final, TypeVar, cast

import httpx

from dockerproto.endpoint.addresses import TCP, Address
from dockerproto.http.connection import Connections, HTTPResponse
from dockerproto.http.http11 import Upload, WireRequest
from dockerproto.timeouts import Timeout, Timer
from dockerproto.transport.chunks import Buffer, FileRange
from dockerproto.transport.network import run
from dockerproto_local.base_network import Dialled, LocalNetwork
from dockerproto_local.file_ranges import read_part
from dockerproto_local.stream import SocketStream, connected_to

T = TypeVar("T")

TIMER: Final = "dockerproto.timer"
"""The extension of a request that has the limits of an operation that has begun."""
_HEED: Final = 1000
"""After how many milliseconds a wait begins anew: a Ctrl-C that comes just before a wait does not end it."""
_RINGS: Final = 4096
_FRAMING: Final = frozenset({"connection", "content-length", "transfer-encoding"})


class EngineTransport(httpx.BaseTransport):
    """Carries requests of httpx to an engine.

    `Docker` uses one by itself. An ``httpx.Client(transport=EngineTransport(address))`` reaches what is not
    about images. It raises the library's own exceptions, and keeps the limits of ``timeout=``.

    Args:
        address: Where the engine listens, see `parse_host`.
        tls: What the ssl module needs, if it speaks TLS there.
    """

    def __init__(self, address: Address, tls: ssl.SSLContext | None = None) -> None:
        self._connections: Final = Connections(BlockingNetwork(tls), address)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, and return its response, whose body is read as it is asked for."""
        timer = request.extensions.get(TIMER) or Timer(_timeout(request), time.monotonic)
        answer = run(self._connections.send(_message(request), timer))
        return httpx.Response(
            answer.head.status, headers=list(answer.head.headers.items()), stream=Body(answer)
        )

    def close(self) -> None:
        """Close all connections."""
        self._connections.close()


class BlockingNetwork(LocalNetwork):
    """Sockets that block."""

    async def dial(self, address: Dialled, timeout: float | None) -> _Stream:
        """Connect; raise OSError or TimeoutError."""
        if isinstance(address, TCP):
            return _Stream(socket.create_connection((address.name, address.port), timeout))
        if isinstance(address, socket.socket):
            return _Stream(address)
        deadline = math.inf if timeout is None else self.now() + timeout

        async def sleep(seconds: float) -> None:
            if self.now() >= deadline:
                raise TimeoutError("timed out")
            time.sleep(seconds)  # noqa: ASYNC251  # a blocking transport waits by blocking

        return _Stream(await connected_to(address.path, sleep))

    async def in_thread(self, function: Callable[[], T]) -> T:
        """Call a function that blocks, in this thread."""
        return function()

    def lock(self) -> _Lock:
        """Return a new lock of threads."""
        return _Lock()

    def start(self, coroutine: Coroutine[Any, Any, None], *, leave: bool = False) -> _Task:
        """Run a coroutine in a thread."""
        return _Task(coroutine, leave=leave)

    def now(self) -> float:
        """Return the time of the monotonic clock, in seconds."""
        return time.monotonic()


class _Lock:
    def __init__(self) -> None:
        self._lock: Final = threading.Lock()

    async def acquire(self, timeout: float | None) -> None:
        if not self._lock.acquire(timeout=-1 if timeout is None else timeout):
            raise TimeoutError

    def release(self) -> None:
        self._lock.release()


class _Task(threading.Thread):
    """A thread: it ends when its connection is closed, as nothing else in it waits for long.

    One that may wait for longer is not waited for, if it is to be left.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, None], *, leave: bool) -> None:
        name = f"dockerproto {'lookup' if leave else 'session'}"
        super().__init__(target=run, args=(coroutine,), name=name, daemon=True)
        self._leave: Final = leave
        self.start()

    def cancel(self) -> None:
        pass

    async def wait(self) -> None:
        if not self._leave:
            self.join()


class _Stream(SocketStream):
    """A connection: that of a session has a bell beside it, by which other threads end its waits."""

    _bell: tuple[socket.socket, ...] = ()

    async def ready(self) -> None:
        self._bell = self._bell or socket.socketpair()
        await super().ready()

    async def wait(self, timeout: float | None, *, writing: bool) -> None:
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN | (select.POLLOUT if writing else 0))
        heard = self._bell[0].fileno() if self._bell else -1
        if heard >= 0:  # another thread may have closed it
            poll.register(heard, select.POLLIN)
        left = math.inf if timeout is None else timeout * 1000
        while not poll.poll(math.ceil(min(left, _HEED))):
            left -= _HEED
            if left <= 0:
                raise TimeoutError("timed out")
        if heard >= 0:
            with suppress(OSError):  # closed; or it was not the bell
                self._bell[0].recv(_RINGS, socket.MSG_DONTWAIT)

    def interrupt(self) -> None:
        with suppress(OSError, IndexError):  # closed; or full, and so heard anyway; or nobody listens
            self._bell[1].send(b"!", socket.MSG_DONTWAIT)

    def close(self) -> None:
        super().close()
        for each in self._bell:
            each.close()


class Body(httpx.SyncByteStream):
    """The body of a response."""

    def __init__(self, answer: HTTPResponse) -> None:
        self._answer: Final = answer
        self.receive: Final = answer.receive
        """Returns the next bytes, none at the end."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield them, as httpx wants them."""
        while data := run(self.receive()):
            yield data

    def close(self) -> None:
        """Close the connection, unless the body was read."""
        self._answer.close()


class Content(httpx.SyncByteStream):
    """The body of a request."""

    def __init__(self, upload: Upload | None) -> None:
        self.upload: Final = upload
        """What is sent, if anything is."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield it, for other transports, which may keep what they get."""
        while self.upload is not None and (data := run(self.upload.next())):
            yield read_part(data) if isinstance(data, FileRange) else bytes(data)


class _Upload:
    """The body of a request that is not ours."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces: Final = pieces

    async def next(self) -> Buffer:
        return next(filter(None, self._pieces), b"")

    async def close(self) -> None:
        """Leave it to its owner."""


def _message(request: httpx.Request) -> WireRequest:
    pairs = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw)
    headers = [each for each in pairs if each[0].lower() not in _FRAMING]
    return WireRequest(request.method, request.url.raw_path.decode("ascii"), headers, _upload(request))


def _upload(request: httpx.Request) -> Upload | None:
    body = cast("httpx.SyncByteStream", request.stream)  # a request of a blocking client has no other
    if isinstance(body, Content):
        return body.upload
    has_body = "transfer-encoding" in request.headers or request.headers.get("content-length", "0") != "0"
    return _Upload(iter(body)) if has_body else None


def _timeout(request: httpx.Request) -> Timeout:
    limits = request.extensions.get("timeout", {})
    read = limits.get("read")
    return Timeout(connect=limits.get("connect"), response=read, idle=read)
