"""The cache of GitHub Actions, on a scripted engine: variables of the job, and a token that nothing shows."""

from __future__ import annotations

from typing import Any

import pytest

from dockerproto import CacheOnly, DockerError, GitHubCache
from dockerproto.buildkit.control.messages import Entry, SolveRequest
from tests.conftest import Connect
from tests.support.calling import Speak
from tests.support.controlling import Control, Controlled, building
from tests.support.tracebacks import leaks
from tests.testbed.scripted import ScriptedEngine, UntilClosed

pytestmark = pytest.mark.anyio

VARIABLES = ("ACTIONS_CACHE_SERVICE_V2", "ACTIONS_CACHE_URL", "ACTIONS_RESULTS_URL", "ACTIONS_RUNTIME_TOKEN")


@pytest.fixture(autouse=True)
def no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset the variables of a job."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def script(engine: ScriptedEngine, control: Control) -> None:
    engine.api_version = "1.47"
    engine.script("POST", "/session", (Speak(), UntilClosed()))
    engine.script("POST", "/grpc", (control, UntilClosed()))


def build(docker: Any, **options: Any) -> Any:
    return docker.images.build(remote="https://h/a.git", outputs=CacheOnly(), **options)


async def test_the_job_has_the_address_and_the_token(
    scripted: ScriptedEngine, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[SolveRequest] = []
    script(scripted, building(seen))
    cache = GitHubCache("main", mode="max")
    monkeypatch.setenv("ACTIONS_CACHE_URL", "https://cache.example/")
    monkeypatch.setenv("ACTIONS_RUNTIME_TOKEN", "hush")
    async with connect(scripted.url) as docker:
        await build(docker, cache_to=cache, cache_from=GitHubCache("main"))
    assert seen[0].cache is not None
    attributes = {"scope": "main", "url": "https://cache.example/", "token": "hush"}
    assert seen[0].cache.imports == (Entry("gha", attributes),)
    assert seen[0].cache.exports == (Entry("gha", {**attributes, "mode": "max"}),)


async def test_outside_of_a_job_it_is_left_out(scripted: ScriptedEngine, connect: Connect) -> None:
    seen: list[SolveRequest] = []
    script(scripted, building(seen))
    async with connect(scripted.url) as docker:
        await build(docker, cache_to=GitHubCache(), cache_from=GitHubCache())
    assert seen[0].cache is not None
    assert (seen[0].cache.imports, seen[0].cache.exports) == ((), ())
    assert "cache-imports" not in seen[0].frontend_attributes


@pytest.mark.parametrize("of_job", [True, False])
async def test_nothing_shows_the_token(
    *,
    scripted: ScriptedEngine,
    connect: Connect,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    of_job: bool,
) -> None:
    def engine(control: Controlled) -> None:
        control.begin()
        control.wire.send(b"\0\0\1\4\0\0\0\0\0\0")

    if of_job:
        monkeypatch.setenv("ACTIONS_RUNTIME_TOKEN", "hush")
    cache = GitHubCache(url="https://c/", token=None if of_job else "hush")
    caplog.set_level(0)
    script(scripted, Control(engine))
    async with connect(scripted.url) as docker:
        stream = build(docker, cache_to=cache, cache_from=cache, stream=True)
        with pytest.raises(DockerError) as raised:
            await stream.rest()
    shown = (repr(stream), str(raised.value), repr(raised.value), caplog.text)
    assert leaks(raised.value, ["hush"]) == []
    assert "hush" not in "".join(shown)
