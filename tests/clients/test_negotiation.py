"""Negotiation of the API version, and recognition of Podman: the requests for them, and their order."""

from __future__ import annotations

from functools import partial

import anyio
import pytest

import dockerproto_httpx
from dockerproto import (
    NotFound,
    ProtocolViolated,
    ServerError,
    UnsupportedEngine,
    UnsupportedVersion,
)
from dockerproto.transport.runtime import run
from tests.conftest import Connect
from tests.support.facade import Transport
from tests.testbed.scripted import Pause, ScriptedEngine, chunked, json_response, response

pytestmark = pytest.mark.anyio

LIST = ("GET", "/images/json")
PODMAN = {"Libpod-Api-Version": "4.3.1"}


class TestVersion:
    @pytest.mark.parametrize(
        ("engine", "spoken"), [("1.24", "1.24"), ("1.41", "1.41"), ("1.55", "1.55"), ("1.99", "1.55")]
    )
    async def test_the_smaller_maximum_is_spoken(
        self, scripted: ScriptedEngine, connect: Connect, engine: str, spoken: str
    ) -> None:
        scripted.api_version = engine
        scripted.script(*LIST, json_response([]))
        async with connect(scripted.url) as docker:
            assert docker.api_version is None
            await docker.images.list()
            assert docker.api_version == spoken
        assert [each.version for each in scripted.requests] == [None, spoken]

    @pytest.mark.parametrize("pinned", ["1.30", "v1.30"])
    async def test_a_version_can_be_insisted_on(
        self, scripted: ScriptedEngine, connect: Connect, monkeypatch: pytest.MonkeyPatch, pinned: str
    ) -> None:
        scripted.script(*LIST, json_response([]))
        async with connect(scripted.url, api_version=pinned) as docker:
            await docker.images.list()
        monkeypatch.setenv("DOCKER_API_VERSION", pinned)
        async with connect(scripted.url) as docker:
            await docker.images.list()
        assert [each.version for each in scripted.requests] == ["1.30", "1.30"]

    @pytest.mark.parametrize("wrong", ["", "latest", "1", "1.23", "1.99", "2.0"])
    async def test_one_that_is_not_spoken_is_refused(self, connect: Connect, wrong: str) -> None:
        with pytest.raises(ValueError, match="API version"):
            connect("unix:///x", api_version=wrong)

    async def test_many_first_calls_ask_once(self, scripted: ScriptedEngine, connect: Connect) -> None:
        ping = response(200, b"OK", {"Api-Version": "1.41"})
        scripted.script("GET", "/_ping", [Pause(0.1), ping])
        scripted.script(*LIST, json_response([]))
        async with connect(scripted.url) as docker, anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(docker.images.list)
        paths = [each.path for each in scripted.requests]
        assert (paths.count("/_ping"), paths.count("/images/json")) == (1, 20)

    async def test_a_negotiation_that_failed_is_tried_again(
        self, scripted: ScriptedEngine, connect: Connect
    ) -> None:
        unwell = json_response({"message": "not yet"}, 500)
        scripted.script("GET", "/_ping", unwell, response(200, b"OK", {"Api-Version": "1.41"}))
        scripted.script(*LIST, json_response([]))
        async with connect(scripted.url) as docker:
            with pytest.raises(ServerError, match="not yet"):
                await docker.images.list()
            assert await docker.images.list() == []

    @pytest.mark.parametrize("headers", [{}, {"Api-Version": "soon"}], ids=["none", "garbage"])
    async def test_what_says_no_version_is_no_engine(
        self, scripted: ScriptedEngine, connect: Connect, headers: dict[str, str]
    ) -> None:
        scripted.script("GET", "/_ping", response(200, b"OK", headers))
        async with connect(scripted.url) as docker:
            with pytest.raises(ProtocolViolated, match="not a Docker Engine"):
                await docker.images.list()

    async def test_an_engine_that_is_too_old_or_too_new_is_told(
        self, scripted: ScriptedEngine, connect: Connect
    ) -> None:
        scripted.api_version = "1.12"
        async with connect(scripted.url) as docker:
            with pytest.raises(
                UnsupportedVersion, match=r"newest API version is 1\.12; the oldest supported one is 1\.24"
            ):
                await docker.images.list()
        text = "client version 1.55 is too old. Minimum supported API version is 1.60, please upgrade"
        scripted.api_version = "1.70"
        scripted.script(*LIST, json_response({"message": text}, 400))
        async with connect(scripted.url) as docker:
            with pytest.raises(UnsupportedVersion, match=r"Minimum supported API version is 1\.60"):
                await docker.images.list()

    async def test_what_the_engine_does_not_have_is_refused_with_the_version_needed(
        self, scripted: ScriptedEngine, connect: Connect
    ) -> None:
        async with connect(scripted.url) as docker:
            with pytest.raises(UnsupportedVersion, match=r"'manifests' needs API 1\.47, .* 1\.41"):
                await docker.images.list(manifests=True)
            with pytest.raises(UnsupportedVersion, match=r"'platform' needs API 1\.46"):
                await docker.images.push("busybox", platform="linux/amd64")
            with pytest.raises(UnsupportedVersion, match=r"'platform' needs API 1\.48"):
                await docker.images.export_image("busybox", platform="linux/amd64").read()
        assert [each.path for each in scripted.requests] == ["/_ping"]

    @pytest.mark.parametrize(("version", "name"), [("1.41", "keep-storage"), ("1.48", "reserved-space")])
    async def test_what_had_another_name_is_translated(
        self, scripted: ScriptedEngine, connect: Connect, version: str, name: str
    ) -> None:
        scripted.api_version = version
        scripted.script("POST", "/build/prune", json_response({"CachesDeleted": None, "SpaceReclaimed": 0}))
        async with connect(scripted.url) as docker:
            pruned = await docker.images.prune_builds(reserved_space=5)
        assert pruned == {"CachesDeleted": [], "SpaceReclaimed": 0}
        assert scripted.requests[-1].query == {name: ["5"]}

    @pytest.mark.parametrize(("header", "query"), [({}, {"digests": ["1"]}), (PODMAN, {})])
    async def test_podman_is_asked_in_its_own_way(
        self, scripted: ScriptedEngine, connect: Connect, header: dict[str, str], query: dict[str, list[str]]
    ) -> None:
        scripted.script("GET", "/_ping", response(200, b"OK", {"Api-Version": "1.41", **header}))
        scripted.script("GET", "/images/json", json_response([]))
        async with connect(scripted.url) as docker:
            assert await docker.images.list(digests=True) == []
        assert scripted.requests[-1].query == query

    @pytest.mark.parametrize("header", [{}, PODMAN], ids=["docker", "podman"])
    async def test_who_is_asked_is_found_out_when_it_matters(
        self, scripted: ScriptedEngine, connect: Connect, header: dict[str, str]
    ) -> None:
        headers = {"Api-Version": "1.41", **header}
        scripted.script("GET", "/_ping", response(200, b"OK", headers))
        scripted.script("GET", "/images/json", json_response([], 200, headers))
        scripted.script("POST", "/images/create", chunked(b'{"status":"done"}\n'))
        scripted.script("POST", "/build", chunked(b'{"stream":"done"}\n'))
        async with connect(scripted.url, api_version="1.41") as docker:
            await docker.images.pull("busybox")
            build = partial(docker.images.build, fileobj=b"", builder="classic")
            await build(buildargs={"A": "1"}, extra_hosts={})
            assert [each.path for each in scripted.requests] == ["/images/create", "/build"]
            await build(extra_hosts={"a": "10.0.0.1"})
            hosts = '["a:10.0.0.1"]' if header else "a:10.0.0.1"
            assert scripted.requests[-1].query["extrahosts"] == [hosts]
            assert scripted.requests[-2].path == "/_ping"
            await build(extra_hosts={"a": "10.0.0.1"})
        async with connect(scripted.url, api_version="1.41") as docker:
            await docker.images.list()
            assert await docker.images.list(digests=True) == []
            assert scripted.requests[-1].query == ({} if header else {"digests": ["1"]})
        assert [each.path for each in scripted.requests].count("/_ping") == 1

    @pytest.mark.parametrize("pinned", [{}, {"api_version": "1.41"}], ids=["negotiated", "pinned"])
    async def test_what_podman_would_ignore_is_refused(
        self, scripted: ScriptedEngine, connect: Connect, pinned: dict[str, str]
    ) -> None:
        scripted.script("GET", "/_ping", response(200, b"OK", {"Api-Version": "1.41", **PODMAN}))
        async with connect(scripted.url, **pinned) as docker:
            with pytest.raises(UnsupportedEngine, match="does not pull all tags at once"):
                await docker.images.pull("busybox", tag="")
            with pytest.raises(UnsupportedEngine, match="does not push all tags at once"):
                await docker.images.push("busybox", tag="")
            with pytest.raises(UnsupportedEngine, match="does not fetch contexts"):
                await docker.images.build(remote="https://r.example/a.git")
            for call in (docker.images.list, docker.images.prune):
                with pytest.raises(UnsupportedEngine, match="does not combine values of the filter 'label'"):
                    await call(filters={"label": ["a", "b"]})
        assert [each.path for each in scripted.requests] == ["/_ping"]

    @pytest.mark.parametrize("pinned", [{}, {"api_version": "1.41"}], ids=["negotiated", "pinned"])
    async def test_what_a_newer_podman_can_do_is_sent(
        self, scripted: ScriptedEngine, connect: Connect, pinned: dict[str, str]
    ) -> None:
        headers = {"Api-Version": "1.41", "Libpod-Api-Version": "5.4.2"}
        scripted.script("GET", "/_ping", response(200, b"OK", headers))
        scripted.script("GET", "/images/json", json_response([], 200, headers))
        async with connect(scripted.url, **pinned) as docker:
            assert await docker.images.list(filters={"label": ["a", "b"]}) == []
            assert scripted.requests[-1].query == {"filters": ['{"label":["a","b"]}']}
            with pytest.raises(UnsupportedEngine, match="does not pull all tags at once"):
                await docker.images.pull("busybox", tag="")

    async def test_what_podman_does_not_have_is_not_taken_for_missing(
        self, scripted: ScriptedEngine, connect: Connect
    ) -> None:
        headers = {"Api-Version": "1.41", **PODMAN}
        scripted.script("GET", "/_ping", response(200, b"OK", headers))
        scripted.script(
            "GET", "/images/absent/json", json_response({"message": "No such image"}, 404, headers)
        )
        async with connect(scripted.url) as docker:
            with pytest.raises(UnsupportedEngine) as raised:
                await docker.images.distribution("busybox")
            assert raised.value.status == 404
            assert raised.value.message == "Podman does not serve GET /v1.41/distribution/busybox/json"
            with pytest.raises(NotFound):
                await docker.images.inspect("absent")

    async def test_a_router_that_answers_by_itself_tells_nothing(
        self, scripted: ScriptedEngine, connect: Connect
    ) -> None:
        scripted.script("GET", "/_ping", response(200, b"OK", {"Api-Version": "1.41", **PODMAN}))
        scripted.script("GET", "/images/json", response(404, b"Not Found\n"))
        async with connect(scripted.url, api_version="1.41") as docker:
            for error in (NotFound, UnsupportedEngine):  # only the second knows that this is Podman
                with pytest.raises(error):
                    await docker.images.list()
                with pytest.raises(UnsupportedEngine):
                    await docker.images.pull("busybox", tag="")


async def test_a_ping_that_another_call_never_sends_is_not_waited_for(
    scripted: ScriptedEngine, connect: Connect, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock stays taken when its thread is interrupted between taking it and what would release it."""
    monkeypatch.setattr("dockerproto.http.patience.PATIENCE", 0.05)
    scripted.script("GET", "/images/json", json_response([]))
    async with connect(scripted.url, timeout=None) as docker, anyio.create_task_group() as tasks:
        held = getattr(docker, "blocking", docker).client.engine._negotiation.get()

        async def hold() -> None:
            run(held.acquire(None)) if transport == "httpx" else await held.acquire(None)
            await anyio.sleep_forever()

        tasks.start_soon(hold)
        assert await docker.images.list() == []
        tasks.cancel_scope.cancel()


async def test_a_thread_goes_on_after_its_own_interrupted_ping(scripted: ScriptedEngine) -> None:
    scripted.script("GET", "/images/json", json_response([]))
    with dockerproto_httpx.Docker(scripted.url, timeout=None) as docker:
        lock = docker._engine._negotiation.get()  # pyright: ignore[reportPrivateUsage]
        run(lock.acquire(None))
        run(lock.acquire(None))
        assert docker.images.list() == []
