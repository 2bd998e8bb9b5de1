"""A BuildKit daemon that follows a script: how it is spoken to, and how it fails."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

import dockerproto_asyncio
import dockerproto_httpx
from dockerproto import (
    TCP,
    TLS,
    CacheOnly,
    ClientClosed,
    ConnectionFailed,
    DockerError,
    DockerStreamError,
    Image,
    ProtocolViolated,
    ServerError,
    TimedOut,
    Timeout,
    UnsupportedEngine,
)
from dockerproto.buildkit.control.daemon import Daemon
from dockerproto.buildkit.control.messages import SolveRequest
from dockerproto.http.connection import Connections
from dockerproto.request.buildkit_access import BuildKitAccess, CallHeaders
from dockerproto.request.request import Request
from dockerproto.timeouts import UNLIMITED, Timer
from dockerproto.transport.runtime import run
from dockerproto_local.blocking import BlockingTransport
from tests.conftest import Connect
from tests.support.controlling import (
    IMAGE,
    STEP,
    Control,
    Controlled,
    Native,
    building,
    building_or_replying,
    details,
    solved,
)
from tests.support.tracebacks import leaks
from tests.support.waiting import until
from tests.testbed import dial_stdio
from tests.testbed.scripted import Close, Reset, ScriptedEngine, UntilClosed, json_response

pytestmark = pytest.mark.anyio

PREFACE: Final = ("PRI", "*")


def build(buildkit: Any, **options: Any) -> Any:
    return buildkit.build(**{"remote": "https://h/a.git", "outputs": CacheOnly(), **options})


def play(scripted: ScriptedEngine, *steps: Control, end: Any = UntilClosed()) -> None:  # noqa: B008  # frozen
    scripted.script(*PREFACE, *((Native(each), end) for each in steps))


def hold(control: Controlled) -> None:
    control.begin()
    control.reply("Status", STEP, status=None)
    control.flush()


@contextmanager
def answering(reply: bytes) -> Generator[int]:
    """Serve a port that sends bytes to the first client that has said something."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(reply)
                if reply:
                    connection.recv(65536)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


class TestABuild:
    async def test_speaks_http2_and_nothing_else(
        self, scripted: ScriptedEngine, connect_daemon: Connect
    ) -> None:
        seen: list[SolveRequest] = []
        authorities: list[Any] = []

        def engine(control: Controlled) -> None:
            control.begin() if not seen else control.wait("Solve", "Status")
            seen.append(control.solve)
            metadata = control.metadata["Solve"]
            authorities.append((*metadata[":scheme"], *metadata[":authority"]))
            control.reply("Status", STEP)
            control.reply("Solve", solved())

        play(scripted, Control(engine))
        async with connect_daemon(scripted.url, proxies={"HTTP_PROXY": "http://p"}) as buildkit:
            assert buildkit.endpoint.origin == "from address="
            for options in ({"tag": "app:1", "outputs": Image(push=True)}, {}):
                assert (await build(buildkit, **options)).result.image_id == IMAGE
        assert {each.path for each in scripted.requests} == {"*"}
        assert seen[0].exporters[0].type == "image"
        assert seen[0].exporters[0].attributes == {"name": "docker.io/library/app:1", "push": "true"}
        assert seen[0].frontend_attributes == {
            "build-arg:HTTP_PROXY": "http://p",
            "context": "https://h/a.git",
        }
        assert seen[1].exporters == ()
        assert authorities == [("http", "localhost")] * 2

    async def test_may_be_a_question(self, scripted: ScriptedEngine, connect_daemon: Connect) -> None:
        play(scripted, building_or_replying())
        async with connect_daemon(scripted.url) as buildkit:
            assert await buildkit.targets(remote="https://h/a.git") == []

    async def test_reports_its_progress(self, scripted: ScriptedEngine, connect_daemon: Connect) -> None:
        play(scripted, building())
        async with connect_daemon(scripted.url) as buildkit, build(buildkit, stream=True) as stream:
            assert [list(each) async for each in stream]
            assert stream.result.image_id == IMAGE

    async def test_that_is_left_leaves_nothing(
        self, scripted: ScriptedEngine, connect_daemon: Connect
    ) -> None:
        play(scripted, Control(hold))
        async with connect_daemon(scripted.url) as buildkit:
            async with build(buildkit, stream=True) as stream:
                async for _ in stream:
                    break
            await until(lambda: not scripted.connections_open)
        assert not [each for each in threading.enumerate() if each.name == "dockerproto session"]

    async def test_needs_outputs(self, connect_daemon: Connect) -> None:
        async with connect_daemon("unix:///absent") as buildkit:
            with pytest.raises(ValueError, match=r"^outputs must be given, as .* or CacheOnly\(\) for "):
                await buildkit.build(remote="https://h/a.git")

    async def test_needs_an_open_client(self, connect_daemon: Connect) -> None:
        buildkit = connect_daemon("unix:///absent")
        await buildkit.close()
        with pytest.raises(ClientClosed):
            await build(buildkit)

    async def test_may_need_what_a_worker_lacks(
        self, scripted: ScriptedEngine, connect_daemon: Connect
    ) -> None:
        play(scripted, building(labels={}))
        async with connect_daemon(scripted.url) as buildkit:
            with pytest.raises(UnsupportedEngine, match="which does not support annotations"):
                await build(buildkit, outputs=Image(), annotations={"a": "b"})


