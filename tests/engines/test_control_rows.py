"""Rows of what the Control API does on each version and image store: builds, caches, facts about itself.

These tests start the engines they need, whatever --engine selects.
"""

from __future__ import annotations

import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dockerproto import (
    BadRequest,
    CacheOnly,
    CachePruned,
    DockerStreamError,
    Image,
    InlineCache,
    RegistryCache,
    Tar,
    UnsupportedEngine,
)
from tests.conftest import Connect
from tests.engines.test_control_builds import CROSS, HOST, PLATFORMS, SALTED, cached
from tests.support.private_engines import CONTAINERD_STORES, GRAPH_DRIVERS, Start, engines, new_salt
from tests.support.stored import ME
from tests.testbed.base_image import context
from tests.testbed.dockerd import Dockerd
from tests.testbed.engines import Docker26, Docker26Containerd, Docker28, Docker28Containerd
from tests.testbed.private import PrivateEngine
from tests.testbed.registry import Registry

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

start = pytest.fixture(engines, scope="module")
salt = pytest.fixture(new_salt)


@pytest.fixture(params=[*GRAPH_DRIVERS, *CONTAINERD_STORES], ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> type[PrivateEngine]:
    """Return a kind of engine, old or new."""
    kind: type[PrivateEngine] = request.param
    return kind


async def test_a_tar_as_the_context_and_as_the_output(
    kind: type[PrivateEngine], start: Start, connect: Connect, tmp_path: Path, salt: dict[str, str]
) -> None:
    tar = context("FROM scratch\nCOPY file /\n", file=salt["SALT"].encode())
    async with connect(start(kind).url, credentials=None) as docker:
        await docker.images.build(fileobj=tar, outputs=[Tar(tmp_path / "out.tar")])
    with tarfile.open(tmp_path / "out.tar") as archive:
        file = archive.extractfile("file")
        assert file is not None
        assert file.read() == salt["SALT"].encode()


async def test_warnings_of_the_linter(kind: type[PrivateEngine], start: Start, connect: Connect) -> None:
    """The linter is in Docker 27 and later."""
    async with connect(start(kind).url, credentials=None) as docker:
        build = await docker.images.build(dockerfile="FROM busybox as base\n", outputs=CacheOnly())
    warned = kind in (Docker28, Docker28Containerd)
    assert [each.text.partition(":")[0] for each in build.result.warnings] == ["FromAsCasing"] * warned
    assert [each.line for each in build.result.warnings] == [1] * warned


async def test_another_platform_without_emulation(
    kind: type[PrivateEngine], start: Start, connect: Connect, salt: dict[str, str]
) -> None:
    """The step runs on the platform of the engine, and the image is for the other one."""
    async with connect(start(kind).url, credentials=None) as docker:
        build = await docker.images.build(
            dockerfile=CROSS, buildargs=salt, platforms=PLATFORMS[1:], outputs=Image(), **HOST
        )
        image = await docker.images.inspect(build.result.image_id)
    assert (image["Os"], image["Architecture"]) == ("linux", "arm64")


async def test_an_inline_cache_after_a_prune(
    kind: type[PrivateEngine],
    start: Start,
    connect: Connect,
    closed_registry: Registry,
    salt: dict[str, str],
) -> None:
    name = f"{closed_registry.host}/rows/inline:{salt['SALT']}"
    arguments = {"dockerfile": SALTED, "buildargs": salt, "auth": {closed_registry.host: ME}, **HOST}
    async with connect(start(kind).url, credentials=None) as docker:
        await docker.images.build(tag=name, outputs=Image(push=True), cache_to=InlineCache(), **arguments)
        await docker.images.delete(name)
        await docker.images.prune_builds(all_builds=True)
        assert cached(await docker.images.build(outputs=CacheOnly(), cache_from=name, **arguments)) != []
        await docker.images.prune_builds(all_builds=True)
        assert cached(await docker.images.build(outputs=CacheOnly(), **arguments)) == []


async def test_what_buildkit_says_about_itself(
    kind: type[PrivateEngine], start: Start, connect: Connect, tmp_path: Path, salt: dict[str, str]
) -> None:
    """An engine of its own: pruned of everything, 28.5 exports inline caches that no other engine hits."""
    (tmp_path / "file").write_text(salt["SALT"])
    async with connect(start(kind, 2).url, credentials=None) as docker:
        await docker.images.build(
            path=tmp_path, dockerfile="FROM scratch\nCOPY file /\n", outputs=CacheOnly()
        )
        (worker,) = await docker.buildkit.workers()
        assert "linux/amd64" in worker.platforms
        assert any("snapshotter" in label for label in worker.labels) == (kind in CONTAINERD_STORES)
        records = await docker.buildkit.usage(filters="type==source.local")
        newest = max(records, key=lambda each: each.created)
        assert newest.description.startswith("local source for ")
        assert newest.last_used >= newest.created > datetime.now(UTC) - timedelta(hours=1)
        assert await docker.buildkit.prune(keep=2**50) == CachePruned(0, 0)
        assert await docker.buildkit.prune(older_than=3600) == CachePruned(0, 0)
        async with docker.buildkit.prune(filters=f"id=={newest.id}", stream=True) as pruned:
            assert [each.id async for each in pruned] == [newest.id]
        assert await docker.buildkit.usage(filters=f"id=={newest.id}") == []
        assert (await docker.buildkit.prune(all=True)).count >= len(records) - 1
        assert await docker.buildkit.usage(filters=["type==source.local", "type==regular,private"]) == []
        with pytest.raises(BadRequest, match="parse error"):
            await docker.buildkit.usage(filters="type==")


async def test_the_history_of_builds(
    kind: type[PrivateEngine], start: Start, connect: Connect, salt: dict[str, str]
) -> None:
    async with connect(start(kind).url, credentials=None) as docker:
        if kind is Dockerd:
            for call in (docker.buildkit.history, docker.buildkit.info):
                with pytest.raises(UnsupportedEngine, match="does not support"):
                    await call()
            return
        assert (await docker.buildkit.info()).package.endswith("buildkit")
        arguments = {"buildargs": salt, "outputs": CacheOnly()}
        await docker.images.build(dockerfile="FROM scratch\nARG SALT\nLABEL salt=$SALT\n", **arguments)
        with pytest.raises(DockerStreamError, match="nowhere"):
            await docker.images.build(dockerfile="FROM scratch\nCOPY nowhere /\n", **arguments)
        failed, succeeded = await docker.buildkit.history(limit=2)
        assert "nowhere" in failed.error
        assert succeeded.error is None
        assert succeeded.attributes["build-arg:SALT"] == salt["SALT"]
        assert failed.completed >= failed.created >= succeeded.completed >= succeeded.created
        assert (failed.frontend, succeeded.completed_steps) == ("dockerfile.v0", succeeded.total_steps)


@pytest.fixture
async def base(connect: Connect, closed_registry: Registry, start: Start, salt: dict[str, str]) -> str:
    """Push a base image, and return its name: an import has another time, so another id, on each engine."""
    name = f"{closed_registry.host}/rows/base:{salt['SALT']}"
    async with connect(start(Dockerd).url, credentials=None) as docker:
        await docker.images.tag("busybox", name)
        await docker.images.push(name, auth=ME)
        await docker.images.delete(name)
    return name


@pytest.mark.parametrize(
    ("writer", "reader", "hits"),
    [
        (Docker26Containerd, Docker26Containerd, True),
        (Docker26Containerd, Docker26, True),
        (Docker28Containerd, Docker28Containerd, True),
        (Docker28Containerd, Docker28, True),
        (Docker28Containerd, Docker26, True),
        (Docker26Containerd, Docker28, True),
        (Docker26Containerd, Dockerd, False),
        (Docker28Containerd, Dockerd, False),
    ],
    ids=lambda value: getattr(value, "name", value),
)
async def test_a_registry_cache_of_another_engine(
    writer: type[PrivateEngine],
    reader: type[PrivateEngine],
    *,
    hits: bool,
    start: Start,
    connect: Connect,
    closed_registry: Registry,
    base: str,
    salt: dict[str, str],
) -> None:
    """Engine 20.10 reads no cache of the others, and runs all steps, without an error."""
    cache = f"{closed_registry.host}/rows/cache:{salt['SALT']}"
    arguments: dict[str, Any] = {
        "dockerfile": SALTED.replace("busybox", base),
        "buildargs": salt,
        "outputs": CacheOnly(),
        "auth": {closed_registry.host: ME},
        **HOST,
    }
    async with connect(start(writer).url, credentials=None) as docker:
        build = await docker.images.build(cache_to=RegistryCache(cache, mode="max"), **arguments)
        assert cached(build) == []
        assert build.result.metadata["cache.manifest"]["digest"].startswith("sha256:")
    async with connect(start(reader, 1).url, credentials=None) as docker:
        build = await docker.images.build(cache_from=RegistryCache(cache), **arguments)
        assert (len(cached(build)) == 1) is hits


@pytest.mark.parametrize("kind", CONTAINERD_STORES, ids=lambda kind: kind.name)
async def test_an_inline_cache_of_another_engine(
    kind: type[PrivateEngine],
    *,
    start: Start,
    connect: Connect,
    closed_registry: Registry,
    base: str,
    salt: dict[str, str],
) -> None:
    name = f"{closed_registry.host}/rows/inline:{salt['SALT']}"
    arguments: dict[str, Any] = {
        "dockerfile": SALTED.replace("busybox", base),
        "buildargs": salt,
        "auth": {closed_registry.host: ME},
        **HOST,
    }
    async with connect(start(kind).url, credentials=None) as docker:
        await docker.images.build(cache_to=InlineCache(), tag=name, outputs=Image(push=True), **arguments)
    async with connect(start(kind, 1).url, credentials=None) as docker:
        build = await docker.images.build(cache_from=name, outputs=CacheOnly(), **arguments)
        assert len(cached(build)) == 1
