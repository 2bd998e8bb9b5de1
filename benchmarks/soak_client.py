"""One client of a soak: random work on an engine, some of it cancelled, left or cut off.

    python -m benchmarks.soak_client CLIENT URL RELAY IMAGE SECONDS SEED

It prints as JSON how often each piece of work had which outcome, and what the process held before and after.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

import anyio
import trio

from dockerproto import DockerError
from tests.support.facade import Transport, client
from tests.support.leftovers import descriptors

Work: TypeAlias = Callable[[Any, str], Awaitable[None]]

SLEEP: Final = "sleep 86399"
"""Command of the steps that are never to end by themselves."""
WORKERS: Final = 4
"""Tasks that work at once."""
WARM_UP: Final = 0.1
"""Part of the time after which the process holds what it needs."""
FILES: Final = 200
"""Files of a directory that is built."""


async def _build_classic(docker: Any, _image: str) -> None:
    await docker.images.build(dockerfile=f"FROM busybox\nLABEL n={random.random()}\n", builder="classic")


async def _build_directory(docker: Any, _image: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        _fill(directory)
        await docker.images.build(path=directory, dockerfile="FROM scratch\nCOPY . /\n", builder="buildkit")


def _fill(directory: str) -> None:
    for number in range(FILES):
        Path(directory, str(number)).write_text(str(random.random()))


async def _build_output(docker: Any, _image: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        dockerfile = f"FROM busybox\nLABEL n={random.random()}\n"
        await docker.images.build(dockerfile=dockerfile, output=Path(directory, "out"))


async def _build_by_control(docker: Any, _image: str) -> None:
    dockerfile = f"FROM busybox\nLABEL n={random.random()}\n"
    await docker.images.build(dockerfile=dockerfile, nocache=["another"], network_mode="none")


def _endless(docker: Any, **options: Any) -> Any:
    """Return a build that does not end by itself."""
    dockerfile = f"FROM busybox\nRUN {SLEEP} # {random.random()}\n"
    builder = random.choice(("classic", "buildkit"))
    return docker.images.build(dockerfile=dockerfile, builder=builder, network_mode="none", **options)


async def _build_endless(docker: Any, _image: str) -> None:
    await _endless(docker, timeout=1)


async def _leave_build(docker: Any, _image: str) -> None:
    async with _endless(docker, stream=True) as stream:
        async for _ in stream:
            return


async def _pull(docker: Any, image: str) -> None:
    await docker.images.pull(image)


async def _push(docker: Any, image: str) -> None:
    await docker.images.push(image)


async def _export(docker: Any, image: str) -> None:
    async with docker.images.export_image(image) as download:
        async for _ in download:
            if random.random() < 0.3:
                return


async def _inspect(docker: Any, image: str) -> None:
    await docker.images.inspect(random.choice((image, "missing")))


WORK: Final[tuple[Work, ...]] = (
    _build_classic,
    _build_directory,
    _build_output,
    _build_by_control,
    _build_endless,
    _leave_build,
    _pull,
    _push,
    _export,
    _inspect,
)


async def work_once(name: Transport, dockers: list[Any], image: str) -> tuple[str, str]:
    """Do a random piece of work; return its name and its outcome."""
    work = random.choice(WORK)
    try:
        # A call of the blocking client cannot be cancelled.
        patience = random.uniform(0, 2) if name != "httpx" and random.random() < 0.3 else float("inf")
        with anyio.move_on_after(patience) as scope:
            await work(random.choice(dockers), image)
    except DockerError as error:
        return work.__name__.strip("_"), type(error).__name__
    return work.__name__.strip("_"), "cancelled" if scope.cancelled_caught else "done"


async def soak(name: Transport, urls: list[str], image: str, seconds: float) -> dict[str, Any]:
    """Work for some time, and return the outcomes, and what the process holds before and after."""
    outcomes = Counter[str]()
    await _work(name, urls, image, WARM_UP * seconds, outcomes)
    begin = holdings()
    await _work(name, urls, image, (1 - WARM_UP) * seconds, outcomes)
    return {"begin": begin, "end": holdings(), "outcomes": dict(sorted(outcomes.items()))}


async def _work(name: Transport, urls: list[str], image: str, seconds: float, outcomes: Counter[str]) -> None:
    """Work with new clients, and close them."""
    until = time.monotonic() + seconds
    dockers = [client(name, url) for url in urls]
    async with anyio.create_task_group() as tasks:
        for _ in range(WORKERS):
            tasks.start_soon(_work_until, until, partial(work_once, name, dockers, image), outcomes)
    for docker in dockers:
        await docker.close()
    await anyio.sleep(2)  # connections close, and threads end


async def _work_until(
    until: float, work: Callable[[], Awaitable[tuple[str, str]]], outcomes: Counter[str]
) -> None:
    while time.monotonic() < until:
        outcomes[" ".join(await work())] += 1


def holdings() -> dict[str, int]:
    """Return what this process holds: descriptors, threads, tasks, and bytes of memory."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "descriptors": descriptors(),
        "threads": threading.active_count(),
        "tasks": _tasks(),
        "memory": pages * os.sysconf("SC_PAGE_SIZE"),
    }


def _tasks() -> int:
    with suppress(RuntimeError):
        return len(asyncio.all_tasks())
    return trio.lowlevel.current_statistics().tasks_living


def main() -> None:
    """Soak, and print the report."""
    name, url, relay, image, seconds, seed = sys.argv[1:]
    random.seed(f"{name} {seed}")
    backend = "trio" if name == "trio" else "asyncio"
    run = partial(soak, cast(Transport, name), [url, relay], image, float(seconds))
    print(json.dumps(anyio.run(run, backend=backend)))


if __name__ == "__main__":
    main()
