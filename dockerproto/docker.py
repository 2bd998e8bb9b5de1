"""What clients share: both kinds of them, and the two async ones, which differ by how they connect."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

from dockerproto.client import Client, Configuration, Ping
from dockerproto.endpoint.addresses import Endpoint
from dockerproto.http.connection import Connections
from dockerproto.images import AsyncImages
from dockerproto.operations.operation import AsyncNamespace, asynchronous
from dockerproto.operations.system import login, version
from dockerproto.transport.transport import Transport


class AnyDocker:
    """What can be asked of a client of either kind without waiting."""

    client: Client
    """What its operations run on."""

    def __repr__(self) -> str:
        return f"<Docker at {self.endpoint.address}>"

    @property
    def endpoint(self) -> Endpoint:
        """The engine that was chosen, and why."""
        return self.client.configuration.endpoint

    @property
    def api_version(self) -> str | None:
        """The API version that is spoken, ``1.41``; None until it has been negotiated."""
        spoken = self.client.version
        return None if spoken is None else str(spoken)


class AsyncDocker(AnyDocker, AsyncNamespace):
    """An engine, on an event loop: ``async with`` it, or `close` it."""

    def __init__(self, configuration: Configuration, network: Transport) -> None:
        connections = Connections(network, configuration.endpoint.address)
        super().__init__(Client(configuration, network, connections))
        self.images: AsyncImages = AsyncImages(self.client)
        """The images of the engine."""

    version: Final = asynchronous(version)
    login: Final = asynchronous(login)

    async def ping(self) -> Ping:
        """Ask the engine for a sign of life; any failure raises."""
        return await self.client.ping()

    async def close(self) -> None:
        """Close all connections, those of streams too; again does nothing."""
        self.client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()
