"""The builder that is taken where nothing says which: on real engines, on all three transports."""

from __future__ import annotations

from typing import Any

import pytest

from dockerproto import UnsupportedEngine
from tests.bench.base_image import context
from tests.bench.private import PrivateEngine
from tests.differences import Difference

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

RECOMMENDING = {"docker-26.1", "docker-26.1-containerd"}
"""The engines that recommend BuildKit; Docker does since version 23."""


async def is_buildkit(docker: Any) -> bool:
    messages = await docker.images.build(fileobj=context("FROM busybox\n"), network_mode="none")
    return any("trace" in message for message in messages)


async def test_is_what_the_engine_recommends(
    docker: Any, engine: PrivateEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_BUILDKIT")
    assert await is_buildkit(docker) == (engine.name in RECOMMENDING)
    assert ((await docker.ping()).builder_version == "2") == (engine.name in RECOMMENDING)


async def test_is_classic_if_the_environment_says_so(docker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_BUILDKIT", "0")
    assert not await is_buildkit(docker)


@pytest.mark.differs(Difference.NO_BUILDKIT, raises=UnsupportedEngine)
async def test_is_buildkit_if_the_environment_says_so(docker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_BUILDKIT", "1")
    assert await is_buildkit(docker)
