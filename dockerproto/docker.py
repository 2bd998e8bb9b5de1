"""What clients share: both kinds of them, and the two async ones, which differ by how they connect."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from dockerproto.client import Client, Configuration, Ping
from dockerproto.connection import Connections
from dockerproto.endpoint import Endpoint
from dockerproto.images import AsyncImages
from dockerproto.login import log_in
from dockerproto.models import EngineVersion
from dockerproto.network import Network
from dockerproto.system import version
from dockerproto.timeouts import DEFAULT, TimeoutLike


class AnyDocker:
    """What can be asked of a client of either kind without waiting."""

    def __init__(self, client: Client) -> None:
        self._client: Client = client

    def __repr__(self) -> str:
        return f"<Docker at {self.endpoint.address}>"

    @property
    def endpoint(self) -> Endpoint:
        """The engine that was chosen, and why."""
        return self._client.configuration.endpoint

    @property
    def api_version(self) -> str | None:
        """The API version that is spoken, ``1.41``; None until it has been negotiated."""
        spoken = self._client.version
        return None if spoken is None else str(spoken)


class AsyncDocker(AnyDocker):
    """An engine, on an event loop: ``async with`` it, or `close` it."""

    def __init__(self, configuration: Configuration, network: Network) -> None:
        connections = Connections(network, configuration.endpoint.address)
        super().__init__(Client(configuration, network, connections))
        self.images: AsyncImages = AsyncImages(self._client)
        """The images of the engine."""

    async def version(self) -> EngineVersion:
        """Return what the engine says of itself."""
        return await version().on_async(self._client)

    async def ping(self) -> Ping:
        """Ask the engine for a sign of life; any failure raises."""
        return await self._client.ping()

    async def login(
        self,
        registry: str,
        username: str,
        password: str,
        *,
        store: bool = False,
        timeout: TimeoutLike = DEFAULT,
    ) -> str:
        """Verify credentials at a registry, use them from now on, and return what the engine says.

        Args:
            registry: ``docker.io`` for Docker Hub, else ``host[:port]``.
            username: Name of the user.
            password: Password or access token.
            store: Store them for other programs too, as the docker command does: with the helper that
                config.json names, else in config.json itself. By default only this client knows them.
            timeout: Limits of this call.

        Raises:
            CredentialsError: They are right, but cannot be stored.
            Unauthorized: They are wrong.
            ValueError: `registry` is none; or `store`, and the source of this client does not store.

        Documented at https://docs.docker.com/reference/api/engine/#tag/System/operation/SystemAuth.
        """
        return await log_in(self._client, registry, username, password, store=store, timeout=timeout)

    async def close(self) -> None:
        """Close all connections, those of streams too; again does nothing."""
        self._client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()
