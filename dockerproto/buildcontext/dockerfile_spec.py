"""Which Dockerfile is built, and with what: so much is known before the Dockerfile is read."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct, field

DOCKERFILE: Final = "Dockerfile"
"""The path of the Dockerfile, unless another is named."""


class DockerfileSpec(Struct, frozen=True):
    """Which Dockerfile of a context is built, and with what."""

    path: str = DOCKERFILE
    """Where it is in the context."""
    arguments: Mapping[str, str | None] = field(default_factory=lambda: MappingProxyType({}))
    """The build arguments; None leaves the Dockerfile's default alone."""

    @property
    def paths(self) -> tuple[str, ...]:
        """Where the classic builder looks for it, in that order."""
        usual = posixpath.normpath(self.path) == DOCKERFILE
        return (self.path, DOCKERFILE.lower()) if usual else (self.path,)

    def registries(self, dockerfile: bytes) -> list[str]:
        r"""Return the registries of the images that it names, each once.

        >>> DockerfileSpec().registries(b"FROM r.example/app\nCOPY --from=busybox /bin/sh /\n")
        ['r.example', 'docker.io']
        """
        from dockerproto.buildcontext.dockerfile import images_of  # noqa: PLC0415  # loaded when there is one to read

        return list(dict.fromkeys(each.registry for each in images_of(dockerfile, self.arguments)))
