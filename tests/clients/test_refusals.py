"""Refusals of registries through whole clients: as a status, in a stream; names that only look like one."""

from __future__ import annotations

import json

import pytest

from dockerproto import (
    BadRequest,
    DockerError,
    DockerStreamError,
    NotFound,
    ServerError,
    TooManyRequests,
    Unauthorized,
)
from tests.conftest import Connect
from tests.testbed.scripted import ScriptedEngine, chunked, json_response

pytestmark = pytest.mark.anyio

PULL = ("POST", "/images/create")
LOAD = ("POST", "/images/load")
REFUSALS: list[tuple[str, type[DockerError]]] = [
    ("unknown: forbidden: project team", Unauthorized),
    ("reading manifest 1 in r.example/team/app: StatusCode: 429, slow down", TooManyRequests),
    ('Get "https://r.example/v2/": dial tcp: lookup r.example: server misbehaving', ServerError),
    ("no matching manifest for plan9/amd64 in the manifest list entries", NotFound),
]


@pytest.mark.parametrize("name", ["app:toomanyrequests", "unauthorized", "denied:403"])
async def test_a_name_does_not_decide_whether_an_image_exists(
    scripted: ScriptedEngine, connect: Connect, name: str
) -> None:
    absent = json_response({"message": f"no such image: {name}: No such image: {name}"}, 404)
    scripted.script("GET", f"/images/{name}/json", absent)
    async with connect(scripted.url) as docker:
        assert await docker.images.exists(name) is False
        with pytest.raises(NotFound):
            await docker.images.inspect(name)


@pytest.mark.parametrize(("text", "cls"), REFUSALS)
async def test_a_refusal_has_its_class_as_a_status_and_in_a_stream(
    scripted: ScriptedEngine, connect: Connect, text: str, cls: type[DockerError]
) -> None:
    line = json.dumps({"errorDetail": {"message": text}, "error": text}).encode()
    scripted.script(*PULL, json_response({"message": text}, 500), chunked(line))
    async with connect(scripted.url) as docker:
        with pytest.raises(cls) as raised:
            await docker.images.pull("r.example/team/app:1")
        assert (raised.value.status, raised.value.message) == (500, text)
        with pytest.raises(cls) as raised:
            await docker.images.pull("r.example/team/app:1")
        assert isinstance(raised.value, DockerStreamError)


NOTHING = [
    b"{}",
    b"",
    b"{}\n{}\n",
    b'{"status":"Loading layer","progressDetail":{"current":1,"total":2},"id":"0a"}\n',
]


@pytest.mark.parametrize("body", NOTHING)
async def test_a_load_of_nothing_finds_nothing(
    scripted: ScriptedEngine, connect: Connect, body: bytes
) -> None:
    """Engine 28.5 sends an empty object for an archive that lacks the requested platform."""
    scripted.api_version = "1.48"
    scripted.script(*LOAD, *[chunked(body)] * 3)
    async with connect(scripted.url) as docker:
        with pytest.raises(NotFound, match="has no image for platform plan9/amd64") as raised:
            await docker.images.import_image(b"tar", platform="plan9/amd64")
        assert isinstance(raised.value, DockerStreamError)
        assert len(raised.value.messages) == body.count(b"{") - body.count(b":{")
        with pytest.raises(NotFound, match=r"has no image$"):
            await docker.images.import_image(b"tar")
        stream = docker.images.import_image(b"tar", stream=True)
        with pytest.raises(NotFound):
            async for _ in stream:
                pass


@pytest.mark.parametrize(
    "line",
    [
        b'{"stream":"Loaded image: app:1\\n"}',
        b'{"stream":"Loaded image ID: sha256:0a\\n"}',
        b'{"stream":"Loaded image: app:1,app:2"}',  # Podman
        b'{"stream":"words of an engine to come"}',
    ],
)
async def test_a_load_that_tells_anything_has_loaded(
    scripted: ScriptedEngine, connect: Connect, line: bytes
) -> None:
    scripted.api_version = "1.48"
    scripted.script(*LOAD, chunked(line))
    async with connect(scripted.url) as docker:
        assert len(await docker.images.import_image(b"tar", platform="linux/amd64")) == 1


async def test_a_truncated_archive_is_a_bad_one(scripted: ScriptedEngine, connect: Connect) -> None:
    """Engines from 28.5 on say nothing else; in a pull, the same words are about a connection."""
    line = b'{"errorDetail":{"message":"unexpected EOF"},"error":"unexpected EOF"}'
    scripted.script(*LOAD, chunked(line))
    scripted.script(*PULL, chunked(line))
    async with connect(scripted.url) as docker:
        with pytest.raises(BadRequest, match="unexpected EOF"):
            await docker.images.import_image(b"tar")
        with pytest.raises(DockerStreamError, match="unexpected EOF") as raised:
            await docker.images.pull("app:1")
        assert not isinstance(raised.value, BadRequest)


async def test_another_error_of_a_load_keeps_its_class(scripted: ScriptedEngine, connect: Connect) -> None:
    line = b'{"errorDetail":{"message":"no space left on device"}}'
    scripted.script(*LOAD, chunked(line))
    async with connect(scripted.url) as docker:
        with pytest.raises(DockerStreamError) as raised:
            await docker.images.import_image(b"tar")
        assert type(raised.value) is DockerStreamError
