"""Builds by the Control API on a scripted engine: their connections, their ends, and their failures.

They are done in two ways: on an engine with ``POST /grpc`` and ``POST /session``, and on one without them, by
HTTP/2 with prior knowledge, which carries calls and session.
"""

from __future__ import annotations

import base64
import threading
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from dockerproto import (
    BadRequest,
    Cache,
    CacheOnly,
    ConnectionFailed,
    DockerError,
    Image,
    NotFound,
    ProtocolViolated,
    RegistryCache,
    ServerError,
    StepFailed,
    Tar,
    TimedOut,
    UnsupportedEngine,
    UnsupportedVersion,
    UploadFailed,
)
from dockerproto.buildkit.control import building as control_building
from dockerproto.buildkit.control.messages import SolveRequest
from dockerproto.buildkit.files.fsutil import BytesMessage
from dockerproto.buildkit.rpc.handler import OK, Status
from tests.conftest import Connect
from tests.support.calling import Speak, Speaking
from tests.support.control_engines import (
    KINDS,
    AnyEngine,
    Tunnelling,
    Upgrading,
    engines,
    nothing_is_left,
    paths,
)
from tests.support.controlling import (
    IMAGE,
    STEP,
    Control,
    Controlled,
    building,
    details,
    solved,
    workers,
)
from tests.support.tracebacks import leaks
from tests.testbed.scripted import (
    Close,
    Reset,
    json_response,
    wait_until,
)

pytestmark = pytest.mark.anyio

EXIT = "github.com/moby/buildkit/moby.buildkit.v1.frontend.ExitMessage+json"
NO_STEPS = 'process "/bin/sh -c exit 7" did not complete successfully: exit code: 7'


def build(docker: Any, **options: Any) -> Any:
    return docker.images.build(**{"remote": "https://h/a.git", "outputs": CacheOnly(), **options})


scripted = pytest.fixture(engines, params=KINDS)


