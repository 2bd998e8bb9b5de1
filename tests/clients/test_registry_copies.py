"""Copies and indexes in registries, on each transport."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dockerproto import (
    Descriptor,
    ProtocolViolated,
    Unauthorized,
    UploadFailed,
)
from dockerproto.registry.requests import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from tests.support.registries import (
    CONFIG,
    IMAGE,
    LAYER,
    TAG,
    ImageData,
    OpenRegistry,
    accept,
    digest_of,
    index_of,
    manifest_response,
    open_registries,
    other_server,
    scripted_image,
    serve,
    serving_registry,
)
from tests.testbed.scripted import head, response
from tests.testbed.scripted_registry import ScriptedRegistry

pytestmark = pytest.mark.anyio

open_client = pytest.fixture(open_registries)
scripted_registry = pytest.fixture(serving_registry)
elsewhere = pytest.fixture(other_server)
name = pytest.fixture(scripted_image)


class TestCopying:
    async def test_blobs_are_mounted(
        self, open_client: OpenRegistry, scripted_registry: ScriptedRegistry, name: str
    ) -> None:
        accept(scripted_registry, "b", "1")
        scripted_registry.script("POST", "/v2/b/blobs/uploads/", response(201))
        async with open_client() as registry:
            assert await registry.copy(name, f"{scripted_registry.host}/b:1") == IMAGE.descriptor
        mounts = [
            each.target.partition("?")[2] for each in scripted_registry.requests if each.method == "POST"
        ]
        assert mounts == [f"mount={digest.replace(':', '%3A')}&from=a" for digest in IMAGE.blobs]
        assert scripted_registry.requests[-1].body == IMAGE.manifest

    async def test_blobs_are_streamed(
        self,
        open_client: OpenRegistry,
        scripted_registry: ScriptedRegistry,
        elsewhere: ScriptedRegistry,
        name: str,
    ) -> None:
        large = ImageData(layer=bytes(3_000_000))
        serve(scripted_registry, "large", large)
        accept(elsewhere, "b", "latest")
        async with open_client() as registry:
            await registry.copy(f"{scripted_registry.host}/large:1", f"{elsewhere.host}/b")
        uploads = [each for each in elsewhere.requests if each.path == "/v2/b/blobs/uploads/id"]
        assert [each.body for each in uploads] == [large.config, large.layer]
        digests = [f"_state=x&digest={each.replace(':', '%3A')}" for each in large.blobs]
        assert [each.target.partition("?")[2] for each in uploads] == digests
        assert elsewhere.requests[-1].headers["content-type"] == OCI_MANIFEST

    async def test_blobs_that_exist_are_not_sent(
        self,
        open_client: OpenRegistry,
        scripted_registry: ScriptedRegistry,
        elsewhere: ScriptedRegistry,
        name: str,
    ) -> None:
        serve(elsewhere, "b", IMAGE)
        accept(elsewhere, "b", "2")
        async with open_client() as registry:
            await registry.copy(name, f"{elsewhere.host}/b:2")
        assert {each.method for each in elsewhere.requests} == {"HEAD", "PUT"}

    async def test_a_tag_in_the_same_repository(
        self, open_client: OpenRegistry, scripted_registry: ScriptedRegistry, name: str
    ) -> None:
        accept(scripted_registry, "a", "2")
        async with open_client() as registry:
            await registry.copy(name, f"{scripted_registry.host}/a:2")
        assert scripted_registry.asked() == [f"GET {TAG}", "PUT /v2/a/manifests/2"]

    @pytest.mark.parametrize(
        ("reply", "message"),
        [
            (response(200, b"LAYER"), "the digest of the data is"),
            (response(200, b"lay"), "shorter than 5 bytes"),
            (response(200, b"layer and more"), "longer than 5 bytes"),
            (head(200, {"Content-Length": "100", "Connection": "close"}) + b"lay", "closed the connection"),
        ],
        ids=["digest", "short", "long", "truncated"],
    )
    async def test_a_wrong_blob_never_arrives(  # noqa: PLR0917  # fixtures and parameters
        self,
        open_client: OpenRegistry,
        scripted_registry: ScriptedRegistry,
        elsewhere: ScriptedRegistry,
        name: str,
        reply: bytes,
        message: str,
    ) -> None:
        scripted_registry.script("GET", f"/v2/a/blobs/{LAYER}", reply)
        accept(elsewhere, "b", "1")
        async with open_client() as registry:
            with pytest.raises((ProtocolViolated, UploadFailed), match=message):
                await registry.copy(name, f"{elsewhere.host}/b:1")
        assert "PUT /v2/b/manifests/1" not in elsewhere.asked()

    async def test_a_foreign_layer_is_not_copied(
        self, open_client: OpenRegistry, scripted_registry: ScriptedRegistry, elsewhere: ScriptedRegistry
    ) -> None:
        layers = [{**json.loads(IMAGE.manifest)["layers"][0], "urls": ["https://r.example/layer"]}]
        foreign = ImageData(layers=layers)
        serve(scripted_registry, "foreign", foreign)
        accept(elsewhere, "b", "1")
        async with open_client() as registry:
            await registry.copy(f"{scripted_registry.host}/foreign:1", f"{elsewhere.host}/b:1")
        assert f"HEAD /v2/b/blobs/{LAYER}" not in elsewhere.asked()

    async def test_indexes_inside_of_each_other_are_bounded(
        self, open_client: OpenRegistry, scripted_registry: ScriptedRegistry, elsewhere: ScriptedRegistry
    ) -> None:
        data = index_of(IMAGE)
        for number in range(5):
            scripted_registry.script(
                "GET",
                f"/v2/a/manifests/{digest_of(data) if number < 4 else 'deep'}",
                manifest_response(data, OCI_INDEX),
            )
            member = {"mediaType": OCI_INDEX, "digest": digest_of(data), "size": len(data)}
            data = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [member]}).encode()
        accept(elsewhere, "b", "1")
        async with open_client() as registry:
            with pytest.raises(ProtocolViolated, match="more than 4 indexes inside of each other"):
                await registry.copy(f"{scripted_registry.host}/a:deep", f"{elsewhere.host}/b:1")

    async def test_an_upload_that_does_not_begin(
        self, open_client: OpenRegistry, scripted_registry: ScriptedRegistry, name: str
    ) -> None:
        scripted_registry.script("POST", "/v2/b/blobs/uploads/", response(200))
        async with open_client() as registry:
            with pytest.raises(ProtocolViolated, match="unexpected status 200 for the start of an upload"):
                await registry.copy(name, f"{scripted_registry.host}/b:1")

    async def test_a_manifest_that_is_stored_under_another_digest(
        self, open_client: OpenRegistry, scripted_registry: ScriptedRegistry, name: str
    ) -> None:
        other = {"Docker-Content-Digest": digest_of(b"other")}
        scripted_registry.script("PUT", "/v2/a/manifests/2", response(201, b"", other))
        async with open_client() as registry:
            with pytest.raises(ProtocolViolated, match="the digest of the data is"):
                await registry.copy(name, f"{scripted_registry.host}/a:2")

    @pytest.mark.parametrize("target", ["r.example/a@" + IMAGE.digest])
    async def test_a_target_is_a_tag(self, open_client: OpenRegistry, name: str, target: str) -> None:
        async with open_client() as registry:
            with pytest.raises(ValueError, match="the target must be a tag, not a digest"):
                await registry.copy(name, target)

    async def test_a_target_that_is_refused(
        self, open_client: OpenRegistry, elsewhere: ScriptedRegistry, name: str
    ) -> None:
        elsewhere.script("HEAD", f"/v2/b/blobs/{CONFIG}", response(403))
        async with open_client() as registry:
            with pytest.raises(Unauthorized, match="403 Forbidden"):
                await registry.copy(name, f"{elsewhere.host}/b:1")

    async def test_an_index_is_copied_with_its_members(
        self, open_client: OpenRegistry, scripted_registry: ScriptedRegistry, elsewhere: ScriptedRegistry
    ) -> None:
        data = index_of(IMAGE)
        scripted_registry.script("GET", "/v2/a/manifests/index", manifest_response(data, OCI_INDEX))
        accept(elsewhere, "b", IMAGE.digest, "1")
        async with open_client() as registry:
            await registry.copy(f"{scripted_registry.host}/a:index", f"{elsewhere.host}/b:1")
        stored = [each.body for each in elsewhere.requests if "/manifests/" in each.path]
        assert stored == [IMAGE.manifest, data]


class TestIndexes:
    async def test_images_are_joined(
        self, open_client: OpenRegistry, scripted_registry: ScriptedRegistry, elsewhere: ScriptedRegistry
    ) -> None:
        arm, host = ImageData("arm64"), scripted_registry.host
        serve(elsewhere, "arm", arm)
        accept(scripted_registry, "a", "both", arm.digest)
        async with open_client() as registry:
            descriptor: Descriptor = await registry.index(
                f"{host}/a:both", [f"{host}/a:1", f"{elsewhere.host}/arm:1"], annotations={"x": "y"}
            )
        stored = scripted_registry.requests[-1]
        document = json.loads(stored.body)
        platforms = [{"os": "linux", "architecture": each} for each in ("amd64", "arm64")]
        assert stored.path == "/v2/a/manifests/both"
        assert document["manifests"] == [
            {**each.descriptor, "platform": platform}
            for each, platform in zip((IMAGE, arm), platforms, strict=True)
        ]
        assert document["annotations"] == {"x": "y"}
        assert descriptor == {
            "mediaType": OCI_INDEX,
            "digest": digest_of(stored.body),
            "size": len(stored.body),
        }
        assert f"PUT /v2/a/manifests/{arm.digest}" in scripted_registry.asked()

    async def test_an_index_is_replaced_by_its_members(
        self, open_client: OpenRegistry, scripted_registry: ScriptedRegistry
    ) -> None:
        host, arm = scripted_registry.host, ImageData("arm64")
        data = index_of(arm)
        serve(scripted_registry, "a", arm, "arm")
        scripted_registry.script("GET", "/v2/a/manifests/index", manifest_response(data, OCI_INDEX))
        accept(scripted_registry, "a", "both")
        async with open_client() as registry:
            await registry.index(f"{host}/a:both", [f"{host}/a:index", f"{host}/a:1"])
        members = json.loads(scripted_registry.requests[-1].body)["manifests"]
        assert [each["digest"] for each in members] == [arm.digest, IMAGE.digest]

    async def test_a_single_index_is_stored_unchanged(
        self, open_client: OpenRegistry, scripted_registry: ScriptedRegistry
    ) -> None:
        host, data = scripted_registry.host, index_of(IMAGE)
        scripted_registry.script("GET", "/v2/a/manifests/index", manifest_response(data, OCI_INDEX))
        accept(scripted_registry, "a", "same", "annotated")
        async with open_client() as registry:
            await registry.index(f"{host}/a:same", [f"{host}/a:index"])
            assert scripted_registry.requests[-1].body == data
            await registry.index(f"{host}/a:annotated", [f"{host}/a:index"], annotations={"x": "y"})
            assert scripted_registry.requests[-1].body != data

    async def test_something_without_a_platform(
        self, open_client: OpenRegistry, scripted_registry: ScriptedRegistry
    ) -> None:
        host = scripted_registry.host
        config = {
            "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": CONFIG,
            "size": len(IMAGE.config),
        }
        artifact = ImageData(mediaType=DOCKER_MANIFEST, config=config)
        serve(scripted_registry, "a", artifact, "artifact")
        accept(scripted_registry, "a", "index")
        scripted_registry.script(
            "GET", "/v2/a/manifests/artifact", manifest_response(artifact.manifest, DOCKER_MANIFEST)
        )
        async with open_client() as registry:
            await registry.index(f"{host}/a:index", [f"{host}/a:artifact"])
        (member,) = json.loads(scripted_registry.requests[-1].body)["manifests"]
        assert "platform" not in member

    async def test_a_wrong_configuration_is_refused(
        self, open_client: OpenRegistry, scripted_registry: ScriptedRegistry, name: str
    ) -> None:
        wrong = IMAGE.config.replace(b"amd64", b"arm64")
        scripted_registry.script("GET", f"/v2/a/blobs/{CONFIG}", response(200, wrong))
        async with open_client() as registry:
            with pytest.raises(ProtocolViolated, match="the digest of the data is"):
                await registry.index(f"{name}-index", [name])

    @pytest.mark.parametrize("sources", [[], "r.example/a"])
    async def test_sources_are_a_list(self, open_client: OpenRegistry, sources: Any) -> None:
        async with open_client() as registry:
            with pytest.raises(ValueError, match="sources must be a list of one or more references"):
                await registry.index("r.example/a", sources)
