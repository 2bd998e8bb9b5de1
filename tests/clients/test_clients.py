"""Clients: which version is spoken, what is refused, many calls at once, and the end."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

import dockerproto_httpx
from dockerproto import (
    TCP,
    ClientClosed,
    ConnectionFailed,
    ContextError,
    DockerError,
    InvalidHost,
    InvalidReference,
    Ping,
    ProtocolViolated,
    ServerError,
    UnixSocket,
)
from dockerproto.endpoint.contexts import meta_path
from tests.conftest import Connect
from tests.support.facade import Transport
from tests.support.stored import PASSWORD, USER
from tests.testbed.scripted import (
    Reply,
    ScriptedEngine,
    UntilClosed,
    WaitFor,
    chunk,
    chunked,
    json_response,
    response,
    stream_head,
    wait_until,
)

pytestmark = pytest.mark.anyio

LIST = ("GET", "/images/json")
PULL = ("POST", "/images/create")
PODMAN = {"Libpod-Api-Version": "4.3.1"}


class TestEngine:
    async def test_ping_tells_who_answers(self, scripted: ScriptedEngine, connect: Connect) -> None:
        headers = {"Api-Version": "1.41", **PODMAN, "Server": "Libpod/4.3.1 (linux)"}
        scripted.script("GET", "/_ping", response(200, b"OK", {**headers, "Builder-Version": ""}))
        async with connect(scripted.url) as docker:
            assert await docker.ping() == Ping(
                api_version="1.41",
                os_type=None,
                builder_version=None,
                experimental=False,
                server="Libpod/4.3.1 (linux)",
                podman="4.3.1",
            )

    async def test_an_engine_that_is_unwell_says_so(self, scripted: ScriptedEngine, connect: Connect) -> None:
        scripted.script("GET", "/_ping", json_response({"message": "unwell"}, 500))
        async with connect(scripted.url) as docker:
            with pytest.raises(ServerError, match="unwell"):
                await docker.ping()

    async def test_version_is_what_the_engine_says(self, scripted: ScriptedEngine, connect: Connect) -> None:
        scripted.script("GET", "/version", json_response({"Version": "20.10.24", "ApiVersion": "1.41"}))
        async with connect(scripted.url) as docker:
            assert await docker.version() == {"Version": "20.10.24", "ApiVersion": "1.41"}

    @pytest.mark.parametrize("document", [[], None, "text"])
    async def test_an_answer_of_another_kind_is_refused(
        self, scripted: ScriptedEngine, connect: Connect, document: Any
    ) -> None:
        scripted.script("GET", "/version", json_response(document))
        async with connect(scripted.url) as docker:
            with pytest.raises(ProtocolViolated, match="must be a JSON object"):
                await docker.version()

    async def test_no_engine_is_a_clear_error(
        self, connect: Connect, tmp_path: Path, refusing_port: int
    ) -> None:
        for url in (f"unix://{tmp_path}/none.sock", f"tcp://127.0.0.1:{refusing_port}"):
            async with connect(url) as docker:
                with pytest.raises(
                    ConnectionFailed, match=rf"cannot connect to {url} \(from url=\): "
                ) as raised:
                    await docker.ping()
                assert isinstance(raised.value.__cause__, OSError)
                assert raised.value.status == 0

    async def test_an_engine_on_a_port(self, scripted: ScriptedEngine, connect: Connect) -> None:
        with _forwarded(scripted.socket) as port:
            async with connect(f"tcp://127.0.0.1:{port}") as docker:
                assert (await docker.ping()).api_version == "1.41"
                assert docker.endpoint.address == TCP("127.0.0.1", port)
        assert scripted.requests[-1].headers["host"] == f"127.0.0.1:{port}"

    async def test_an_engine_below_a_path(self, scripted: ScriptedEngine, connect: Connect) -> None:
        scripted.script("GET", "/behind/_ping", response(200, b"OK", {"Api-Version": "1.41"}))
        with _forwarded(scripted.socket) as port:
            async with connect(f"http://127.0.0.1:{port}/behind/") as docker:
                assert (await docker.ping()).api_version == "1.41"
        assert scripted.requests[-1].target == "/behind/_ping"

    async def test_an_engine_of_a_context(
        self, scripted: ScriptedEngine, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        monkeypatch.setenv("DOCKER_HOST", "unix:///another")
        meta = tmp_path / meta_path("scripted")
        meta.parent.mkdir(parents=True)
        meta.write_text(json.dumps({"Endpoints": {"docker": {"Host": scripted.url}}}))
        async with connect(context="scripted") as docker:
            assert (await docker.ping()).api_version == "1.41"
            assert (docker.endpoint.context, docker.endpoint.reason) == ("scripted", "context=")
        with pytest.raises(ContextError):
            connect(context="gone")
        with pytest.raises(ValueError, match="url= and context="):
            connect(scripted.url, context="scripted")

    async def test_the_environment_says_the_platform_where_the_program_does_not(
        self, scripted: ScriptedEngine, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DOCKER_DEFAULT_PLATFORM", "linux/arm64")
        for path in ("/images/create", "/build", "/images/a/push"):
            scripted.script("POST", path, chunked(b"{}"))
        async with connect(scripted.url) as docker:
            await docker.images.pull("a")
            await docker.images.pull("a", platform="linux/s390x")
            await docker.images.import_filesystem(b"tar")
            await docker.images.build(fileobj=b"tar")
            await docker.images.push("a")
        sent = [each.query.get("platform") for each in scripted.requests[1:]]
        assert sent == [["linux/arm64"], ["linux/s390x"], ["linux/arm64"], ["linux/arm64"], None]

    async def test_a_pipe_of_windows_cannot_be_opened_here(self, connect: Connect) -> None:
        async with connect("npipe://") as docker:
            with pytest.raises(ConnectionFailed, match="on Windows only"):
                await docker.ping()

    async def test_the_address_is_read_early(self, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
        for wrong in (
            "",
            "/var/run/docker.sock",
            "ftp://x",
            "tcp://x:y",
            "tcp://u@x:1",
            "tcp://x//y",
        ):
            with pytest.raises(InvalidHost):
                connect(wrong)
        monkeypatch.setenv("DOCKER_HOST", "unix:///from/environment")
        docker = connect()
        assert docker.endpoint.address == UnixSocket("/from/environment")
        assert docker.endpoint.reason == "DOCKER_HOST"
        assert repr(getattr(docker, "blocking", docker)) == "<Docker at unix:///from/environment>"
        assert connect("unix:///asked").endpoint.address == UnixSocket("/asked")


class TestNames:
    @pytest.mark.parametrize(
        "name",
        [
            "",
            "../containers/x",
            "../containers/x?x=",
            "a/../../info",
            "a//b",
            "a?b",
            "a#b",
            "%2e%2e/x",
            "a b",
        ],
    )
    async def test_one_that_could_leave_the_images_is_refused(
        self, scripted: ScriptedEngine, connect: Connect, name: str
    ) -> None:
        async with connect(scripted.url) as docker:
            images = docker.images
            calls: list[Callable[[], Any]] = [
                lambda: images.inspect(name),
                lambda: images.exists(name),
                lambda: images.history(name),
                lambda: images.delete(name),
                lambda: images.tag(name, "x"),
                lambda: images.tag("x", name),
                lambda: images.distribution(name),
                lambda: images.pull(name),
                lambda: images.push(name),
                lambda: images.export_image(name).read(),
                lambda: images.export_image(["x", name]).read(),
                lambda: images.build(fileobj=b"", tag=name),
                lambda: images.import_filesystem(b"", repo=name),
            ]
            for call in calls:
                with pytest.raises(InvalidReference) as raised:
                    await call()
                assert isinstance(raised.value, DockerError)
                assert isinstance(raised.value, ValueError)
        assert not scripted.requests

    async def test_a_name_is_sent_as_given(self, scripted: ScriptedEngine, connect: Connect) -> None:
        name = "127.0.0.1:5000/a/b:1"
        scripted.script("GET", f"/images/{name}/json", json_response({"Id": "x"}))
        async with connect(scripted.url) as docker:
            assert (await docker.images.inspect(name))["Id"] == "x"
        assert scripted.requests[-1].target == f"/v1.41/images/{name}/json"


class TestExists:
    async def test_only_absence_is_no(self, scripted: ScriptedEngine, connect: Connect) -> None:
        scripted.script(
            "GET",
            "/images/busybox/json",
            json_response({"Id": "x"}),
            json_response({"message": "No such image: busybox:latest"}, 404),
            json_response({"message": "page not found"}, 404),
            json_response({"message": "unwell"}, 500),
        )
        async with connect(scripted.url) as docker:
            assert await docker.images.exists("busybox") is True
            assert await docker.images.exists("busybox") is False
            with pytest.raises(DockerError, match="page not found"):
                await docker.images.exists("busybox")
            with pytest.raises(ServerError):
                await docker.images.exists("busybox")


class TestMany:
    async def test_two_hundred_operations_at_once(self, scripted: ScriptedEngine, connect: Connect) -> None:
        everyone = threading.Event()
        scripted.script(*LIST, [WaitFor(everyone), json_response([{"Id": "x"}])])
        results: list[Any] = []

        async with connect(scripted.url) as docker:

            async def one() -> None:
                (image,) = await docker.images.list()
                results.append(image["Id"])

            await docker.ping()
            with anyio.fail_after(30):
                async with anyio.create_task_group() as tasks:
                    for _ in range(200):
                        tasks.start_soon(one)
                    everyone.set()
        assert results == ["x"] * 200

    def test_threads_share_a_blocking_client(self, scripted: ScriptedEngine) -> None:
        everyone = threading.Barrier(20)
        scripted.script(*LIST, json_response([{"Id": "x"}]))
        scripted.script(*PULL, chunked(b'{"status":"a"}\n', b'{"status":"b"}\n'))

        with dockerproto_httpx.Docker(scripted.url) as docker, ThreadPoolExecutor(20) as threads:

            def one(number: int) -> Any:
                everyone.wait()
                if number % 2:
                    return list(docker.images.pull("busybox", stream=True))
                return [image["Id"] for image in docker.images.list()]

            results = list(threads.map(one, range(20)))
        assert results == [["x"], [{"status": "a"}, {"status": "b"}]] * 10
        wait_until(lambda: scripted.connections_open == 0)


class TestEnd:
    async def test_a_closed_client_raises(self, scripted: ScriptedEngine, connect: Connect) -> None:
        scripted.script(*LIST, json_response([]))
        docker = connect(scripted.url)
        async with docker:
            await docker.images.list()
            stream = docker.images.pull("busybox", stream=True)
        await docker.close()
        for call in (docker.ping, docker.version, docker.images.list, stream.rest):
            with pytest.raises(ClientClosed, match="closed"):
                await call()
        await anyio.to_thread.run_sync(wait_until, lambda: scripted.connections_open == 0)

    async def test_streams_end_with_their_client(self, scripted: ScriptedEngine, connect: Connect) -> None:
        scripted.script(*PULL, [stream_head(), chunk(b'{"status":"a"}\n'), UntilClosed()])
        async with connect(scripted.url) as docker:
            stream = docker.images.pull("busybox", stream=True)
            assert await anext(stream) == {"status": "a"}
        with pytest.raises(ConnectionFailed):
            await anext(stream)
        await anyio.to_thread.run_sync(wait_until, lambda: scripted.connections_open == 0)

    async def test_what_has_come_is_handed_out_after_that(
        self, scripted: ScriptedEngine, connect: Connect
    ) -> None:
        scripted.script(*PULL, chunked(b'{"status":"a"}\n', b'{"status":"b"}\n'))
        async with connect(scripted.url) as docker:
            stream = docker.images.pull("busybox", stream=True)
            assert await anext(stream) == {"status": "a"}
        assert await stream.rest() == [{"status": "b"}]

    async def test_a_wait_ends_with_its_client(self, scripted: ScriptedEngine, connect: Connect) -> None:
        scripted.script(*LIST, UntilClosed())
        async with connect(scripted.url) as docker, anyio.create_task_group() as tasks:

            async def waiting() -> None:
                with pytest.raises((ConnectionFailed, ClientClosed)):
                    await docker.images.list()

            tasks.start_soon(waiting)
            await anyio.to_thread.run_sync(wait_until, lambda: len(scripted.requests) == 2)
            await docker.close()

    async def test_cancelling_closes_the_connection(
        self, scripted: ScriptedEngine, connect: Connect, transport: Transport
    ) -> None:
        if transport == "httpx":
            return  # a blocking call cannot be cancelled
        scripted.script(*LIST, UntilClosed())
        scripted.script(*PULL, [stream_head(), chunk(b'{"status":"a"}\n'), UntilClosed()])
        scripted.script("POST", "/images/load", UntilClosed())
        async with connect(scripted.url) as docker:
            for call in (
                docker.images.list,
                lambda: docker.images.pull("busybox"),
                lambda: docker.images.pull("busybox", stream=True).rest(),
                lambda: docker.images.import_image(bytes(10_000_000)),
            ):
                with anyio.move_on_after(0.2) as scope:
                    await call()
                assert scope.cancelled_caught
                await anyio.to_thread.run_sync(wait_until, lambda: scripted.connections_open == 0)


AUTHS: dict[str, Any] = {
    "mapping": {"username": USER, "password": PASSWORD},
    "token": {"identitytoken": PASSWORD},
}


@pytest.mark.parametrize("auth", AUTHS.values(), ids=AUTHS)
async def test_credentials_never_show(
    scripted: ScriptedEngine, connect: Connect, auth: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    failures: list[Reply] = [
        json_response({"message": "denied: no"}, 500),
        json_response({"message": ""}, 404),
        chunked(b'{"errorDetail":{"message":"unauthorized: no"}}\n'),
        [stream_head(), b"cut"],
        b"no HTTP\r\n\r\n",
    ]
    shown: list[str] = []
    for failure in failures:
        scripted.script("POST", "/images/busybox/push", failure)
        async with connect(scripted.url, timeout=5) as docker:
            stream = docker.images.push("busybox", auth=auth, stream=True, timeout=0.5)
            with pytest.raises(DockerError) as raised:
                await stream.rest()
            shown += [repr(stream), repr(docker), _rendered(raised.value)]
            header = scripted.requests[-1].headers["x-registry-auth"]
            assert len(header) > 30
            shown.append(caplog.text)
            for secret in (PASSWORD, header):
                assert not [text for text in shown if secret in text]


def _rendered(error: BaseException | None) -> str:
    text = ""
    while error is not None:
        text += f"{error!r} {error} {vars(error)}"
        error = error.__cause__ or error.__context__
    return text


async def test_bad_parameters_raise_before_anything_is_sent(
    scripted: ScriptedEngine, connect: Connect
) -> None:
    async with connect(scripted.url) as docker:
        images = docker.images
        for call in (
            images.build,
            lambda: images.build(fileobj=b"", remote="http://x"),
            lambda: images.pull("busybox:1", tag="2"),
            lambda: images.pull("busybox:1", tag=""),
            lambda: images.list(timeout=-1),
        ):
            with pytest.raises(ValueError):
                await call()
        for call in (
            lambda: images.list(all="yes"),
            lambda: images.list(filters=3),
            lambda: images.list(name="busybox"),
            lambda: images.list(filter="busybox"),
            lambda: images.list(timeout="5"),
            lambda: images.delete(7),
            lambda: images.pull("busybox", auth=7),
        ):
            with pytest.raises(TypeError):
                await call()
    assert not scripted.requests


@contextmanager
def _forwarded(path: Path) -> Generator[int]:
    """Serve a unix socket on a port, one request a connection."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.socket(socket.AF_UNIX) as engine:
                engine.connect(str(path))
                engine.sendall(self.request.recv(65536))
                self.request.sendall(engine.recv(65536))
                self.request.recv(1)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
