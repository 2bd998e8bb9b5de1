"""Registries without an engine, on each transport: reading, and a registry that is busy or broken."""

from __future__ import annotations

import logging
import time
from typing import Any, Final

import pytest

from dockerproto import (
    ClientClosed,
    ConnectionFailed,
    DockerError,
    InvalidReference,
    NotFound,
    ProtocolViolated,
    ServerError,
    TooManyRequests,
)
from dockerproto.registry.origins import origin_of
from dockerproto.registry.requests import OCI_INDEX, OCI_MANIFEST
from dockerproto.transport.runtime import run
from tests.support.facade import Transport
from tests.support.registries import (
    ENDLESS,
    IMAGE,
    OK,
    TAG,
    OpenRegistry,
    accept,
    manifest_response,
    me,
    open_registries,
    other_server,
    scripted_image,
    serve,
    serving_registry,
)
from tests.support.stored import PASSWORD
from tests.testbed.scripted import head, json_response, response
from tests.testbed.scripted_registry import Request, ScriptedRegistry

pytestmark = pytest.mark.anyio

open_client = pytest.fixture(open_registries)
scripted_registry = pytest.fixture(serving_registry)
elsewhere = pytest.fixture(other_server)
name = pytest.fixture(scripted_image)

TOO_MANY: Final = response(429, b"", {"Retry-After": "0"})
BUSY: Final = response(503, b"", {"Retry-After": "0"})
DATED: Final = response(
    429, b"", {"Date": "Mon, 30 Nov 2026 10:00:00 GMT", "Retry-After": "Mon, 30 Nov 2026 10:00:00 GMT"}
)


class TestReading:
    async def test_a_tag_is_resolved(self, open_client: OpenRegistry, name: str) -> None:
        async with open_client() as registry:
            assert await registry.resolve(name) == IMAGE.descriptor
            manifest = await registry.manifest(name)
        assert (manifest.data, manifest.descriptor) == (IMAGE.manifest, IMAGE.descriptor)

    async def test_a_digest_is_resolved(
        self, open_client: OpenRegistry, scripted_registry: ScriptedRegistry, name: str
    ) -> None:
        async with open_client() as registry:
            assert await registry.resolve(f"{name}@{IMAGE.digest}") == IMAGE.descriptor
            assert (await registry.manifest(f"{name}@{IMAGE.digest}")).data == IMAGE.manifest
        assert {each.path for each in scripted_registry.requests} == {f"/v2/a/manifests/{IMAGE.digest}"}
        assert OCI_INDEX in scripted_registry.requests[0].headers["accept"]

    @pytest.mark.parametrize(
        "reply",
        [
            response(200, IMAGE.manifest, {"Content-Type": OCI_MANIFEST}),
            response(200, IMAGE.manifest, {"Docker-Content-Digest": IMAGE.digest}),
            head(200, {"Content-Type": OCI_MANIFEST, "Docker-Content-Digest": IMAGE.digest}),
        ],
        ids=["digest", "media-type", "size"],
    )
    async def test_a_head_that_tells_too_little(
        self, open_client: OpenRegistry, scripted_registry: ScriptedRegistry, name: str, reply: bytes
    ) -> None:
        scripted_registry.script("HEAD", TAG, reply)
        scripted_registry.script("GET", TAG, response(200, IMAGE.manifest))
        async with open_client() as registry:
            assert await registry.resolve(name) == IMAGE.descriptor

    async def test_a_missing_image(
        self, open_client: OpenRegistry, scripted_registry: ScriptedRegistry
    ) -> None:
        missing = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}
        scripted_registry.script("GET", "/v2/b/manifests/latest", json_response(missing, 404))
        name = f"{scripted_registry.host}/b"
        async with open_client() as registry:
            with pytest.raises(NotFound) as raised:
                await registry.manifest(name)
            assert str(raised.value) == f"[404] {name}:latest: manifest unknown"
            with pytest.raises(NotFound, match="404 Not Found"):
                await registry.resolve(name)

    @pytest.mark.parametrize("name", ["../x", "r.example/a/../../x", "r.example/a:1/../x", "A", "x" * 300])
    async def test_a_name_cannot_leave_its_path(self, open_client: OpenRegistry, name: str) -> None:
        async with open_client() as registry:
            for call in (registry.resolve, registry.manifest):
                with pytest.raises(InvalidReference):
                    await call(name)

    async def test_requests_are_logged_without_secrets(
        self, open_client: OpenRegistry, scripted_registry: ScriptedRegistry, name: str, caplog: Any
    ) -> None:
        scripted_registry.script("HEAD", TAG, response(401, b"", {"WWW-Authenticate": "Basic"}), OK)
        with caplog.at_level(logging.DEBUG, "dockerproto"):
            async with open_client(**me(scripted_registry)) as registry:
                await registry.resolve(name)
        assert f"HEAD {name} at http://{scripted_registry.host}: 200" in caplog.text
        assert PASSWORD not in caplog.text


