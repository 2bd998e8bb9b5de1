"""Refusals of registries through whole clients: as a status, in a stream; names that only look like one."""

from __future__ import annotations

import json

import pytest

from dockerproto import (
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
