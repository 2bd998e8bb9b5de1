"""Engines with a bridge, in a network namespace of their own, which has no other network."""

from __future__ import annotations

from typing import Final

from .dockerd import ContainerdStore, Dockerd
from .trees import FORKY, TRIXIE

_WITHOUT_BRIDGE: Final = "--bridge=none"
_WITH_LOOPBACK: Final = 'ip link set lo up && exec "$@"'


class _Bridged(Dockerd):
    """An engine whose containers have a network, which leads to no other one."""

    def _command(self) -> tuple[str, ...]:
        command = (each for each in super()._command() if each != _WITHOUT_BRIDGE)
        return ("unshare", "--net", "sh", "-c", _WITH_LOOPBACK, "sh", *command)


class BridgedDocker26(_Bridged, ContainerdStore):
    """Docker 26.1 with the containerd image store."""

    name = "docker-26.1-containerd-bridged"
    tree = TRIXIE


class BridgedDocker28(_Bridged, ContainerdStore):
    """Docker 28.5 with the containerd image store."""

    name = "docker-28.5-containerd-bridged"
    tree = FORKY
