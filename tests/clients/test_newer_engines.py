"""Engines that are newer than those that the tests can start: 29.0 and later, API 1.52 to 1.55.

The answers here are built from the engine's source and documentation, not recorded.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from dockerproto import DockerStreamError, NotFound, Unauthorized, UnsupportedVersion
from tests.conftest import Connect
from tests.testbed.scripted import (
    DontReadBody,
    ReadBody,
    ReadSome,
    ScriptedEngine,
    Step,
    chunk,
    chunked,
    json_response,
    stream_head,
)

pytestmark = pytest.mark.anyio

DIGEST = "sha256:" + "5" * 64


@pytest.fixture
def newer(scripted: ScriptedEngine) -> ScriptedEngine:
    scripted.api_version = "1.55"
    return scripted


def lines(*messages: Any) -> list[bytes]:
    return [json.dumps(message).encode() + b"\r\n" for message in messages]


async def test_what_an_inspection_leaves_out_reads_as_empty(newer: ScriptedEngine, connect: Connect) -> None:
    answer = {
        "Id": DIGEST,
        "RepoTags": ["busybox:latest"],
        "RepoDigests": [f"busybox@{DIGEST}"],
        "Architecture": "amd64",
        "Os": "linux",
        "Size": 5,
        "RootFS": {"Type": "layers", "Layers": [DIGEST]},
        "Metadata": {"LastTagTime": "0001-01-01T00:00:00Z"},
        "Descriptor": {"mediaType": "application/vnd.oci.image.index.v1+json", "digest": DIGEST, "size": 9},
        "Config": {},
    }
    newer.script("GET", "/images/busybox/json", json_response(answer))
    async with connect(newer.url) as docker:
        image = await docker.images.inspect("busybox", platform="linux/amd64")
    assert image.items() >= {name: value for name, value in answer.items() if name != "Config"}.items()
    assert (image["Config"]["Cmd"], image["Config"]["Labels"], image["Author"]) == ([], None, "")
    platform = json.loads(newer.requests[-1].query["platform"][0])
    assert platform == {"os": "linux", "architecture": "amd64"}


async def test_a_push_that_says_the_digest_in_its_text_only(newer: ScriptedEngine, connect: Connect) -> None:
    messages = [
        {"status": "The push refers to repository [docker.io/library/busybox]"},
        {"status": "Pushing", "progressDetail": {"current": 5, "total": 9}, "id": "0123456789ab"},
        {"status": f"latest: digest: {DIGEST} size: 738"},
    ]
    newer.script("POST", "/images/busybox/push", chunked(*lines(*messages)))
    async with connect(newer.url) as docker:
        assert await docker.images.push("busybox", platform="linux/amd64") == messages


async def test_a_pull_that_draws_no_bars(newer: ScriptedEngine, connect: Connect) -> None:
    messages = [
        {"status": "Downloading", "progressDetail": {"current": 5, "total": 9}, "id": "0123456789ab"},
        {"status": "Extracting", "progressDetail": {"current": 1, "units": "s"}, "id": "0123456789ab"},
    ]
    newer.script("POST", "/images/create", chunked(*lines(*messages)))
    async with connect(newer.url) as docker, docker.images.pull("busybox", stream=True) as stream:
        assert [message async for message in stream] == messages


async def test_an_error_without_the_deprecated_key(newer: ScriptedEngine, connect: Connect) -> None:
    newer.script("POST", "/images/create", chunked(*lines({"errorDetail": {"message": "manifest unknown"}})))
    async with connect(newer.url) as docker:
        with pytest.raises(NotFound) as raised:
            await docker.images.pull("busybox")
        assert isinstance(raised.value, DockerStreamError)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "error from registry: authentication required"),
        (403, "error from registry: denied: requested access"),
    ],
)
async def test_a_registry_that_refuses_is_a_status(
    newer: ScriptedEngine, connect: Connect, status: int, message: str
) -> None:
    newer.script("POST", "/images/create", json_response({"message": message}, status))
    async with connect(newer.url) as docker:
        with pytest.raises(Unauthorized):
            await docker.images.pull("registry.example/app")


async def test_a_version_below_the_minimum_is_told(newer: ScriptedEngine, connect: Connect) -> None:
    text = "client version 1.41 is too old. Minimum supported API version is 1.44, please upgrade your client"
    newer.script("GET", "/images/json", json_response({"message": text}, 400))
    async with connect(newer.url, api_version="1.41") as docker:
        with pytest.raises(UnsupportedVersion, match=r"Minimum supported API version is 1\.44"):
            await docker.images.list()


async def test_a_build_that_answers_before_its_upload_ends(newer: ScriptedEngine, connect: Connect) -> None:
    steps = lines(*({"stream": f"{number} " * 50} for number in range(200)))
    reply: list[Step] = [DontReadBody(), stream_head(), *map(chunk, steps[:100]), ReadSome(1000)]
    newer.script("POST", "/build", [*reply, *map(chunk, steps[100:]), ReadBody(), b"0\r\n\r\n"])
    async with connect(newer.url) as docker:
        messages = await docker.images.build(fileobj=iter([b"x" * 50_000] * 40))
    assert len(messages) == 200


async def test_platforms_of_a_deletion_and_an_export(newer: ScriptedEngine, connect: Connect) -> None:
    newer.script("DELETE", "/images/busybox", json_response([{"Deleted": DIGEST}]))
    newer.script("GET", "/images/busybox/get", chunked(bytes(1024)))
    async with connect(newer.url) as docker:
        deleted = await docker.images.delete("busybox", force=True, platforms=["linux/amd64", "linux/arm64"])
        assert deleted == [{"Deleted": DIGEST}]
        assert [json.loads(each)["architecture"] for each in newer.requests[-1].query["platforms"]] == [
            "amd64",
            "arm64",
        ]
        assert await docker.images.export_image("busybox", platform="linux/amd64").read() == bytes(1024)
