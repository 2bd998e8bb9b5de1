"""Operations on the engine as a whole, on a real one: its facts, its disk, its events."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Connect
from tests.engines.differences import Difference
from tests.testbed.base_image import context
from tests.testbed.private import PrivateEngine

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def test_info(docker: Any) -> None:
    facts = await docker.info()
    assert facts["ServerVersion"] == (await docker.version())["Version"]
    assert facts["Images"] >= 1
    assert facts["NCPU"] >= 1


async def test_disk_usage(docker: Any, engine: PrivateEngine) -> None:
    everything = await docker.disk_usage()
    images = everything.images
    assert images.total == len(images.items) >= 1
    assert 0 <= images.reclaimable <= images.size
    assert any(each["RepoTags"] for each in images.items)
    assert (everything.containers, everything.volumes) != (None, None)
    some = await docker.disk_usage(["image"])
    assert (some.images.total, some.build_cache, some.volumes) == (images.total, None, None)


async def test_the_build_cache(docker: Any, engine: PrivateEngine) -> None:
    if Difference.NO_BUILD_CACHE.on(engine):
        assert await docker.images.build_cache() == []
        return
    data = context("FROM busybox\nCOPY file /\n", file=f"{time.time_ns()}".encode())
    await docker.images.build(fileobj=data, builder="buildkit")
    records = await docker.images.build_cache()
    assert records
    assert all(isinstance(each["Parents"], list) for each in records)
    usage = (await docker.disk_usage("build-cache")).build_cache
    assert {each["ID"] for each in usage.items} == {each["ID"] for each in records}
    assert usage.total == len(records)
    await docker.images.prune_builds(all_builds=True)
    assert len(await docker.images.build_cache()) < len(records)


async def test_events_of_the_past(docker: Any, name: str) -> None:
    begin = datetime.now(UTC) - timedelta(seconds=1)
    await docker.images.tag(name, "dockerproto/event:1")
    await docker.images.delete("dockerproto/event:1")
    seen = await docker.events(since=begin, until=time.time() + 1, filters={"event": ["tag", "untag"]}).rest()
    actions = [each["Action"] for each in seen if each["Actor"]["Attributes"]["name"].startswith("docker")]
    assert seen
    assert all(each["Type"] == "image" for each in seen)
    assert "tag" in actions


async def test_events_as_they_happen(docker: Any, engine: PrivateEngine, connect: Connect, name: str) -> None:
    async with connect(engine.url) as other, docker.events(filters={"event": "tag"}) as events:
        await other.images.tag(name, "dockerproto/event:2")
        async for event in events:
            assert event["Action"] == "tag"
            break
        await other.images.delete("dockerproto/event:2")


async def test_an_export_to_a_file(docker: Any, name: str, tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    assert await docker.images.save(name, to=path) == path.stat().st_size
    await docker.images.delete(name)
    await docker.images.load(path)
    assert await docker.images.exists(name)