class TestRetries:
    @pytest.mark.parametrize("busy", [TOO_MANY, BUSY, DATED], ids=["429", "503", "date"])
    @pytest.mark.parametrize("times", [1, 3])
    async def test_a_busy_registry_is_asked_again(
        self,
        open_client: OpenRegistry,
        scripted_registry: ScriptedRegistry,
        name: str,
        busy: bytes,
        times: int,
    ) -> None:
        scripted_registry.script("GET", TAG, *[busy] * times, OK)
        async with open_client() as registry:
            assert (await registry.manifest(name)).data == IMAGE.manifest
        assert len(scripted_registry.requests) == times + 1

    @pytest.mark.parametrize(("busy", "error"), [(TOO_MANY, TooManyRequests), (BUSY, ServerError)])
    async def test_a_registry_that_stays_busy(
        self,
        open_client: OpenRegistry,
        scripted_registry: ScriptedRegistry,
        name: str,
        busy: bytes,
        error: type[DockerError],
    ) -> None:
        scripted_registry.script("GET", TAG, busy)
        async with open_client() as registry:
            with pytest.raises(error, match="the registry asks to retry after 0 s"):
                await registry.manifest(name)
        assert len(scripted_registry.requests) == 4

    @pytest.mark.parametrize(("seconds", "timeout"), [(5, 4), (61, None)])
    async def test_a_wait_that_does_not_fit_is_an_error_at_once(
        self,
        open_client: OpenRegistry,
        scripted_registry: ScriptedRegistry,
        name: str,
        seconds: int,
        timeout: int | None,
    ) -> None:
        scripted_registry.script("GET", TAG, response(429, b"", {"Retry-After": str(seconds)}))
        async with open_client() as registry:
            with pytest.raises(TooManyRequests, match=f"the registry asks to retry after {seconds} s"):
                await registry.manifest(name, timeout=timeout)
        assert len(scripted_registry.requests) == 1

    async def test_the_start_of_an_upload_is_not_repeated_after_a_failure(
        self, open_client: OpenRegistry, scripted_registry: ScriptedRegistry, name: str
    ) -> None:
        scripted_registry.script("POST", "/v2/b/blobs/uploads/", BUSY)
        async with open_client() as registry:
            with pytest.raises(ServerError):
                await registry.copy(name, f"{scripted_registry.host}/b:1")
        assert scripted_registry.asked().count("POST /v2/b/blobs/uploads/") == 1


