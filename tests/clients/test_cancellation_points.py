"""Cancellation at every wait of the library, on event loops: the client goes on, and nothing is left.

Each wait is reached in a run of its own. It is followed by a call on the same client; then the descriptors
and tasks are counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Literal, TypeAlias

import anyio
import pytest
import trio

from dockerproto import CacheOnly, NotFound
from tests.support.cancelling import cancel_on_asyncio, cancel_on_trio
from tests.support.facade import client, daemon_client
from tests.support.forks import in_child
from tests.support.leftovers import build_context, connections, descriptors, ready_engine
from tests.testbed.scripted import ScriptedEngine

pytestmark = pytest.mark.anyio

Operation: TypeAlias = Callable[[Any, Path], Awaitable[object]]
Backend: TypeAlias = Literal["asyncio", "trio"]
SECONDS = 60
"""Limit of everything that must take no time."""
FEWEST_WAITS = 2

engine = pytest.fixture(ready_engine)
directory = pytest.fixture(build_context)


async def inspect(docker: Any, _: Path) -> None:
    await docker.images.inspect("busybox")


async def pull(docker: Any, _: Path) -> None:
    async with docker.images.pull("busybox", stream=True) as stream:
        async for _message in stream:
            pass


async def build(docker: Any, directory: Path) -> None:
    secrets = {"a": b"b"}
    async with docker.images.build(
        path=directory, builder="buildkit", secrets=secrets, stream=True
    ) as stream:
        async for _message in stream:
            pass


async def build_by_control(docker: Any, directory: Path) -> None:
    contexts, outputs = {"lib": directory / "a"}, CacheOnly()
    async with docker.images.build(path=directory, contexts=contexts, outputs=outputs, stream=True) as stream:
        async for _message in stream:
            pass


async def check(docker: Any, directory: Path) -> None:
    await docker.images.check(path=directory)


async def build_on_a_daemon(docker: Any, directory: Path) -> None:
    address = str(docker.client.configuration.endpoint.address)
    async with daemon_client(docker.client.transport.name, address) as buildkit:
        await buildkit.build(path=directory, secrets={"a": b"b"}, outputs=CacheOnly())


async def leave_early(docker: Any, _: Path) -> None:
    async with docker.images.export_image("endless") as download:
        await anext(download)


async def leave_build_early(docker: Any, _: Path) -> None:
    remote = "https://example.com/a.git"
    async with docker.images.build(remote=remote, builder="buildkit", stream=True) as stream:
        await anext(stream)


async def be_refused(docker: Any, _: Path) -> None:
    with suppress(NotFound):
        await docker.images.inspect("missing")


async def build_archive(docker: Any, directory: Path) -> None:
    await docker.images.build(fileobj=directory / "archive.tar.gz", builder="buildkit")


async def build_classic(docker: Any, directory: Path) -> None:
    await docker.images.build(path=directory, builder="classic")


async def import_file(docker: Any, directory: Path) -> None:
    await docker.images.import_image(directory / "archive.tar.gz")


OPERATIONS: dict[str, Operation] = {
    "inspect": inspect,
    "pull": pull,
    "build": build,
    "build by the Control API": build_by_control,
    "check": check,
    "build on a daemon": build_on_a_daemon,
    "leave early": leave_early,
    "leave a build early": leave_build_early,
    "be refused": be_refused,
    "build from an archive": build_archive,
    "classic build": build_classic,
    "import a file": import_file,
}


@pytest.mark.parametrize("again", [False, True], ids=["once", "again and again"])
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
@pytest.mark.parametrize("transport", ["asyncio"])
async def test_a_task_of_asyncio_may_be_cancelled_at_any_wait(
    engine: ScriptedEngine, directory: Path, operation: Operation, again: bool
) -> None:
    cancel = partial(cancel_on_asyncio, again=again)
    sweep = partial(failures, "asyncio", engine.url, directory, operation, cancel)
    assert await in_child("asyncio", sweep) == []


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
@pytest.mark.parametrize("transport", ["trio"])
async def test_a_scope_of_trio_may_be_cancelled_at_any_wait(
    engine: ScriptedEngine, directory: Path, operation: Operation
) -> None:
    sweep = partial(failures, "trio", engine.url, directory, operation, cancel_on_trio)
    assert await in_child("trio", sweep) == []


async def failures(
    backend: Backend, url: str, directory: Path, operation: Operation, cancel: Callable[..., Awaitable[bool]]
) -> list[str]:
    """Return what is wrong after a cancellation at each of the waits of an operation."""
    if backend == "asyncio":
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    await run(backend, url, lambda docker: operation(docker, directory))  # what is imported on use is so now
    found = list[str]()
    for wait in count(1):

        async def cancelled(docker: Any, wait: int = wait) -> bool:
            return await cancel(operation(docker, directory), wait)

        reached, wrong = await run(backend, url, cancelled)
        if not reached:
            assert wait > FEWEST_WAITS
            return found
        found += [f"wait {wait}: {each}" for each in wrong]
    raise AssertionError


async def run(backend: Backend, url: str, function: Callable[[Any], Awaitable[Any]]) -> tuple[Any, list[str]]:
    """Call a function of a new client, and return its result and what is wrong afterwards."""
    before, wrong = (descriptors(), tasks(backend)), list[str]()
    docker = client(backend, url)
    result = await function(docker)
    await abandoned_threads_end(backend)
    try:
        await docker.images.inspect("busybox", timeout=SECONDS)
    except Exception as error:  # noqa: BLE001  # any of them is wrong
        wrong.append(f"the next call: {error!r}")
    if not await comes(lambda: descriptors() - connections(docker.client)[1], before[0]):
        wrong.append("a descriptor is open")
    await docker.close()
    if not await comes(lambda: (descriptors(), tasks(backend)), before):
        wrong.append(f"there were {before} descriptors and tasks, and are {descriptors()}, {tasks(backend)}")
    return result, wrong


async def comes(value: Callable[[], object], expected: object) -> bool:
    """Return True if a value becomes the expected one soon."""
    with anyio.move_on_after(SECONDS):
        while value() != expected:  # noqa: ASYNC110  # nothing tells when it changes
            await anyio.sleep(0.001)
        return True
    return False


async def abandoned_threads_end(backend: Backend) -> None:
    """Wait until worker threads whose results nobody awaits have ended: until then they may open files."""
    if backend == "trio":
        limiter = trio.to_thread.current_default_thread_limiter()
        while limiter.borrowed_tokens:  # noqa: ASYNC110  # nothing tells when it changes
            await anyio.sleep(0.001)
    else:
        await asyncio.to_thread(bool)  # behind all others, as there is one worker thread


def tasks(backend: Backend) -> int:
    """Count the tasks."""
    return (
        len(asyncio.all_tasks()) if backend == "asyncio" else trio.lowlevel.current_statistics().tasks_living
    )
