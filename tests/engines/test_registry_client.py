"""The client of registries against real ones: open, with basic authentication, and with tokens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from dockerproto import DEFAULT, Descriptor, NotFound, Unauthorized
from dockerproto.registry.requests import OCI_INDEX
from tests.conftest import Connect
from tests.support.facade import Transport
from tests.support.registries import ImageData, OpenRegistry, open_registries, registry_client, serve
from tests.support.stored import ENTRY, ME, PASSWORD, USER, Machine
from tests.testbed.private import PrivateEngine
from tests.testbed.registry import Registry
from tests.testbed.scripted_registry import ScriptedRegistry
from tests.testbed.token_server import TokenServer

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

AMD, ARM = ImageData("amd64"), ImageData("arm64", layer=bytes(3_000_000))
PLATFORMS: Final = [{"os": "linux", "architecture": each} for each in ("amd64", "arm64")]


open_client = pytest.fixture(open_registries)


@pytest.fixture(params=["open", "basic", "tokens"])
def host(
    request: pytest.FixtureRequest,
    open_registry: Registry,
    closed_registry: Registry,
    token_registry: Registry,
) -> str:
    """Return the host of a registry of each kind."""
    kinds = {"open": open_registry, "basic": closed_registry, "tokens": token_registry}
    kind: str = request.param
    return kinds[kind].host


@pytest.fixture
def source() -> Iterator[ScriptedRegistry]:
    """Return a registry with an image for each of two platforms."""
    with ScriptedRegistry() as source:
        serve(source, "amd", AMD)
        serve(source, "arm", ARM)
        yield source


async def test_images_are_copied_joined_and_read(
    open_client: OpenRegistry, host: str, source: ScriptedRegistry
) -> None:
    repository = f"{host}/team/app"
    sources = [f"{source.host}/{each}:1" for each in ("amd", "arm")]
    async with open_client(credentials={host: ME}) as client:
        assert await client.copy(sources[0], f"{repository}:amd") == AMD.descriptor
        assert await client.resolve(f"{repository}:amd") == AMD.descriptor
        joined: Descriptor = await client.index(f"{repository}:1", sources, annotations={"a": "b"})
        manifest = await client.manifest(f"{repository}:1@{joined['digest']}")
        assert manifest.descriptor == joined == await client.resolve(f"{repository}:1")
        assert [each["platform"] for each in manifest.manifests] == PLATFORMS
        assert (manifest.descriptor["mediaType"], manifest.document["annotations"]) == (OCI_INDEX, {"a": "b"})
        source.scripts.clear()  # mounted from now on
        assert await client.copy(f"{repository}:1", f"{host}/team/other:2") == joined
        assert await client.index(f"{host}/team/other", [f"{repository}:1"]) == joined
        assert (await client.manifest(f"{host}/team/other@{ARM.digest}")).data == ARM.manifest
        with pytest.raises(NotFound):
            await client.resolve(f"{repository}:missing")


@pytest.mark.parametrize("host", ["basic", "tokens"], indirect=True)
async def test_others_are_refused(open_client: OpenRegistry, host: str, source: ScriptedRegistry) -> None:
    for credentials in (None, {host: {**ME, "password": "wrong"}}, {host: {**ME, "username": "nobody"}}):
        async with open_client(credentials=credentials) as client:
            with pytest.raises(Unauthorized, match=f"{host} needs"):
                await client.resolve(f"{host}/team/app:1")
            with pytest.raises(Unauthorized, match=f"{host} needs"):
                await client.copy(f"{source.host}/amd:1", f"{host}/team/app:1")


async def test_anybody_reads_what_is_public(
    open_client: OpenRegistry, token_registry: Registry, tokens: TokenServer, source: ScriptedRegistry
) -> None:
    name = f"{token_registry.host}/public/app:1"
    async with open_client(credentials={token_registry.host: ME}) as client:
        await client.copy(f"{source.host}/amd:1", name)
    tokens.asked.clear()
    async with open_client() as client:
        assert await client.resolve(name) == AMD.descriptor
    assert [each.user for each in tokens.asked] == [None]


@pytest.mark.parametrize("kind", ["identitytoken", "registrytoken"])
async def test_tokens_as_credentials(
    open_client: OpenRegistry,
    token_registry: Registry,
    tokens: TokenServer,
    source: ScriptedRegistry,
    kind: str,
) -> None:
    scopes = ("repository:tokens/app:pull,push",)
    token = tokens.identity if kind == "identitytoken" else tokens.answer((USER, PASSWORD), scopes)
    async with open_client(credentials={token_registry.host: {kind: token}}) as client:
        name = f"{token_registry.host}/tokens/app:1"
        await client.copy(f"{source.host}/amd:1", name)
        assert await client.resolve(name) == AMD.descriptor


async def test_credentials_are_those_of_docker_login(
    transport: Transport, closed_registry: Registry, source: ScriptedRegistry, machine: Machine
) -> None:
    machine.write({"auths": {closed_registry.host: ENTRY}})
    async with registry_client(transport, credentials=DEFAULT) as client:
        await client.copy(f"{source.host}/amd:1", f"{closed_registry.host}/login/app")


async def test_an_image_that_an_engine_pushed(
    open_client: OpenRegistry, engine: PrivateEngine, connect: Connect, open_registry: Registry
) -> None:
    host = open_registry.host
    async with connect(engine.url) as docker, open_client() as client:
        await docker.images.tag("busybox", f"{host}/pushed/app:1")
        await docker.images.push(f"{host}/pushed/app:1")
        await docker.images.delete(f"{host}/pushed/app:1")
        await client.index(f"{host}/pushed/copy:1", [f"{host}/pushed/app:1"])
        (member,) = (await client.manifest(f"{host}/pushed/copy:1")).manifests
        assert member["platform"]["os"] == "linux"
        await docker.images.pull(f"{host}/pushed/copy:1")
        await docker.images.delete(f"{host}/pushed/copy:1")
