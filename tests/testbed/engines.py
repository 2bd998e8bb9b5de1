"""The engines that the tests can be run on, by name."""

from typing import Final

from .dockerd import ContainerdStore, Dockerd
from .podman import Podman
from .private import PrivateEngine
from .trees import FORKY, SID, TRIXIE


class Docker26(Dockerd):
    """Docker 26.1, with images in the store of a graph driver."""

    name = "docker-26.1"
    tree = TRIXIE


class Docker26Containerd(ContainerdStore):
    """Docker 26.1, with images in the store of containerd."""

    name = "docker-26.1-containerd"
    tree = TRIXIE


class Docker28(Dockerd):
    """Docker 28.5, with images in the store of a graph driver."""

    name = "docker-28.5"
    tree = FORKY


class Docker28Containerd(ContainerdStore):
    """Docker 28.5, with images in the store of containerd."""

    name = "docker-28.5-containerd"
    tree = FORKY


class Podman54(Podman):
    """Podman 5.4."""

    name = "podman-5.4"
    tree = TRIXIE


class Podman58(Podman):
    """Podman 5.8."""

    name = "podman-5.8"
    tree = FORKY


class Podman61(Podman):
    """Podman 6.1."""

    name = "podman-6.1"
    tree = SID
    limits = "pids_limit = 0\n"  # where control groups of version 2 have no controllers, they cannot limit


ENGINES: Final[dict[str, type[PrivateEngine]]] = {
    kind.name: kind
    for kind in (
        *(Dockerd, Docker26, Docker26Containerd, Docker28, Docker28Containerd),
        *(Podman, Podman54, Podman58, Podman61),
    )
}
DEFAULT: Final = Dockerd.name
