"""The ways to a BuildKit build on a scripted engine: which are taken, what is remembered, how they break."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from dockerproto import (
    BuildResult,
    CacheOnly,
    ConnectionFailed,
    DockerError,
    ProtocolViolated,
    ServerError,
    StepFailed,
    TimedOut,
    Timeout,
    UnsupportedEngine,
)
from dockerproto.buildkit.control.messages import SolveRequest
from dockerproto.buildkit.rpc.handler import OK, Status
from dockerproto.buildkit.rpc.http2 import MESSAGE_LIMIT
from dockerproto.buildkit.session.messages import GetSecretRequest, GetSecretResponse
from tests.conftest import Connect
from tests.support.calling import Speak, Speaking
from tests.support.controlling import (
    IMAGE,
    STEP,
    Control,
    Controlled,
    Native,
    building,
    details,
    solved,
    workers,
)
from tests.support.waiting import until
from tests.testbed.scripted import (
    LAST_CHUNK,
    Close,
    Reset,
    ScriptedEngine,
    UntilClosed,
    chunk,
    json_response,
    stream_head,
)

pytestmark = pytest.mark.anyio

PREFACE: Final = ("PRI", "*")
SECRET: Final = "/moby.buildkit.secrets.v1.Secrets/GetSecret"
HEALTH: Final = "/grpc.health.v1.Health/Check"


@pytest.fixture
def newer(scripted: ScriptedEngine) -> ScriptedEngine:
    """Return an engine of API 1.53, which knows no request but the ping yet."""
    scripted.api_version = "1.53"
    return scripted


def plain(docker: Any, **options: Any) -> Any:
    """Build with nothing that needs the Control API."""
    return docker.images.build(**{"remote": "https://h/a.git", "builder": "buildkit", **options})


def controlled(docker: Any, **options: Any) -> Any:
    """Build with something that needs the Control API."""
    return docker.images.build(remote="https://h/a.git", outputs=CacheOnly(), **options)


def paths(scripted: ScriptedEngine) -> list[str]:
    return [each.path for each in scripted.requests if each.path != "/_ping"]


def tunnels(
    engine: ScriptedEngine, *steps: Control, session: Callable[[Speaking], None] = lambda _: None
) -> None:
    engine.script(*PREFACE, *((Native(each, session), UntilClosed()) for each in steps))


class TestAWay:
    async def test_is_build_as_long_as_there_are_sessions(
        self, newer: ScriptedEngine, connect: Connect
    ) -> None:
        newer.script("POST", "/session", (Speak(), UntilClosed()))
        newer.script("POST", "/build", (stream_head(), chunk(b"{}"), LAST_CHUNK))
        async with connect(newer.url) as docker:
            await plain(docker)
        assert paths(newer) == ["/session", "/build"]

    @pytest.mark.parametrize("status", [404, 501])
    async def test_is_a_tunnel_when_sessions_and_upgrades_are_gone(
        self, newer: ScriptedEngine, connect: Connect, status: int
    ) -> None:
        seen: list[SolveRequest] = []
        answers: list[Any] = []
        asked = threading.Event()

        def speak(speaking: Speaking) -> None:
            answers.append(speaking.ask(HEALTH)[1])
            answers.append(speaking.ask(SECRET, GetSecretRequest("token").encode()))
            asked.set()

        def engine(control: Controlled) -> None:
            control.begin() if not seen else control.wait("Solve", "Status")
            seen.append(control.solve)
            asked.wait()
            asked.clear()
            control.reply("Status", STEP)
            control.reply("Solve", solved())

        newer.script("POST", "/session", json_response({"message": "?"}, status))
        newer.script("POST", "/grpc", json_response({"message": "?"}, status))
        tunnels(newer, Control(engine), session=speak)
        async with connect(newer.url) as docker:
            for _ in range(2):
                messages = await plain(docker, tag="app:1", secrets={"token": b"hush"})
                assert isinstance(messages.result, BuildResult)
                assert messages.result.image_id == IMAGE
        assert answers == [OK, ([GetSecretResponse(b"hush").encode()], OK)] * 2
        assert paths(newer) == ["/session", *PREFACE[1:] * 2]
        announced = newer.requests[1].headers["x-docker-expose-session-uuid"]
        assert (seen[0].session, seen[0].exporter) == (announced, "moby")
        assert seen[0].exporter_attributes == {"name": "docker.io/library/app:1"}
        assert seen[1].session != announced

    async def test_serves_files_and_outputs_in_a_tunnel(
        self, newer: ScriptedEngine, connect: Connect, tmp_path: Path
    ) -> None:
        seen: list[SolveRequest] = []
        tunnels(newer, building(seen))
        async with connect(newer.url) as docker:
            await plain(docker, output=tmp_path / "dist")
        assert (seen[0].exporter, seen[0].exporter_attributes) == ("local", {})

    async def test_is_a_tunnel_in_an_upgraded_connection_of_older_engines(
        self, scripted: ScriptedEngine, connect: Connect
    ) -> None:
        scripted.script("POST", "/grpc", (Native(building(), switching=True), UntilClosed()))
        async with connect(scripted.url) as docker:
            assert (await plain(docker)).result.image_id == IMAGE
        assert paths(scripted) == ["/session", "/grpc"]

    async def test_is_a_session_where_it_exists(self, newer: ScriptedEngine, connect: Connect) -> None:
        newer.script("POST", "/session", (Speak(), UntilClosed()))
        tunnels(newer, building())
        async with connect(newer.url) as docker:
            await controlled(docker)
        assert paths(newer) == ["*", "/session"]

    @pytest.mark.parametrize(
        "refusal", [json_response({}, 400), Close(), Reset()], ids=["400", "end", "reset"]
    )
    async def test_is_an_upgrade_once_http2_was_refused(
        self, newer: ScriptedEngine, connect: Connect, caplog: pytest.LogCaptureFixture, refusal: Any
    ) -> None:
        caplog.set_level("DEBUG", logger="dockerproto")
        newer.script("POST", "/session", (Speak(), UntilClosed()))
        newer.script("POST", "/grpc", (building(), UntilClosed()), (building(known=True), UntilClosed()))
        newer.script(*PREFACE, refusal)
        async with connect(newer.url) as docker:
            await controlled(docker)
            await controlled(docker)
        assert paths(newer) == ["*", *["/grpc", "/session"] * 2]
        assert sum("HTTP/2 with prior knowledge is refused" in each for each in caplog.messages) == 1

    async def test_does_not_change_when_http2_breaks_later(
        self, newer: ScriptedEngine, connect: Connect
    ) -> None:
        settings = b"\0\0\0\4\0\0\0\0\0"
        newer.script(*PREFACE, (settings + b"\xff\xff\xff\0\0\0\0\0\0", UntilClosed()))
        async with connect(newer.url) as docker:
            with pytest.raises(ProtocolViolated, match=r"^invalid HTTP/2: a frame of 16777215 bytes"):
                await controlled(docker)
        assert paths(newer) == ["*"]

    async def test_has_a_limit(self, newer: ScriptedEngine, connect: Connect) -> None:
        newer.script(*PREFACE, UntilClosed())
        async with connect(newer.url) as docker:
            with pytest.raises(TimedOut):
                await controlled(docker, timeout=0.05)
        assert paths(newer) == ["*"]

    async def test_has_the_headers_of_the_user(self, newer: ScriptedEngine, connect: Connect) -> None:
        found: list[Any] = []

        def engine(control: Controlled) -> None:
            control.begin()
            found.extend(each.get("x-who") for each in control.metadata.values())
            control.reply("Status")
            control.reply("Solve", solved())

        tunnels(newer, Control(engine))
        async with connect(newer.url, headers={"X-Who": "me"}) as docker:
            await plain(docker)
        assert found == [("me",)] * 4

    async def test_may_allow_no_more_calls(self, newer: ScriptedEngine, connect: Connect) -> None:
        def engine(control: Controlled) -> None:
            control.wait("ListWorkers")
            control.wire.send(b"\0\0\6\4\0\0\0\0\0" + b"\0\3\0\0\0\0")  # MAX_CONCURRENT_STREAMS
            control.reply("ListWorkers", workers())

        tunnels(newer, Control(engine))
        async with connect(newer.url) as docker:
            with pytest.raises(ConnectionFailed, match=r"^the peer accepts no more calls: "):
                await plain(docker)
            await until(lambda: newer.connections_open <= 2)

    async def test_has_no_squash(self, newer: ScriptedEngine, connect: Connect) -> None:
        async with connect(newer.url) as docker:
            for _ in range(2):
                with pytest.raises(UnsupportedEngine, match=r"without which squash is unsupported$"):
                    await plain(docker, squash=True)
        assert paths(newer) == ["/session"]

    async def test_is_none_on_podman(self, newer: ScriptedEngine, connect: Connect) -> None:
        headers = {"Api-Version": "1.53", "Libpod-API-Version": "6.1.0"}
        newer.script("GET", "/_ping", json_response({}, headers=headers))
        async with connect(newer.url) as docker:
            for build in (plain, controlled):
                with pytest.raises(UnsupportedEngine):
                    await build(docker)
        assert paths(newer) == []

    async def test_may_be_refused(self, newer: ScriptedEngine, connect: Connect) -> None:
        newer.script("POST", "/grpc", json_response({"message": "?"}, 500))
        async with connect(newer.url) as docker:
            with pytest.raises(ServerError):
                await plain(docker)
        assert paths(newer) == ["/session", "*", "/grpc"]


def hold(control: Controlled) -> None:
    control.begin()


class TestABreak:
    """In a tunnel, where the session and the calls share a connection."""

    @pytest.mark.parametrize(
        ("sent", "error", "message"),
        [
            (
                b"\0\0\x08\7\0\0\0\0\0" + bytes(8),
                ConnectionFailed,
                "the engine closed the connection of the build",
            ),
            (b"\0\0\1\4\0\0\0\0\0\0", ProtocolViolated, "invalid HTTP/2: "),
            (b"\0\x40\1\0\0\0\0\0\1", ProtocolViolated, "invalid HTTP/2: a frame of 16385 bytes is over"),
        ],
        ids=["goaway", "invalid", "overlong"],
    )
    async def test_of_the_connection(
        self, newer: ScriptedEngine, connect: Connect, sent: bytes, error: type[DockerError], message: str
    ) -> None:
        def engine(control: Controlled) -> None:
            control.begin()
            control.wire.send(sent)

        tunnels(newer, Control(engine))
        async with connect(newer.url) as docker:
            with pytest.raises(error, match=f"^{message}"):
                await plain(docker)
            await until(lambda: newer.connections_open <= 2)

    @pytest.mark.parametrize("end", [Close(), Reset()], ids=["end", "reset"])
    async def test_by_the_engine(self, newer: ScriptedEngine, connect: Connect, end: Any) -> None:
        newer.script(*PREFACE, (Native(Control(hold)), end))
        async with connect(newer.url) as docker:
            with pytest.raises(ConnectionFailed):
                await plain(docker)
            await until(lambda: newer.connections_open <= 2)

    @pytest.mark.parametrize(
        ("messages", "status", "reason"),
        [
            ((), Status(2, "no room"), "no room"),
            ((), OK, "the engine ended it"),
            ((bytes(MESSAGE_LIMIT + 1),), None, "a message of .* bytes is over the limit of"),
            ((b"\x0a\x04HTTP",), None, "invalid HTTP/2: "),
            ((b"\xff",), None, "a protobuf message is truncated"),
        ],
        ids=["error", "end", "huge", "no session", "malformed"],
    )
    async def test_of_the_session(
        self,
        newer: ScriptedEngine,
        connect: Connect,
        messages: tuple[bytes, ...],
        status: Status | None,
        reason: str,
    ) -> None:
        def engine(control: Controlled) -> None:
            control.begin()
            control.reply("Session", *messages, status=status)
            control.flush()
            control.wire.hung_up(None)

        tunnels(newer, Control(engine))
        async with connect(newer.url) as docker:
            with pytest.raises(ConnectionFailed, match=f"^the session of the build broke: .*{reason}"):
                await plain(docker)
            await until(lambda: newer.connections_open <= 2)

    async def test_of_a_reply_that_comes_twice(self, newer: ScriptedEngine, connect: Connect) -> None:
        def engine(control: Controlled) -> None:
            control.begin()
            control.reply("Solve", solved(), solved())

        tunnels(newer, Control(engine))
        async with connect(newer.url) as docker:
            with pytest.raises(ProtocolViolated, match=r"^the engine replied twice to Solve of BuildKit$"):
                await plain(docker)

    async def test_of_nothing_by_empty_messages(self, newer: ScriptedEngine, connect: Connect) -> None:
        def engine(control: Controlled) -> None:
            control.begin()
            control.reply("Session", *[b""] * 10_000, status=None)
            control.reply("Status", STEP)
            control.reply("Solve", solved())

        tunnels(newer, Control(engine))
        async with connect(newer.url) as docker:
            assert (await plain(docker)).result.image_id == IMAGE

    async def test_of_a_step_with_details_that_are_not_json(
        self, newer: ScriptedEngine, connect: Connect
    ) -> None:
        def engine(control: Controlled) -> None:
            control.begin()
            control.reply("Status", STEP)
            control.fail("Solve", 2, "exit code: 7", details("x/ExitMessage+json", b"{"))

        tunnels(newer, Control(engine))
        async with connect(newer.url) as docker:
            with pytest.raises(DockerError, match="exit code: 7") as raised:
                await plain(docker)
        assert not isinstance(raised.value, StepFailed | ConnectionFailed)

    async def test_by_a_limit_though_the_session_is_busy(
        self, newer: ScriptedEngine, connect: Connect
    ) -> None:
        asked = 0

        def speak(speaking: Speaking) -> None:
            nonlocal asked
            while True:
                speaking.ask(HEALTH)
                asked += 1

        def engine(control: Controlled) -> None:
            control.begin()
            control.wire.hung_up(None)

        tunnels(newer, Control(engine), session=speak)
        async with connect(newer.url) as docker:
            with pytest.raises(TimedOut, match=r"^no progress for 0.2 s \(idle\)$"):
                await plain(docker, timeout=Timeout(idle=0.2))
        assert asked

    async def test_by_leaving(self, newer: ScriptedEngine, connect: Connect) -> None:
        def engine(control: Controlled) -> None:
            control.begin()
            control.reply("Status", STEP, status=None)
            control.flush()
            control.wire.hung_up(None)

        tunnels(newer, Control(engine))
        async with connect(newer.url) as docker:
            async with plain(docker, stream=True) as stream:
                async for _ in stream:
                    break
            await until(lambda: newer.connections_open <= 2)
        assert not [each for each in threading.enumerate() if each.name == "dockerproto session"]

    async def test_before_the_session(self, newer: ScriptedEngine, connect: Connect, tmp_path: Path) -> None:
        def engine(control: Controlled) -> None:
            control.wait("ListWorkers")
            control.reply("ListWorkers", workers(), status=Status(2, "no workers"))

        tunnels(newer, Control(engine))
        async with connect(newer.url) as docker:
            with pytest.raises(ServerError, match=r"^ListWorkers of BuildKit failed: no workers$"):
                await plain(docker)
            await until(lambda: newer.connections_open <= 2)
