"""Images and registries, on a real engine: pushes, pulls, what a registry says."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest

from dockerproto import (
    Credentials,
    DockerError,
    DockerStreamError,
    NotFound,
    ServerError,
    Unauthorized,
    UnsupportedEngine,
)
from tests.engines.differences import Difference
from tests.support.facade import Transport
from tests.support.stored import PASSWORD, USER
from tests.testbed.private import PrivateEngine
from tests.testbed.registry import Registry

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


def digests(messages: list[Any]) -> dict[str, str]:
    """Return the digests of the pushed tags, from a push's messages."""
    said = (re.fullmatch(r"(\S+): digest: (\S+) size: \d+", each.get("status", "")) for each in messages)
    return {found[1]: found[2] for found in said if found}


class TestRegistries:
    async def test_push_and_pull(self, docker: Any, engine: PrivateEngine, open_registry: Registry) -> None:
        repository = f"{open_registry.host}/team/app"
        await docker.images.tag("busybox", repository, tag="1")
        pushed = await docker.images.push(repository, tag="1")
        digest = digests(pushed)["1"]
        assert any("aux" in message for message in pushed) != Difference.PUSH_WITHOUT_AUX.on(engine)
        again = await docker.images.push(f"{repository}:1")
        assert again == [message async for message in docker.images.push(f"{repository}:1", stream=True)]
        await docker.images.delete(f"{repository}:1")
        layers_only = Difference.PULL_OF_LAYERS_ONLY.on(engine)
        for reference in (f"{repository}:1", f"{repository}@{digest}"):
            pulled = await docker.images.pull(reference)
            assert ({"status": f"Digest: {digest}"} in pulled) != layers_only
            assert pulled[-1]["status"].startswith("Download complete" if layers_only else "Status: ")
            image = await docker.images.inspect(reference)
            assert (image["Id"] == digest) == Difference.ID_IS_OF_MANIFEST.on(engine)
        async with docker.images.pull(repository, tag="1", stream=True) as stream:
            said = [(await anext(stream))["status"]]
            said += [message["status"] for message in await stream.rest()]
        assert said[0].startswith("Already exists" if layers_only else "Pulling from team/app")
        assert said[-1].startswith("Download" if layers_only else "Status: Image is up to date")
        await docker.images.delete(f"{repository}:1")

    async def test_distribution(self, docker: Any, engine: PrivateEngine, open_registry: Registry) -> None:
        repository = f"{open_registry.host}/team/asked"
        await docker.images.tag("busybox", repository, tag="1")
        pushed = await docker.images.push(repository, tag="1")
        await docker.images.delete(f"{repository}:1")
        if Difference.NO_DISTRIBUTION.on(engine):
            with pytest.raises(UnsupportedEngine, match="does not serve GET"):
                await docker.images.distribution(f"{repository}:1")
            return
        described = await docker.images.distribution(f"{repository}:1")
        assert described["Descriptor"]["digest"] == digests(pushed)["1"]
        systems = [platform["os"] for platform in described["Platforms"]]
        assert systems == ([] if Difference.DISTRIBUTION_WITHOUT_PLATFORM.on(engine) else ["linux"])

    async def test_only_the_tag_that_is_asked_for_is_pushed(
        self, docker: Any, engine: PrivateEngine, open_registry: Registry, transport: Transport
    ) -> None:
        repository = f"{open_registry.host}/team/tags-{transport}"
        tags = {"latest", "a", "b"}
        for tag in tags:
            await docker.images.tag("busybox", repository, tag=tag)
        for asked, name in ((None, "latest"), ("a", "a")):
            assert set(digests(await docker.images.push(repository, tag=asked))) == {name}
        if Difference.ONE_TAG_AT_A_TIME.on(engine):
            for verb in ("push", "pull"):
                with pytest.raises(UnsupportedEngine, match=f"^Podman does not {verb} all tags at once$"):
                    await getattr(docker.images, verb)(repository, tag="")
            tags = {"latest", "a"}
        else:
            assert set(digests(await docker.images.push(repository, tag=""))) == tags
        for tag in ("latest", "a", "b"):
            await docker.images.delete(f"{repository}:{tag}")
        await docker.images.pull(repository)
        assert not await docker.images.exists(f"{repository}:a")
        await docker.images.pull(repository, tag="a" if "b" not in tags else "")
        for tag in tags:
            await docker.images.delete(f"{repository}:{tag}")

    async def test_credentials_in_every_form(
        self, docker: Any, engine: PrivateEngine, closed_registry: Registry
    ) -> None:
        repository = f"{closed_registry.host}/team/private"
        await docker.images.tag("busybox", repository)
        pair = base64.b64encode(f"{USER}:{PASSWORD}".encode())
        for auth in (
            {"username": USER, "password": PASSWORD},
            {"auth": pair.decode()},
            pair,
            pair.decode(),
            Credentials(username=USER, password=PASSWORD),
        ):
            await docker.images.push(repository, auth=auth)
            await docker.images.pull(repository, auth=auth)
            if not Difference.NO_DISTRIBUTION.on(engine):
                assert (await docker.images.distribution(repository, auth=auth))["Descriptor"]["size"] > 0
        await docker.images.delete(repository)

    async def test_wrong_credentials_are_unauthorized(
        self, docker: Any, engine: PrivateEngine, closed_registry: Registry
    ) -> None:
        repository = f"{closed_registry.host}/team/refused"
        await docker.images.tag("busybox", repository)
        for auth in (None, {"username": USER, "password": "wrong"}):
            for call in (docker.images.push, docker.images.pull):
                with pytest.raises(Unauthorized):
                    await call(repository, auth=auth)
            with pytest.raises(UnsupportedEngine if Difference.NO_DISTRIBUTION.on(engine) else Unauthorized):
                await docker.images.distribution(repository, auth=auth)
        await docker.images.delete(repository)

    async def test_what_a_registry_does_not_have_is_not_found(
        self, docker: Any, engine: PrivateEngine, open_registry: Registry
    ) -> None:
        absent = f"{open_registry.host}/team/absent:1"
        with pytest.raises(NotFound) as raised:
            await docker.images.pull(absent)
        assert isinstance(raised.value, DockerStreamError) == Difference.ERRORS_IN_STREAM.on(engine)
        with pytest.raises(UnsupportedEngine if Difference.NO_DISTRIBUTION.on(engine) else NotFound):
            await docker.images.distribution(absent)

    async def test_an_image_of_another_platform(
        self, docker: Any, engine: PrivateEngine, open_registry: Registry
    ) -> None:
        repository = f"{open_registry.host}/team/platform"
        await docker.images.tag("busybox", repository)
        await docker.images.push(repository)
        pulling = docker.images.pull(repository, platform="linux/s390x")
        if Difference.PULL_REFUSES_ANOTHER_PLATFORM.on(engine):
            with pytest.raises(NotFound, match="wanted linux/s390x, actual: linux/amd64"):
                await pulling
        else:
            told = "linux/amd64" if Difference.PULL_TELLS_ANOTHER_PLATFORM.on(engine) else None
            assert (await pulling).result.mismatched_platform == told
        assert (await docker.images.pull(repository)).result.mismatched_platform is None
        await docker.images.delete(repository)

    async def test_a_registry_that_is_not_there(self, docker: Any, refusing_port: int) -> None:
        with pytest.raises(ServerError, match="connection refused"):
            await docker.images.pull(f"127.0.0.1:{refusing_port}/x")

    async def test_search_of_a_registry_that_cannot(
        self, docker: Any, engine: PrivateEngine, open_registry: Registry
    ) -> None:
        repository = f"{open_registry.host}/team/searched"
        await docker.images.tag("busybox", repository)
        await docker.images.push(repository)
        await docker.images.delete(repository)
        if Difference.SEARCH_OF_CATALOGUE.on(engine):
            (found,) = await docker.images.search(repository, limit=5)
            keys = (
                ("Name", "Stars") if Difference.SEARCH_WITH_OTHER_KEYS.on(engine) else ("name", "star_count")
            )
            assert [found[key] for key in keys] == [repository, 0]
            with pytest.raises(NotFound):
                await docker.images.search(repository, filters={"stars": 1})
            return
        with pytest.raises(DockerError):
            await docker.images.search(repository, limit=5, filters={"stars": 1})
