"""Every operation on a real engine, on all three transports, streaming and not where it applies."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dockerproto import (
    BadRequest,
    Conflict,
    DockerError,
    NotFound,
    ServerError,
    StepFailed,
    UnsupportedEngine,
)
from tests.engines.differences import Difference
from tests.testbed.base_image import busybox_layer, context
from tests.testbed.podman import Podman
from tests.testbed.private import PrivateEngine

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

LIMITS = {
    "memory": 256 * 2**20,
    "memswap": -1,
    "cpu_shares": 512,
    "cpu_period": 100_000,
    "cpu_quota": 50_000,
    "cpuset_cpus": "0",
}
DOCKERFILE = "FROM busybox\nCOPY file /\nRUN cat /file\n"


async def build(docker: Any, dockerfile: str = DOCKERFILE, **options: Any) -> Any:
    data = context(dockerfile, file=b"in the file\n")
    return await docker.images.build(fileobj=data, network_mode="none", **options)


def shown(engine: PrivateEngine, name: str) -> str:
    """The name of an image as the engine shows it."""
    if not Difference.FULL_NAMES.on(engine):
        return name
    return f"docker.io/{name}" if "/" in name else f"docker.io/library/{name}"


def loaded(engine: PrivateEngine, name: str) -> list[dict[str, str]]:
    """Return the engine's messages for a load of one image."""
    line_end = "" if Difference.LOAD_WITHOUT_LINE_END.on(engine) else "\n"
    return [{"stream": f"Loaded image: {shown(engine, name)}{line_end}"}]


def log(messages: list[Any]) -> str:
    return "".join(message.get("stream", "") for message in messages)


class TestBuild:
    async def test_it_builds(self, docker: Any, engine: PrivateEngine) -> None:
        messages = await build(
            docker, tag=["dockerproto/built:a", "dockerproto/built:b"], labels={"k": "v"}, nocache=True
        )
        ids = [message["aux"]["ID"] for message in messages if "aux" in message]
        for tag in ("a", "b"):
            image = await docker.images.inspect(f"dockerproto/built:{tag}")
            assert image["Id"] == ids[-1]
            labels = image["Config"]["Labels"]
            if Difference.BUILDER_IN_LABELS.on(engine):
                assert labels.pop("io.buildah.version")
            assert labels == {"k": "v"}
        assert "in the file" in log(messages)

    async def test_it_streams_what_it_would_return(self, docker: Any) -> None:
        await build(docker)
        returned = await build(docker)
        data = context(DOCKERFILE, file=b"in the file\n")
        async with docker.images.build(fileobj=data, network_mode="none", stream=True) as stream:
            assert [message async for message in stream] == returned

    async def test_options_reach_the_engine(self, docker: Any, engine: PrivateEngine) -> None:
        dockerfile = (
            "FROM busybox AS first\nARG A=default\nARG B=default\nRUN echo A=$A B=$B; cat /etc/hosts; "
            "ulimit -n; df -k /dev/shm | tail -1\nFROM busybox AS second\nRUN exit 9\n"
        )
        messages = await build(
            docker,
            dockerfile,
            nocache=True,
            target="first",
            buildargs={"A": "given", "B": None},
            extra_hosts=["somewhere=10.1.2.3", "six=[fd00::1]"],
            ulimits={"nofile": (512, 1024)},
            shm_size=8 * 2**20,
            **(LIMITS if engine.can_limit else {}),
            cache_from=["busybox"],
        )
        said = log(messages)
        for expected in ("A=given B=default\n", "10.1.2.3\tsomewhere", "fd00::1\tsix", "\n512\n", " 8192 "):
            assert expected in said

    async def test_quiet_says_the_id_only(self, docker: Any, engine: PrivateEngine) -> None:
        (message,) = await build(docker, quiet=True)
        said = message["stream"]
        if Difference.BARE_QUIET_ID.on(engine):
            said = f"sha256:{said}"
        assert said.strip() == (await docker.images.inspect(said.strip()))["Id"]

    async def test_a_compressed_context_and_another_dockerfile(self, docker: Any) -> None:
        data = gzip.compress(context("FROM nothing", **{"other/Dockerfile": b"FROM busybox\n"}))
        messages = await docker.images.build(
            fileobj=io.BytesIO(data), encoding="gzip", path_dockerfile="other/Dockerfile"
        )
        assert "Successfully built" in log(messages)

    async def test_a_failing_step_raises_with_its_log(self, docker: Any, engine: PrivateEngine) -> None:
        words = "exit status 3" if Difference.FAILING_STEP_IN_GO.on(engine) else "returned a non-zero code: 3"
        with pytest.raises(StepFailed, match=words) as raised:
            await build(docker, "FROM busybox\nRUN echo before; exit 3\n", nocache=True)
        assert raised.value.error_detail["code"] == 3
        assert "before\n" in log(raised.value.messages)

    @pytest.mark.parametrize(
        ("dockerfile", "error"),
        [
            ("FROM busybox\nBOGUS\n", BadRequest),
            ("", BadRequest),
            ("FROM busybox\nCOPY absent /\n", BadRequest),
        ],
        ids=["syntax", "empty", "missing source"],
    )
    async def test_a_bad_context_is_a_bad_request(
        self, docker: Any, dockerfile: str, error: type[DockerError]
    ) -> None:
        with pytest.raises(error):
            await build(docker, dockerfile)

    async def test_a_remote_context_that_is_not_there(
        self, docker: Any, engine: PrivateEngine, refusing_port: int
    ) -> None:
        expected: tuple[type[DockerError], str] = (ServerError, "connection refused")
        if Difference.REMOTE_IGNORED.on(engine):
            expected = (UnsupportedEngine, "^Podman does not fetch contexts$")
        with pytest.raises(expected[0], match=expected[1]):
            await docker.images.build(remote=f"http://127.0.0.1:{refusing_port}/context.tar")

    async def test_squash_needs_an_experimental_engine(self, docker: Any, engine: PrivateEngine) -> None:
        if Difference.SQUASH_ALWAYS.on(engine):
            assert await build(docker, squash=True)
            return
        with pytest.raises(BadRequest, match="experimental"):
            await build(docker, squash=True)


