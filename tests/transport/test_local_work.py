"""Work that is abandoned ends by itself, and a resource that is opened too late is closed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import anyio
import pytest

from dockerproto import ClientClosed, TimedOut
from dockerproto.buildcontext.plan import BuildContext
from dockerproto.timeouts import UNLIMITED, Timeout, Timer
from dockerproto.transport.local_work import LocalWork
from dockerproto.transport.runtime import run
from dockerproto_local.blocking import BlockingTransport
from dockerproto_local.build_context import open_context
from dockerproto_local.tarfiles import TarFiles
from dockerproto_local.walk import walk
from tests.conftest import Connect
from tests.support.waiting import until
from tests.testbed.base_image import context


class Clock:
    """A clock that passes the limit at one of its calls."""

    def __init__(self, calls: int) -> None:
        self.calls = calls

    def __call__(self) -> float:
        self.calls -= 1
        return 0.0 if self.calls > 0 else 100.0


def time_left(calls: int) -> Callable[[], float | None]:
    """Return a function that raises at one of its calls."""
    timer = Timer(Timeout(total=1), Clock(calls + 1))
    return LocalWork(BlockingTransport(), timer).time_left


TAR: Final = context("FROM scratch\n", a=b"", b=b"", c=b"")


def pieces() -> Iterator[bytes]:
    yield from (TAR[at : at + 512] for at in range(0, len(TAR), 512))


def _directory(root: Path) -> Path:
    for each in range(5):
        (root / f"d{each}").mkdir()
        (root / f"d{each}" / "Dockerfile").write_text("FROM scratch\n")
    (root / "Dockerfile").write_text("FROM scratch\n")
    return root


LONG: dict[str, Callable[[Path, Callable[[], float | None]], Any]] = {
    "a walk": lambda root, left: list(walk(root, time_left=left)),
    "packing": lambda root, left: list(open_context(BuildContext(directory=str(root)), left).chunks()),
    "spooling": lambda _, left: TarFiles(pieces(), time_left=left).close(),
    "headers": lambda _, left: TarFiles(TAR, time_left=left).close(),
}


@pytest.mark.parametrize("work", LONG.values(), ids=LONG)
def test_long_work_looks_at_the_time_between_its_steps(
    tmp_path: Path, work: Callable[[Path, Callable[[], float | None]], Any]
) -> None:
    root = _directory(tmp_path)
    for calls in (1, 3):
        with pytest.raises(TimedOut):
            work(root, time_left(calls))
    work(root, time_left(1000))


def test_a_resource_that_is_opened_too_late_is_closed() -> None:
    resource = BytesIO()
    work = LocalWork(BlockingTransport(), Timer(Timeout(total=1), Clock(3)))
    with pytest.raises(TimedOut):
        run(work.open(lambda: resource))
    assert resource.closed


@pytest.mark.anyio
@pytest.mark.parametrize("transport", ["asyncio", "trio"])
async def test_a_resource_that_is_opened_after_a_cancellation_is_closed(connect: Connect) -> None:
    begun, release, resource = threading.Event(), threading.Event(), BytesIO()

    def open_slowly() -> BytesIO:
        begun.set()
        release.wait()
        return resource

    async with connect("unix:///nowhere") as docker:
        transport = docker.client.transport
        work = LocalWork(transport, Timer(UNLIMITED, transport.now))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(work.open, open_slowly))
            await until(begun.is_set)
            tasks.cancel_scope.cancel()
        with pytest.raises(ClientClosed, match=r"^the call is over$"):
            work.time_left()
        assert not resource.closed
        release.set()
        await until(lambda: resource.closed)


@pytest.mark.anyio
@pytest.mark.parametrize("transport", ["asyncio", "trio"])
@pytest.mark.parametrize("total", [None, 60])
async def test_a_timeout_of_the_program_is_its_own(connect: Connect, total: float | None) -> None:
    """A function may raise TimeoutError itself."""

    async def fail() -> None:
        raise TimeoutError("the program's own")

    async with connect("unix:///nowhere") as docker:
        transport = docker.client.transport
        with pytest.raises(TimeoutError, match=r"^the program's own$"):
            await LocalWork(transport, Timer(Timeout(total=total), transport.now)).wait(fail)


def test_an_error_that_comes_too_late_is_the_cause() -> None:
    async def fail() -> None:
        raise ValueError("late")

    work = LocalWork(BlockingTransport(), Timer(Timeout(total=1), Clock(2)))
    with pytest.raises(TimedOut) as raised:
        run(work.wait(fail))
    assert str(raised.value.__cause__) == "late"
