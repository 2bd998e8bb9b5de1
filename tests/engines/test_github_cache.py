"""The cache of GitHub Actions on real engines, with a server of the first version of its protocol.

These tests start the engines they need, whatever --engine selects.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dockerproto import DockerError, GitHubCache
from tests.conftest import Connect
from tests.engines.test_control_builds import cached
from tests.support.private_engines import Start, engines
from tests.support.salted_builds import salted_build
from tests.testbed.engines import Docker26Containerd, Docker28Containerd
from tests.testbed.github_cache import GitHubCacheServer
from tests.testbed.private import PrivateEngine

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

start = pytest.fixture(engines, scope="module")
salted = pytest.fixture(salted_build)


@pytest.fixture
def server() -> Iterator[GitHubCacheServer]:
    with GitHubCacheServer() as server:
        yield server


@pytest.mark.parametrize("kind", [Docker26Containerd, Docker28Containerd], ids=lambda kind: kind.name)
async def test_another_engine_uses_the_cache(
    *,
    kind: type[PrivateEngine],
    server: GitHubCacheServer,
    start: Start,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    salted: dict[str, Any],
) -> None:
    """The job has the address and the token; the reader is given both."""
    monkeypatch.delenv("ACTIONS_CACHE_SERVICE_V2", raising=False)
    monkeypatch.setenv("ACTIONS_CACHE_URL", server.url)
    monkeypatch.setenv("ACTIONS_RUNTIME_TOKEN", server.token)
    async with connect(start(kind).url, credentials=None) as docker:
        await docker.images.build(cache_to=GitHubCache("main", mode="max"), **salted)
    monkeypatch.delenv("ACTIONS_CACHE_URL")
    monkeypatch.delenv("ACTIONS_RUNTIME_TOKEN")
    assert any(key.startswith("index-main-") for key in server.entries)
    async with connect(start(kind, 1).url, credentials=None) as docker:
        for scope, hits in (("other", 0), ("main", 1)):
            cache = GitHubCache(scope, url=server.url, token=server.token, version=1, timeout=60)
            assert len(cached(await docker.images.build(cache_from=cache, **salted))) == hits
            await docker.images.prune_builds(all_builds=True)


async def test_a_wrong_token_is_in_no_error(
    server: GitHubCacheServer, start: Start, connect: Connect, salted: dict[str, Any]
) -> None:
    async with connect(start(Docker28Containerd).url, credentials=None) as docker:
        with pytest.raises(DockerError) as raised:
            await docker.images.build(
                cache_to=GitHubCache(url=server.url, token=f"{server.token}x", version=1), **salted
            )
    assert server.token not in str(raised.value)
    assert server.entries == {}
