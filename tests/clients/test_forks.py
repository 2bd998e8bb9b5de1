"""Clients in forked children: connections, locks and streams belong to the process that opened them."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import anyio
import pytest

import dockerproto_asyncio
import dockerproto_httpx
import dockerproto_trio
from dockerproto import ClientClosed, UnixSocket
from dockerproto.transport.runtime import run
from tests.conftest import Connect
from tests.support.facade import Transport
from tests.support.forks import in_child
from tests.support.waiting import until
from tests.testbed.scripted import (
    LAST_CHUNK,
    ScriptedEngine,
    Step,
    WaitFor,
    chunk,
    json_response,
    stream_head,
)

pytestmark = pytest.mark.anyio

LIST = ("GET", "/images/json")
PULL = ("POST", "/images/create")


CLIENTS = {
    "asyncio": dockerproto_asyncio.Docker,
    "trio": dockerproto_trio.Docker,
    "httpx": dockerproto_httpx.Docker,
}


def network(transport: Transport) -> Any:
    """Return the transport of a client."""
    return CLIENTS[transport]("unix:///x").client.transport


async def async_or_blocking(transport: Transport, method: Callable[..., Any], *arguments: object) -> Any:
    """Await a coroutine of the core in the event loop, or run it on the blocking transport."""
    return run(method(*arguments)) if transport == "httpx" else await method(*arguments)


def connections(scripted: ScriptedEngine) -> list[int]:
    """Return the number of the connection of each list of images."""
    return [each.connection for each in scripted.requests if each.path == LIST[1]]


async def test_a_child_opens_its_own_connections(
    scripted: ScriptedEngine, connect: Connect, anyio_backend: Any
) -> None:
    scripted.script(*LIST, json_response([]))
    async with connect(scripted.url) as docker:
        await docker.images.list()

        async def child() -> list[Any]:
            return [await docker.images.list(), await docker.images.list()]

        for _ in range(2):
            assert await in_child(anyio_backend, child) == [[], []]
        await docker.images.list()
    assert connections(scripted) == [1, 2, 2, 3, 3, 1]
    assert scripted.connections_opened == 3


async def test_a_child_of_a_child(scripted: ScriptedEngine, connect: Connect, anyio_backend: Any) -> None:
    scripted.script(*LIST, json_response([]))
    async with connect(scripted.url) as docker:

        async def child() -> None:
            await docker.images.list()
            await in_child(anyio_backend, docker.images.list)
            await docker.images.list()

        await docker.images.list()
        await in_child(anyio_backend, child)
        await docker.images.list()
    assert connections(scripted) == [1, 2, 3, 2, 1]


async def test_a_child_that_closes_the_client_leaves_the_parents_connections(
    scripted: ScriptedEngine, connect: Connect, anyio_backend: Any
) -> None:
    scripted.script(*LIST, json_response([]))
    async with connect(scripted.url) as docker:

        async def child() -> str:
            await docker.close()
            with pytest.raises(ClientClosed) as raised:
                await docker.images.list()
            return raised.value.message

        await docker.images.list()
        assert await in_child(anyio_backend, child) == "the client is closed"
        await docker.images.list()
    assert connections(scripted) == [1, 1]


async def test_a_lock_that_a_thread_of_the_parent_holds(
    scripted: ScriptedEngine, connect: Connect, anyio_backend: Any
) -> None:
    negotiate = threading.Event()
    ping = json_response("OK", headers={"Api-Version": "1.41"})
    scripted.script("GET", "/_ping", [WaitFor(negotiate), ping], ping)
    scripted.script(*LIST, json_response([]))
    async with connect(scripted.url) as docker, anyio.create_task_group() as tasks:
        tasks.start_soon(docker.images.list)
        await until(lambda: scripted.connections_opened == 1)
        assert await in_child(anyio_backend, docker.images.list) == []
        negotiate.set()
    assert connections(scripted) == [2, 1]


class TestStreams:
    @pytest.fixture
    def go_on(self, scripted: ScriptedEngine) -> threading.Event:
        """Script a pull whose second message is sent once this event is set."""
        go_on = threading.Event()
        rest: list[Step] = [WaitFor(go_on), chunk(b'{"id":"2"}\n'), LAST_CHUNK]
        scripted.script(*PULL, [stream_head(), chunk(b'{"id":"1"}\n'), *rest])
        scripted.script(*LIST, json_response([]))
        return go_on

    @pytest.mark.parametrize("leave", ["close", "read", "drop"])
    async def test_a_stream_of_the_parent(
        self,
        scripted: ScriptedEngine,
        connect: Connect,
        anyio_backend: Any,
        go_on: threading.Event,
        leave: str,
    ) -> None:
        async with connect(scripted.url) as docker, docker.images.pull("a", stream=True) as stream:
            assert await anext(stream) == {"id": "1"}

            async def child() -> str:
                message = ""
                if leave == "read":
                    with pytest.raises(ClientClosed) as raised:
                        await anext(stream)
                    message = raised.value.message
                elif leave == "close":
                    await stream.close()
                await docker.images.list()
                return message

            expected = "a stream must be read in the process and event loop that opened it"
            assert await in_child(anyio_backend, child) == (expected if leave == "read" else "")
            go_on.set()
            assert [each async for each in stream] == [{"id": "2"}]

    async def test_a_stream_that_was_not_started(
        self, scripted: ScriptedEngine, connect: Connect, anyio_backend: Any, go_on: threading.Event
    ) -> None:
        go_on.set()
        async with connect(scripted.url) as docker:
            await docker.images.list()
            stream = docker.images.pull("a", stream=True)

            async def child() -> list[Any]:
                return [each async for each in stream]

            assert await in_child(anyio_backend, child) == [{"id": "1"}, {"id": "2"}]
            await stream.close()


class TestInherited:
    """Connections and tasks of the parent in a child, simulated by a process that changes its id."""

    @pytest.fixture
    def child(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
        """Return a context manager in which this process is another."""

        @contextmanager
        def child() -> Generator[None]:
            with monkeypatch.context() as patched:
                patched.setattr(os, "getpid", lambda: 1)
                yield

        return child

    async def test_a_connection_is_closed_but_not_shut_down(
        self, scripted: ScriptedEngine, transport: Transport, child: Callable[[], Any]
    ) -> None:
        address = UnixSocket(str(scripted.socket))
        stream: Any = await async_or_blocking(transport, network(transport).connect, address, None)
        await async_or_blocking(transport, stream.send, b"GET /_ping HTTP/1.1\r\nHost: a\r\n\r\n", None)
        await async_or_blocking(transport, stream.receive, None)  # from now on asyncio watches it
        with child(), socket.socket(fileno=os.dup(stream.descriptor)) as of_the_parent:
            stream.close()
            assert stream.socket.fileno() == -1
            of_the_parent.setblocking(True)
            of_the_parent.send(b"GET /_ping HTTP/1.1\r\nHost: a\r\n\r\n")
            assert of_the_parent.recv(1000).startswith(b"HTTP/1.1 200 ")

    async def test_a_task_goes_on(self, transport: Transport, child: Callable[[], Any]) -> None:
        go_on = threading.Event() if transport == "httpx" else anyio.Event()

        async def wait() -> None:
            result: Any = go_on.wait()
            if transport != "httpx":
                await result

        task = network(transport).start(wait(), leave=transport == "httpx")
        with child():
            task.cancel()
            await task.wait()
        go_on.set()
        await task.wait()
