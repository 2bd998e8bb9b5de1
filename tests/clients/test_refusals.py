"""Refusals of registries through whole clients: as a status, in a stream; names that only look like one."""

from __future__ import annotations

import json
import pickle
from typing import NamedTuple

import pytest

from dockerproto import (
    ANONYMOUS,
    BadRequest,
    DockerError,
    DockerStreamError,
    NotFound,
    ServerError,
    TooManyRequests,
    Unauthorized,
)
from tests.conftest import Connect
from tests.testbed.base_image import context
from tests.testbed.scripted import Reply, ScriptedEngine, chunked, json_response

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


NO_CREDENTIALS = "no basic auth credentials"
ME = {"username": "anna", "password": "a secret"}


def refusal(text: str) -> Reply:
    return chunked(json.dumps({"errorDetail": {"message": text}, "error": text}).encode())


DIGEST = f"sha256:{'0a' * 32}"


class Case(NamedTuple):
    """A call that a registry refuses."""

    operation: str
    name: str
    target: tuple[str, str]
    purpose: str
    registry: str
    tag: str | None = None


CASES = [
    Case("push", "r.example/a:1", ("POST", "/images/r.example/a/push"), "push r.example/a:1", "r.example"),
    Case("push", "r.x:5/a", ("POST", "/images/r.x:5/a/push"), "push r.x:5/a:latest", "r.x:5"),
    Case("push", "me/app", ("POST", "/images/me/app/push"), "push me/app:2", "docker.io", tag="2"),
    Case("pull", "r.example/app:1", PULL, "pull r.example/app:1", "r.example"),
    Case("pull", "busybox", PULL, "pull busybox:latest", "docker.io"),
    Case("pull", "r.example/app", PULL, "pull r.example/app", "r.example", tag=""),
    Case("pull", f"r.example/app@{DIGEST}", PULL, f"pull r.example/app@{DIGEST}", "r.example"),
    Case("distribution", "r.x/a", ("GET", "/distribution/r.x/a/json"), "inspect r.x/a", "r.x"),
    Case("search", "r.example/a", ("GET", "/images/search"), "search r.example/a", "r.example"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.purpose)
async def test_a_refusal_without_credentials_says_where_to_log_in(
    scripted: ScriptedEngine, connect: Connect, case: Case
) -> None:
    text = f'Get "https://{case.registry}/v2/": {NO_CREDENTIALS}'
    scripted.script(*case.target, json_response({"message": text}, 500))
    async with connect(scripted.url) as docker:
        options = {} if case.tag is None else {"tag": case.tag}
        with pytest.raises(Unauthorized) as raised:
            await getattr(docker.images, case.operation)(case.name, **options)
    hint = f"to {case.purpose}, log in to {case.registry} with login(), or pass auth="
    assert (raised.value.message, raised.value.hint) == (text, hint)
    assert str(raised.value) == f"[500] {text}; {hint}"


@pytest.mark.parametrize("stream", [True, False])
async def test_a_refused_push_says_which_image(
    scripted: ScriptedEngine, connect: Connect, stream: bool
) -> None:
    scripted.script("POST", "/images/r.example/team/app/push", refusal(NO_CREDENTIALS))
    async with connect(scripted.url) as docker:
        with pytest.raises(
            Unauthorized, match=r"to push r\.example/team/app:1, log in to r\.example "
        ) as raised:
            messages = docker.images.push("r.example/team/app:1", auth=ANONYMOUS, stream=stream)
            if stream:
                async with messages:
                    await messages.rest()
            else:
                await messages
    assert raised.value.message == NO_CREDENTIALS
    copy = pickle.loads(pickle.dumps(raised.value))
    assert str(copy) == str(raised.value)


@pytest.mark.parametrize("given", [True, False])
async def test_refused_credentials_are_said_to_be_refused(
    scripted: ScriptedEngine, connect: Connect, given: bool
) -> None:
    scripted.script(*PULL, refusal("unauthorized: incorrect username or password"))
    async with connect(scripted.url, credentials=None if given else {"r.example": ME}) as docker:
        with pytest.raises(Unauthorized) as raised:
            await docker.images.pull("r.example/app:1", auth=ME if given else None)
    assert raised.value.hint == (
        "r.example did not accept the credentials to pull r.example/app:1: log in again with login(), "
        "or pass other ones as auth="
    )
    assert "secret" not in f"{raised.value} {raised.value!r}"


BUILDS = [
    (f'Head "https://r.example:5000/v2/app/manifests/1": {NO_CREDENTIALS}', "r.example:5000"),
    (f'Get "https://registry-1.docker.io/v2/": {NO_CREDENTIALS}', "docker.io"),
    (f'failed to resolve reference "r.example/app:1": pull access denied: {NO_CREDENTIALS}', "r.example"),
    ("creating build container: initializing source docker://r.example/app:1: denied", "r.example"),
    ("pull access denied for team/app, repository does not exist or may require 'docker login'", "docker.io"),
    ("r.example/app: failed to resolve source metadata for r.example/app:1: denied", "r.example"),
    ("unauthorized: authentication required", None),
]


@pytest.mark.parametrize(("text", "registry"), BUILDS)
async def test_a_refused_build_says_which_registry(
    scripted: ScriptedEngine, connect: Connect, text: str, registry: str | None
) -> None:
    scripted.script("POST", "/build", refusal(text))
    async with connect(scripted.url) as docker:
        with pytest.raises(Unauthorized) as raised:
            await docker.images.build(fileobj=context("FROM app\n"), builder="classic")
    hint = f"log in to {registry} with login(), or pass auth={{{registry!r}: ...}}" if registry else ""
    assert raised.value.hint == hint
    assert str(raised.value) == (f"{text}; {hint}" if hint else text)


async def test_other_errors_have_no_hint(scripted: ScriptedEngine, connect: Connect) -> None:
    plugin = "authorization denied by plugin opa: denied"
    for cls, text in ((NotFound, "manifest unknown"), (Unauthorized, plugin), (ServerError, "i/o timeout")):
        scripted.script(*PULL, refusal(text))
        async with connect(scripted.url) as docker:
            with pytest.raises(cls) as raised:
                await docker.images.pull("r.example/app:1")
        assert (raised.value.hint, str(raised.value)) == ("", text)
    scripted.script("GET", "/images/json", json_response({"message": "unauthorized"}, 401))
    async with connect(scripted.url) as docker:
        with pytest.raises(Unauthorized) as raised:
            await docker.images.list()
    assert raised.value.hint == ""