class TestConnections:
    async def test_a_call_opens_no_connection_once_its_client_is_closed(
        self, open_client: OpenRegistry, transport: Transport
    ) -> None:
        registry = open_client()
        await registry.close()
        client: Any = registry.blocking.client if transport == "httpx" else registry.client
        with pytest.raises(ClientClosed, match="the client is closed"):
            client.connections(origin_of("r.example", None))

    async def test_connections_to_many_registries_are_bounded(
        self, open_client: OpenRegistry, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("dockerproto.registry.session.ORIGINS", 1)
        with ScriptedRegistry() as other:
            serve(other, "a", IMAGE)
            async with open_client() as registry:
                for reference in (name, f"{other.host}/a:1", name):
                    assert await registry.resolve(reference) == IMAGE.descriptor
                accept(other, "b", "1")
                assert await registry.copy(name, f"{other.host}/b:1") == IMAGE.descriptor


@pytest.mark.parametrize("seconds", [0, 0.05])
async def test_a_transport_sleeps(open_client: OpenRegistry, transport: Transport, seconds: float) -> None:
    registry, started = open_client(), time.monotonic()
    if transport == "httpx":
        run(registry.blocking.client.transport.sleep(seconds))
    else:
        await registry.client.transport.sleep(seconds)
    assert time.monotonic() - started >= seconds


class TestFaults:
    @pytest.mark.parametrize(
        ("reply", "message"),
        [
            (manifest_response(b"{}", digest=IMAGE.digest), "the digest of the data is"),
            (
                manifest_response(IMAGE.manifest, digest="sha256:../../x"),
                "the registry sent an invalid digest",
            ),
            (manifest_response(IMAGE.manifest, OCI_INDEX), "of two media types at once"),
            (ENDLESS, "longer than the limit of 4194304 bytes"),
            (b"SSH-2.0-OpenSSH\r\n\r\n", "invalid HTTP response"),
        ],
        ids=["digest", "malformed-digest", "media-type", "endless", "other-protocol"],
    )
    async def test_a_wrong_manifest_is_refused(
        self,
        open_client: OpenRegistry,
        scripted_registry: ScriptedRegistry,
        name: str,
        reply: Any,
        message: str,
    ) -> None:
        scripted_registry.script("GET", TAG, reply)
        async with open_client() as registry:
            with pytest.raises(ProtocolViolated, match=message):
                await registry.manifest(name)

    async def test_a_manifest_of_another_digest_is_refused(
        self, open_client: OpenRegistry, scripted_registry: ScriptedRegistry
    ) -> None:
        scripted_registry.script("GET", f"/v2/a/manifests/{IMAGE.digest}", manifest_response(b"{}"))
        async with open_client() as registry:
            with pytest.raises(ProtocolViolated, match="the digest of the data is"):
                await registry.manifest(f"{scripted_registry.host}/a@{IMAGE.digest}")

    async def test_an_endless_error_is_cut(
        self, open_client: OpenRegistry, scripted_registry: ScriptedRegistry, name: str
    ) -> None:
        scripted_registry.script("GET", TAG, (head(400, {"Content-Length": str(2**40)}), b"x" * 65536))
        async with open_client() as registry:
            with pytest.raises(DockerError) as raised:
                await registry.manifest(name)
        assert raised.value.message == f"{name}: {'x' * 1000}"

    async def test_a_redirect_of_a_manifest_is_not_followed(
        self, open_client: OpenRegistry, scripted_registry: ScriptedRegistry, name: str
    ) -> None:
        scripted_registry.script("GET", TAG, response(307, b"", {"Location": "/v2/other"}))
        async with open_client() as registry:
            with pytest.raises(ProtocolViolated, match="307 Temporary Redirect"):
                await registry.manifest(name)
        assert len(scripted_registry.requests) == 1

    async def test_nobody_listens(self, open_client: OpenRegistry, refusing_port: int) -> None:
        async with open_client() as registry:
            with pytest.raises(ConnectionFailed) as raised:
                await registry.resolve(f"127.0.0.1:{refusing_port}/a")
        address, reason = f"127.0.0.1:{refusing_port}", "connection refused"
        hint = f"is the server http://{address} running?"
        assert raised.value.message == f"cannot connect to tcp://{address}: {reason}; {hint}"

    async def test_a_connection_that_breaks(
        self, open_client: OpenRegistry, scripted_registry: ScriptedRegistry, name: str
    ) -> None:
        def break_off(_: Request) -> bytes:
            raise ConnectionAbortedError

        scripted_registry.script("GET", TAG, break_off)
        async with open_client() as registry:
            with pytest.raises(
                ConnectionFailed, match=r"the server http://127\.0\.0\.1:[0-9]+ closed the connection"
            ):
                await registry.manifest(name)

    async def test_a_closed_client(self, open_client: OpenRegistry, name: str) -> None:
        async with open_client() as registry:
            await registry.resolve(name)
        await registry.close()
        with pytest.raises(ClientClosed, match="the client is closed"):
            await registry.resolve(name)