class TestABuild:
    async def test_has_messages_and_a_result(self, scripted: AnyEngine, connect: Connect) -> None:
        seen: list[SolveRequest] = []
        descriptor = base64.b64encode(b'{"mediaType":"m","digest":"sha256:cd","size":5}').decode()
        response = {"containerimage.digest": IMAGE, "containerimage.descriptor": descriptor}
        scripted.play(building(seen, response=response))
        async with connect(scripted.url) as docker:
            messages = await build(docker, outputs=Image(), tag="app:1")
            await nothing_is_left(scripted)
        assert [each["id"] for each in messages] == [
            "moby.buildkit.trace",
            "dockerproto.exported",
            "moby.image.id",
        ]
        assert messages[0]["trace"].vertexes[0].name == "[1/1] RUN make"
        result = messages.result
        assert (result.image_id, result.digest) == (IMAGE, "sha256:cd")
        assert result.metadata["containerimage.digest"] == IMAGE
        assert paths(scripted) == ["/_ping", *scripted.connections]
        (_, control, session) = scripted.requests
        upgrade = None if isinstance(scripted, Tunnelling) else "h2c"
        assert control.headers.get("upgrade") == upgrade
        assert seen[0].session == session.headers["x-docker-expose-session-uuid"]
        assert seen[0].frontend_attributes["context"] == "https://h/a.git"

    async def test_is_a_stream(self, scripted: AnyEngine, connect: Connect) -> None:
        scripted.play(building())
        async with connect(scripted.url) as docker, build(docker, stream=True) as stream:
            assert len([each async for each in stream]) == 3
            assert stream.result.image == IMAGE

    async def test_begins_when_the_stream_is_entered(self, scripted: AnyEngine, connect: Connect) -> None:
        seen: list[SolveRequest] = []
        scripted.play(building(seen))
        async with connect(scripted.url) as docker, build(docker, stream=True):
            await anyio.to_thread.run_sync(wait_until, lambda: seen)

    async def test_asks_for_the_workers_once(self, scripted: AnyEngine, connect: Connect) -> None:
        scripted.play(building(), building(known=True))
        async with connect(scripted.url) as docker:
            await build(docker)
            await build(docker)
        assert paths(scripted) == ["/_ping", *scripted.connections, *scripted.again]

    async def test_reads_a_large_request_in_parts(self, scripted: AnyEngine, connect: Connect) -> None:
        seen: list[SolveRequest] = []
        scripted.play(building(seen))
        async with connect(scripted.url) as docker:
            await build(docker, labels={"a": "x" * 2**20})
        assert len(seen[0].frontend_attributes["label:a"]) == 2**20

    async def test_serves_directories_and_outputs(
        self, scripted: AnyEngine, connect: Connect, tmp_path: Path
    ) -> None:
        (tmp_path / "lib").mkdir()
        (tmp_path / "lib/file").write_text("x")
        asked: list[Any] = []
        spoken = threading.Event()

        def speak(speaking: Speaking) -> None:
            stream = speaking.begin(SYNC, metadata=[("dir-name", "lib")])
            while not speaking.messages[stream]:
                speaking.hear()
            asked.extend(speaking.messages[stream])
            for number, data in (("1", bytes(1024)), ("5", b"")):
                metadata = [("buildkit-attachable-exporter-id", number)]
                sending = speaking.begin(SEND, BytesMessage(data).encode(), metadata=metadata)
                speaking.grpc.finish(sending)
                asked.append(speaking.end(sending)[1])
            spoken.set()

        def engine(control: Controlled) -> None:
            control.begin()
            spoken.wait()
            control.reply("Status")
            control.reply("Solve", solved({}))

        scripted.play(Control(engine), session=speak)
        outputs = [tmp_path / "dist", Tar(tmp_path / "out.tar")]
        async with connect(scripted.url) as docker:
            await build(docker, contexts={"lib": tmp_path / "lib"}, outputs=outputs)
        assert b"file" in asked[0] + asked[1]
        assert asked[-2] == OK
        assert asked[-1].message == "unknown output 5"
        assert (tmp_path / "out.tar").read_bytes() == bytes(1024)

    async def test_needs_its_directories(self, scripted: AnyEngine, connect: Connect, tmp_path: Path) -> None:
        scripted.play(building())
        contexts = {"a": tmp_path, "b": tmp_path / "missing"}
        async with connect(scripted.url) as docker:
            with pytest.raises(UploadFailed, match=r"^cannot read the build context 'b': .*No such file"):
                await build(docker, contexts=contexts)
            await nothing_is_left(scripted)
        assert "/session" not in paths(scripted)


SYNC = "/moby.filesync.v1.FileSync/DiffCopy"
SEND = "/moby.filesync.v1.FileSend/DiffCopy"


