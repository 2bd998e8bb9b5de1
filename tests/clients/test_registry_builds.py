"""Builds on several builders, on each transport: how they run, stop and fail; the builders are doubles."""

from __future__ import annotations

import json
import threading
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, Self

import anyio
import pytest

from dockerproto import DockerError, NotFinished, ProtocolViolated, StepFailed, UnsupportedEngine
from dockerproto.images.build import build
from dockerproto.messages.results import BuildResult
from dockerproto.references import Reference
from dockerproto.registry.building import BuilderBuild
from dockerproto.transport.runtime import run
from tests.support.facade import Transport
from tests.support.registries import (
    ImageData,
    OpenRegistry,
    accept,
    open_registries,
    registry_client,
    serve,
    serving_registry,
)
from tests.support.stored import ME, PASSWORD
from tests.support.tracebacks import leaks
from tests.testbed.scripted_registry import ScriptedRegistry

pytestmark = pytest.mark.anyio

open_client = pytest.fixture(open_registries)
scripted_registry = pytest.fixture(serving_registry)

ARM = ImageData("arm64")
AMD = ImageData("amd64", layer=b"amd")

Behaviour = Callable[["Stream"], Awaitable[BuildResult]]
"""The course of a build, until its result or its exception."""


def built(digest: str | None) -> BuildResult:
    """Return the result of a build whose manifest has a digest."""
    descriptor = {"mediaType": "x", "digest": digest, "size": 1}
    return BuildResult(None, metadata={} if digest is None else {"containerimage.descriptor": descriptor})


class Stream:
    """A double of the stream of a build."""

    def __init__(self, builder: Builder, arguments: dict[str, Any]) -> None:
        self.builder = builder
        self.arguments = arguments
        self.aborted = False
        self.wake = threading.Event()
        self.messages = [{"stream": "begun"}]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        pass

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        if self.messages:
            return self.messages.pop()
        if not self.aborted:
            self._result = await self.builder.behaviour(self)
        raise StopAsyncIteration

    @property
    def result(self) -> BuildResult:
        if self.aborted:
            raise NotFinished(0, "aborted")
        return self._result

    def abort(self) -> None:
        self.aborted = True
        self.wake.set()

    async def until_stopped(self) -> None:
        """Wait for an abort, or on an event loop for a cancellation."""
        if self.builder.blocking:
            assert self.wake.wait(20)
        else:
            await anyio.Event().wait()


class Builder:
    """A double of a builder."""

    def __init__(self, name: str, registry: Any, behaviour: Behaviour) -> None:
        self.blocking = hasattr(registry, "blocking")
        underlying = registry.blocking if self.blocking else registry
        self.client = SimpleNamespace(transport=underlying.client.transport, builder=self)
        self.endpoint = SimpleNamespace(address=f"unix://{name}")
        self.behaviour = behaviour
        self.streams: list[Stream] = []


