"""A call without a stream returns all messages in a list that also has the result of the operation."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import pytest

from dockerproto import (
    BuildResult,
    ImportResult,
    Message,
    MessageList,
    NotFound,
    PullResult,
    build_result,
    import_result,
    pull_result,
    push_result,
)
from tests.conftest import Connect
from tests.support.feeding import recorded
from tests.support.recorded_streams import lines_of, reply
from tests.testbed.scripted import ScriptedEngine, chunked

pytestmark = pytest.mark.anyio

BUILD = ("POST", "/build")
CREATE = ("POST", "/images/create")
PUSH = ("POST", "/images/registry.example/app/push")
LOAD = ("POST", "/images/load")


class Case(NamedTuple):
    """A recorded response, the call that gets it, and the function of its result."""

    engine: str
    recording: str
    operation: tuple[str, str]
    method: str
    arguments: dict[str, Any]
    reduce: Callable[[Iterable[Message]], object]


FROM = {"dockerfile": "FROM busybox"}
CASES: dict[str, Case] = {
    "a classic build": Case("docker-20.10", "build-classic-ok", BUILD, "build", FROM, build_result),
    "a build with BuildKit": Case("docker-26.1", "build-buildkit-ok", BUILD, "build", FROM, build_result),
    "a build on Podman": Case("podman-4.3", "build-classic-quiet", BUILD, "build", FROM, build_result),
    "a pull": Case("docker-26.1", "pull-ok", CREATE, "pull", {"from_image": "busybox"}, pull_result),
    "a push": Case("docker-20.10", "push-ok", PUSH, "push", {"name": "registry.example/app:1"}, push_result),
    "a load": Case("docker-26.1", "load-ok", LOAD, "import_image", {"data": b"tar"}, import_result),
    "an import": Case(
        "docker-20.10", "import-stdin-ok", CREATE, "import_filesystem", {"source": b"tar"}, import_result
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_a_list_has_the_result(scripted: ScriptedEngine, connect: Connect, case: Case) -> None:
    lines = lines_of(case.engine, case.recording)
    scripted.script(*case.operation, reply(lines))
    async with connect(scripted.url) as docker:
        messages: MessageList[Any] = await getattr(docker.images, case.method)(**case.arguments)
    assert [{**message, "trace": None} for message in messages] == [
        {**json.loads(line), "trace": None} for line in lines
    ]
    assert messages.result == case.reduce(list(messages))
    assert messages == list(messages)


async def test_the_id_of_a_build(scripted: ScriptedEngine, connect: Connect) -> None:
    scripted.script(*BUILD, reply(lines_of("docker-26.1", "build-buildkit-ok")))
    async with connect(scripted.url) as docker:
        image_id = (await docker.images.build(dockerfile="FROM busybox")).result.image_id
    assert image_id.encode() in recorded("docker-26.1", "build-buildkit-ok").body
    assert image_id.startswith("sha256:")


async def test_a_build_without_an_image_has_no_id(scripted: ScriptedEngine, connect: Connect) -> None:
    scripted.script(*BUILD, [chunked(b'{"stream": "no image"}\n')])
    async with connect(scripted.url) as docker:
        result = (await docker.images.build(dockerfile="FROM scratch")).result
    assert result == BuildResult(None)
    with pytest.raises(NotFound, match=r"reported no image.*`output`"):
        _ = result.image_id


async def test_the_result_has_the_requested_reference(scripted: ScriptedEngine, connect: Connect) -> None:
    scripted.script(*CREATE, reply(lines_of("podman-4.3", "pull-ok")))
    async with connect(scripted.url) as docker:
        messages = await docker.images.pull("registry.example/app", tag="2")
    assert pull_result(messages) == PullResult(None)
    assert messages.result == PullResult("registry.example/app:2")


@pytest.mark.parametrize("stream", [False, True])
async def test_stream_may_be_known_at_run_time_only(
    scripted: ScriptedEngine, connect: Connect, stream: bool
) -> None:
    scripted.script(*LOAD, reply(lines_of("docker-26.1", "load-ok")))
    async with connect(scripted.url) as docker:
        loading = docker.images.import_image(b"tar", stream=stream)
        messages = await (loading.rest() if stream else loading)
        result = (loading if stream else messages).result
    assert isinstance(messages, MessageList) is not stream
    assert result == import_result(messages)
    assert result != ImportResult()
