"""Manifests: parsed, verified, joined."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from dockerproto import Descriptor, Manifest, ProtocolViolated
from dockerproto.registry.manifests import check_descriptor, join, parse_manifest, parse_platform
from dockerproto.registry.requests import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST

OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
UNKNOWN = {"os": "unknown", "architecture": "unknown"}


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def described(media_type: str, data: bytes, **fields: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data), **fields}


IMAGE = {
    "schemaVersion": 2,
    "mediaType": OCI_MANIFEST,
    "config": described(OCI_CONFIG, b"{}"),
    "layers": [described(LAYER, b"layer")],
}
INDEX = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [described(OCI_MANIFEST, b"x")]}


def parse(document: object, media_type: str = "") -> Manifest:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    return parse_manifest(data, media_type=media_type, digest=digest_of(data), subject="r.example/a:1")


def without(document: dict[str, Any], *keys: str, **others: Any) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in keys} | others


def test_an_image() -> None:
    manifest = parse(IMAGE)
    assert not manifest.is_index
    assert manifest.manifests == []
    assert manifest.config == IMAGE["config"]
    assert manifest.layers == IMAGE["layers"]
    assert manifest.document == IMAGE
    assert manifest.descriptor == described(OCI_MANIFEST, manifest.data)
    assert repr(manifest) == f"Manifest(descriptor={manifest.descriptor!r})"


def test_an_index() -> None:
    manifest = parse(INDEX)
    assert manifest.is_index
    assert manifest.manifests == INDEX["manifests"]
    assert manifest.layers == []
    assert manifest.config is None


@pytest.mark.parametrize(
    ("document", "media_type", "expected"),
    [
        (IMAGE, f"{OCI_MANIFEST}; charset=utf-8", OCI_MANIFEST),
        (IMAGE, "text/plain", OCI_MANIFEST),
        (without(IMAGE, mediaType=DOCKER_MANIFEST), DOCKER_MANIFEST, DOCKER_MANIFEST),
        (without(IMAGE, "mediaType"), DOCKER_MANIFEST, DOCKER_MANIFEST),
        (without(IMAGE, "mediaType"), "application/json", OCI_MANIFEST),
        (without(INDEX, "mediaType"), "", OCI_INDEX),
        (without(INDEX, mediaType=DOCKER_LIST), "", DOCKER_LIST),
    ],
)
def test_the_media_type(document: Any, media_type: str, expected: str) -> None:
    assert parse(document, media_type).descriptor["mediaType"] == expected


@pytest.mark.parametrize(
    ("document", "media_type", "message"),
    [
        (b"<html>", "", "the manifest is not JSON"),
        (b"\xff\xff", "", "the manifest is not JSON"),
        (b"[" * 100_000, "", "the manifest is not JSON"),
        ([], "", "the manifest is not a JSON object"),
        ({}, "application/json", "unsupported media type of a manifest: application/json"),
        ({"schemaVersion": 1, "layers": []}, "", "unsupported media type of a manifest: $"),
        (without(IMAGE, mediaType="application/x"), OCI_MANIFEST, "unsupported media type .*: application/x"),
        (without(IMAGE, manifests=[]), "", "the manifest is of two media types at once"),
        (without(IMAGE, "mediaType", manifests=[]), "", "unsupported media type"),
        (IMAGE, OCI_INDEX, "the manifest is of two media types at once"),
        (without(IMAGE, "layers"), "", "has no list of layers"),
        (without(IMAGE, layers={}), "", "has no list of layers"),
        (without(INDEX, manifests=None), "", "has no list of manifests"),
        (without(IMAGE, "config"), "", "invalid descriptor in a manifest: None"),
        (without(IMAGE, layers=[5]), "", "invalid descriptor in a manifest: 5"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_malformed_manifest_is_refused(document: Any, media_type: str, message: str) -> None:
    with pytest.raises(ProtocolViolated, match=message):
        parse(document, media_type)


def test_a_wrong_digest_is_refused() -> None:
    with pytest.raises(
        ProtocolViolated, match=r"r\.example/a:1: the digest of the data is sha256:.*, not sha256:0"
    ):
        parse_manifest(b"{}", media_type="", digest=f"sha256:{'0' * 64}", subject="r.example/a:1")


def test_a_longer_digest_is_verified() -> None:
    data = json.dumps(IMAGE).encode()
    digest = f"sha512:{hashlib.sha512(data).hexdigest()}"
    assert parse_manifest(data, media_type="", digest=digest, subject="x").descriptor["digest"] == digest


@pytest.mark.parametrize(
    "change",
    [
        {"mediaType": None},
        {"digest": "sha256:../../x"},
        {"digest": f"sha256:{'A' * 64}"},
        {"digest": 5},
        {"size": -1},
        {"size": "5"},
        {"size": True},
        {"size": None},
    ],
    ids=str,
)
def test_an_invalid_descriptor_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ProtocolViolated, match="invalid descriptor in a manifest"):
        check_descriptor({**described(LAYER, b"x"), **change})


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"os": "linux", "architecture": "amd64", "variant": "", "history": []}, ["os", "architecture"]),
        ({"os": "linux", "architecture": "arm", "variant": "v7"}, ["os", "architecture", "variant"]),
        (
            {"os": "windows", "architecture": "amd64", "os.version": "10", "os.features": ["win32k"]},
            ["os", "architecture", "os.version", "os.features"],
        ),
    ],
    ids=str,
)
def test_the_platform_of_a_configuration(config: dict[str, Any], expected: list[str]) -> None:
    data = json.dumps(config).encode()
    platform = parse_platform(check_descriptor(described(OCI_CONFIG, data)), data)
    assert platform == {key: config[key] for key in expected}


def test_something_else_has_no_platform() -> None:
    descriptor = check_descriptor(described("application/vnd.oci.empty.v1+json", b"{}"))
    assert parse_platform(descriptor, b"{}") is None


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"os": "linux"}', b'{"os": 1, "architecture": "a"}'])
def test_a_malformed_configuration_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolViolated, match=r"invalid configuration|has no platform"):
        parse_platform(check_descriptor(described(OCI_CONFIG, data)), data)


def test_a_configuration_of_another_size_is_refused() -> None:
    with pytest.raises(ProtocolViolated, match="size of sha256"):
        parse_platform(check_descriptor(described(OCI_CONFIG, b"{}")), b"{} ")


def of(media_type: str) -> Manifest:
    return parse(
        without(INDEX if "index" in media_type or "list" in media_type else IMAGE, mediaType=media_type)
    )


def joined(sources: list[Manifest], members: list[Any], annotations: dict[str, str] | None = None) -> Any:
    media_type, data = join(sources, members, annotations or {})
    document = json.loads(data)
    assert (document["schemaVersion"], document["mediaType"]) == (2, media_type)
    return document


@pytest.mark.parametrize(
    ("types", "annotations", "expected"),
    [
        ([OCI_MANIFEST], {}, OCI_INDEX),
        ([DOCKER_MANIFEST], {}, DOCKER_LIST),
        ([DOCKER_MANIFEST, DOCKER_LIST], {}, DOCKER_LIST),
        ([DOCKER_MANIFEST, OCI_MANIFEST], {}, OCI_INDEX),
        ([DOCKER_MANIFEST], {"a": "b"}, OCI_INDEX),
    ],
)
def test_the_kind_of_an_index(types: list[str], annotations: dict[str, str], expected: str) -> None:
    document = joined([of(each) for each in types], [], annotations)
    assert document["mediaType"] == expected
    assert document.get("annotations", {}) == annotations


def test_members_are_joined_in_order_and_once() -> None:
    one: Any = described(OCI_MANIFEST, b"1", annotations={"a": "1", "b": "1"}, extra="kept")
    two: Any = described(OCI_MANIFEST, b"2", platform={"os": "linux", "architecture": "arm64"})
    attestation: Any = described(OCI_MANIFEST, b"3", platform=UNKNOWN, annotations={"reference": "x"})
    again: Any = described(OCI_MANIFEST, b"1", annotations={"b": "2"}, platform=UNKNOWN)
    members = joined([of(OCI_MANIFEST)], [one, two, attestation, again, two])["manifests"]
    first = {**one, "annotations": {"a": "1", "b": "2"}, "platform": UNKNOWN}
    assert members == [first, two, attestation]
    assert one["annotations"] == {"a": "1", "b": "1"}


def test_an_index_is_the_same_each_time() -> None:
    member: Descriptor = {"mediaType": OCI_MANIFEST, "digest": digest_of(b"x"), "size": 1}
    assert len({join([of(OCI_MANIFEST)], [member], {"a": "b"}) for _ in range(3)}) == 1
