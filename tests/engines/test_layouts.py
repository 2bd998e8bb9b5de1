"""Caches and images in directories with an OCI layout, on real engines, and between this library and buildx.

These tests start the engines they need, whatever --engine selects.
"""

from __future__ import annotations

import json
import re
import shutil
import tarfile
import time
from pathlib import Path
from typing import Any, Final

import anyio
import pytest

from dockerproto import (
    OCI,
    Layout,
    LocalCache,
    OutputFailed,
    RegistryCache,
    UnsupportedEngine,
)
from tests.conftest import Connect
from tests.engines.test_control_builds import CROSS, HOST, PLATFORMS, cached
from tests.support.layouts import TAG
from tests.support.private_engines import Start, engines
from tests.support.salted_builds import salted_build
from tests.support.stored import ME
from tests.testbed.buildx import buildx
from tests.testbed.dockerd import Dockerd
from tests.testbed.engines import Docker26, Docker26Containerd, Docker28, Docker28Containerd
from tests.testbed.private import PrivateEngine
from tests.testbed.processes import environment
from tests.testbed.registry import Registry

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

BASED: Final = "FROM base AS base\nFROM scratch\nCOPY --from=base /platform /\n"

start = pytest.fixture(engines, scope="module")
salted = pytest.fixture(salted_build)


@pytest.fixture(params=[Docker26Containerd, Docker28Containerd], ids=lambda kind: kind.name)
def containerd(request: pytest.FixtureRequest) -> type[PrivateEngine]:
    """Return an engine with the containerd image store."""
    kind: type[PrivateEngine] = request.param
    return kind