class TestStore:
    async def test_list(self, docker: Any, engine: PrivateEngine, name: str) -> None:
        listed = await docker.images.list()
        tags = [tag for image in listed for tag in image["RepoTags"]]
        assert {shown(engine, "busybox:latest"), shown(engine, name)} <= set(tags)
        assert all(isinstance(image["RepoDigests"], list) for image in listed)

    async def test_list_filters(self, docker: Any, engine: PrivateEngine, name: str) -> None:
        images = docker.images
        names = {shown(engine, name)}
        if Difference.FILTER_KEEPS_NAMES.on(engine):
            names = {*(await images.inspect(name))["RepoTags"]}
            assert {shown(engine, name), shown(engine, "busybox:latest")} <= names
        for value in (name, [name], (name,), {name}):
            (image,) = await images.list(filters={"reference": value, "dangling": False})
            assert set(image["RepoTags"]) == names
        assert await images.list(filters={"label": "absent"}) == []
        if Difference.FILTERS_OF_ONE_VALUE.on(engine):
            with pytest.raises(UnsupportedEngine, match=r"Podman before 5\.4 does not combine values"):
                await images.list(filters={"label": ["absent", "also=absent"]})
        else:
            assert await images.list(filters={"label": ["absent", "also=absent"]}) == []
        with pytest.raises(BadRequest, match="colour"):
            await images.list(filters={"colour": "blue"})
        with pytest.raises(NotFound):
            await images.list(filters={"before": "dockerproto/absent"})

    async def test_list_parameters(self, docker: Any) -> None:
        some = await docker.images.list()
        every = await docker.images.list(all=True, digests=True, **{"shared-size": True})
        assert {image["Id"] for image in some} <= {image["Id"] for image in every}

    async def test_inspect(self, docker: Any, engine: PrivateEngine, name: str) -> None:
        image = await docker.images.inspect(name)
        assert shown(engine, name) in image["RepoTags"]
        assert image["Config"]["Cmd"] == []
        for same in (image["Id"], image["Id"][7:19], image["Id"].removeprefix("sha256:")):
            assert (await docker.images.inspect(same))["Id"] == image["Id"]
        with pytest.warns(DeprecationWarning, match="inspect"):
            assert await docker.images.get(name) == image

    async def test_exists(self, docker: Any, name: str) -> None:
        assert await docker.images.exists(name) is True
        assert await docker.images.exists("dockerproto/absent") is False
        assert await docker.images.exists("sha256:" + "0" * 64) is False

    async def test_history(self, docker: Any) -> None:
        messages = await build(docker)
        image = next(message["aux"]["ID"] for message in reversed(messages) if "aux" in message)
        steps = await docker.images.history(image)
        assert steps[0]["CreatedBy"].endswith("cat /file")
        assert all(isinstance(step["Tags"], list) for step in steps)

    async def test_tag(self, docker: Any, name: str) -> None:
        assert await docker.images.tag(name, "dockerproto/other") is True
        assert await docker.images.tag(name, "dockerproto/other", tag="2") is True
        assert await docker.images.tag(name, "dockerproto/other:3") is True
        for tag in ("latest", "2", "3"):
            assert await docker.images.exists(f"dockerproto/other:{tag}")
            await docker.images.delete(f"dockerproto/other:{tag}")

    async def test_delete(self, docker: Any, engine: PrivateEngine, name: str) -> None:
        with pytest.raises(Conflict):
            await docker.images.delete((await docker.images.inspect(name))["Id"])
        assert await docker.images.delete(name) == [{"Untagged": shown(engine, name)}]
        with pytest.raises(NotFound):
            await docker.images.delete(name)

    async def test_what_is_missing_is_not_found(self, docker: Any) -> None:
        absent = "dockerproto/absent"
        calls: list[Callable[[str], Any]] = [
            docker.images.inspect,
            docker.images.history,
            docker.images.delete,
            lambda name: docker.images.tag(name, "x"),
            lambda name: docker.images.export_image(name).read(),
            docker.images.push,
        ]
        for call in calls:
            with pytest.raises(NotFound):
                await call(absent)

    async def test_prune(self, docker: Any, engine: PrivateEngine) -> None:
        await build(docker, "FROM busybox\nLABEL a=1\n", tag="dockerproto/pruned")
        await build(docker, "FROM busybox\nLABEL a=2\n", tag="dockerproto/pruned")
        pruned = await docker.images.prune(filters={"dangling": True})
        deleted = [each["Deleted"] for each in pruned["ImagesDeleted"] if "Deleted" in each]
        assert deleted
        assert deleted[0].startswith("sha256:") != Difference.BARE_IDS.on(engine)
        again = await docker.images.prune()
        assert again == {"ImagesDeleted": [], "SpaceReclaimed": 0}

    async def test_prune_of_several_labels(self, docker: Any, engine: PrivateEngine) -> None:
        ids: dict[str, str] = {}
        for labels in ("a=1", "a=1 b=2", "b=2"):
            messages = await build(
                docker, f"FROM busybox\nENV only={labels[-1]}\nLABEL {labels}\n", nocache=True
            )
            ids[labels] = next(message["aux"]["ID"] for message in reversed(messages) if "aux" in message)
        pruned = docker.images.prune(filters={"label": ["a=1", "b=2"]})
        left = {"a=1", "b=2"}
        if Difference.FILTERS_OF_ONE_VALUE.on(engine):
            with pytest.raises(UnsupportedEngine, match=r"Podman before 5\.4 does not combine values"):
                await pruned
            left = {*ids}
        else:
            assert (await pruned)["ImagesDeleted"]
        assert {labels for labels, id_ in ids.items() if await docker.images.exists(id_)} == left
        await docker.images.prune()

    async def test_prune_of_images_with_names(self, docker: Any, engine: PrivateEngine) -> None:
        await build(docker, "FROM busybox\nLABEL pruned=named\n", tag="dockerproto/pruned")
        filters = {"dangling": False, "label": "pruned=named"}
        if Difference.PRUNE_OF_DANGLING_ONLY.on(engine):
            with pytest.raises(ServerError, match="dangling"):
                await docker.images.prune(filters=filters)
            await docker.images.delete("dockerproto/pruned")
            return
        pruned = await docker.images.prune(filters=filters)
        untagged = {"Untagged": "dockerproto/pruned:latest"} in pruned["ImagesDeleted"]
        assert untagged != Difference.PRUNE_WITHOUT_NAMES.on(engine)
        assert not await docker.images.exists("dockerproto/pruned")

    async def test_prune_builds(self, docker: Any, engine: PrivateEngine) -> None:
        if Difference.NO_BUILD_CACHE.on(engine):
            with pytest.raises(UnsupportedEngine, match=r"does not serve POST /v1\.\d+/build/prune"):
                await docker.images.prune_builds()
            return
        pruned = await docker.images.prune_builds(reserved_space=10**12, all_builds=True)
        assert pruned == {"CachesDeleted": [], "SpaceReclaimed": 0}
        assert await docker.images.prune_builds(filters={"unused-for": "24h"}) == pruned


