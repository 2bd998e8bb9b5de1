"""The form of the API in which requests to one engine are written."""

from __future__ import annotations

import re
from typing import Final, Literal, Protocol, TypeAlias

from msgspec import Struct

from dockerproto.versions import Version

Podman: TypeAlias = Version | Literal[False]
"""Version of Podman; False for Docker."""
_PODMAN: Final = re.compile(r"(\d{1,4})\.(\d{1,4})", re.ASCII)
_OLDEST_PODMAN: Final = Version(0, 0)
"""Version of Podman if its header has none, so that no newer ability is expected."""


class Dialect(Struct, frozen=True):
    """The API version of an engine, and the version of Podman if it is one."""

    version: Version
    """API version."""
    podman: Podman | None = None
    """Version of Podman, False for Docker; None: unknown, as the program has chosen the version itself."""


class SupportsDialects(Protocol):
    """A request whose form may depend on the dialect."""

    @property
    def differs(self) -> bool:
        """True if Podman wants another form than Docker."""
        ...


def podman_version(header: str | None) -> Podman:
    """Return the version in the header by which Podman is recognized; None: the header is missing."""
    if header is None:
        return False
    match = _PODMAN.match(header)
    return Version(int(match[1]), int(match[2])) if match else _OLDEST_PODMAN
