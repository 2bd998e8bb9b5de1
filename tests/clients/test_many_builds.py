"""Two hundred builds on four builders at once, in one event loop: none waits for a builder that hangs."""

from __future__ import annotations

import gc
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from tests.conftest import Connect
from tests.support.leftovers import descriptors
from tests.testbed.base_image import context
from tests.testbed.scripted import ScriptedEngine, UntilClosed, chunk, chunked, stream_head

pytestmark = pytest.mark.anyio

BUILDS = 200
BUILT = chunked(b'{"stream":"Successfully built 0123456789ab\\n"}\n')
HANGING = (stream_head(), chunk(b'{"stream":"Step 1/1"}\n'), UntilClosed())


@pytest.mark.parametrize("transport", ["asyncio", "trio"])
async def test_no_builder_waits_for_another(connect: Connect, tmp_path: Path) -> None:
    archive = context("FROM busybox\n")
    before = descriptors()
    with ExitStack() as engines:
        builders = [engines.enter_context(ScriptedEngine(tmp_path)) for _ in range(4)]
        for number, builder in enumerate(builders):
            builder.script("POST", "/build", BUILT if number else HANGING)
        async with AsyncExitStack() as clients:
            connected = [await clients.enter_async_context(connect(each.url)) for each in builders]
            assert await _build_all(connected, archive) == BUILDS * 3 // 4
            kept = sum(each.connections_open for each in builders[1:])
            assert kept <= BUILDS * 3 // 4
        assert builders[0].connections_opened <= BUILDS // 4 + 1  # and one for the ping
    gc.collect()
    await anyio.lowlevel.checkpoint()  # in which asyncio closes sockets
    assert descriptors() <= before + 2  # the event loop may keep some of its own


async def _build_all(clients: list[Any], archive: bytes) -> int:
    """Build on all of them at once; leave those that hang once the others have ended, and count these."""
    built = list[str]()

    async def build(client: Any) -> None:
        await client.images.build(fileobj=archive)
        built.append("")
        if len(built) == BUILDS * 3 // 4:
            tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        for number in range(BUILDS):
            tasks.start_soon(build, clients[number % len(clients)])
    return len(built)
