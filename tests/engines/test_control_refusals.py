"""Options of builds that an engine would ignore, on real engines: they are rejected, each in words.

These tests start the engines they need, whatever --engine selects.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dockerproto import (
    OCI,
    BadRequest,
    Cache,
    CacheOnly,
    DockerTar,
    Image,
    RegistryCache,
    UnsupportedEngine,
    UnsupportedVersion,
)
from dockerproto.request.solve_options import SolveOptions
from dockerproto.versions import Version
from tests.conftest import Connect
from tests.engines.test_control_builds import PLATFORMS, SALTED
from tests.support.private_engines import GRAPH_DRIVERS, Start, engines
from tests.testbed.dockerd import Dockerd
from tests.testbed.private import PrivateEngine
from tests.testbed.unix_http import ask

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

start = pytest.fixture(engines, scope="module")


def unchecked(options: SolveOptions, version: Version) -> None:
    """Accept any API version."""
    del options, version


class TestWhatEnginesLack:
    @pytest.mark.parametrize("kind", GRAPH_DRIVERS, ids=lambda kind: kind.name)
    @pytest.mark.parametrize(
        "arguments",
        [
            {"cache_to": RegistryCache("127.0.0.1:1/a")},
            {"cache_to": Cache("gha", {"url": "http://127.0.0.1:1", "token": "a"})},
            {"outputs": OCI("a.tar")},
            {"outputs": DockerTar("a.tar")},
            {"outputs": Image(compression="zstd")},
            {"platforms": PLATFORMS},
            {"annotations": {"a": "b"}},
        ],
        ids=str,
    )
    async def test_a_graph_driver(
        self, kind: type[PrivateEngine], arguments: Any, start: Start, connect: Connect
    ) -> None:
        async with connect(start(kind).url, credentials=None) as docker:
            with pytest.raises(UnsupportedEngine, match=r"^this engine keeps its images with a graph driver"):
                await docker.images.build(dockerfile=SALTED, **arguments)

    async def test_an_old_engine_pulls_no_named_context(
        self, start: Start, connect: Connect, tmp_path: Path
    ) -> None:
        """It would look for the name on Docker Hub, where anybody may have pushed an image of that name."""
        engine = start(Dockerd)
        before = engine.log.read_bytes()
        async with connect(engine.url, credentials=None) as docker:
            with pytest.raises(UnsupportedVersion, match=r"^contexts needs API 1.42"):
                await docker.images.build(
                    dockerfile="FROM scratch\nCOPY --from=lib . /\n", contexts={"lib": tmp_path}
                )
        assert b"library/lib" not in engine.log.read_bytes().removeprefix(before)
        assert ask(engine.socket, "GET", "/images/lib/json").status == 404

    async def test_an_old_frontend_rejects_a_named_context_all_the_same(
        self, start: Start, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The capability protects also where the version does not tell, as behind a proxy."""
        monkeypatch.setattr(SolveOptions, "check_version", unchecked)
        async with connect(start(Dockerd).url, credentials=None) as docker:
            with pytest.raises(Exception, match="unsupported frontend capability"):
                await docker.images.build(
                    dockerfile="FROM scratch\nCOPY --from=lib . /\n", contexts={"lib": tmp_path}
                )

    async def test_old_engines_lack_more(self, start: Start, connect: Connect, tmp_path: Path) -> None:
        async with connect(start(Dockerd).url, credentials=None) as docker:
            for arguments in ({"provenance": "min"}, {"outputs": [tmp_path / "a", Image()]}):
                with pytest.raises(UnsupportedVersion):
                    await docker.images.build(dockerfile=SALTED, **arguments)
        assert not (tmp_path / "a").exists()

    async def test_an_old_frontend_has_no_permissions(self, start: Start, connect: Connect) -> None:
        """They are for steps that ask for them, which its Dockerfiles cannot."""
        async with connect(start(Dockerd).url, credentials=None) as docker:
            with pytest.raises(BadRequest, match="network"):
                await docker.images.build(
                    dockerfile="FROM busybox\nRUN --network=host true\n",
                    outputs=CacheOnly(),
                    allow="network.host",
                )

    @pytest.mark.parametrize("kind", GRAPH_DRIVERS[1:], ids=lambda kind: kind.name)
    async def test_a_graph_driver_has_no_provenance_of_images(
        self, kind: type[PrivateEngine], start: Start, connect: Connect
    ) -> None:
        async with connect(start(kind).url, credentials=None) as docker:
            with pytest.raises(UnsupportedEngine, match="does not support provenance of an image"):
                await docker.images.build(dockerfile=SALTED, provenance="min")
