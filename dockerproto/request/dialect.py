"""The form of the API in which requests to one engine are written."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from dockerproto.versions import Version


class Dialect(Struct, frozen=True):
    """The API version of an engine, and whether it is Podman."""

    version: Version
    """API version."""
    podman: bool | None = None
    """True for Podman; None: unknown, as the program has chosen the version itself."""


class SupportsDialects(Protocol):
    """A request whose form may depend on the dialect."""

    @property
    def differs(self) -> bool:
        """True if Podman wants another form than Docker."""
        ...
