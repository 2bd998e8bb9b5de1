"""Async clients and event loops: one after another, two at once, and those of another library."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeAlias

import anyio
import anyio.to_thread
import pytest

from dockerproto import ClientClosed, DockerError, UnsupportedTransport
from tests.support.facade import client
from tests.testbed.scripted import (
    ScriptedEngine,
    UntilClosed,
    chunk,
    json_response,
    stream_head,
    wait_until,
)

Library: TypeAlias = Literal["asyncio", "trio"]

LIST = ("GET", "/images/json")
PULL = ("POST", "/images/create")
IN_USE = (
    "another event loop uses this client: create one client for each event loop, "
    "and start a new event loop in a forked child"
)
OTHER_LIBRARY = "dockerproto_{0} needs a running event loop of {0}: use the client of the library that runs"
ELSEWHERE = "a stream must be read in the process and event loop that opened it"


@pytest.fixture(params=["asyncio", "trio"])
def library(request: pytest.FixtureRequest) -> Library:
    library: Library = request.param
    return library


@pytest.fixture
def docker(scripted: ScriptedEngine, library: Library) -> Any:
    scripted.script(*LIST, json_response([]))
    scripted.script(*PULL, [stream_head(), chunk(b'{"id":"1"}\n'), UntilClosed()])
    return client(library, scripted.url)


@pytest.fixture
def run(library: Library) -> Callable[[Callable[[], Awaitable[Any]]], Any]:
    """Return a function that runs a coroutine function in an event loop of its own."""
    return lambda function: anyio.run(function, backend=library)


Run: TypeAlias = Callable[[Callable[[], Awaitable[Any]]], Any]


def test_one_loop_after_another(scripted: ScriptedEngine, docker: Any, run: Run) -> None:
    for _ in range(3):
        for _ in range(2):
            assert run(docker.images.list) == []

    async def leave() -> None:
        async with docker:
            await docker.images.list()

    run(leave)
    assert [each.connection for each in scripted.requests] == [1, 1, 2, 3, 4, 5, 6, 7]
    wait_until(lambda: scripted.connections_open == 0)


def test_two_loops_at_once(scripted: ScriptedEngine, docker: Any, run: Run) -> None:
    async def call() -> str:
        with pytest.raises(ClientClosed) as raised:
            await docker.images.list()
        with pytest.raises(ClientClosed) as of_stream:
            await anext(docker.images.pull("a", stream=True))
        assert of_stream.value.message == raised.value.message
        with pytest.raises(ClientClosed):
            await docker.images.import_image(iter([AssertionError]))  # it is not read
        return raised.value.message

    async def main() -> None:
        async with docker:
            await docker.images.list()
            assert await anyio.to_thread.run_sync(run, call) == IN_USE
            await docker.images.list()

    run(main)
    assert [each.path for each in scripted.requests] == ["/_ping", LIST[1], LIST[1]]
    assert scripted.connections_opened == 1


def test_a_loop_that_is_stopped_but_not_closed(scripted: ScriptedEngine) -> None:
    scripted.script(*LIST, json_response([]))
    docker = client("asyncio", scripted.url)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(docker.images.list())
    with pytest.raises(ClientClosed, match="another event loop uses this client"):
        asyncio.run(docker.images.list())
    assert loop.run_until_complete(docker.images.list()) == []
    loop.close()
    assert asyncio.run(docker.images.list()) == []
    assert [each.connection for each in scripted.requests] == [1, 1, 1, 2]
    asyncio.run(docker.close())


def test_a_stream_of_an_ended_loop(scripted: ScriptedEngine, docker: Any, run: Run) -> None:
    stream = docker.images.pull("a", stream=True)

    async def begin() -> None:
        assert await anext(stream) == {"id": "1"}

    async def go_on() -> None:
        with pytest.raises(ClientClosed) as raised:
            await anext(stream)
        assert raised.value.message == ELSEWHERE
        await stream.close()
        await docker.close()

    run(begin)
    run(go_on)
    wait_until(lambda: scripted.connections_open == 0)


def test_a_call_that_waits_for_the_negotiation_of_an_ended_loop(
    scripted: ScriptedEngine, docker: Any, run: Run
) -> None:
    ping = json_response("OK", headers={"Api-Version": "1.41"})
    scripted.script("GET", "/_ping", UntilClosed(), ping)

    async def give_up() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(docker.images.list)
            tasks.start_soon(docker.images.list)
            await anyio.to_thread.run_sync(wait_until, lambda: scripted.requests)
            tasks.cancel_scope.cancel()

    async def again() -> None:
        async with docker, anyio.create_task_group() as tasks:
            tasks.start_soon(docker.images.list)
            tasks.start_soon(docker.images.list)

    run(give_up)
    run(again)
    assert [each.path for each in scripted.requests] == ["/_ping", "/_ping", LIST[1], LIST[1]]


CALLS: dict[str, Callable[[Any], Any]] = {
    "list": lambda docker: docker.images.list(),
    "ping": lambda docker: docker.ping(),
    "stream": lambda docker: docker.images.pull("a", stream=True).__aenter__(),
    "upload": lambda docker: docker.images.import_image(iter([AssertionError])),  # it is not read
    "build": lambda docker: docker.images.build(dockerfile="FROM a", builder="buildkit"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_loop_of_another_library(
    scripted: ScriptedEngine, library: Library, docker: Any, call: Callable[[Any], Any]
) -> None:
    async def main() -> str:
        with pytest.raises(UnsupportedTransport) as raised:
            await call(docker)
        await docker.close()
        return raised.value.message

    other: Library = "trio" if library == "asyncio" else "asyncio"
    assert anyio.run(main, backend=other) == OTHER_LIBRARY.format(library)
    assert not scripted.requests


def test_no_loop_at_all(docker: Any) -> None:
    with pytest.raises(UnsupportedTransport):
        docker.images.list().send(None)


def test_the_loop_of_the_parent_process(
    scripted: ScriptedEngine, docker: Any, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child that runs its parent's loop shares its epoll, and would take its events."""

    async def main() -> None:
        await docker.images.list()
        with monkeypatch.context() as child:
            child.setattr(os, "getpid", lambda: 1)
            with pytest.raises(DockerError, match="start a new event loop in a forked child"):
                await docker.images.list()
        await docker.images.list()
        await docker.close()

    run(main)
    assert scripted.connections_opened == 1
