"""A registry that wants credentials, and engines that ask it: pushes, pulls, builds."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from dockerproto import ANONYMOUS, DockerError, ServerError, Unauthorized
from tests.conftest import Connect
from tests.engines.differences import Difference
from tests.support.stored import ENTRY, ME, PASSWORD, USER, Machine
from tests.testbed.base_image import context
from tests.testbed.private import PrivateEngine

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def use(connect: Connect, engine: PrivateEngine, repository: str, **options: Any) -> None:
    async with connect(engine.url, **options) as docker:
        await docker.images.push(repository)
        await docker.images.pull(repository)
        if not Difference.NO_DISTRIBUTION.on(engine):
            assert (await docker.images.distribution(repository))["Descriptor"]["size"] > 0


async def test_of_the_file(
    connect: Connect, engine: PrivateEngine, repository: str, machine: Machine
) -> None:
    machine.write({"auths": {repository.partition("/")[0]: ENTRY}})
    await use(connect, engine, repository)


async def test_of_the_environment(
    connect: Connect, engine: PrivateEngine, repository: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    auths = {"auths": {f"http://{repository.partition('/')[0]}/v2/": ENTRY}}
    monkeypatch.setenv("DOCKER_AUTH_CONFIG", json.dumps(auths))
    await use(connect, engine, repository)


async def test_of_a_helper(
    connect: Connect, engine: PrivateEngine, repository: str, machine: Machine
) -> None:
    machine.write({"credsStore": "keys"})
    machine.helper("keys", Username=USER, Secret=PASSWORD)
    await use(connect, engine, repository)
    times = 2 if Difference.NO_DISTRIBUTION.on(engine) else 3
    assert machine.asked == [f"get {repository.partition('/')[0]}"] * times


@pytest.mark.differs(Difference.LOGIN_OVER_TLS, raises=ServerError)
async def test_of_a_login(connect: Connect, engine: PrivateEngine, repository: str) -> None:
    host = repository.partition("/")[0]
    async with connect(engine.url, credentials=None) as docker:
        with pytest.raises(Unauthorized):
            await docker.images.push(repository)
        for wrong in ((USER, "wrong"), ("nobody", PASSWORD)):
            with pytest.raises(Unauthorized):
                await docker.login(host, *wrong)
            with pytest.raises(Unauthorized):
                await docker.images.push(repository)
        assert await docker.login(host, USER, PASSWORD) == "Login Succeeded"
        await docker.images.push(repository)
        with pytest.raises(Unauthorized):
            await docker.images.push(repository, auth=ANONYMOUS)


async def test_a_login_at_no_registry(connect: Connect, engine: PrivateEngine, refusing_port: int) -> None:
    async with connect(engine.url) as docker:
        with pytest.raises(DockerError):
            await docker.login(f"127.0.0.1:{refusing_port}", USER, PASSWORD)
        with pytest.raises(ValueError, match="invalid registry address") as raised:
            await docker.login(f"{USER}:{PASSWORD}@r.example", USER, PASSWORD)
        assert PASSWORD not in str(raised.value)


@pytest.fixture
async def pushed(connect: Connect, engine: PrivateEngine, repository: str) -> str:
    """The name of an image that the registry has, and the engine has not."""
    async with connect(engine.url, credentials=None) as docker:
        await docker.images.push(repository, auth=ME)
        await docker.images.delete(repository)
    return repository


async def test_of_a_build(connect: Connect, engine: PrivateEngine, pushed: str) -> None:
    host = pushed.partition("/")[0]
    async with connect(engine.url) as docker:
        with pytest.raises(DockerError):
            await docker.images.build(fileobj=context(f"FROM {pushed}\n"))
        auth = {host: ME, "docker.io": ME}
        await docker.images.build(fileobj=context(f"FROM {pushed}\n"), auth=auth, tag=pushed)


async def test_of_a_build_that_looks_them_up(
    connect: Connect, engine: PrivateEngine, pushed: str, machine: Machine, tmp_path: Path
) -> None:
    machine.write({"credsStore": "keys"})
    machine.helper("keys", Username=USER, Secret=PASSWORD)
    tar = context(f"ARG NAME\nFROM {pushed.partition('/')[0]}/$NAME\nCOPY file /\n", file=bytes(100_000))
    path = tmp_path / "context.tar"
    path.write_bytes(tar)
    build = {"buildargs": {"NAME": pushed.partition("/")[2]}, "tag": pushed}
    async with connect(engine.url) as docker:
        with pytest.raises(DockerError):
            await docker.images.build(fileobj=iter([tar]), **build)
        with pytest.raises(DockerError):
            await docker.images.build(fileobj=tar, auth=ANONYMOUS, **build)
        assert machine.asked == []
        with path.open("rb") as file:
            for fileobj in (tar, gzip.compress(tar), path, file):
                await docker.images.build(fileobj=fileobj, **build)
                await docker.images.delete(pushed)
    assert machine.asked == [f"get {pushed.partition('/')[0]}"] * 4


async def test_of_a_build_with_several_stages(
    connect: Connect, engine: PrivateEngine, pushed: str, machine: Machine
) -> None:
    host = pushed.partition("/")[0]
    machine.write({"auths": {host: ENTRY}, "credHelpers": {"r.example": "none"}})
    dockerfile = f"FROM busybox AS first\nRUN true\nFROM first\nCOPY --from={pushed} /bin/busybox /copy\n"
    async with connect(engine.url) as docker:
        await docker.images.build(fileobj=context(dockerfile), tag=pushed)
