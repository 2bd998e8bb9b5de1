"""Private engines of several kinds, for tests that need particular ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest

from tests.testbed.base_image import busybox_layer, import_layer
from tests.testbed.private import PrivateEngine

Start: TypeAlias = Callable[..., PrivateEngine]
"""Start an engine of a kind, or return the one that is running; `number` tells several apart."""


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