def test_an_engine_api_is_missing() -> None:
    with dockerproto_httpx.BuildKit("unix:///absent") as buildkit:
        client = buildkit.client
        request, work = Request(method="GET", path="/version"), client.begin(None, "reading")
        with pytest.raises(UnsupportedEngine, match=r"^a BuildKit daemon has no Engine API: GET /version$"):
            run(client.open(request, client.credentials.for_call(), work))


@pytest.mark.parametrize(
    ("scheme", "advice"),
    [("http", "does this port use TLS?"), ("https", "does it accept the client's certificate?")],
)
def test_a_port_that_hangs_up(scheme: str, advice: str) -> None:
    access = BuildKitAccess(plain=True, headers=CallHeaders(scheme=scheme))
    with answering(b"") as port:
        connections = Connections(BlockingTransport(), TCP("127.0.0.1", port), daemon=True)
        with pytest.raises(ConnectionFailed) as raised:
            run(Daemon(connections, access).open(Timer(UNLIMITED, time.monotonic)))
    assert raised.value.message.endswith(f"closed the connection at once; is it a BuildKit daemon? {advice}")


SILENT: Final = Timeout(connect=0.05)


class TestAFault:
    @pytest.mark.parametrize(
        ("reply", "error", "message"),
        [
            (
                json_response({}, 400),
                ProtocolViolated,
                "is not a BuildKit daemon: not HTTP/2: .*; is it a Docker Engine, or behind a proxy",
            ),
            (
                b"\x15\x03\x01\0\2\2\x46\0\0\0\0\0\0",
                ProtocolViolated,
                "is not a BuildKit daemon: not HTTP/2: .*; does this port use TLS",
            ),
            (b"SSH-2.0-OpenSSH_9.2\r\n", ProtocolViolated, r"is not a BuildKit daemon: not HTTP/2: [^;]*$"),
            (Close(), ConnectionFailed, r"it closed the connection at once; is it a BuildKit daemon\?$"),
            (Reset(), ConnectionFailed, r"it closed the connection at once; is it a BuildKit daemon\?$"),
            (UntilClosed(), TimedOut, r"no progress for 0.05 s \(connect\)$"),
        ],
        ids=["HTTP/1.1", "TLS", "other", "end", "reset", "silence"],
    )
    async def test_at_first(
        self,
        scripted: ScriptedEngine,
        connect_daemon: Connect,
        reply: Any,
        error: type[DockerError],
        message: str,
    ) -> None:
        scripted.script(*PREFACE, (reply, UntilClosed()))
        async with connect_daemon(scripted.url) as buildkit:
            with pytest.raises(error, match=message) as raised:
                await build(buildkit, timeout=SILENT if error is TimedOut else None)
            assert f"{scripted.url} (from address=)" in raised.value.message
            await until(lambda: not scripted.connections_open)

    async def test_of_the_total(self, scripted: ScriptedEngine, connect_daemon: Connect) -> None:
        scripted.script(*PREFACE, UntilClosed())
        async with connect_daemon(scripted.url) as buildkit:
            with pytest.raises(
                TimedOut, match=r"^cannot connect to .*: not finished within 0.05 s \(total\)$"
            ):
                await build(buildkit, timeout=0.05)

    @pytest.mark.parametrize("end", [Close(), Reset()], ids=["end", "reset"])
    async def test_in_the_middle(self, scripted: ScriptedEngine, connect_daemon: Connect, end: Any) -> None:
        play(scripted, Control(hold), end=end)
        async with connect_daemon(scripted.url) as buildkit:
            with pytest.raises(ConnectionFailed, match="the BuildKit daemon at") as raised:
                await build(buildkit)
            assert scripted.url in raised.value.message
            await until(lambda: not scripted.connections_open)

    async def test_of_the_first_call(self, scripted: ScriptedEngine, connect_daemon: Connect) -> None:
        def engine(control: Controlled) -> None:
            control.wait("ListWorkers")
            control.fail("ListWorkers", 16, "who are you", "")

        play(scripted, Control(engine))
        async with connect_daemon(scripted.url) as buildkit:
            with pytest.raises(ServerError, match=r"^ListWorkers of BuildKit failed: who are you$"):
                await build(buildkit)

    async def test_of_a_socket(self, connect_daemon: Connect, tmp_path: Path) -> None:
        async with connect_daemon(f"unix://{tmp_path}/absent") as buildkit:
            with pytest.raises(ConnectionFailed, match=r"no such file or directory; is buildkitd running\?$"):
                await build(buildkit)

    async def test_of_a_port(self, connect_daemon: Connect, refusing_port: int) -> None:
        async with connect_daemon(f"tcp://127.0.0.1:{refusing_port}") as buildkit:
            with pytest.raises(ConnectionFailed, match=r"connection refused; is buildkitd running\?$"):
                await build(buildkit)

    async def test_of_a_step(self, scripted: ScriptedEngine, connect_daemon: Connect) -> None:
        def engine(control: Controlled) -> None:
            control.begin()
            control.reply("Status", STEP)
            control.fail("Solve", 2, "exit code: 7", details("x/ExitMessage+json", {"Code": 7}))

        play(scripted, Control(engine))
        async with connect_daemon(scripted.url) as buildkit:
            with pytest.raises(DockerStreamError, match="exit code: 7") as raised:
                await build(buildkit)
            assert raised.value.error_detail["code"] == 7
            assert len(raised.value.messages) == 1

    async def test_of_alpn(self, connect_daemon: Connect) -> None:
        with answering(b"\x15\x03\x03\0\2\2\x78") as port:
            async with connect_daemon(f"tcp://127.0.0.1:{port}", tls=TLS(verify=False)) as buildkit:
                with pytest.raises(
                    ConnectionFailed, match="the server refuses HTTP/2; is it a BuildKit daemon"
                ):
                    await build(buildkit)


