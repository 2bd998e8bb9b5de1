"""Private engines of several kinds, for tests that need particular ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

import pytest

from tests.testbed.base_image import busybox_layer, import_layer
from tests.testbed.dockerd import Dockerd
from tests.testbed.engines import Docker26, Docker26Containerd, Docker28, Docker28Containerd
from tests.testbed.private import PrivateEngine

Start: TypeAlias = Callable[..., PrivateEngine]
"""Start an engine of a kind, or return the one that is running; `number` tells several apart."""

GRAPH_DRIVERS: Final[Sequence[type[PrivateEngine]]] = (Dockerd, Docker26, Docker28)
"""Engines whose images are in a graph driver's store."""
CONTAINERD_STORES: Final[Sequence[type[PrivateEngine]]] = (Docker26Containerd, Docker28Containerd)
"""Engines with the containerd image store."""


def new_salt() -> dict[str, str]:
    """Return build arguments that no earlier build had."""
    return {"SALT": str(time.time_ns())}


def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Yield a function that starts engines with the image busybox; stop them all afterwards."""
    running: dict[tuple[type[PrivateEngine], int], PrivateEngine] = {}

    def start(kind: type[PrivateEngine], number: int = 0) -> PrivateEngine:
        if reason := kind.available():
            pytest.skip(f"{kind.name} is unavailable: {reason}")
        if (kind, number) not in running:
            running[kind, number] = kind(tmp_path_factory.mktemp("engine")).__enter__()
            import_layer(running[kind, number].socket, "busybox", busybox_layer())
        return running[kind, number]

    yield start
    for engine in running.values():
        engine.__exit__()