class TestAFailure:
    async def test_of_a_step(self, scripted: AnyEngine, connect: Connect) -> None:
        def engine(control: Controlled) -> None:
            control.begin()
            control.reply("Status", STEP)
            control.fail("Solve", 2, NO_STEPS, details(EXIT, {"Code": 7}))

        scripted.play(Control(engine))
        async with connect(scripted.url) as docker:
            with pytest.raises(StepFailed) as raised:
                await build(docker)
            await nothing_is_left(scripted)
        assert raised.value.error_detail == {"message": NO_STEPS, "code": 7}
        assert len(raised.value.messages) == 1

    async def test_of_the_build(self, scripted: AnyEngine, connect: Connect) -> None:
        def engine(control: Controlled) -> None:
            control.begin()
            control.reply("Solve", status=Status(2, "app:1: manifest unknown"))

        scripted.play(Control(engine))
        async with connect(scripted.url) as docker:
            with pytest.raises(NotFound, match="manifest unknown"):
                await build(docker)
            await nothing_is_left(scripted)

    @pytest.mark.parametrize(
        ("status", "error", "message"),
        [
            (404, UnsupportedVersion, "this engine has no Control API of BuildKit: ?"),
            (400, BadRequest, "?"),
            (500, ServerError, "?"),
        ],
    )
    async def test_of_the_handshake(
        self, scripted: AnyEngine, connect: Connect, status: int, error: type[DockerError], message: str
    ) -> None:
        scripted.api_version = scripted.newest
        scripted.script("POST", "/grpc", json_response({"message": "?"}, status))
        async with connect(scripted.url) as docker:
            with pytest.raises(error) as raised:
                await build(docker)
        assert (raised.value.status, raised.value.message) == (status, message)
        assert paths(scripted) == ["/_ping", *dict.fromkeys((scripted.connections[0], "/grpc"))]

    async def test_of_the_session(self, scripted: AnyEngine, connect: Connect) -> None:
        scripted.play(building())
        scripted.script("POST", "/session", json_response({"message": "?"}, 500))
        async with connect(scripted.url) as docker:
            with pytest.raises(ServerError):
                await build(docker)
            await nothing_is_left(scripted, 1)

    @pytest.mark.parametrize("scripted", [Upgrading], indirect=True)
    async def test_of_a_lost_session(self, scripted: AnyEngine, connect: Connect) -> None:
        scripted.play(building())

        def engine(control: Controlled) -> None:
            control.begin()

        scripted.play(Control(engine))
        scripted.script("POST", "/session", (Speak(), Reset()))
        async with connect(scripted.url) as docker:
            with pytest.raises(ConnectionFailed, match=r"^the session of the build broke: "):
                await build(docker)
            await nothing_is_left(scripted)

    @pytest.mark.parametrize("end", [Close(), Reset()])
    @pytest.mark.parametrize("calls", [(), ("ListWorkers",), ("Solve", "Status")], ids=str)
    async def test_of_the_connection(
        self, scripted: AnyEngine, connect: Connect, calls: tuple[str, ...], end: Any
    ) -> None:
        def engine(control: Controlled) -> None:
            if calls:
                control.wait("ListWorkers")
            if "Solve" in calls:
                control.reply("ListWorkers", workers())
                control.wait(*calls)

        scripted.play(Control(engine), end=end)
        async with connect(scripted.url) as docker:
            with pytest.raises(ConnectionFailed):
                await build(docker)
            await nothing_is_left(scripted)

    @pytest.mark.parametrize("calls", [(), ("ListWorkers",), ("Solve", "Status")], ids=str)
    async def test_shows_no_secret(
        self,
        scripted: AnyEngine,
        connect: Connect,
        caplog: pytest.LogCaptureFixture,
        calls: tuple[str, ...],
    ) -> None:
        def engine(control: Controlled) -> None:
            if "Solve" in calls:
                control.begin()
            else:
                control.wait(*calls)
            control.wire.send(b"\0\0\1\4\0\0\0\0\0\0")

        caplog.set_level(0)
        scripted.play(Control(engine))
        async with connect(scripted.url) as docker:
            stream = build(
                docker,
                remote="https://me:hush@h/a.git",
                buildargs={"TOKEN": "hush"},
                cache_to=Cache("gha", {"token": "hush"}),
                contexts={"lib": "https://me:hush@h/b.git"},
                stream=True,
            )
            with pytest.raises(DockerError) as raised:
                await stream.rest()
            shown = (repr(stream), str(raised.value), repr(raised.value), caplog.text)
        assert leaks(raised.value, ["hush"]) == []
        assert "hush" not in "".join(shown)

    async def test_of_the_protocol(self, scripted: AnyEngine, connect: Connect) -> None:
        settings = b"\0\0\1\4\0\0\0\0\0\0"  # whose length is not a multiple of 6
        scripted.play(Control(lambda control: control.wire.send(settings)))
        async with connect(scripted.url) as docker:
            with pytest.raises(ProtocolViolated, match=r"^invalid HTTP/2: "):
                await build(docker)
            await nothing_is_left(scripted)

    async def test_of_an_engine_that_replies_twice(self, scripted: AnyEngine, connect: Connect) -> None:
        def engine(control: Controlled) -> None:
            control.wait("ListWorkers")
            control.reply("ListWorkers", workers(), workers())

        scripted.play(Control(engine))
        async with connect(scripted.url) as docker:
            with pytest.raises(
                ProtocolViolated, match=r"^the engine replied twice to ListWorkers of BuildKit$"
            ):
                await build(docker)
            await nothing_is_left(scripted)


