"""Load the image of a build elsewhere into an engine."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import Protocol, Self

from msgspec import Struct

from dockerproto.client import Client
from dockerproto.images.load_save import import_image
from dockerproto.messages.results import ImportResult
from dockerproto.operations.streams import AsyncProgress
from dockerproto.transport.transport import Transport


class LoadTarget(Protocol):
    """A client of an engine, into which a build may load its image: a ``Docker`` of any package."""

    @property
    def client(self) -> Client:
        """The underlying client."""
        ...


class ClientLoader(Struct, frozen=True):
    """The load of images by the client of an engine."""

    client: Client

    @classmethod
    def of(cls, target: LoadTarget) -> Self:
        """Return the loader of a client; raise TypeError if it is not one of an engine."""
        client: object = getattr(target, "client", None)
        if not isinstance(client, Client) or client.kind != Client.kind:
            raise TypeError(f"load must be a Docker client, not {type(target).__name__}")
        return cls(client)

    @property
    def transport(self) -> Transport:
        """Transport of the client."""
        return self.client.transport

    def load(self, archive: AsyncIterable[bytes]) -> AsyncProgress[ImportResult]:
        """Return the load of an archive."""
        return import_image(archive, stream=True, quiet=False).on_async(self.client, "images.import_image")
