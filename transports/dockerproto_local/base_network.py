"""What the networks of the transports share: how a connection to any kind of address is made.

What only some programs need is loaded where it is needed: ssh, directories as contexts, files.
"""

from __future__ import annotations

import os
import socket
import ssl
import uuid
from abc import ABC, abstractmethod
from typing import Final, TypeAlias

from dockerproto.buildcontext.plan import BuildContext, ContextSource
from dockerproto.endpoint.addresses import SSH, TCP, Address, NamedPipe, UnixSocket
from dockerproto.transport.files import Disk
from dockerproto.transport.network import ByteStream
from dockerproto_local.file_ranges import LocalFile
from dockerproto_local.tls import TLSStream

Dialled: TypeAlias = UnixSocket | TCP | socket.socket
"""What a transport connects to by itself: an address, or a socket that is connected already."""


class LocalNetwork(ABC):
    """A network that reaches engines by sockets, TLS and ssh."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls: Final = tls

    async def connect(self, address: Address, timeout: float | None) -> ByteStream:
        """Connect to any kind of address; raise OSError or TimeoutError."""
        if isinstance(address, SSH):
            from dockerproto_local.ssh import SSHStream, start_ssh  # noqa: PLC0415

            connection, process, complaints = start_ssh(address.arguments)
            return SSHStream(await self.dial(connection, timeout), process, complaints)
        if isinstance(address, NamedPipe):
            raise OSError("named pipes are there on Windows only")
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

    def open_file(self, path: str | os.PathLike[str]) -> LocalFile:
        """Open a file for reading."""
        return LocalFile(path)

    def open_context(self, context: BuildContext) -> ContextSource:
        """Look at the directory of a context, and return what can be sent of it."""
        from dockerproto_local.build_context import open_context  # noqa: PLC0415

        return open_context(context)

    def variable(self, name: str) -> str | None:
        """Return a variable of the environment."""
        return os.environ.get(name)

    def disk(self) -> Disk:
        """Return the files of this machine."""
        from dockerproto_local.local_files import LocalDisk  # noqa: PLC0415

        return LocalDisk()

    def unique(self) -> str:
        """Return a text that nobody else has."""
        return uuid.uuid4().hex

    @abstractmethod
    async def dial(self, address: Dialled, timeout: float | None) -> ByteStream:
        """Connect a socket, or take one that is connected; raise OSError or TimeoutError."""

    @abstractmethod
    def now(self) -> float:
        """Return the time of a monotonic clock, in seconds."""
