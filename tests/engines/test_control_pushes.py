"""Pushes of builds on real engines, by BuildKit or by the engine's own push, with either image store.

These tests start the engines they need, whatever --engine selects.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Final

import anyio.to_thread
import pytest

from dockerproto import ANONYMOUS, DockerStreamError, Image, InlineCache, Unauthorized, build_result
from tests.conftest import Connect
from tests.engines.test_control_builds import HOST, SALTED, cached, manifest
from tests.support.private_engines import CONTAINERD_STORES, GRAPH_DRIVERS, Start, engines, new_salt
from tests.support.stored import ME, PASSWORD, USER
from tests.testbed.base_image import context
from tests.testbed.http_server import LoopbackServer
from tests.testbed.private import PrivateEngine
from tests.testbed.registry import Registry
from tests.testbed.scripted import wait_until
from tests.testbed.token_server import TokenServer
from tests.testbed.unix_http import ask

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

start = pytest.fixture(engines, scope="module")
salt = pytest.fixture(new_salt)

LAST_CHUNK: Final = b"\r\n0\r\n\r\n"
"""End of a layer that is complete."""
MORE_THAN_BUFFERS: Final = 64 * 2**20
"""Size of a layer that does not fit into the buffers of sockets."""


@pytest.fixture(params=[*GRAPH_DRIVERS, *CONTAINERD_STORES], ids=lambda kind: kind.name)
def pusher(request: pytest.FixtureRequest, start: Start) -> PrivateEngine:
    """Return an engine of each version and image store."""
    return start(request.param)


@pytest.fixture(params=GRAPH_DRIVERS, ids=lambda kind: kind.name)
def graph_driver(request: pytest.FixtureRequest, start: Start) -> PrivateEngine:
    """Return an engine with a graph driver."""
    return start(request.param)


async def test_each_name_is_pushed(
    pusher: PrivateEngine, connect: Connect, closed_registry: Registry, salt: dict[str, str]
) -> None:
    tag, repository = salt["SALT"], f"{closed_registry.host}/pushes/app"
    names = [f"{repository}:{tag}", f"{repository}-again:{tag}"]
    async with connect(pusher.url, credentials=None) as docker:
        messages = await docker.images.build(
            dockerfile=SALTED,
            buildargs=salt,
            tag=names[0],
            outputs=Image(push=True, names=names[1]),
            auth={closed_registry.host: ME},
            **HOST,
        )
        result = messages.result
        assert result.tags == tuple(names)
        assert (await docker.images.inspect(names[1]))["Id"] == result.image_id
        again = await docker.images.push(names[0], auth=ME)
    assert [f"{each.repository}:{each.tag}" for each in result.pushed] == names
    assert build_result(messages) == result
    for pushed in result.pushed:
        name = pushed.repository.partition("/")[2]
        assert pushed.digest == result.digest == again.result.digest
        assert manifest(closed_registry, name, tag) == manifest(closed_registry, name, pushed.digest)
    assert {each.size for each in result.pushed} == {again.result.size}


async def test_an_image_is_pulled_by_another_engine(
    graph_driver: PrivateEngine,
    start: Start,
    connect: Connect,
    closed_registry: Registry,
    salt: dict[str, str],
) -> None:
    """With its inline cache, which the build there uses."""
    name = f"{closed_registry.host}/pushes/pulled:{salt['SALT']}"
    other = start(type(graph_driver), 1)
    arguments = {
        "dockerfile": SALTED.replace("busybox", f"{closed_registry.host}/pushes/base"),
        "buildargs": salt,
        "auth": {closed_registry.host: ME},
        **HOST,
    }
    async with connect(graph_driver.url, credentials=None) as docker:
        await docker.images.tag("busybox", f"{closed_registry.host}/pushes/base")
        await docker.images.push(f"{closed_registry.host}/pushes/base", auth=ME)
        build = await docker.images.build(
            tag=name, outputs=Image(push=True), cache_to=InlineCache(), **arguments
        )
    async with connect(other.url, credentials=None) as docker:
        again = await docker.images.build(cache_from=name, outputs=Image(), **arguments)
        assert len(cached(again)) == 1
        await docker.images.pull(name, auth=ME)
        assert (await docker.images.inspect(name))["Id"] == build.result.image_id


async def test_a_refusal_names_the_image(
    graph_driver: PrivateEngine, connect: Connect, closed_registry: Registry, salt: dict[str, str]
) -> None:
    name = f"{closed_registry.host}/pushes/refused:{salt['SALT']}"
    async with connect(graph_driver.url, credentials=None) as docker:
        for streaming in (False, True):
            stream = docker.images.build(
                dockerfile=SALTED,
                buildargs=salt,
                tag=name,
                outputs=Image(push=True),
                auth=ANONYMOUS,
                stream=streaming,
                **HOST,
            )
            with pytest.raises(Unauthorized) as raised:
                await (stream.rest() if streaming else stream)
            image = (await docker.images.inspect(name))["Id"]
            assert raised.value.__notes__ == [f"the image was built before: {image} ({name})"]
            assert build_result(raised.value.messages).image_id == image
            assert raised.value.hint.startswith(f"to push {name}, log in to {closed_registry.host}")


async def test_a_registry_with_bearer_tokens(
    graph_driver: PrivateEngine, connect: Connect, tmp_path: Path, salt: dict[str, str]
) -> None:
    with (
        TokenServer(tmp_path / "tokens", user=USER, password=PASSWORD) as tokens,
        Registry(tmp_path / "registry", tokens=tokens) as registry,
    ):
        name = f"{registry.host}/team/app:1"
        async with connect(graph_driver.url, credentials={registry.host: ME}) as docker:
            build = await docker.images.build(
                dockerfile=SALTED, buildargs=salt, tag=name, outputs=Image(push=True), **HOST
            )
            assert (await docker.images.pull(name)).result.digest == build.result.digest
        assert any("push" in scope for asked in tokens.asked for scope in asked.scopes)


class StalledRegistry(LoopbackServer):
    """A registry that reads no more of a layer than its first byte until it is told to."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.read_on = threading.Event()
        self.ends = queue.SimpleQueue[bytes]()
        """The last bytes of each layer, once its upload has ended."""

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """Return the class that stalls."""
        registry = self

        class Handler(BaseHTTPRequestHandler):
            # Engines try TLS first, and do without it if the response to that begins with "HTTP/".
            default_request_version = "HTTP/1.0"

            def do_GET(self) -> None:
                self._reply(200 if self.path == "/v2/" else 404)

            do_HEAD = do_GET  # noqa: N815  # the name that http.server calls

            def do_POST(self) -> None:
                self._reply(202)

            def do_PATCH(self) -> None:
                end = self.rfile.read(1)
                registry.begun.set()
                registry.read_on.wait()
                while not end.endswith(LAST_CHUNK) and (more := self.rfile.read1()):
                    end = (end + more)[-len(LAST_CHUNK) :]
                registry.ends.put(end)

            def _reply(self, status: int) -> None:
                self.send_response(status)
                self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
                self.send_header("Location", f"http://{registry.host}/v2/upload")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Keep silent."""

        return Handler


@pytest.fixture
def stalled() -> Iterator[StalledRegistry]:
    """Start a registry that stalls."""
    with StalledRegistry() as registry:
        yield registry


async def test_leaving_stops_the_push(
    graph_driver: PrivateEngine, connect: Connect, stalled: StalledRegistry
) -> None:
    name = f"{stalled.host}/pushes/left:1"
    tar = context("FROM scratch\nCOPY file /\n", file=os.urandom(MORE_THAN_BUFFERS))
    async with connect(graph_driver.url, credentials=None) as docker:
        async with docker.images.build(
            fileobj=tar, tag=name, outputs=Image(push=True), stream=True
        ) as stream:
            async for message in stream:
                if message.get("status") == "Preparing":
                    break
            await anyio.to_thread.run_sync(wait_until, stalled.begun.is_set)
        stalled.read_on.set()
        end = await anyio.to_thread.run_sync(partial(stalled.ends.get, timeout=30))
        assert not end.endswith(LAST_CHUNK)
        assert await docker.images.exists(name)


async def test_a_push_that_fails_in_the_middle(
    graph_driver: PrivateEngine, connect: Connect, salt: dict[str, str]
) -> None:
    name = "127.0.0.1:1/pushes/unreachable:1"
    async with connect(graph_driver.url, credentials=None) as docker:
        with pytest.raises(DockerStreamError, match="connection refused") as raised:
            await docker.images.build(
                dockerfile=SALTED, buildargs=salt, tag=name, outputs=Image(push=True), **HOST
            )
    assert raised.value.step is None
    assert ask(graph_driver.socket, "GET", f"/images/{name}/json").status == 200
