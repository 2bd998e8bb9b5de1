"""Bytes of a build context that the engine requests: all once, then only the changes."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from dockerproto import UnsupportedEngine
from tests.conftest import Connect
from tests.engines.differences import Difference
from tests.support.facade import Transport
from tests.testbed.private import PrivateEngine

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.engine,
    pytest.mark.differs(Difference.NO_BUILDKIT, raises=UnsupportedEngine),
]

MEBIBYTE = 2**20


async def transferred(docker: Any, root: Path) -> tuple[int, str]:
    """Build of a directory that is mounted, not copied; return the bytes that came, and what was printed."""
    (root / "Dockerfile").write_text(
        f"FROM busybox\nRUN --mount=target=/x : {time.time_ns()}; ls /x | wc -l; cat /x/* | wc -c\n"
    )
    messages = await docker.images.build(path=root, network_mode="none", builder="buildkit")
    traces = [message["trace"] for message in messages if "trace" in message]
    came = {
        (status.vertex, status.id): status.current
        for trace in traces
        for status in trace.statuses
        if status.id.startswith("transferring context")
    }
    return sum(came.values()), b"".join(log.msg for trace in traces for log in trace.logs).decode()


async def transferred_again(docker: Any, root: Path, limit: int) -> str:
    """Build what the engine has seen before, and return what the step printed; fewer bytes than `limit` came.

    On a loaded machine, Docker 28.5 once asked for everything again, as if the last build still held it.
    """
    counts: list[int] = []
    while len(counts) < 3:
        came, shown = await transferred(docker, root)
        if came < limit:
            return shown
        counts.append(came)
    pytest.fail(f"{counts} bytes came, not less than {limit}")


async def test_ten_thousand_files(engine: PrivateEngine, connect: Connect, tmp_path: Path) -> None:
    for number in range(10_000):
        (tmp_path / f"{number:05}").write_bytes(b"x" * (number % 50))
    size = sum(number % 50 for number in range(10_000))
    async with connect(engine.url) as docker:
        came, shown = await transferred(docker, tmp_path)
        dockerfile = (tmp_path / "Dockerfile").stat().st_size
        assert shown.split() == ["10001", str(size + dockerfile)]
        assert came >= size
        (tmp_path / "00049").write_bytes(b"another")
        # Each file is announced with about 24 bytes, whether it is asked for or not; all have 245,000 bytes.
        shown = await transferred_again(docker, tmp_path, 30 * 10_000)
        assert shown.split() == ["10001", str(size - 49 + 7 + dockerfile)]


async def test_a_large_file(
    engine: PrivateEngine, connect: Connect, tmp_path: Path, transport: Transport
) -> None:
    with (tmp_path / "large").open("wb") as file:
        for _ in range(200):
            file.write(os.urandom(MEBIBYTE))
    async with connect(engine.url) as docker:
        came, shown = await transferred(docker, tmp_path)
        assert int(shown.split()[1]) > 200 * MEBIBYTE
        assert came > 200 * MEBIBYTE
        shown = await transferred_again(docker, tmp_path, 2000)
        assert int(shown.split()[1]) > 200 * MEBIBYTE
