"""Never run, only type-checked: the exact types of every operation on the three clients."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, assert_type

import dockerproto_asyncio
import dockerproto_httpx
import dockerproto_trio
from dockerproto import (
    DEFAULT,
    TLS,
    AsyncDownload,
    AsyncProgress,
    AsyncStream,
    BuildCacheRecord,
    BuildKitVersion,
    BuildKitWorker,
    BuildRecord,
    BuildResult,
    BuildsPruned,
    CacheOnly,
    CachePruned,
    CacheRecord,
    CheckResult,
    CheckWarning,
    Credentials,
    DeletedImage,
    Descriptor,
    DiskUsage,
    DistributionInspect,
    Download,
    EngineInfo,
    EngineVersion,
    HistoryEntry,
    ImageEvent,
    ImageInspect,
    ImagesPruned,
    ImageSummary,
    ImportResult,
    JoinedBuild,
    Manifest,
    Message,
    MessageList,
    Outline,
    Ping,
    Progress,
    PullResult,
    PushedTag,
    PushResult,
    SearchResult,
    SourceLines,
    Stream,
    TargetSummary,
    Timeout,
    Usage,
)
from dockerproto_cli import AsyncShown, Display, DisplayGroup, Shown, show, show_all


async def on_async(docker: dockerproto_asyncio.Docker | dockerproto_trio.Docker, file: Path) -> None:
    images = docker.images
    assert_type(await docker.version(), EngineVersion)
    assert_type(await docker.info(timeout=5), EngineInfo)
    assert_type(await docker.disk_usage(["image", "build-cache"]), DiskUsage)
    assert_type((await docker.disk_usage("image")).images, Usage[ImageSummary] | None)
    assert_type(docker.events(since=5.5), AsyncStream[ImageEvent])
    assert_type(await docker.ping(), Ping)
    assert_type(await docker.login("r.example", "u", "p", store=True, timeout=5), str)
    assert_type(await docker.buildkit.workers(), list[BuildKitWorker])
    assert_type(await docker.buildkit.info(timeout=5), BuildKitVersion)
    assert_type(await docker.buildkit.usage(filters="inuse"), list[CacheRecord])
    assert_type(await docker.buildkit.prune(keep=5, all=True), CachePruned)
    assert_type(docker.buildkit.prune(older_than=timedelta(days=1), stream=True), AsyncStream[CacheRecord])
    assert_type(await docker.buildkit.history(limit=5), list[BuildRecord])
    assert_type(await images.build(fileobj=file, tag=["a", "b"]), MessageList[BuildResult])
    assert_type(images.build(fileobj=b"", stream=True), AsyncProgress[BuildResult])
    assert_type(await images.check(path=file, timeout=5), CheckResult)
    assert_type(await images.delete("x", force=True), list[DeletedImage])
    assert_type(await images.distribution("x"), DistributionInspect)
    assert_type(await images.exists("x"), bool)
    assert_type(images.export_image("x"), AsyncDownload)
    assert_type(await images.export_image("x", to=file), int)
    assert_type(await images.save("x", to=str(file)), int)
    assert_type(images.save("x"), AsyncDownload)
    assert_type(images.export_image(["x", "y"], 5), AsyncDownload)
    assert_type(await images.get("x"), ImageInspect)
    assert_type(await images.history("x"), list[HistoryEntry])
    assert_type(await images.import_filesystem(file), MessageList[ImportResult])
    assert_type(images.import_filesystem(file, stream=True), AsyncProgress[ImportResult])
    assert_type(await images.import_image(file), MessageList[ImportResult])
    assert_type(await images.load(file), MessageList[ImportResult])
    assert_type(images.load(file, True), AsyncProgress[ImportResult])
    assert_type(await images.build_cache(), list[BuildCacheRecord])
    assert_type(images.import_image(file, True), AsyncProgress[ImportResult])
    assert_type(await images.inspect("x"), ImageInspect)
    assert_type(await images.list(filters={"dangling": True}, all=True), list[ImageSummary])
    assert_type(await images.outline(remote="https://h/a.git", target="a"), Outline)
    assert_type(await images.prune(), ImagesPruned)
    assert_type(await images.prune_builds(reserved_space=5), BuildsPruned)
    assert_type(await images.pull("x", timeout=Timeout(idle=5)), MessageList[PullResult])
    assert_type(await images.pull("x", stream=False), MessageList[PullResult])
    assert_type(images.pull("x", stream=True), AsyncProgress[PullResult])
    assert_type(await images.push("x", auth={"username": "u", "password": "p"}), MessageList[PushResult])
    assert_type(images.push("x", stream=True), AsyncProgress[PushResult])
    assert_type(await images.search("x", limit=5), list[SearchResult])
    assert_type(await images.tag("x", "y"), bool)
    assert_type(await images.targets(fileobj=b"", contexts={"a": file}), list[TargetSummary])


async def on_daemons(
    buildkit: dockerproto_asyncio.BuildKit | dockerproto_trio.BuildKit,
    docker: dockerproto_asyncio.Docker | dockerproto_trio.Docker,
    file: Path,
) -> None:
    assert_type(await buildkit.build(path=file, outputs=CacheOnly()), MessageList[BuildResult])
    assert_type(await buildkit.build(path=file, load=docker), MessageList[BuildResult])
    assert_type(buildkit.build(path=file, outputs=[file], stream=True), AsyncProgress[BuildResult])
    assert_type(await buildkit.check(path=file), CheckResult)
    assert_type(await buildkit.outline(path=file), Outline)
    assert_type(await buildkit.targets(path=file), list[TargetSummary])
    assert_type(await buildkit.workers(), list[BuildKitWorker])
    assert_type(await buildkit.info(), BuildKitVersion)
    assert_type(await buildkit.usage(), list[CacheRecord])
    assert_type(await buildkit.prune(keep=5), CachePruned)
    assert_type(await buildkit.history(limit=5), list[BuildRecord])


def on_blocking_daemons(
    buildkit: dockerproto_httpx.BuildKit, docker: dockerproto_httpx.Docker, file: Path
) -> None:
    assert_type(buildkit.build(path=file, outputs=CacheOnly()), MessageList[BuildResult])
    assert_type(buildkit.build(path=file, load=docker, stream=True), Progress[BuildResult])
    assert_type(buildkit.build(path=file, outputs=[file], stream=True), Progress[BuildResult])
    assert_type(buildkit.check(path=file), CheckResult)
    assert_type(buildkit.outline(path=file), Outline)
    assert_type(buildkit.targets(path=file), list[TargetSummary])
    assert_type(buildkit.workers(), list[BuildKitWorker])
    assert_type(buildkit.info(), BuildKitVersion)
    assert_type(buildkit.prune(stream=True), Stream[CacheRecord])


def daemons(file: Path) -> None:
    dockerproto_asyncio.BuildKit("tcp://h:1", tls=TLS(ca="ca.pem"), timeout=5)
    dockerproto_trio.BuildKit(command=["kubectl", "exec"], credentials=None)
    dockerproto_httpx.BuildKit(proxies={}, credentials={"docker.io": {"username": "u", "password": "p"}})


class Vault:
    """A source of credentials."""

    async def get(self, registry: str, /) -> Credentials:
        """Return some."""
        return Credentials(username=registry)


async def find(registry: str) -> dict[str, str] | None:
    """Return some."""
    return {"username": registry}


def sources(auth: Credentials) -> None:
    dockerproto_asyncio.Docker(credentials=None)
    dockerproto_trio.Docker(credentials=DEFAULT)
    dockerproto_httpx.Docker(
        credentials={"docker.io": {"username": "u", "password": "p"}, "r": auth, "s": "x"}
    )
    dockerproto_asyncio.Docker(credentials=Vault())
    dockerproto_asyncio.Docker(credentials=find)
    dockerproto_trio.Docker(credentials={"docker.io": auth}.get)
    dockerproto_httpx.Docker(credentials=lambda registry: None if registry == "docker.io" else auth)


async def streams(docker: dockerproto_asyncio.Docker, pieces: AsyncIterator[bytes]) -> None:
    async with docker.images.pull("x", stream=True) as stream:
        assert_type(stream, AsyncProgress[PullResult])
        async for message in stream:
            assert_type(message, Message)
        assert_type(await stream.rest(), list[Message])
        assert_type(stream.result, PullResult)
    assert_type(await docker.images.import_image(pieces), MessageList[ImportResult])
    assert_type(await docker.images.export_image("x").read(5), bytes)
    assert_type(await docker.images.export_image("x").save("x.tar"), int)
    async with docker.events(timeout=Timeout(idle=5)) as events:
        async for event in events:
            assert_type(event, ImageEvent)


async def either(
    docker: dockerproto_asyncio.Docker | dockerproto_trio.Docker, stream: bool
) -> AsyncProgress[BuildResult] | MessageList[BuildResult]:
    """Pass on a `stream` that is only known at run time."""
    building = docker.images.build(fileobj=b"", stream=stream)
    assert_type(building, Coroutine[Any, Any, MessageList[BuildResult]] | AsyncProgress[BuildResult])
    pulling = docker.images.pull("x", stream=stream)
    assert_type(pulling, Coroutine[Any, Any, MessageList[PullResult]] | AsyncProgress[PullResult])
    pushing = docker.images.push("x", stream=stream)
    assert_type(pushing, Coroutine[Any, Any, MessageList[PushResult]] | AsyncProgress[PushResult])
    for importing in (
        docker.images.import_image(b"", stream),
        docker.images.import_filesystem(b"", stream=stream),
    ):
        assert_type(importing, Coroutine[Any, Any, MessageList[ImportResult]] | AsyncProgress[ImportResult])
    return building if isinstance(building, AsyncProgress) else await building


async def results(docker: dockerproto_asyncio.Docker, blocking: dockerproto_httpx.Docker) -> None:
    assert_type((await docker.images.build(path=".")).result, BuildResult)
    assert_type((await docker.images.build(path=".")).result.image_id, str)
    assert_type((await docker.images.build(path=".")).result.pushed, tuple[PushedTag, ...])
    assert_type((await docker.images.pull("x")).result.digest, str | None)
    assert_type((await docker.images.push("x")).result, PushResult)
    assert_type((await docker.images.import_image(b"")).result, ImportResult)
    assert_type(blocking.images.build(path=".").result.image_id, str)
    assert_type(blocking.images.build(path=".")[-1], Message)
    assert_type(blocking.images.import_filesystem(b"").result.ids, tuple[str, ...])


def on_blocking(docker: dockerproto_httpx.Docker, file: Path) -> None:
    images = docker.images
    assert_type(docker.buildkit.workers(), list[BuildKitWorker])
    assert_type(docker.buildkit.info(timeout=5), BuildKitVersion)
    assert_type(docker.buildkit.usage(filters=["inuse", "shared"]), list[CacheRecord])
    assert_type(docker.buildkit.prune(keep=5, older_than=0.5), CachePruned)
    assert_type(docker.buildkit.prune(stream=True), Stream[CacheRecord])
    assert_type(docker.buildkit.prune(stream=file.exists()), CachePruned | Stream[CacheRecord])
    assert_type(docker.buildkit.history()[0].created, datetime | None)
    assert_type(docker.version(), EngineVersion)
    assert_type(docker.ping(), Ping)
    assert_type(docker.login("r.example", "u", "p", store=True, timeout=5), str)
    assert_type(images.build(fileobj=file, tag=["a", "b"]), MessageList[BuildResult])
    assert_type(images.build(fileobj=b"", stream=True), Progress[BuildResult])
    assert_type(images.check(dockerfile="FROM a"), CheckResult)
    assert_type(images.check(path=file).warnings, tuple[CheckWarning, ...])
    assert_type(images.check(path=file).warnings[0].ranges, tuple[SourceLines, ...])
    assert_type(images.delete("x", force=True), list[DeletedImage])
    assert_type(images.distribution("x"), DistributionInspect)
    assert_type(images.exists("x"), bool)
    assert_type(images.export_image("x"), Download)
    assert_type(images.get("x"), ImageInspect)
    assert_type(images.history("x"), list[HistoryEntry])
    assert_type(images.import_filesystem(file), MessageList[ImportResult])
    assert_type(images.import_filesystem(file, stream=True), Progress[ImportResult])
    assert_type(images.import_image(file), MessageList[ImportResult])
    assert_type(images.import_image(file, True), Progress[ImportResult])
    assert_type(images.inspect("x"), ImageInspect)
    assert_type(images.list(filters={"dangling": True}, all=True), list[ImageSummary])
    assert_type(images.outline(path=file), Outline)
    assert_type(images.prune(), ImagesPruned)
    assert_type(images.prune_builds(reserved_space=5), BuildsPruned)
    assert_type(images.pull("x", timeout=None), MessageList[PullResult])
    assert_type(images.pull("x", stream=True), Progress[PullResult])
    assert_type(images.push("x", auth="bWU6c2VjcmV0"), MessageList[PushResult])
    assert_type(images.push("x", stream=True), Progress[PushResult])
    assert_type(images.search("x", limit=5), list[SearchResult])
    assert_type(images.tag("x", "y"), bool)
    assert_type(images.targets(path=file), list[TargetSummary])
    assert_type(
        images.build(fileobj=b"", stream=file.exists()), MessageList[BuildResult] | Progress[BuildResult]
    )
    assert_type(images.pull("x", stream=file.exists()), MessageList[PullResult] | Progress[PullResult])
    assert_type(images.push("x", stream=file.exists()), MessageList[PushResult] | Progress[PushResult])
    assert_type(images.import_image(file, file.exists()), MessageList[ImportResult] | Progress[ImportResult])
    assert_type(
        images.import_filesystem(file, stream=file.exists()),
        MessageList[ImportResult] | Progress[ImportResult],
    )
    with images.pull("x", stream=True) as stream:
        assert_type(next(stream), Message)
        assert_type(stream.rest(), list[Message])
        assert_type(stream.result, PullResult)
    assert_type(images.export_image("x").read(), bytes)


def more_on_blocking(docker: dockerproto_httpx.Docker, file: Path) -> None:
    images = docker.images
    assert_type(docker.info(timeout=5), EngineInfo)
    assert_type(docker.disk_usage(["image", "build-cache"]), DiskUsage)
    assert_type(docker.disk_usage("image").images, Usage[ImageSummary] | None)
    assert_type(docker.events(since=5.5), Stream[ImageEvent])
    assert_type(images.export_image("x", to=file), int)
    assert_type(images.save("x", to=str(file)), int)
    assert_type(images.save("x"), Download)
    assert_type(images.load(file), MessageList[ImportResult])
    assert_type(images.load(file, True), Progress[ImportResult])
    assert_type(images.build_cache(), list[BuildCacheRecord])
    assert_type(images.export_image("x").save(file), int)
    target = file if file.exists() else None
    assert_type(images.export_image("x", to=target), int | Download)
    for event in docker.events():
        assert_type(event, ImageEvent)


def errors(docker: dockerproto_httpx.Docker) -> None:
    docker.images.pull("x", plattform="y")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    docker.images.build(fileobj=b"", builder="kaniko")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    docker.images.pull(1)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    docker.images.inspect()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    docker.images.delete("x", force="yes")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


async def shown(
    docker: dockerproto_asyncio.Docker | dockerproto_trio.Docker, blocking: dockerproto_httpx.Docker
) -> None:
    assert_type(show(blocking.images.pull("x", stream=True)), Shown)
    assert_type(show(docker.images.build(fileobj=b"", stream=True)), AsyncShown)
    for message in show(blocking.images.push("x", stream=True)):
        assert_type(message, Message)
    async with show(docker.images.import_image(b"", stream=True)) as messages:
        async for message in messages:
            assert_type(message, Message)
    display = Display()
    assert_type(display.show(blocking.images.pull("x", stream=True)), Shown)
    assert_type(display.snapshot.percent, float | None)
    with show_all({"x": docker.images.pull("x", stream=True)}) as all_shown:
        assert_type(all_shown, dict[str, AsyncShown])
        assert_type(await all_shown["x"].rest(), list[Message])
    with show_all({"x": blocking.images.pull("x", stream=True)}) as all_blocking:
        assert_type(all_blocking, dict[str, Shown])
    with DisplayGroup() as group:
        assert_type(group.show(docker.images.pull("x", stream=True), "x"), AsyncShown)
        assert_type(group.show(blocking.images.pull("x", stream=True)), Shown)
        assert_type(group.display("x"), Display)


async def on_async_registries(
    registry: dockerproto_asyncio.Registry | dockerproto_trio.Registry,
    docker: dockerproto_asyncio.Docker | dockerproto_trio.Docker,
) -> None:
    assert_type(await registry.resolve("x", timeout=5), Descriptor)
    assert_type(await registry.manifest("x"), Manifest)
    assert_type(await registry.copy("x", "y"), Descriptor)
    assert_type(await registry.index("x", ["y", "z"], annotations={"a": "b"}), Descriptor)
    assert_type(await registry.build({"linux/amd64": docker}, "x", path="."), JoinedBuild)


def on_blocking_registries(registry: dockerproto_httpx.Registry, docker: dockerproto_httpx.Docker) -> None:
    assert_type(registry.resolve("x", timeout=5), Descriptor)
    assert_type(registry.manifest("x"), Manifest)
    assert_type(registry.copy("x", "y"), Descriptor)
    assert_type(registry.index("x", ["y", "z"], annotations={"a": "b"}), Descriptor)
    assert_type(registry.build({"linux/amd64": docker}, "x", path="."), JoinedBuild)