def test_one_event_loop_after_another(scripted: ScriptedEngine) -> None:
    play(scripted, building(), building(known=True))
    buildkit = dockerproto_asyncio.BuildKit(scripted.url)

    async def once() -> Any:
        return await build(buildkit)

    assert [asyncio.run(once()).result.image_id for _ in range(2)] == [IMAGE] * 2
    asyncio.run(buildkit.close())


def test_one_that_is_never_closed(scripted: ScriptedEngine) -> None:
    play(scripted, building())
    buildkit = dockerproto_httpx.BuildKit(scripted.url)
    build(buildkit)
    with pytest.warns(ResourceWarning, match=f"^unclosed <BuildKit at {scripted.url} "):
        del buildkit
        gc.collect()


class TestACommand:
    @pytest.fixture
    def command(self, scripted: ScriptedEngine) -> list[str]:
        """Return a command that leads to the scripted daemon."""
        return [sys.executable, "-I", "-S", str(dial_stdio.__file__), str(scripted.socket)]

    async def test_leads_to_a_daemon(
        self, scripted: ScriptedEngine, connect_daemon: Connect, command: list[str]
    ) -> None:
        play(scripted, building())
        async with connect_daemon(command=command) as buildkit:
            assert (await build(buildkit)).result.image_id == IMAGE
            await until(lambda: not scripted.connections_open)

    async def test_ends_with_the_call(
        self, scripted: ScriptedEngine, connect_daemon: Connect, command: list[str]
    ) -> None:
        play(scripted, Control(hold))
        async with connect_daemon(command=command) as buildkit:
            async with build(buildkit, stream=True) as stream:
                async for _ in stream:
                    break
            await until(lambda: not scripted.connections_open)
        assert not [each for each in threading.enumerate() if each.name.startswith("dockerproto ")]

    @pytest.mark.parametrize(
        "program",
        [["/absent/x"], ["sh", "-c", "exit 1"], ["sh", "-c", "cat >&2"]],
        ids=["missing", "end", "mute"],
    )
    async def test_keeps_its_arguments_secret(self, connect_daemon: Connect, program: list[str]) -> None:
        async with connect_daemon(command=[*program, "--token=hunter-2"]) as buildkit:
            with pytest.raises(DockerError) as raised:
                await build(buildkit, timeout=SILENT)
        assert leaks(raised.value, ["hunter-2"]) == []
        assert "hunter-2" not in str(raised.value)

    async def test_that_is_missing(self, connect_daemon: Connect) -> None:
        async with connect_daemon(command=["/absent/kubectl"]) as buildkit:
            with pytest.raises(
                ConnectionFailed, match="the program /absent/kubectl is missing; is it installed"
            ):
                await build(buildkit)

    async def test_that_may_not_be_run(self, connect_daemon: Connect, tmp_path: Path) -> None:
        (tmp_path / "kubectl").touch()
        async with connect_daemon(command=[str(tmp_path / "kubectl")]) as buildkit:
            with pytest.raises(ConnectionFailed, match="kubectl may not be run; is it executable"):
                await build(buildkit)

    @pytest.mark.parametrize(
        ("script", "reason"),
        [("echo 'no such pod: b' >&2; exit 1", "no such pod: b"), ("exit 1", "sh ended")],
    )
    async def test_that_ends_at_once(self, connect_daemon: Connect, script: str, reason: str) -> None:
        async with connect_daemon(command=["sh", "-c", script]) as buildkit:
            with pytest.raises(ConnectionFailed, match=f"^cannot connect to the command 'sh' .*: {reason}$"):
                await build(buildkit)

    @pytest.mark.parametrize(
        ("last", "reason"), [("echo 'pod evicted' >&2", "pod evicted"), ("true", "sh ended")]
    )
    async def test_that_ends_in_the_middle(
        self,
        scripted: ScriptedEngine,
        connect_daemon: Connect,
        *,
        command: list[str],
        last: str,
        reason: str,
    ) -> None:
        play(scripted, Control(hold), end=Close())
        async with connect_daemon(command=["sh", "-c", f'"$@"; {last}', "sh", *command]) as buildkit:
            with pytest.raises(ConnectionFailed) as raised:
                await build(buildkit)
            broken = f"the connection to the BuildKit daemon at the command 'sh' broke: {reason}"
            assert raised.value.message == f"the session of the build broke: {broken}"
            await until(lambda: not scripted.connections_open)
        assert not [each for each in threading.enumerate() if each.name == "dockerproto command"]
