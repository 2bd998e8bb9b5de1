"""A transport: what an author implements to run the core on an event loop, or without one."""

from __future__ import annotations

from abc import ABC, abstractmethod

from dockerproto.endpoint.addresses import Address
from dockerproto.errors import UnsupportedTransport
from dockerproto.transport.host import Host
from dockerproto.transport.runtime import Runtime
from dockerproto.transport.streams import ByteStream


class Connector(ABC):
    """The way to an address."""

    __slots__ = ()

    @abstractmethod
    async def connect(self, address: Address, timeout: float | None) -> ByteStream:
        """Connect within ``timeout`` seconds; raise OSError or TimeoutError."""


class Transport(Connector, Runtime):
    """Connections and a runtime; with a host also files, environment variables and BuildKit sessions."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """Name for messages, such as ``asyncio``; by default that of the module."""
        return type(self).__module__.removeprefix("dockerproto_")

    @property
    def host(self) -> Host | None:
        """The machine that paths and environment variables belong to; None, as by default, for none."""
        return None

    def need_host(self, purpose: str) -> Host:
        """Return the host.

        Raises:
            UnsupportedTransport: The transport has none.
        """
        if (host := self.host) is None:
            message = f"{purpose}: {type(self).__name__} is a transport without a host, which this needs"
            raise UnsupportedTransport(0, message)
        return host

    def variable(self, name: str) -> str | None:
        """Return an environment variable of the host; without a host, none is set."""
        return None if (host := self.host) is None else host.variable(name)
