"""The ping: its request, and the facts about an engine in the headers of its response."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Self

from msgspec import Struct

from dockerproto.request.request import Request
from dockerproto.versions import Version, negotiate

PING: Final = Request(method="GET", path="/_ping", versioned=False)
"""Request that every engine understands, whatever its API version."""
PODMAN: Final = "libpod-api-version"
"""Header by which Podman is recognized."""
_BUILDKIT: Final = "2"
_DOCKER: Final = re.compile(r"Docker/(\d{1,4})\.(\d{1,4})", re.ASCII)
_STRICT_SINCE: Final = (27, 4)
"""First Docker whose BuildKit decodes messages by Google's library, which checks that text is UTF-8."""
_API_BEFORE: Final = Version(1, 47)
"""Newest API version of a Docker before that."""


class Ping(Struct, frozen=True):
    """Facts about an engine, from its response to a ping."""

    api_version: str | None
    """Newest API version that the engine supports."""
    os_type: str | None
    """Operating system of its containers, ``linux`` or ``windows``; Podman does not report it."""
    builder_version: str | None
    """Builder that the engine recommends, ``"1"`` classic, ``"2"`` BuildKit; None: not reported."""
    experimental: bool
    """True if experimental features are on."""
    server: str | None
    """Name and version of the server, ``Docker/26.1.5 (linux)``."""
    podman: str | None
    """Version of Podman's own API; None for Docker."""

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Self:
        """Return the facts in the headers of a response, by name in lower case."""
        return cls(
            api_version=headers.get("api-version"),
            os_type=headers.get("ostype"),
            builder_version=headers.get("builder-version") or None,
            experimental=headers.get("docker-experimental") == "true",
            server=headers.get("server"),
            podman=headers.get(PODMAN),
        )

    @property
    def requires_utf8(self) -> bool:
        """True if BuildKit rejects names of files that are not UTF-8, as it has since Docker 27.4.

        Its messages do not name the file. Docker 27.3 and 27.4 have the same API version, so the API version
        decides only if the engine does not report its own.

        Raises:
            ProtocolViolated: The API version is needed, and missing or malformed.
        """
        match = _DOCKER.match(self.server or "")
        if match is not None:
            return (int(match[1]), int(match[2])) >= _STRICT_SINCE
        return negotiate(self.api_version) > _API_BEFORE

    @property
    def recommends_buildkit(self) -> bool:
        """True if builds should use BuildKit; Podman may name it too, but has no sessions."""
        return self.builder_version == _BUILDKIT and self.podman is None
