"""Builds by the Control API on real engines: caches, platforms, contexts and outputs.

These tests start the engines they need, whatever --engine selects.
"""

from __future__ import annotations

import json
import os
import tarfile
import time
import urllib.request
from base64 import b64encode
from pathlib import Path
from typing import Any, Final

import anyio.to_thread
import pytest

from dockerproto import (
    OCI,
    BuildResult,
    CacheOnly,
    DockerTar,
    FailedStep,
    Image,
    RegistryCache,
    StepFailed,
    Tar,
    Unauthorized,
)
from tests.conftest import Connect
from tests.support.private_engines import CONTAINERD_STORES, GRAPH_DRIVERS, Start, engines, new_salt
from tests.support.stored import ME, PASSWORD, USER
from tests.testbed.dockerd import Dockerd
from tests.testbed.engines import Docker26Containerd, Docker28
from tests.testbed.private import PrivateEngine
from tests.testbed.registry import Registry
from tests.testbed.scripted import wait_until
from tests.testbed.token_server import TokenServer

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

HOST: Final = {"network_mode": "host"}
"""Argument of builds that run steps: the engines have no bridge."""
SALTED: Final = "FROM busybox\nARG SALT\nRUN echo $SALT > /salt\n"
PLATFORMS: Final = ["linux/amd64", "linux/arm64"]
CROSS: Final = """FROM --platform=$BUILDPLATFORM busybox AS build
ARG TARGETPLATFORM SALT
RUN echo $TARGETPLATFORM $SALT > /platform
FROM scratch
COPY --from=build /platform /
"""
MANIFESTS: Final = ", ".join(
    f"application/vnd.{each}"
    for each in (
        "oci.image.index.v1+json",
        "oci.image.manifest.v1+json",
        "docker.distribution.manifest.list.v2+json",
        "docker.distribution.manifest.v2+json",
    )
)


start = pytest.fixture(engines, scope="module")
salt = pytest.fixture(new_salt)


@pytest.fixture(params=CONTAINERD_STORES, ids=lambda kind: kind.name)
def containerd(request: pytest.FixtureRequest, start: Start) -> PrivateEngine:
    """Return an engine with the containerd image store."""
    return start(request.param)


@pytest.fixture(params=[*GRAPH_DRIVERS[1:], *CONTAINERD_STORES], ids=lambda kind: kind.name)
def newer(request: pytest.FixtureRequest, start: Start) -> PrivateEngine:
    """Return an engine with either image store."""
    return start(request.param)


@pytest.fixture(params=[*GRAPH_DRIVERS, *CONTAINERD_STORES], ids=lambda kind: kind.name)
def any_engine(request: pytest.FixtureRequest, start: Start) -> PrivateEngine:
    """Return an engine, old or new."""
    return start(request.param)


def cached(messages: Any) -> list[str]:
    """Return the names of the cached steps that run a command."""
    vertexes = [vertex for each in messages if "trace" in each for vertex in each["trace"].vertexes]
    return sorted({vertex.name for vertex in vertexes if vertex.cached and " RUN " in vertex.name})


def manifest(registry: Registry, repository: str, reference: str) -> dict[str, Any]:
    url = f"http://{registry.host}/v2/{repository}/manifests/{reference}"
    credentials = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    headers = {"Accept": MANIFESTS, "Authorization": f"Basic {credentials}"}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as response:  # on loopback
        document: dict[str, Any] = json.load(response)
        return document


