"""The base of the three transports: connect to any kind of address of this machine's network.

Modules that only some programs need are imported where they are used: ssh, and those behind `LocalHost`.
"""

from __future__ import annotations

import socket
import ssl
from abc import abstractmethod
from typing import Final, TypeAlias

from dockerproto.endpoint.addresses import SSH, TCP, Address, NamedPipe, UnixSocket
from dockerproto.transport.streams import ByteStream
from dockerproto.transport.transport import Transport
from dockerproto_local.local_host import LocalHost
from dockerproto_local.tls import TLSStream

DialTarget: TypeAlias = UnixSocket | TCP | socket.socket
"""The argument of `dial`: an address, or a socket that is connected already."""


_HOST: Final = LocalHost()


class LocalTransport(Transport):
    """A transport that reaches engines by sockets, TLS and ssh, on the machine the program runs on."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls

    @property
    def host(self) -> LocalHost:
        """This machine."""
        return _HOST

    async def connect(self, address: Address, timeout: float | None) -> ByteStream:
        """Connect to any kind of address; raise OSError or TimeoutError."""
        if isinstance(address, SSH):
            from dockerproto_local.ssh import SSHStream, start_ssh  # noqa: PLC0415

            connection, process, stderr = start_ssh(address.arguments)
            return SSHStream(await self.dial(connection, timeout), process, stderr)
        if isinstance(address, NamedPipe):
            raise OSError("named pipes exist on Windows only")
        started = self.now()
        stream = await self.dial(address, timeout)
        if self._tls is None or not isinstance(address, TCP):
            return stream
        secured = TLSStream(stream, self._tls, address.name)
        try:
            await secured.handshake(None if timeout is None else timeout - (self.now() - started))
        except BaseException:
            stream.close()
            raise
        return secured

    @abstractmethod
    async def dial(self, target: DialTarget, timeout: float | None) -> ByteStream:
        """Connect a socket, or wrap one that is connected; raise OSError or TimeoutError."""
