"""The base of the three transports: connect to any kind of address of this machine's network.

Modules that only some programs need are imported where they are used: commands, and those behind `LocalHost`.
"""

from __future__ import annotations

import socket
import ssl
from abc import abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, Final, TypeAlias

from dockerproto.endpoint.addresses import SSH, TCP, Address, Command, NamedPipe, Proxied, UnixSocket
from dockerproto.errors import UnsupportedTransport
from dockerproto.http.proxying import Tunnel
from dockerproto.transport.runtime import Task
from dockerproto.transport.streams import ByteStream
from dockerproto.transport.transport import Transport
from dockerproto_local.local_host import LocalHost
from dockerproto_local.scopes import EventLoops, LocalScope, ScopedTask
from dockerproto_local.tls import TLSStream, default_context

DialTarget: TypeAlias = UnixSocket | TCP | socket.socket
"""The argument of `dial`: an address, or a socket that is connected already."""


_HOST: Final = LocalHost()


class LocalTransport(Transport):
    """A transport that reaches engines by sockets, TLS and commands, on the machine the program runs on."""

    loops: ClassVar[EventLoops | None] = None
    """Event loops of the transport's library; None on a blocking transport."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._proxy_tls: ssl.SSLContext | None = None

    @property
    def host(self) -> LocalHost:
        """This machine."""
        return _HOST

    async def connect(self, address: Address, timeout: float | None) -> ByteStream:
        """Connect to any kind of address; raise OSError or TimeoutError."""
        if isinstance(address, SSH | Command):
            from dockerproto_local.commands import CommandStream, start_command  # noqa: PLC0415

            command = start_command(address.command, may_end=isinstance(address, SSH))
            return CommandStream(await self.dial(command.connection, timeout), command)
        if isinstance(address, NamedPipe):
            raise OSError("named pipes exist on Windows only")
        started = self.now()

        def left() -> float | None:
            return None if timeout is None else max(0, timeout - (self.now() - started))

        hop, engine = (
            (address.proxy.address, address.engine) if isinstance(address, Proxied) else (address, address)
        )
        stream = await self.dial(hop, timeout)
        try:
            if isinstance(address, Proxied):
                stream = await self._pass_proxy(stream, address, left)
            if self._tls is not None and isinstance(engine, TCP):
                stream = await _secure(stream, self._tls, engine.name, left())
        except BaseException:
            stream.close()
            raise
        return stream

    async def _pass_proxy(
        self, stream: ByteStream, address: Proxied, left: Callable[[], float | None]
    ) -> ByteStream:
        """Return the stream to a proxy, and beyond it if the engine is tunnelled."""
        if address.proxy.tls:
            self._proxy_tls = self._proxy_tls or default_context()
            stream = await _secure(stream, self._proxy_tls, address.proxy.address.name, left())
        if address.tunnel:
            await _open_tunnel(stream, Tunnel(address), left)
        return stream

    @abstractmethod
    async def dial(self, target: DialTarget, timeout: float | None) -> ByteStream:
        """Connect a socket, or wrap one that is connected; raise OSError or TimeoutError."""

    def scope(self) -> LocalScope:
        """Return the process and event loop of the caller; raise UnsupportedTransport if none runs."""
        try:
            return LocalScope.current(self.loops)
        except RuntimeError as error:
            package = type(self).__module__
            library = package.removeprefix("dockerproto_")
            message = (
                f"{package} needs a running event loop of {library}: use the client of the library that runs"
            )
            raise UnsupportedTransport(0, message) from error

    def start(self, coroutine: Coroutine[Any, Any, None], *, leave: bool = False) -> ScopedTask:
        """Run a coroutine in a task or a thread."""
        return ScopedTask(self.spawn(coroutine, leave=leave), self.scope)

    @abstractmethod
    def spawn(self, coroutine: Coroutine[Any, Any, None], *, leave: bool) -> Task:
        """Run a coroutine in a task or a thread, which only this scope uses; see `Runtime.start`."""


async def _secure(stream: ByteStream, context: ssl.SSLContext, name: str, timeout: float | None) -> TLSStream:
    secured = TLSStream(stream, context, name)
    await secured.handshake(timeout)
    return secured


async def _open_tunnel(stream: ByteStream, tunnel: Tunnel, left: Callable[[], float | None]) -> None:
    request = memoryview(tunnel.request())
    while request:
        request = request[await stream.send(request, left()) :]
    is_open = False
    while not is_open:
        is_open = tunnel.feed(await stream.receive(left()))
