"""Waiting for what happens elsewhere, and counting what has to be gone afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import anyio.to_thread

from tests.testbed.processes import wait_until


async def until(predicate: Callable[[], object], seconds: float = 20) -> None:
    """Wait for something in a thread; an error, if it is not in time."""
    await anyio.to_thread.run_sync(wait_until, predicate, seconds)


def sockets() -> int:
    """Count the sockets that this process has open."""
    links = [each.readlink() for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    return len([link for link in links if link.name.startswith("socket:")])