class TestWhatAnEngineLacks:
    async def test_a_graph_driver(self, scripted: AnyEngine, connect: Connect) -> None:
        scripted.play(building(labels={}))
        async with connect(scripted.url) as docker:
            for _ in range(2):
                with pytest.raises(UnsupportedEngine, match="does not support cache_to of type 'registry'"):
                    await build(docker, cache_to=RegistryCache("a"))
            await nothing_is_left(scripted)
        assert paths(scripted) == ["/_ping", scripted.connections[0]]

    async def test_an_old_engine_never_gets_a_named_context(
        self, scripted: AnyEngine, connect: Connect, tmp_path: Path
    ) -> None:
        """It would pull an image of that name from Docker Hub, which anybody may have pushed there."""
        scripted.play(building())
        scripted.api_version = "1.41"
        async with connect(scripted.url) as docker:
            with pytest.raises(
                UnsupportedVersion, match=r"^contexts needs API 1.42, but API 1.41 is in use$"
            ):
                await build(docker, contexts={"lib": tmp_path})
        assert paths(scripted) == ["/_ping"]

    async def test_podman(self, scripted: AnyEngine, connect: Connect) -> None:
        scripted.script(
            "GET", "/_ping", json_response({}, headers={"Api-Version": "1.41", "Libpod-API-Version": "5.4.0"})
        )
        async with connect(scripted.url) as docker:
            with pytest.raises(UnsupportedEngine, match=r"^Podman does not have BuildKit$"):
                await docker.images.build(dockerfile="FROM a\n", outputs=CacheOnly())


class TestAnEnd:
    async def test_reports_that_never_end(
        self, scripted: AnyEngine, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def engine(control: Controlled) -> None:
            control.begin()
            control.reply("Solve", solved())
            control.reply("Status", STEP, status=None)

        monkeypatch.setattr(control_building, "LAST_REPORTS", 0.05)
        scripted.play(Control(engine))
        async with connect(scripted.url) as docker:
            assert (await build(docker)).result.image == IMAGE
            await nothing_is_left(scripted)

    async def test_reports_without_end(
        self, scripted: AnyEngine, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def engine(control: Controlled) -> None:
            control.begin()
            control.reply("Solve", solved())
            for _ in range(50_000):
                control.reply("Status", STEP, status=None)
                control.flush()

        monkeypatch.setattr(control_building, "LAST_REPORTS", 0.05)
        scripted.play(Control(engine))
        async with connect(scripted.url) as docker:
            assert (await build(docker)).result.image == IMAGE
            await nothing_is_left(scripted)

    async def test_leaving_early(self, scripted: AnyEngine, connect: Connect) -> None:
        def engine(control: Controlled) -> None:
            control.begin()
            control.reply("Status", STEP, status=None)

        scripted.play(Control(engine))
        async with connect(scripted.url) as docker:
            async with build(docker, stream=True) as stream:
                async for _ in stream:
                    break
            await nothing_is_left(scripted)

    async def test_a_limit(self, scripted: AnyEngine, connect: Connect) -> None:
        scripted.play(Control(lambda control: control.wait("ListWorkers")))
        async with connect(scripted.url) as docker:
            with pytest.raises(TimedOut):
                await build(docker, timeout=0.05)
            await nothing_is_left(scripted)

    async def test_a_client_that_is_closed(self, scripted: AnyEngine, connect: Connect) -> None:
        def engine(control: Controlled) -> None:
            control.begin()

        scripted.play(Control(engine))
        async with connect(scripted.url) as docker:
            stream = build(docker, stream=True)
            await stream.__aenter__()
        with pytest.raises(ConnectionFailed):
            await stream.__anext__()
        await stream.close()
        await nothing_is_left(scripted)
