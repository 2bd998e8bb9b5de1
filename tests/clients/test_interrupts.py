"""Ctrl-C at every opcode of the library, on a blocking client: the client goes on, and nothing is left.

Each point is reached in a run of its own. It is followed by a call on the same client; then the descriptors
and threads are counted. The engine answers at once, and nothing is traced for coverage, so that thousands of
runs take seconds.
"""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeAlias

import pytest

import dockerproto_httpx
from dockerproto import CacheOnly, NotFound
from tests.support.forks import begin_child
from tests.support.interrupts import Point, find_points, interrupt, prepare
from tests.support.leftovers import build_context, connections, descriptors, ready_engine
from tests.testbed.scripted import ScriptedEngine

Docker: TypeAlias = dockerproto_httpx.Docker
Operation: TypeAlias = Callable[[Docker, Path], object]
PROCESSES = 2
SECONDS = 60
"""Limit of everything that must take no time."""
CHILD_SECONDS = 900
engine = pytest.fixture(ready_engine)
directory = pytest.fixture(build_context)


@pytest.fixture(autouse=True)
def untraced() -> Iterator[None]:
    """Measure no coverage in threads: the engine has several for each of the thousands of runs."""
    before = threading.gettrace()
    threading.settrace(None)
    yield
    threading.settrace(before)


def inspect(docker: Docker, _: Path) -> None:
    docker.images.inspect("busybox")


def pull(docker: Docker, _: Path) -> None:
    with docker.images.pull("busybox", stream=True) as stream:
        for _message in stream:
            pass


def build(docker: Docker, _: Path) -> None:
    remote, secrets = "https://example.com/a.git", {"a": b"b"}
    with docker.images.build(remote=remote, builder="buildkit", secrets=secrets, stream=True) as stream:
        for _message in stream:
            pass


def build_by_control(docker: Docker, _: Path) -> None:
    docker.images.build(remote="https://example.com/a.git", outputs=CacheOnly())


def leave_early(docker: Docker, _: Path) -> None:
    with docker.images.export_image("endless") as download:
        next(download)


def leave_build_early(docker: Docker, _: Path) -> None:
    remote = "https://example.com/a.git"
    with docker.images.build(remote=remote, builder="buildkit", stream=True) as stream:
        next(stream)


def leave_with_client(docker: Docker, _: Path) -> None:
    with dockerproto_httpx.Docker(str(docker.endpoint.address)) as other:
        download = other.images.export_image("endless")
        next(download)


def be_refused(docker: Docker, _: Path) -> None:
    with suppress(NotFound):
        docker.images.inspect("missing")


def build_archive(docker: Docker, directory: Path) -> None:
    with (directory / "archive.tar.gz").open("rb") as file:
        docker.images.build(fileobj=file, builder="buildkit")


def export_to_file(docker: Docker, directory: Path) -> None:
    with (directory / "export").open("wb") as file:
        file.writelines(docker.images.export_image("busybox"))


OPERATIONS: dict[str, Operation] = {
    "inspect": inspect,
    "pull": pull,
    "build": build,
    "leave early": leave_early,
    "leave a build early": leave_build_early,
    "leave with the client": leave_with_client,
    "be refused": be_refused,
    "pull at once": lambda docker, _: docker.images.pull("busybox"),
    "build from an archive": build_archive,
    "build by the Control API": build_by_control,
    "check": lambda docker, _: docker.images.check(remote="https://example.com/a.git"),
    "import a file": lambda docker, path: docker.images.import_image(path / "archive.tar.gz"),
    "export to a file": export_to_file,
    "login": lambda docker, _: docker.login("r.example", "user", "password"),
}
"""Operations of which each opcode is interrupted, unless one before it runs that in the same state."""


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_interrupt_at_any_opcode_leaves_nothing(
    engine: ScriptedEngine, directory: Path, name: str
) -> None:
    points = dict[object, Point]()
    for each, operation in OPERATIONS.items():
        found = {point.kind: point for point in points_of(engine.url, directory, operation)}
        if each == name:
            new = [point for kind, point in found.items() if kind not in points]
            check(engine.url, directory, operation, new)
            return
        points |= found


def points_of(url: str, directory: Path, operation: Operation) -> list[Point]:
    """Return the points of an operation that is the first of its client."""
    with dockerproto_httpx.Docker(url) as docker:
        prepare(partial(operation, docker, directory))  # and what is imported on use is so now
    with dockerproto_httpx.Docker(url) as docker:
        return find_points(partial(operation, docker, directory), partial(state, docker))


def state(docker: Docker) -> object:
    """Return what exists that an interrupt may leave behind."""
    known, idle = connections(docker.client)
    return known > idle, idle > 0, bool(sessions())


def check(url: str, directory: Path, operation: Operation, points: list[Point]) -> None:
    """Interrupt an operation at each point, in processes of their own, whose descriptors are few."""
    assert points
    parts = [
        begin_child(partial(failures, url, directory, operation, points[number::PROCESSES]), CHILD_SECONDS)
        for number in range(PROCESSES)
    ]
    assert [failure for part in parts for failure in part()] == []


def failures(url: str, directory: Path, operation: Operation, points: list[Point]) -> list[str]:
    """Return what is wrong after an interrupt at each of the points."""
    sys.settrace(None)  # coverage of a child is not saved
    unraisable = list[str]()
    warnings.simplefilter("ignore")  # a coroutine or stream that is interrupted before it starts warns
    sys.unraisablehook = lambda hook: unraisable.extend(
        repr(each) for each in (hook.exc_value, hook.object) if hook.exc_type is not KeyboardInterrupt
    )
    found = [
        f"{point}: {failure}"
        for point in points
        for failure in failures_at(point, lambda docker: operation(docker, directory), url)
    ]
    return found + unraisable


def failures_at(point: Point, operation: Callable[[Docker], object], url: str) -> Iterator[str]:
    """Yield what is wrong after an interrupt at a point."""
    before = descriptors()
    docker = dockerproto_httpx.Docker(url)
    with suppress(KeyboardInterrupt):  # one in a finalizer is not raised
        interrupt(partial(operation, docker), point)
    try:
        docker.images.inspect("busybox", timeout=SECONDS)
        for each in sessions():
            each.join(SECONDS)
        assert not sessions()
    except Exception as error:  # noqa: BLE001  # any of them is wrong
        yield f"the next call or the end of a session: {error!r}"
    if (left := descriptors() - before - connections(docker.client)[1]) != 0:
        yield f"{left} descriptors too many"
    docker.close()
    if (left := descriptors() - before) != 0:
        yield f"{left} descriptors too many after the client was closed"


def sessions() -> list[threading.Thread]:
    """Return the threads of sessions."""
    return [each for each in threading.enumerate() if each.name.startswith("dockerproto")]