class TestArchives:
    async def test_export_and_import(
        self, docker: Any, engine: PrivateEngine, name: str, tmp_path: Path
    ) -> None:
        path = tmp_path / "image.tar"
        with path.open("wb") as file:
            async with docker.images.export_image(name) as download:
                async for data in download:
                    file.write(data)
        await docker.images.delete(name)
        assert await docker.images.import_image(path) == loaded(engine, name)
        assert await docker.images.exists(name)
        compressed = gzip.compress(path.read_bytes())
        if Difference.LOAD_OF_PLAIN_TAR.on(engine):
            with pytest.raises(BadRequest):
                await docker.images.import_image(compressed)
            return
        messages = [message async for message in docker.images.import_image(compressed, stream=True)]
        assert messages == loaded(engine, name)

    async def test_several_images_in_one_archive(self, docker: Any, name: str) -> None:
        data = await docker.images.export_image([name, "busybox:latest"]).read()
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            manifest = archive.extractfile("manifest.json")
            assert manifest is not None
            text = manifest.read().decode()
        assert name in text
        assert "busybox:latest" in text

    async def test_progress_of_an_import(self, docker: Any, engine: PrivateEngine) -> None:
        layer = context("FROM scratch", big=os.urandom(3_000_000))
        made = await docker.images.import_filesystem(layer, repo="dockerproto/layer")
        data = await docker.images.export_image("dockerproto/layer").read()
        await docker.images.delete(made[-1]["status"], force=True)
        messages = await docker.images.import_image(data, quiet=False)
        progress = any(message.get("status") == "Loading layer" for message in messages)
        assert progress != Difference.LOAD_WITHOUT_PROGRESS.on(engine)

    async def test_what_is_no_archive_is_a_bad_request(self, docker: Any) -> None:
        for data in (b"no tar" * 1000, b""):
            with pytest.raises(BadRequest):
                await docker.images.import_image(data)

    async def test_a_file_system_becomes_an_image(
        self, docker: Any, engine: PrivateEngine, tmp_path: Path
    ) -> None:
        path = tmp_path / "root.tar"
        path.write_bytes(busybox_layer())
        messages = await docker.images.import_filesystem(
            path, repo="dockerproto/root", tag="2", message="by hand", changes=['CMD ["sh"]', "ENV A=b"]
        )
        image = await docker.images.inspect("dockerproto/root:2")
        said = {"status": image["Id"]}
        if Difference.IMPORT_SAYS_ID_TWICE.on(engine):
            said |= {"id": image["Id"], "progress": "", "progressDetail": {}}
        assert messages == [said]
        assert image["Comment"] == "by hand"
        assert image["Config"]["Cmd"] == ["sh"]
        assert "A=b" in image["Config"]["Env"]
        other_words = Difference.IMPORT_WITHOUT_CHANGE_VERB.on(engine)
        with pytest.raises(BadRequest, match="invalid change" if other_words else "not a valid change"):
            await docker.images.import_filesystem(path, changes="RUN x")
        with pytest.raises(BadRequest):
            await docker.images.import_filesystem(b"no tar" * 1000)

    async def test_a_file_system_of_a_url(self, docker: Any, refusing_port: int) -> None:
        with pytest.raises(ServerError, match="connection refused"):
            async for _ in docker.images.import_filesystem(
                f"http://127.0.0.1:{refusing_port}/root.tar", stream=True
            ):
                pass


async def test_the_engine_tells_its_version(docker: Any, engine: PrivateEngine) -> None:
    version = await docker.version()
    ping = await docker.ping()
    assert version["ApiVersion"] == ping.api_version == docker.api_version
    assert ping.podman == (version["Version"] if isinstance(engine, Podman) else None)
