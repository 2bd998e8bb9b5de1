"""Waiting for what happens elsewhere, and counting what has to be gone afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from tests.testbed.private import PrivateEngine
from tests.testbed.processes import wait_until


async def until(predicate: Callable[[], object], seconds: float = 20) -> None:
    """Wait for something in a thread; an error, if it is not in time."""
    await anyio.to_thread.run_sync(wait_until, predicate, seconds)


async def read_until_begun(engine: PrivateEngine, stream: Any, command: str) -> None:
    """Read the messages of a build until its step has printed "begun" and runs a command."""
    async for message in stream:
        logs = message["trace"].logs if "trace" in message else ()
        if message.get("stream") == "begun\n" or any(b"begun" in log.msg for log in logs):
            await until(lambda: engine.processes(command))
            return
    pytest.fail("the build ended")


def sockets() -> int:
    """Count the sockets that this process has open."""
    links = [each.readlink() for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    return len([link for link in links if link.name.startswith("socket:")])
