"""Forked children of a program that uses a client: no response goes to another process."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import anyio.to_thread
import pytest

import dockerproto_asyncio
import dockerproto_httpx
from dockerproto import ClientClosed, UnsupportedEngine
from tests.conftest import Connect
from tests.engines.differences import Difference
from tests.support.forks import begin_child, on_loop
from tests.testbed.base_image import context, import_layer
from tests.testbed.private import PrivateEngine
from tests.testbed.unix_http import ask

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.pythons]

ROUNDS = 200
NAMES = [f"fork{number}" for number in range(8)]


@pytest.fixture(scope="module")
def images(engine: PrivateEngine) -> Iterator[dict[str, str]]:
    """Import small images, and return their ids by name."""
    ids = dict[str, str]()
    for name in NAMES:
        import_layer(engine.socket, name, context(name))
        ids[name] = json.loads(ask(engine.socket, "GET", f"/images/{name}/json").body)["Id"]
    yield ids
    for name in NAMES:
        ask(engine.socket, "DELETE", f"/images/{name}?force=1")


async def identify(docker: Any, *names: str) -> dict[str, str]:
    """Inspect images one after another, and return their ids."""
    return {name: (await docker.images.inspect(name))["Id"] for name in names}


def different(number: int, count: int) -> list[str]:
    """Return names of so many images, other ones for each number."""
    return [NAMES[(number + offset) % len(NAMES)] for offset in range(count)]


async def test_a_child_forked_in_a_thread_beside_its_parent(
    engine: PrivateEngine, connect: Connect, anyio_backend: Any, images: dict[str, str]
) -> None:
    async with connect(engine.url) as docker:
        for number in range(ROUNDS):
            here, there = different(number, 2)
            assert await identify(docker, here) == {here: images[here]}
            inspect = on_loop(anyio_backend, identify, docker, there)
            finish = await anyio.to_thread.run_sync(begin_child, inspect)
            assert await identify(docker, here) == {here: images[here]}
            assert await anyio.to_thread.run_sync(finish) == {there: images[there]}


async def test_workers_of_a_preloaded_program(
    engine: PrivateEngine, connect: Connect, anyio_backend: Any, images: dict[str, str]
) -> None:
    """The client was used before the workers were forked, which then serve many calls at once."""
    workers, calls = 4, ROUNDS // 4

    async def serve(docker: Any, worker: int) -> int:
        right = 0

        async def call(number: int) -> None:
            nonlocal right
            names = different(worker + number, 2)
            found = await identify(docker, *names)
            right += found == {name: images[name] for name in names}

        for number in range(0, calls, 5):
            async with anyio.create_task_group() as tasks:
                for each in range(number, number + 5):
                    tasks.start_soon(call, each)
        return right

    async with connect(engine.url) as docker:
        async with anyio.create_task_group() as tasks:
            for name in NAMES:  # so many connections are idle
                tasks.start_soon(identify, docker, name)
        serving = [on_loop(anyio_backend, serve, docker, worker) for worker in range(workers)]
        finish = [await anyio.to_thread.run_sync(begin_child, each) for each in serving]
        assert [await anyio.to_thread.run_sync(each) for each in finish] == [calls] * workers


PRELOADED: dict[str, Any] = {}
"""Clients of this module, as a program has them."""


def inspect_blocking(name: str) -> tuple[str, str]:
    return name, PRELOADED["httpx"].images.inspect(name)["Id"]


def inspect_on_asyncio(name: str) -> tuple[str, str]:
    return name, anyio.run(PRELOADED["asyncio"].images.inspect, name, backend="asyncio")["Id"]


@pytest.mark.parametrize("inspect", [inspect_blocking, inspect_on_asyncio])
def test_multiprocessing(
    engine: PrivateEngine, images: dict[str, str], inspect: Callable[[str], tuple[str, str]]
) -> None:
    PRELOADED["httpx"] = dockerproto_httpx.Docker(engine.url)
    PRELOADED["asyncio"] = dockerproto_asyncio.Docker(engine.url)
    assert inspect(NAMES[0]) == (NAMES[0], images[NAMES[0]])
    calls = [NAMES[number % len(NAMES)] for number in range(ROUNDS)]
    with multiprocessing.get_context("fork").Pool(4, maxtasksperchild=4) as pool:
        assert pool.map(inspect, calls, chunksize=1) == [(name, images[name]) for name in calls]
    assert inspect(NAMES[1]) == (NAMES[1], images[NAMES[1]])
    PRELOADED["httpx"].close()
    anyio.run(PRELOADED["asyncio"].close, backend="asyncio")


@pytest.mark.differs(Difference.NO_BUILDKIT, raises=UnsupportedEngine)
@pytest.mark.usefixtures("buildkit")
async def test_a_build_of_the_parent(
    engine: PrivateEngine, connect: Connect, anyio_backend: Any, images: dict[str, str]
) -> None:
    """The session of a BuildKit build is served in the parent, whatever the child does with the stream."""
    dockerfile = "FROM busybox\nRUN echo begun; sleep 1; echo $RANDOM\n"
    options = {"network_mode": "none", "nocache": True, "builder": "buildkit", "stream": True}
    async with connect(engine.url) as docker, docker.images.build(dockerfile=dockerfile, **options) as stream:
        await anext(stream)

        async def child() -> Any:
            with pytest.raises(ClientClosed):
                async for _ in stream:
                    pass
            await stream.close()
            return await identify(docker, NAMES[0])

        finish = await anyio.to_thread.run_sync(begin_child, on_loop(anyio_backend, child))
        assert await anyio.to_thread.run_sync(finish) == {NAMES[0]: images[NAMES[0]]}
        messages = [message async for message in stream]
    assert messages