def index_of(layout: Path) -> dict[str, Any]:
    """Return the index of a layout, whose blobs must be complete, and nothing else be there."""
    index: dict[str, Any] = json.loads((layout / "index.json").read_bytes())
    assert json.loads((layout / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    assert all(len(each.name) == 64 for each in (layout / "blobs/sha256").iterdir())
    return index


def names_in(directory: Path) -> list[Path]:
    """Return the paths of everything in a directory."""
    return sorted(directory.rglob("*"))


class TestCaches:
    @pytest.mark.parametrize(
        ("writer", "reader"),
        [
            (Docker26Containerd, Docker26Containerd),
            (Docker26Containerd, Docker26),
            (Docker28Containerd, Docker28Containerd),
            (Docker28Containerd, Docker28),
        ],
        ids=lambda kind: kind.name,
    )
    async def test_are_used_by_another_engine(
        self,
        *,
        writer: type[PrivateEngine],
        reader: type[PrivateEngine],
        start: Start,
        connect: Connect,
        tmp_path: Path,
        salted: dict[str, Any],
    ) -> None:
        cache = LocalCache(tmp_path / "new/cache", mode="max")
        async with connect(start(writer).url, credentials=None) as docker:
            build = await docker.images.build(cache_to=cache, **salted)
            assert cached(build) == []
        (manifest,) = index_of(tmp_path / "new/cache")["manifests"]
        assert manifest["digest"] == build.result.metadata["cache.manifest"]["digest"]
        async with connect(start(reader, 1).url, credentials=None) as docker:
            build = await docker.images.build(cache_from=LocalCache(tmp_path / "new/cache"), **salted)
            assert len(cached(build)) == 1

    async def test_have_tags(
        self,
        containerd: type[PrivateEngine],
        start: Start,
        connect: Connect,
        tmp_path: Path,
        salted: dict[str, Any],
    ) -> None:
        """Several caches share the blobs of a directory; a digest names one of them too."""
        salts: dict[str, Any] = {}
        async with connect(start(containerd).url, credentials=None) as docker:
            for tag in ("one", "two", "one"):
                salts[tag] = {"SALT": str(time.time_ns())}
                await docker.images.build(
                    **{**salted, "buildargs": salts[tag]}, cache_to=LocalCache(tmp_path, tag=tag)
                )
        tags = {each["annotations"][TAG]: each["digest"] for each in index_of(tmp_path)["manifests"]}
        assert tags.keys() == {"one", "two"}
        async with connect(start(containerd, 1).url, credentials=None) as docker:
            for cache, salt, hits in (
                (LocalCache(tmp_path, tag="two"), "one", 0),
                (LocalCache(tmp_path, tag="two"), "two", 1),
                (LocalCache(tmp_path, digest=tags["one"]), "one", 1),
            ):
                arguments = {**salted, "buildargs": salts[salt]}
                assert len(cached(await docker.images.build(cache_from=cache, **arguments))) == hits
                await docker.images.prune_builds(all_builds=True)

    async def test_besides_another_cache(
        self,
        *,
        containerd: type[PrivateEngine],
        start: Start,
        connect: Connect,
        closed_registry: Registry,
        tmp_path: Path,
        salted: dict[str, Any],
    ) -> None:
        """Engines report the manifest of one cache only, and these differ."""
        caches = [
            LocalCache(tmp_path, compression="zstd", force_compression=True),
            RegistryCache(f"{closed_registry.host}/layouts/cache:{time.time_ns()}", mode="max"),
        ]
        arguments = {**salted, "auth": {closed_registry.host: ME}}
        async with connect(start(containerd).url, credentials=None) as docker:
            build = await docker.images.build(cache_to=caches, **arguments)
        (manifest,) = index_of(tmp_path)["manifests"]
        assert manifest["digest"] == build.result.metadata["cache.manifest"]["digest"]

    async def test_that_are_missing_are_left_out(
        self,
        containerd: type[PrivateEngine],
        start: Start,
        connect: Connect,
        tmp_path: Path,
        salted: dict[str, Any],
    ) -> None:
        caches = [LocalCache(tmp_path / "missing"), LocalCache(tmp_path), LocalCache(tmp_path, tag="other")]
        async with connect(start(containerd).url, credentials=None) as docker:
            assert cached(await docker.images.build(cache_from=caches, **salted)) == []

    async def test_without_a_blob_are_an_error_of_the_import_only(
        self,
        containerd: type[PrivateEngine],
        start: Start,
        connect: Connect,
        tmp_path: Path,
        salted: dict[str, Any],
    ) -> None:
        async with connect(start(containerd).url, credentials=None) as docker:
            await docker.images.build(cache_to=LocalCache(tmp_path), **salted)
        digest = index_of(tmp_path)["manifests"][0]["digest"].removeprefix("sha256:")
        (tmp_path / "blobs/sha256" / digest).unlink()
        async with connect(start(containerd, 1).url, credentials=None) as docker:
            assert cached(await docker.images.build(cache_from=LocalCache(tmp_path), **salted)) == []

    async def test_that_cannot_be_written(
        self,
        containerd: type[PrivateEngine],
        start: Start,
        connect: Connect,
        tmp_path: Path,
        salted: dict[str, Any],
    ) -> None:
        """A symlink out of the directory is not followed, and the build fails."""
        (tmp_path / "outside").mkdir()
        (tmp_path / "cache/blobs").mkdir(parents=True)
        (tmp_path / "cache/blobs/sha256").symlink_to(tmp_path / "outside")
        async with connect(start(containerd).url, credentials=None) as docker:
            with pytest.raises(OutputFailed, match="cannot write the cache") as raised:
                await docker.images.build(cache_to=LocalCache(tmp_path / "cache"), **salted)
            assert raised.value.messages
            await docker.images.build(cache_to=LocalCache(tmp_path / "cache", ignore_error=True), **salted)
        assert not list((tmp_path / "outside").iterdir())
        assert not (tmp_path / "cache/index.json").exists()

    async def test_an_old_engine_reads_them(
        self, start: Start, connect: Connect, tmp_path: Path, salted: dict[str, Any]
    ) -> None:
        """Steps of newer engines have other keys, so none is found; the build goes on."""
        async with connect(start(Docker26Containerd).url, credentials=None) as docker:
            await docker.images.build(cache_to=LocalCache(tmp_path), **salted)
        async with connect(start(Dockerd).url, credentials=None) as docker:
            build = await docker.images.build(cache_from=LocalCache(tmp_path), **salted)
            assert cached(build) == []

    @pytest.mark.parametrize("kind", [Dockerd, Docker26, Docker28], ids=lambda kind: kind.name)
    async def test_are_not_written_by_a_graph_driver(
        self,
        kind: type[PrivateEngine],
        start: Start,
        connect: Connect,
        tmp_path: Path,
        salted: dict[str, Any],
    ) -> None:
        async with connect(start(kind).url, credentials=None) as docker:
            with pytest.raises(UnsupportedEngine, match="does not support cache_to of type 'local'"):
                await docker.images.build(cache_to=LocalCache(tmp_path / "cache"), **salted)
        assert not (tmp_path / "cache").exists()


class TestLayouts:
    @pytest.fixture
    async def layout(
        self, start: Start, connect: Connect, tmp_path: Path, containerd: type[PrivateEngine]
    ) -> Path:
        """Make a layout with an image for two platforms."""
        async with connect(start(containerd).url, credentials=None) as docker:
            await docker.images.build(
                dockerfile=CROSS,
                platforms=PLATFORMS,
                tag="layout/app:1",
                outputs=OCI(tmp_path / "a.tar"),
                **HOST,
            )
        with tarfile.open(tmp_path / "a.tar") as archive:
            archive.extractall(tmp_path / "layout", filter="data")
        return tmp_path / "layout"

    async def test_are_contexts(
        self, layout: Path, containerd: type[PrivateEngine], start: Start, connect: Connect, tmp_path: Path
    ) -> None:
        digest = index_of(layout)["manifests"][0]["digest"]
        before = names_in(layout)
        async with connect(start(containerd, 1).url, credentials=None) as docker:
            for number, base in enumerate(
                (Layout(layout), Layout(layout, "1"), Layout(layout, digest=digest))
            ):
                await docker.images.build(
                    dockerfile=BASED,
                    contexts={"base": base},
                    platforms=PLATFORMS,
                    outputs=tmp_path / f"out{number}",
                )
                text = (tmp_path / f"out{number}/linux_arm64/platform").read_text()
                assert text.split()[0] == "linux/arm64"
        assert names_in(layout) == before

    async def test_are_contexts_of_outlines(
        self, layout: Path, containerd: type[PrivateEngine], start: Start, connect: Connect
    ) -> None:
        async with connect(start(containerd, 1).url, credentials=None) as docker:
            outline = await docker.images.outline(
                dockerfile="FROM base\nARG A\n", contexts={"base": Layout(layout)}
            )
        assert [each.name for each in outline.args] == ["A"]

    async def test_are_no_contexts_of_a_graph_driver(
        self, start: Start, connect: Connect, tmp_path: Path
    ) -> None:
        async with connect(start(Docker28).url, credentials=None) as docker:
            with pytest.raises(UnsupportedEngine, match="does not support an OCI layout in contexts"):
                await docker.images.build(dockerfile=BASED, contexts={"base": Layout(tmp_path)})


@pytest.fixture(scope="module")
def command() -> tuple[str, ...]:
    """Return the command of buildx."""
    if not (command := buildx()):
        pytest.skip("buildx does not run on this machine")
    return command


class TestBuildx:
    """Caches of the Docker CLI's buildx are those of this library."""

    async def test_reads_them(
        self,
        *,
        containerd: type[PrivateEngine],
        command: tuple[str, ...],
        start: Start,
        connect: Connect,
        tmp_path: Path,
        salted: dict[str, Any],
    ) -> None:
        async with connect(start(containerd).url, credentials=None) as docker:
            await docker.images.build(cache_to=LocalCache(tmp_path / "cache"), **salted)
        option = f"--cache-from=type=local,src={tmp_path}/cache"
        log = await run_buildx(command, start(containerd, 1), tmp_path, salted, option)
        assert uses_cache(log)

    async def test_writes_them(
        self,
        *,
        containerd: type[PrivateEngine],
        command: tuple[str, ...],
        start: Start,
        connect: Connect,
        tmp_path: Path,
        salted: dict[str, Any],
    ) -> None:
        option = f"--cache-to=type=local,dest={tmp_path}/cache"
        log = await run_buildx(command, start(containerd), tmp_path, salted, option)
        assert not uses_cache(log)
        shutil.rmtree(tmp_path / "cache/ingest", ignore_errors=True)
        async with connect(start(containerd, 1).url, credentials=None) as docker:
            build = await docker.images.build(cache_from=LocalCache(tmp_path / "cache"), **salted)
            assert len(cached(build)) == 1
            await docker.images.build(cache_to=LocalCache(tmp_path / "cache", tag="ours"), **salted)
        assert len(index_of(tmp_path / "cache")["manifests"]) == 2


async def run_buildx(
    command: tuple[str, ...], engine: PrivateEngine, directory: Path, salted: dict[str, Any], option: str
) -> str:
    """Build with buildx, and return its log."""
    arguments = ["--build-arg", f"SALT={salted['buildargs']['SALT']}", "--provenance=false", "--network=host"]
    arguments += [
        "--allow=network.host",
        "--output=type=cacheonly",
        "--progress=plain",
        option,
        str(salted["path"]),
    ]
    run = await anyio.run_process(
        [*command, "build", "--builder", "default", *arguments],
        env={**environment(), "DOCKER_HOST": engine.url, "DOCKER_CONFIG": str(directory / "config")},
    )
    return run.stderr.decode()


def uses_cache(log: str) -> bool:
    """Return True if the step that runs a command was cached, by the log of buildx."""
    step = re.search(r"^(#\d+) .* RUN ", log, re.MULTILINE)
    assert step is not None
    return f"\n{step[1]} CACHED\n" in log
