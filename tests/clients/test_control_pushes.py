"""Pushes of builds: by BuildKit, or by the engine's own push after it if the engine has a graph driver."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64decode
from typing import Any, Final

import anyio.to_thread
import pytest

from dockerproto import (
    ANONYMOUS,
    BadRequest,
    ConnectionFailed,
    DockerError,
    DockerStreamError,
    Image,
    NotFinished,
    NotFound,
    PushedTag,
    StepFailed,
    TimedOut,
    Unauthorized,
    build_result,
)
from dockerproto.buildkit.control.messages import SolveRequest
from dockerproto.client import Client
from dockerproto.transport.local_work import LocalWork
from tests.clients.test_control_builds import EXIT, NO_STEPS
from tests.conftest import Connect
from tests.support.control_engines import nothing_is_left, paths, script
from tests.support.controlling import (
    IMAGE,
    PREPARING,
    PUSHED,
    STEP,
    Control,
    Controlled,
    building,
    details,
    pushing,
)
from tests.support.recorded_streams import reply
from tests.support.stored import ME
from tests.testbed.scripted import (
    Reset,
    ScriptedEngine,
    UntilClosed,
    chunk,
    json_response,
    stream_head,
    wait_until,
)

pytestmark = pytest.mark.anyio

NAMES: Final = ("r.example/app:1", "s.example/team/app:1")


def build(docker: Any, **options: Any) -> Any:
    arguments = {"remote": "https://h/a.git", "tag": NAMES, "outputs": Image(push=True), "auth": ANONYMOUS}
    return docker.images.build(**{**arguments, **options})


def path(name: str) -> str:
    return f"/images/{name.rpartition(':')[0]}/push"


def graph_driver(engine: ScriptedEngine, seen: list[SolveRequest] | None = None) -> None:
    """Let an engine with a graph driver build, and push by both names."""
    script(engine, building(seen, labels={}), building(seen, known=True))
    for name in NAMES:
        engine.script("POST", path(name), reply(pushing(name.rpartition(":")[0])))


class TestByTheEngine:
    async def test_messages_and_a_result(self, scripted: ScriptedEngine, connect: Connect) -> None:
        seen: list[SolveRequest] = []
        graph_driver(scripted, seen)
        async with connect(scripted.url) as docker:
            messages = await build(docker)
            await nothing_is_left(scripted)
        assert [each.get("id") for each in messages[:3]] == [
            "moby.buildkit.trace",
            "dockerproto.exported",
            "moby.image.id",
        ]
        assert messages[3:] == [*pushing("r.example/app"), *pushing("s.example/team/app")]
        result = messages.result
        assert result.pushed == (
            PushedTag("1", PUSHED, 527, "r.example/app"),
            PushedTag("1", PUSHED, 527, "s.example/team/app"),
        )
        assert (result.image_id, result.digest, result.descriptor) == (IMAGE, PUSHED, None)
        assert result.metadata == {"containerimage.digest": IMAGE}
        assert build_result(messages) == result
        assert paths(scripted) == ["/_ping", "/grpc", "/session", *map(path, NAMES)]
        assert [each.query for each in scripted.requests[3:]] == [{"tag": ["1"]}] * 2
        assert seen[0].exporters[0].attributes == {"name": ",".join(NAMES)}

    async def test_a_stream_has_all_messages(self, scripted: ScriptedEngine, connect: Connect) -> None:
        graph_driver(scripted)
        async with connect(scripted.url) as docker, build(docker, stream=True) as stream:
            seen = 0
            async for _ in stream:
                seen += 1
                with pytest.raises(NotFinished):
                    assert stream.result
            assert seen == 11
            assert len(stream.result.pushed) == 2

    async def test_credentials_of_each_registry(self, scripted: ScriptedEngine, connect: Connect) -> None:
        graph_driver(scripted)
        other = {"username": "other", "password": "secret"}
        async with connect(scripted.url, credentials={"s.example": other, "r.example": other}) as docker:
            await build(docker, auth={"r.example": ME})
            await build(docker, auth=ANONYMOUS)
        sent = [each.headers["x-registry-auth"] for each in scripted.requests if "/push" in each.path]
        assert [json.loads(urlsafe_b64decode(each)).get("username") for each in sent] == [
            ME["username"],
            "other",
            None,
            None,
        ]

    async def test_credentials_are_checked_first(self, scripted: ScriptedEngine, connect: Connect) -> None:
        async with connect(scripted.url) as docker:
            for auth in (ME, {"r.example": {"user": "me"}}):
                with pytest.raises(ValueError, match=r"^(auth of a build must be|unknown keys in auth)"):
                    await build(docker, auth=auth)
        assert scripted.requests == []

    async def test_of_a_build_that_fails(self, scripted: ScriptedEngine, connect: Connect) -> None:
        def engine(control: Controlled) -> None:
            control.begin({})
            control.reply("Status", STEP)
            control.fail("Solve", 2, NO_STEPS, details(EXIT, {"Code": 7}))

        graph_driver(scripted)
        script(scripted, Control(engine))
        async with connect(scripted.url) as docker:
            with pytest.raises(StepFailed):
                await build(docker)
            await nothing_is_left(scripted)
        assert "/push" not in "".join(paths(scripted))


class TestAFailure:
    @pytest.mark.parametrize("streaming", [False, True])
    @pytest.mark.parametrize(
        ("response", "error", "message"),
        [
            (
                reply([PREPARING, {"error": "denied: wrong", "errorDetail": {"message": "denied: wrong"}}]),
                DockerStreamError,
                "denied: wrong",
            ),
            (json_response({"message": "no such image"}, 404), NotFound, "no such image"),
            ((stream_head(), chunk(b"{"), Reset()), ConnectionFailed, ""),
        ],
        ids=["message", "status", "reset"],
    )
    async def test_names_the_image(
        self,
        scripted: ScriptedEngine,
        connect: Connect,
        response: Any,
        error: type[DockerError],
        message: str,
        *,
        streaming: bool,
    ) -> None:
        graph_driver(scripted)
        scripted.script("POST", path(NAMES[1]), response)
        async with connect(scripted.url) as docker:
            with pytest.raises(error) as raised:
                await (build(docker, stream=True).rest() if streaming else build(docker))
            await nothing_is_left(scripted)
        assert message in raised.value.message
        assert raised.value.step is None
        assert raised.value.__notes__ == [f"the image was built before: {IMAGE}"]
        kept = build_result(raised.value.messages)
        assert (kept.image_id, [each.repository for each in kept.pushed]) == (IMAGE, ["r.example/app"])

    async def test_has_the_hint_of_a_push(self, scripted: ScriptedEngine, connect: Connect) -> None:
        graph_driver(scripted)
        scripted.script("POST", path(NAMES[0]), json_response({"message": "no basic auth credentials"}, 401))
        async with connect(scripted.url) as docker:
            with pytest.raises(Unauthorized) as raised:
                await build(docker)
        assert raised.value.hint.startswith("to push r.example/app:1, log in to r.example with login()")

    async def test_of_the_limit_of_the_call(self, scripted: ScriptedEngine, connect: Connect) -> None:
        graph_driver(scripted)
        scripted.script("POST", path(NAMES[0]), UntilClosed())
        async with connect(scripted.url) as docker:
            with pytest.raises(TimedOut) as raised:
                await build(docker, timeout=0.2)
            await nothing_is_left(scripted)
        assert raised.value.__notes__ == [f"the image was built before: {IMAGE}"]

    async def test_one_limit_holds_for_the_build_and_its_pushes(
        self, scripted: ScriptedEngine, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begun: list[object] = []
        begin = Client.begin

        def counted(client: Client, *limits: Any) -> LocalWork:
            begun.append(limits)
            return begin(client, *limits)

        monkeypatch.setattr(Client, "begin", counted)
        graph_driver(scripted)
        async with connect(scripted.url) as docker:
            await build(docker)
        assert len(begun) == 1

    async def test_of_a_build_without_an_image(self, scripted: ScriptedEngine, connect: Connect) -> None:
        script(scripted, building(labels={}, response={}))
        scripted.script("POST", path(NAMES[0]), json_response({"message": "bad"}, 400))
        async with connect(scripted.url) as docker:
            with pytest.raises(BadRequest) as raised:
                await build(docker)
        assert not hasattr(raised.value, "__notes__")


class TestAnEnd:
    async def test_leaving_stops_the_push(self, scripted: ScriptedEngine, connect: Connect) -> None:
        graph_driver(scripted)
        begun = b"".join(json.dumps(each).encode() + b"\n" for each in pushing("r.example/app")[:2])
        scripted.script("POST", path(NAMES[0]), (stream_head(), chunk(begun), UntilClosed()))
        async with connect(scripted.url) as docker:
            async with build(docker, stream=True) as stream:
                async for message in stream:
                    if message == PREPARING:
                        break
            await anyio.to_thread.run_sync(wait_until, lambda: scripted.connections_open <= 1)
        assert paths(scripted)[-1] == path(NAMES[0])


class TestByBuildKit:
    @pytest.mark.parametrize(
        ("descriptor", "pushed"),
        [
            ({"digest": PUSHED, "size": 5}, (PushedTag("1", PUSHED, 5, "r.example/app"),)),
            ({"digest": PUSHED}, ()),
            (None, ()),
        ],
        ids=["known", "size", "unknown"],
    )
    async def test_messages_and_a_result(
        self,
        scripted: ScriptedEngine,
        connect: Connect,
        descriptor: dict[str, Any] | None,
        pushed: tuple[PushedTag, ...],
    ) -> None:
        response = {"containerimage.digest": IMAGE}
        if descriptor is not None:
            response["containerimage.descriptor"] = b64encode(json.dumps(descriptor).encode()).decode()
        seen: list[SolveRequest] = []
        script(scripted, building(seen, response=response))
        async with connect(scripted.url) as docker:
            messages = await build(docker, tag=NAMES[0])
        assert messages[2] == {"status": "The push refers to repository [r.example/app]"}
        assert messages.result.pushed == pushed
        assert messages.result.digest == (None if descriptor is None else PUSHED)
        assert paths(scripted) == ["/_ping", "/grpc", "/session"]
        assert seen[0].exporters[0].attributes == {"name": NAMES[0], "push": "true"}

    async def test_nothing_is_pushed_unless_asked_for(
        self, scripted: ScriptedEngine, connect: Connect
    ) -> None:
        script(scripted, building(labels={}), building(known=True))
        async with connect(scripted.url) as docker:
            for _ in range(2):
                assert (await build(docker, outputs=Image())).result.pushed == ()
        assert "/push" not in "".join(paths(scripted))
