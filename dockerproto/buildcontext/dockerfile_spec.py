"""The Dockerfile that a build uses: everything known before its text is read."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import field

from dockerproto.redacted import Redacted

DOCKERFILE: Final = "Dockerfile"
"""Default path of the Dockerfile in a build context."""

MAX_REGISTRIES: Final = 100
"""Limit on the registries of one Dockerfile, as each lookup may start a credential helper."""


class DockerfileSpec(Redacted, frozen=True):
    """The path of a Dockerfile in its build context, and the build arguments given for it."""

    _hidden = ("arguments",)

    path: str = DOCKERFILE
    """Path in the build context."""
    arguments: Mapping[str, str | None] = field(default_factory=lambda: MappingProxyType({}))
    """Build arguments; None keeps the Dockerfile's default."""

    @property
    def paths(self) -> tuple[str, ...]:
        """Paths that the classic builder tries, in its order."""
        is_default = posixpath.normpath(self.path) == DOCKERFILE
        return (self.path, DOCKERFILE.lower()) if is_default else (self.path,)

    def registries(self, dockerfile: bytes) -> list[str]:
        r"""Return the registries of the images that a Dockerfile names, each once, up to `MAX_REGISTRIES`.

        >>> DockerfileSpec().registries(b"FROM r.example/app\nCOPY --from=busybox /bin/sh /\n")
        ['r.example', 'docker.io']
        """
        from dockerproto.buildcontext.dockerfile import images_of  # noqa: PLC0415  # for builds only

        registries = dict.fromkeys(each.registry for each in images_of(dockerfile, self.arguments))
        return list(registries)[:MAX_REGISTRIES]
