"""Base classes of clients: of all of them, of the blocking ones, and of the async ones."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

from dockerproto.client import Client
from dockerproto.configuration import Configuration
from dockerproto.endpoint.addresses import Endpoint
from dockerproto.http.connection import Connections
from dockerproto.images import AsyncImages
from dockerproto.operations.buildkit import AsyncEngineBuildKit
from dockerproto.operations.disk_usage import disk_usage
from dockerproto.operations.events import events
from dockerproto.operations.operation import AsyncNamespace, Namespace, asynchronous, blocking
from dockerproto.operations.system import info, login, version
from dockerproto.request.ping import Ping
from dockerproto.transport.transport import Transport


class AnyDocker:
    """Properties of async and blocking clients that send no request."""

    client: Client
    """The underlying client."""

    def __repr__(self) -> str:
        return f"<Docker at {self.endpoint.address}>"

    @property
    def endpoint(self) -> Endpoint:
        """Endpoint in use, and what selected it."""
        return self.client.configuration.endpoint

    @property
    def api_version(self) -> str | None:
        """API version in use, such as ``1.41``; None until it is negotiated."""
        version = self.client.version
        return None if version is None else str(version)


class BlockingOperations(Namespace):
    """The operations of a blocking client on the engine itself."""

    version: Final = blocking(version)
    info: Final = blocking(info)
    login: Final = blocking(login)
    disk_usage: Final = blocking(disk_usage)
    events: Final = blocking(events)


class AsyncDocker(AnyDocker, AsyncNamespace):
    """An engine, for programs on an event loop; use it with ``async with``, or `close` it."""

    def __init__(self, configuration: Configuration, transport: Transport) -> None:
        endpoint = configuration.endpoint
        connections = Connections(transport, endpoint.route, endpoint.origin)
        super().__init__(Client(configuration, transport, connections))
        self.images: AsyncImages = AsyncImages(self.client, "images")
        """Image operations."""
        self.buildkit: AsyncEngineBuildKit = AsyncEngineBuildKit(self.client, "buildkit")
        """Operations on the engine's BuildKit."""

    version: Final = asynchronous(version)
    info: Final = asynchronous(info)
    login: Final = asynchronous(login)
    disk_usage: Final = asynchronous(disk_usage)
    events: Final = asynchronous(events)

    async def ping(self) -> Ping:
        """Ping the engine; raise DockerError if that fails."""
        return await self.client.ping()

    async def close(self) -> None:
        """Close all connections, including those of open streams; closing again has no effect."""
        self.client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()
