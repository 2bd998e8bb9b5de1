"""Questions about a Dockerfile on a scripted engine: replies of any form, failures, and ends."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from dockerproto import (
    CheckResult,
    ConnectionFailed,
    DockerError,
    NotFound,
    Outline,
    ProtocolViolated,
    TargetSummary,
    TimedOut,
    UnsupportedEngine,
    UnsupportedVersion,
    UploadFailed,
)
from dockerproto.buildkit.control.messages import FrontendRequest
from dockerproto.buildkit.rpc.handler import Status
from tests.clients.test_control_builds import SYNC
from tests.conftest import Connect
from tests.support.calling import Speaking
from tests.support.control_engines import KINDS, AnyEngine, engines, nothing_is_left, paths
from tests.support.controlling import ASK, RETURN, STEP, Control, Controlled, replied, replying
from tests.support.tracebacks import leaks
from tests.testbed.scripted import Close, Reset, json_response

pytestmark = pytest.mark.anyio

scripted = pytest.fixture(engines, params=KINDS)

REPLIES: dict[str, tuple[dict[str, Any], object]] = {
    "check": ({"warnings": None, "sources": []}, CheckResult()),
    "outline": ({"name": "made"}, Outline("made")),
    "targets": ({"targets": [{"name": "made", "base": "a"}]}, [TargetSummary("made", base="a")]),
}


def ask(docker: Any, method: str = "check", **options: Any) -> Any:
    return getattr(docker.images, method)(**{"remote": "https://h/a.git", **options})


@pytest.mark.parametrize("method", REPLIES)
class TestAQuestion:
    async def test_has_a_typed_reply(self, scripted: AnyEngine, connect: Connect, method: str) -> None:
        seen: list[FrontendRequest] = []
        document, result = REPLIES[method]
        scripted.play(replying(replied(document), seen))
        async with connect(scripted.url) as docker:
            assert await ask(docker, method) == result
            await nothing_is_left(scripted)
        assert paths(scripted) == ["/_ping", *scripted.connections]
        assert seen[0].attributes["context"] == "https://h/a.git"

    async def test_needs_no_build_first(self, scripted: AnyEngine, connect: Connect, method: str) -> None:
        """Old engines are refused before anything is sent, as they would build."""
        scripted.api_version = "1.42"
        async with connect(scripted.url) as docker:
            with pytest.raises(UnsupportedVersion, match=rf"^images.{method}\(\) needs API 1.43"):
                await ask(docker, method)
        assert paths(scripted) == ["/_ping"]

    async def test_is_refused_for_podman(self, scripted: AnyEngine, connect: Connect, method: str) -> None:
        headers = {"Api-Version": "1.41", "Libpod-API-Version": "5.4.0"}
        scripted.script("GET", "/_ping", json_response({}, headers=headers))
        async with connect(scripted.url) as docker:
            with pytest.raises(UnsupportedEngine, match=r"^Podman does not have BuildKit$"):
                await ask(docker, method)
        assert paths(scripted) == ["/_ping"]

    @pytest.mark.parametrize(
        "reply",
        [
            *(b"", b"no JSON", b"\xff", b"[]", b"5", b'{"sources": 5}', b"[" * 10_000),
            b'{"later": "' + b"x" * 3 * 2**20,
        ],
        ids=lambda reply: repr(reply[:20]),
    )
    async def test_may_have_a_reply_of_another_form(
        self, scripted: AnyEngine, connect: Connect, method: str, reply: bytes
    ) -> None:
        scripted.play(replying(replied(reply)))
        async with connect(scripted.url) as docker:
            with pytest.raises(ProtocolViolated, match=r"^the engine's reply is malformed: "):
                await ask(docker, method)
            await nothing_is_left(scripted)

    async def test_shows_no_secret(
        self,
        scripted: AnyEngine,
        connect: Connect,
        caplog: pytest.LogCaptureFixture,
        method: str,
    ) -> None:
        def engine(control: Controlled) -> None:
            control.begin()
            control.wait(ASK)
            control.wire.send(b"\0\0\1\4\0\0\0\0\0\0")

        caplog.set_level(0)
        scripted.play(Control(engine))
        async with connect(scripted.url) as docker:
            with pytest.raises(DockerError) as raised:
                await ask(
                    docker,
                    method,
                    remote="https://me:hush@h/a.git",
                    buildargs={"TOKEN": "hush"},
                    secrets={"GIT_AUTH_TOKEN": b"hush"},
                    auth={"r.example": {"username": "me", "password": "hush"}},
                    contexts={"lib": "https://me:hush@h/b.git"},
                )
        assert leaks(raised.value, ["hush"]) == []
        assert "hush" not in str(raised.value) + repr(raised.value) + caplog.text


async def test_the_session_serves_the_dockerfile(
    scripted: AnyEngine, connect: Connect, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "file").write_text("x")
    (tmp_path / ".dockerignore").write_text("ignored\n")
    served: list[bytes] = []
    spoken = threading.Event()

    def speak(speaking: Speaking) -> None:
        stream = speaking.begin(SYNC, metadata=[("dir-name", "dockerfile"), ("followpaths", "Dockerfile")])
        while not speaking.messages[stream]:
            speaking.hear()
        served.extend(speaking.messages[stream])
        spoken.set()

    def engine(control: Controlled) -> None:
        control.begin()
        control.wait(ASK)
        spoken.wait()
        control.reply(ASK, replied({}))
        control.wait(RETURN)
        control.reply("Solve", b"")
        control.reply("Status")

    scripted.play(Control(engine), session=speak)
    async with connect(scripted.url) as docker:
        assert (await docker.images.check(path=tmp_path)).ok
    assert b"Dockerfile" in b"".join(served)


async def test_a_context_that_is_missing(scripted: AnyEngine, connect: Connect, tmp_path: Path) -> None:
    scripted.play(replying(replied({})))
    async with connect(scripted.url) as docker:
        with pytest.raises(UploadFailed):
            await docker.images.check(path=tmp_path / "missing")
        await nothing_is_left(scripted)
    assert "/session" not in paths(scripted)


class TestAFailure:
    async def test_of_the_frontend(self, scripted: AnyEngine, connect: Connect) -> None:
        def engine(control: Controlled) -> None:
            control.begin()
            control.wait(ASK)
            control.reply("Status", STEP, status=None)
            control.reply(ASK, status=Status(2, "a:1: manifest unknown"))
            control.wait(RETURN)
            control.reply("Solve", status=Status(2, "rpc error: a:1: manifest unknown"))
            control.reply("Status")

        scripted.play(Control(engine))
        async with connect(scripted.url) as docker:
            with pytest.raises(NotFound, match=r"^a:1: manifest unknown$") as raised:
                await ask(docker)
            await nothing_is_left(scripted)
        assert [each["id"] for each in raised.value.messages] == ["moby.buildkit.trace"]

    async def test_of_a_frontend_that_has_no_checks(self, scripted: AnyEngine, connect: Connect) -> None:
        def engine(control: Controlled) -> None:
            control.begin()
            control.wait(ASK)
            control.reply(ASK, status=Status(2, "unsupported request frontend.lint"))
            control.wait(RETURN)
            control.reply("Solve", status=Status(2, "unsupported request frontend.lint"))

        scripted.play(Control(engine))
        async with connect(scripted.url) as docker:
            with pytest.raises(UnsupportedEngine, match=r"syntax=docker/dockerfile:1'$"):
                await ask(docker)
            await nothing_is_left(scripted)

    @pytest.mark.parametrize("end", [Close(), Reset()])
    @pytest.mark.parametrize("returned", [False, True])
    async def test_of_the_connection(
        self, scripted: AnyEngine, connect: Connect, returned: bool, end: Any
    ) -> None:
        def engine(control: Controlled) -> None:
            control.begin()
            control.wait(ASK)
            if returned:
                control.reply(ASK, replied({}))
                control.wait(RETURN)

        scripted.play(Control(engine), end=end)
        async with connect(scripted.url) as docker:
            with pytest.raises(ConnectionFailed):
                await ask(docker)
            await nothing_is_left(scripted)

    async def test_of_a_limit(self, scripted: AnyEngine, connect: Connect) -> None:
        scripted.play(Control(silent))
        async with connect(scripted.url) as docker:
            with pytest.raises(TimedOut):
                await ask(docker, timeout=0.2)
            await nothing_is_left(scripted)

    async def test_of_a_message_limit(self, scripted: AnyEngine, connect: Connect) -> None:
        scripted.play(replying(replied({"later": "x" * 2**16})))
        async with connect(scripted.url, message_limit=2**16) as docker:
            with pytest.raises(ProtocolViolated, match="longer than the limit of 65536 bytes"):
                await ask(docker)
            await nothing_is_left(scripted)


def silent(control: Controlled) -> None:
    """Reply nothing to a question."""
    control.begin()
    control.wait(ASK)


@pytest.mark.parametrize("transport", ["asyncio", "trio"])
async def test_a_cancelled_question(scripted: AnyEngine, connect: Connect) -> None:
    asked = threading.Event()

    def engine(control: Controlled) -> None:
        silent(control)
        asked.set()

    scripted.play(Control(engine))
    async with connect(scripted.url) as docker:
        async with anyio.create_task_group() as group:
            group.start_soon(ask, docker)
            await anyio.to_thread.run_sync(asked.wait)
            group.cancel_scope.cancel()
        await nothing_is_left(scripted)


async def test_reports_are_not_kept(scripted: AnyEngine, connect: Connect) -> None:
    scripted.play(replying(replied({}), reports=[STEP] * 3000))
    async with connect(scripted.url) as docker:
        assert (await ask(docker)).ok
        await nothing_is_left(scripted)
