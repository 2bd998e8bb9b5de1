"""Base classes of clients: of all of them, of the blocking ones, and of the async ones."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

from dockerproto.client import Client
from dockerproto.configuration import Configuration
from dockerproto.daemon_client import DaemonClient
from dockerproto.endpoint.addresses import Endpoint
from dockerproto.engine import Engine
from dockerproto.engine_client import EngineClient
from dockerproto.http.connection import Connections
from dockerproto.http.interfaces import RequestSender
from dockerproto.images import AsyncImages, Images
from dockerproto.images.checks import check, outline, targets
from dockerproto.images.daemon_build import build
from dockerproto.operations.buildkit import (
    AsyncEngineBuildKit,
    EngineBuildKit,
    history,
    prune,
    usage,
    workers,
)
from dockerproto.operations.buildkit import info as buildkit_info
from dockerproto.operations.disk_usage import disk_usage
from dockerproto.operations.events import events
from dockerproto.operations.operation import AsyncNamespace, Namespace, asynchronous, blocking
from dockerproto.operations.system import info, login, version
from dockerproto.request.ping import Ping
from dockerproto.timeouts import DEFAULT
from dockerproto.transport.runtime import run
from dockerproto.transport.transport import Transport


class AnyClient:
    """Properties of all clients."""

    client: Client
    """The underlying client."""

    def __repr__(self) -> str:
        return f"<{self.client.kind} at {self.endpoint.address}>"

    @property
    def endpoint(self) -> Endpoint:
        """Endpoint in use, and what selected it."""
        return self.client.configuration.endpoint


class AnyDocker(AnyClient):
    """Properties of async and blocking clients of an engine that send no request."""

    _engine: Engine

    @property
    def api_version(self) -> str | None:
        """API version in use, such as ``1.41``; None until it is negotiated."""
        version = self._engine.version
        return None if version is None else str(version)

    async def _ping(self) -> Ping:
        """Ping the engine; raise DockerError if that fails."""
        return await self._engine.ping(self.client.begin(DEFAULT, "reading").timer)


class BlockingConnected(AnyClient, Namespace):
    """A client for blocking programs; use it with ``with``, or `close` it."""

    def close(self) -> None:
        """Close all connections, including those of open streams; closing again has no effect."""
        self.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()


class BlockingDocker(AnyDocker, BlockingConnected):
    """An engine, for blocking programs: use it with ``with``, or `close` it.

    Args:
        configuration: Configuration of the client.
        transport: Transport whose coroutines block.
        sender: Sends the requests; connections of the transport by default.
    """

    def __init__(
        self, configuration: Configuration, transport: Transport, sender: RequestSender | None = None
    ) -> None:
        sender = sender or _connections(configuration, transport)
        client = EngineClient(configuration, transport, sender)
        super().__init__(client)
        self._engine = client.engine
        self.images: Images = Images(self.client, "images")
        """Image operations."""
        self.buildkit: EngineBuildKit = EngineBuildKit(self.client, "buildkit")
        """Operations on the engine's BuildKit."""

    version: Final = blocking(version)
    info: Final = blocking(info)
    login: Final = blocking(login)
    disk_usage: Final = blocking(disk_usage)
    events: Final = blocking(events)

    def ping(self) -> Ping:
        """Ping the engine; any failure raises."""
        return run(self._ping())


class BlockingBuildKit(BlockingConnected):
    """A BuildKit daemon, for blocking programs: use it with ``with``, or `close` it.

    Args:
        configuration: Configuration of the client.
        transport: Transport whose coroutines block.
    """

    def __init__(self, configuration: Configuration, transport: Transport) -> None:
        super().__init__(DaemonClient(configuration, transport), DaemonClient.kind)

    build: Final = blocking(build)
    check: Final = blocking(check)
    history: Final = blocking(history)
    info: Final = blocking(buildkit_info)
    outline: Final = blocking(outline)
    prune: Final = blocking(prune)
    targets: Final = blocking(targets)
    usage: Final = blocking(usage)
    workers: Final = blocking(workers)


class AsyncConnected(AnyClient, AsyncNamespace):
    """A client for programs on an event loop; use it with ``async with``, or `close` it."""

    async def close(self) -> None:
        """Close all connections, including those of open streams; closing again has no effect."""
        self.client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()


class AsyncDocker(AnyDocker, AsyncConnected):
    """An engine, for programs on an event loop; use it with ``async with``, or `close` it."""

    def __init__(self, configuration: Configuration, transport: Transport) -> None:
        client = EngineClient(configuration, transport, _connections(configuration, transport))
        super().__init__(client)
        self._engine = client.engine
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
        return await self._ping()


class AsyncBuildKit(AsyncConnected):
    """A BuildKit daemon, for programs on an event loop; use it with ``async with``, or `close` it."""

    def __init__(self, configuration: Configuration, transport: Transport) -> None:
        super().__init__(DaemonClient(configuration, transport), DaemonClient.kind)

    build: Final = asynchronous(build)
    check: Final = asynchronous(check)
    history: Final = asynchronous(history)
    info: Final = asynchronous(buildkit_info)
    outline: Final = asynchronous(outline)
    prune: Final = asynchronous(prune)
    targets: Final = asynchronous(targets)
    usage: Final = asynchronous(usage)
    workers: Final = asynchronous(workers)


def _connections(configuration: Configuration, transport: Transport) -> Connections:
    endpoint = configuration.endpoint
    return Connections(transport, endpoint.route, endpoint.origin)