@pytest.fixture(autouse=True)
def doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let builders be doubles."""

    def build_double(**arguments: Any) -> Any:
        def on_async(client: Any, name: str) -> Stream:
            client.builder.streams.append(stream := Stream(client.builder, arguments))
            return stream

        return SimpleNamespace(on_async=on_async)

    monkeypatch.setattr("dockerproto.registry.building.build", build_double)


def pushing(image: ImageData) -> Behaviour:
    async def push(_: Stream) -> BuildResult:
        return built(image.digest)

    return push


def failing(error: Exception) -> Behaviour:
    async def fail(_: Stream) -> BuildResult:
        raise error

    return fail


async def hang(stream: Stream) -> BuildResult:
    await stream.until_stopped()
    return built(None)


@pytest.fixture
def tag(scripted_registry: ScriptedRegistry) -> str:
    serve(scripted_registry, "a", ARM, "arm")
    serve(scripted_registry, "a", AMD, "amd")
    accept(scripted_registry, "a", "both")
    return f"{scripted_registry.host}/a:both"


async def test_the_parts_are_joined(
    open_client: OpenRegistry, scripted_registry: ScriptedRegistry, tag: str
) -> None:
    messages: list[tuple[str, Any]] = []

    def note(platform: str, message: Any) -> None:
        messages.append((platform, message))

    async with open_client() as registry:
        one, two = Builder("one", registry, pushing(AMD)), Builder("two", registry, pushing(ARM))
        builders = {"linux/amd64": one, "linux/arm64": two, "linux/arm/v7": two}
        joined = await registry.build(
            builders,
            tag,
            annotations={"a": "b"},
            on_message=note,
            path=".",
        )
    document = json.loads(scripted_registry.requests[-1].body)
    assert [each["digest"] for each in document["manifests"]] == [AMD.digest, ARM.digest]
    assert document["annotations"] == {"a": "b"}
    assert joined.descriptor["size"] == len(scripted_registry.requests[-1].body)
    assert joined.results == {
        "linux/amd64": built(AMD.digest),
        "linux/arm64": built(ARM.digest),
        "linux/arm/v7": built(ARM.digest),
    }
    (stream,) = two.streams
    assert stream.arguments["platforms"] == ["linux/arm64", "linux/arm/v7"]
    assert stream.arguments["tag"] == tag.removesuffix(":both")
    assert (stream.arguments["path"], stream.arguments["outputs"].by_digest) == (".", True)
    begun = {"stream": "begun"}
    assert sorted(messages, key=str) == [("linux/amd64", begun), ("linux/arm64", begun)]


async def test_a_graph_driver_pushes_a_tag(
    open_client: OpenRegistry, scripted_registry: ScriptedRegistry, tag: str
) -> None:
    async def push(stream: Stream) -> BuildResult:
        if stream.arguments["outputs"].by_digest:
            raise UnsupportedEngine(0, "graph driver")
        return built(None)

    serve(scripted_registry, "a", ARM, "both-linux-arm64-v8")
    async with open_client() as registry:
        builder = Builder("one", registry, push)
        await registry.build({"linux/arm64/v8": builder}, tag)
    assert [each.arguments["tag"] for each in builder.streams] == [
        tag.removesuffix(":both"),
        f"{tag}-linux-arm64-v8",
    ]
    (member,) = json.loads(scripted_registry.requests[-1].body)["manifests"]
    assert member["digest"] == ARM.digest


async def test_a_builder_that_reports_no_digest(open_client: OpenRegistry, tag: str) -> None:
    async def push(_: Stream) -> BuildResult:
        return built(None)

    async with open_client() as registry:
        with pytest.raises(
            ProtocolViolated, match="did not report the digest of the image that it pushed; on unix://one"
        ):
            await registry.build({"linux/arm64": Builder("one", registry, push)}, tag)


@pytest.mark.parametrize("hint", ["", "log in"])
async def test_a_failure_names_its_builder_and_stops_the_others(
    open_client: OpenRegistry, scripted_registry: ScriptedRegistry, tag: str, hint: str
) -> None:
    error = StepFailed("make failed")
    error.hint = hint
    async with open_client() as registry:
        slow, broken = Builder("slow", registry, hang), Builder("broken", registry, failing(error))
        with pytest.raises(StepFailed) as raised:
            await registry.build({"linux/amd64": slow, "linux/arm64": broken, "linux/arm/v7": broken}, tag)
    assert raised.value.hint == f"{hint}{'; ' * bool(hint)}on unix://broken, for linux/arm64, linux/arm/v7"
    assert all(stream.aborted for stream in slow.streams)
    assert scripted_registry.requests == []


@pytest.mark.parametrize("concurrency", [1, 2])
async def test_builders_work_in_turns(open_client: OpenRegistry, tag: str, concurrency: int) -> None:
    running: list[str] = []
    highest: list[int] = []

    async def push(stream: Stream) -> BuildResult:
        running.append("")
        highest.append(len(running))
        running.pop()
        return built(AMD.digest)

    async with open_client() as registry:
        builders = {f"linux/arm/v{number}": Builder(str(number), registry, push) for number in range(5)}
        await registry.build(builders, tag, concurrency=concurrency)
    assert len(highest) == 5
    assert max(highest) <= concurrency


async def test_after_a_failure_no_build_begins(open_client: OpenRegistry, tag: str) -> None:
    async with open_client() as registry:
        first = Builder("first", registry, failing(DockerError(0, "failed")))
        second = Builder("second", registry, pushing(AMD))
        with pytest.raises(DockerError, match="failed; on unix://first, for linux/amd64"):
            await registry.build({"linux/amd64": first, "linux/arm64": second}, tag, concurrency=1)
    assert second.streams == []


async def test_a_callback_that_raises(open_client: OpenRegistry, tag: str) -> None:
    def refuse(platform: str, message: Any) -> None:
        raise ZeroDivisionError

    async with open_client() as registry:
        slow, other = Builder("slow", registry, hang), Builder("other", registry, hang)
        with pytest.raises(ZeroDivisionError):
            await registry.build({"linux/amd64": slow, "linux/arm64": other}, tag, on_message=refuse)


@pytest.mark.parametrize("transport", ["asyncio", "trio"])
async def test_a_cancellation_stops_the_builds(open_client: OpenRegistry, tag: str) -> None:
    scope = anyio.CancelScope()

    async def wait(stream: Stream) -> BuildResult:
        scope.cancel()
        return await hang(stream)

    async with open_client() as registry:
        builder = Builder("one", registry, wait)
        with scope:
            await registry.build({"linux/amd64": builder}, tag)
    assert [each.aborted for each in builder.streams] == [True]


def test_a_build_that_is_stopped_before_it_begins() -> None:
    with registry_client("httpx").blocking as registry:
        builder: Any = Builder("one", SimpleNamespace(blocking=registry), pushing(AMD))
        build = BuilderBuild(builder, Reference("r.example/a"), {}, None)
        build.stop()
        with pytest.raises(NotFinished):
            run(build.run())


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"builders": {}}, ValueError, "builders must have at least one platform"),
        ({"tag": "r.example/a@sha256:" + "0" * 64}, ValueError, "the target must be a tag"),
        ({"concurrency": 0}, ValueError, "concurrency must be 1 or more, not 0"),
        ({"platforms": ["linux/amd64"]}, TypeError, "has no argument 'platforms'"),
        ({"stream": True}, TypeError, "has no argument 'stream'"),
        ({"fileobj": [b"tar"]}, TypeError, "fileobj must be bytes"),
    ],
)
async def test_arguments_are_checked(
    open_client: OpenRegistry, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    async with open_client() as registry:
        builders = {"linux/amd64": Builder("one", registry, hang)}
        with pytest.raises(error, match=message):
            await registry.build(**{"builders": builders, "tag": "r.example/a:1", **arguments})


async def test_builders_of_another_package(open_client: OpenRegistry, transport: Transport, tag: str) -> None:
    other = registry_client("trio" if transport != "trio" else "asyncio")
    async with open_client() as registry:
        with pytest.raises(TypeError, match="is a client of another package than this one, which uses"):
            await registry.build({"linux/amd64": Builder("one", other, hang)}, tag)


@pytest.mark.parametrize(
    "wrong", [{"platforms": ["linux/amd64"]}, {"network": "host"}], ids=["own", "unknown"]
)
async def test_no_traceback_shows_credentials(
    open_client: OpenRegistry, tag: str, wrong: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dockerproto.registry.building.build", build)
    async with open_client() as registry:
        builders = {"linux/amd64": Builder("one", registry, hang)}
        with pytest.raises(TypeError) as raised:
            await registry.build(builders, tag, auth={"r.example": ME}, **wrong)
    assert leaks(raised.value, [PASSWORD]) == []