class TestAnyEngine:
    async def test_an_image(self, any_engine: PrivateEngine, connect: Connect, salt: Any) -> None:
        async with connect(any_engine.url, credentials=None) as docker:
            arguments = {"dockerfile": SALTED, "buildargs": salt, **HOST}
            messages = await docker.images.build(
                tag=["control/a:1", "control/b"], outputs=Image(), **arguments
            )
            result = messages.result
            assert isinstance(result, BuildResult)
            assert result.tags == ("control/a:1", "control/b:latest")
            assert (await docker.images.inspect("control/b"))["Id"] == result.image_id
            plain = await docker.images.build(builder="buildkit", **arguments)
            assert plain.result.image_id == result.image_id or result.digest is not None
            worker = docker.client.engine.buildkit.worker
            assert worker.containerd is (type(any_engine) in CONTAINERD_STORES)
            assert len(cached(plain)) == 1

    async def test_a_step_that_fails(self, any_engine: PrivateEngine, connect: Connect) -> None:
        arguments = {"dockerfile": "FROM busybox\nRUN echo before; exit 7\n", **HOST}
        steps: list[tuple[str, FailedStep, int]] = []
        async with connect(any_engine.url, credentials=None) as docker:
            for how in ({"outputs": CacheOnly()}, {"builder": "buildkit"}):
                with pytest.raises(StepFailed) as raised:
                    await docker.images.build(**how, **arguments)
                assert raised.value.step is not None
                steps.append((raised.value.message, raised.value.step, raised.value.error_detail["code"]))
        assert steps[0] == steps[1]
        assert (steps[0][1].exit_code, steps[0][1].log) == (7, ("before",))

    async def test_leaving_stops_the_step(self, any_engine: PrivateEngine, connect: Connect) -> None:
        command = f"sleep 4321.{time.time_ns()}"
        async with connect(any_engine.url, credentials=None) as docker:
            dockerfile = f"FROM busybox\nRUN {command}\n"
            async with docker.images.build(
                dockerfile=dockerfile, outputs=CacheOnly(), stream=True, **HOST
            ) as stream:
                await anyio.to_thread.run_sync(wait_until, lambda: any_engine.processes(command))
                await stream.__anext__()
            await anyio.to_thread.run_sync(wait_until, lambda: not any_engine.processes(command))

    async def test_secrets_and_a_directory(
        self, any_engine: PrivateEngine, connect: Connect, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text("content")
        (tmp_path / "Dockerfile").write_text(
            "FROM busybox AS build\nCOPY file /\nRUN --mount=type=secret,id=token "
            "cat /run/secrets/token >> /file\n"
            "FROM scratch\nCOPY --from=build /file /\n"
        )
        async with connect(any_engine.url, credentials=None) as docker:
            await docker.images.build(
                path=tmp_path, secrets={"token": b"hush"}, outputs=[tmp_path / "dist"], **HOST
            )
        assert (tmp_path / "dist/file").read_text() == "contenthush"

    async def test_platforms_in_a_directory(
        self, any_engine: PrivateEngine, connect: Connect, tmp_path: Path
    ) -> None:
        async with connect(any_engine.url, credentials=None) as docker:
            await docker.images.build(
                dockerfile=CROSS, platforms=PLATFORMS, outputs=tmp_path / "dist", **HOST
            )
        assert (tmp_path / "dist/linux_arm64/platform").read_text().strip() == "linux/arm64"
        assert (tmp_path / "dist/linux_amd64/platform").read_text().strip() == "linux/amd64"

    async def test_stages_without_the_cache(
        self, any_engine: PrivateEngine, connect: Connect, salt: Any
    ) -> None:
        dockerfile = "FROM busybox AS one\nARG SALT\nRUN echo $SALT > /a\nFROM one AS two\nRUN echo > /b\n"
        arguments = {"dockerfile": dockerfile, "buildargs": salt, "outputs": CacheOnly(), **HOST}
        async with connect(any_engine.url, credentials=None) as docker:
            await docker.images.build(**arguments)
            assert len(cached(await docker.images.build(**arguments))) == 2
            assert [name[:4] for name in cached(await docker.images.build(nocache="two", **arguments))] == [
                "[one"
            ]


class TestNewerEngines:
    async def test_named_contexts(
        self, newer: PrivateEngine, connect: Connect, tmp_path: Path, salt: Any
    ) -> None:
        (tmp_path / "lib").mkdir()
        (tmp_path / "lib/file").write_text(salt["SALT"])
        (tmp_path / "lib/ignored").touch()
        (tmp_path / "lib/.dockerignore").write_text("ignored\n")
        dockerfile = (
            "FROM other AS base\nFROM scratch\nCOPY --from=base /bin/busybox /\nCOPY --from=lib . /\n"
        )
        contexts = {"lib": tmp_path / "lib", "other": "docker-image://busybox"}
        async with connect(newer.url, credentials=None) as docker:
            await docker.images.build(dockerfile=dockerfile, contexts=contexts, outputs=tmp_path / "dist")
        assert (tmp_path / "dist/file").read_text() == salt["SALT"]
        assert (tmp_path / "dist/busybox").exists()
        assert not (tmp_path / "dist/ignored").exists()

    async def test_a_context_of_another_directory_with_the_same_times(
        self, newer: PrivateEngine, connect: Connect, tmp_path: Path
    ) -> None:
        """The engine compares files by size and time, so each directory needs a key of its own."""
        (tmp_path / "main").mkdir()
        (tmp_path / "main/Dockerfile").write_text("FROM scratch\nCOPY --from=lib . /\n")
        read: list[str] = []
        async with connect(newer.url, credentials=None) as docker:
            for name in ("a", "b"):
                (tmp_path / name).mkdir()
                (tmp_path / name / "file").write_text(name)
                for each in (tmp_path / name / "file", tmp_path / name):
                    os.utime(each, (1, 1))
                await docker.images.build(
                    path=tmp_path / "main",
                    contexts={"lib": tmp_path / name},
                    outputs=tmp_path / f"{name}.out",
                )
                read.append((tmp_path / f"{name}.out/file").read_text())
        assert read == ["a", "b"]

    async def test_several_outputs(
        self, newer: PrivateEngine, connect: Connect, tmp_path: Path, salt: Any
    ) -> None:
        outputs = [tmp_path / "dist", Image(names="control/several:2"), Tar(tmp_path / "out.tar")]
        async with connect(newer.url, credentials=None) as docker:
            build = await docker.images.build(
                dockerfile=CROSS, buildargs=salt, tag="control/several:1", outputs=outputs, **HOST
            )
            assert build.result.tags == ("control/several:1", "control/several:2")
            assert (await docker.images.inspect("control/several:2"))["Id"] == build.result.image_id
        assert salt["SALT"] in (tmp_path / "dist/platform").read_text()
        assert (tmp_path / "out.tar").stat().st_size

    async def test_permissions(self, newer: PrivateEngine, connect: Connect) -> None:
        arguments = {"dockerfile": "FROM busybox\nRUN --network=host true\n", "outputs": CacheOnly()}
        async with connect(newer.url, credentials=None) as docker:
            with pytest.raises(Exception, match=r"network\.host is not allowed"):
                await docker.images.build(**arguments)
            await docker.images.build(**arguments, allow="network.host")

    async def test_provenance_in_a_directory(
        self, newer: PrivateEngine, connect: Connect, tmp_path: Path
    ) -> None:
        async with connect(newer.url, credentials=None) as docker:
            await docker.images.build(
                dockerfile="FROM scratch\nCOPY --from=busybox /bin/busybox /\n",
                provenance="min",
                outputs=tmp_path / "a",
            )
        assert json.loads((tmp_path / "a/provenance.json").read_text())["predicate"]


class TestContainerdStore:
    async def test_an_index_for_several_platforms(
        self, containerd: PrivateEngine, connect: Connect, closed_registry: Registry, salt: Any
    ) -> None:
        """Without provenance, an image for one platform is a manifest."""
        name = f"{closed_registry.host}/control/multi:{salt['SALT']}"
        async with connect(containerd.url, credentials=None) as docker:
            arguments = {"dockerfile": CROSS, "buildargs": salt, "auth": {closed_registry.host: ME}, **HOST}
            build = await docker.images.build(
                platforms=PLATFORMS, tag=name, outputs=Image(push=True), **arguments
            )
            pushed = manifest(closed_registry, "control/multi", build.result.digest)
            assert [each["platform"]["architecture"] for each in pushed["manifests"]] == ["amd64", "arm64"]
            single = await docker.images.build(
                tag=f"{name}-single",
                outputs=Image(push=True, compression="zstd", force_compression=True),
                annotations={"org.example.a": "b"},
                **arguments,
            )
        document = manifest(closed_registry, "control/multi", single.result.digest)
        assert document["layers"][0]["mediaType"].endswith("zstd")
        assert document["annotations"] == {"org.example.a": "b"}

    async def test_an_image_is_pulled_by_another_engine(
        self, start: Start, connect: Connect, closed_registry: Registry, salt: Any
    ) -> None:
        name = f"{closed_registry.host}/control/pulled:{salt['SALT']}"
        builder, other = start(Docker26Containerd), start(Docker28)
        async with connect(builder.url, credentials=None) as docker:
            await docker.images.build(
                dockerfile=CROSS,
                buildargs=salt,
                platforms=PLATFORMS,
                tag=name,
                outputs=Image(push=True),
                auth={closed_registry.host: ME},
                **HOST,
            )
        async with connect(other.url, credentials=None) as docker:
            for platform in PLATFORMS:
                await docker.images.pull(name, platform=platform, auth=ME)
                assert (await docker.images.inspect(name))["Architecture"] == platform.partition("/")[2]

    async def test_an_image_in_a_tar(
        self, containerd: PrivateEngine, start: Start, connect: Connect, tmp_path: Path, salt: Any
    ) -> None:
        name = f"control/tar:{salt['SALT']}"
        arguments = {"dockerfile": CROSS, "buildargs": salt, "tag": name, **HOST}
        async with connect(containerd.url, credentials=None) as docker:
            await docker.images.build(outputs=[DockerTar(tmp_path / "docker.tar")], **arguments)
            await docker.images.build(outputs=OCI(tmp_path / "oci.tar"), platforms=PLATFORMS, **arguments)
            assert not await docker.images.exists(name)
        async with connect(start(Dockerd).url, credentials=None) as docker:
            loaded = await docker.images.import_image(tmp_path / "docker.tar")
            assert loaded.result.references == (name,)
        with tarfile.open(tmp_path / "oci.tar") as archive:
            assert {"index.json", "oci-layout"} <= set(archive.getnames())

    async def test_a_push_without_credentials(
        self, containerd: PrivateEngine, connect: Connect, closed_registry: Registry, salt: Any
    ) -> None:
        name = f"{closed_registry.host}/control/refused:1"
        async with connect(containerd.url, credentials=None) as docker:
            with pytest.raises(Unauthorized) as raised:
                await docker.images.build(
                    dockerfile=SALTED, buildargs=salt, tag=name, outputs=Image(push=True), **HOST
                )
        assert f"log in to {closed_registry.host}" in raised.value.hint

    async def test_provenance(
        self, containerd: PrivateEngine, connect: Connect, closed_registry: Registry, salt: Any
    ) -> None:
        name = f"{closed_registry.host}/control/provenance:{salt['SALT']}"
        async with connect(containerd.url, credentials=None) as docker:
            build = await docker.images.build(
                dockerfile=CROSS,
                buildargs=salt,
                tag=name,
                outputs=Image(push=True),
                provenance="max",
                auth={closed_registry.host: ME},
                **HOST,
            )
        index = manifest(closed_registry, "control/provenance", build.result.digest)
        kinds = [each.get("annotations", {}).get("vnd.docker.reference.type") for each in index["manifests"]]
        assert kinds == [None, "attestation-manifest"]

    async def test_a_registry_with_bearer_tokens(
        self, containerd: PrivateEngine, connect: Connect, tmp_path: Path, salt: Any
    ) -> None:
        with (
            TokenServer(tmp_path / "tokens", user=USER, password=PASSWORD) as tokens,
            Registry(tmp_path / "registry", tokens=tokens) as registry,
        ):
            name = f"{registry.host}/team/app:1"
            arguments = {"dockerfile": SALTED, "buildargs": salt, "auth": {registry.host: ME}, **HOST}
            async with connect(containerd.url, credentials=None) as docker:
                await docker.images.build(
                    tag=name, outputs=Image(push=True), cache_to=RegistryCache(f"{name}-cache"), **arguments
                )
                await docker.images.pull(f"{registry.host}/team/app", tag="1", auth=ME)
            assert any("push" in scope for asked in tokens.asked for scope in asked.scopes)
