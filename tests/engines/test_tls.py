"""TLS: a real engine on a port that asks for certificates, on all three transports."""

from __future__ import annotations

import hashlib
import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from msgspec.structs import replace

from dockerproto import TLS, BadRequest, ConnectionFailed, Timeout
from tests.conftest import Connect
from tests.support.forks import in_child
from tests.support.waiting import read_until_begun
from tests.testbed import dockerd
from tests.testbed.base_image import busybox_layer, context, import_layer
from tests.testbed.certificates import Certificates
from tests.testbed.dockerd import Dockerd
from tests.testbed.processes import free_port
from tests.testbed.scripted import wait_until

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.pythons]


class Secured:
    """An engine on a port, with the certificates of itself and of a stranger."""

    def __init__(self, engine: Dockerd, port: int, good: Certificates, strange: Certificates) -> None:
        self.engine = engine
        self.port = port
        self.url = f"tcp://127.0.0.1:{port}"
        self.good = good
        self.strange = strange

    @property
    def tls(self) -> TLS:
        """TLS files for a client."""
        return TLS(ca=self.good.ca, certificate=self.good.certificate, key=self.good.key)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    if reason := Dockerd.available():
        pytest.fail(f'Docker Engine is unavailable: {reason}; deselect these tests with -m "not engine"')
    directory = tmp_path_factory.mktemp("tls")
    good = Certificates.issue(directory / "good", "127.0.0.1")
    strange = Certificates.issue(directory / "strange", "127.0.0.1")
    port = free_port()
    options = dockerd.tls_options(port, good.ca, good.certificate, good.key)
    with Dockerd(directory, *options) as engine:
        import_layer(engine.socket, "busybox", busybox_layer())
        yield Secured(engine, port, good, strange)


async def test_forked_children_have_their_own_connections(
    secured: Secured, connect: Connect, anyio_backend: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A child that used or ended the TLS connection of its parent would break the parent's next call."""
    caplog.set_level("DEBUG", "dockerproto")
    async with connect(secured.url, tls=secured.tls) as docker:

        async def child() -> bool:
            exists = bool(await docker.images.exists("busybox"))
            await docker.close()
            return exists

        for _ in range(10):
            assert await docker.images.exists("busybox")
            assert await in_child(anyio_backend, child)
    outcomes = [
        record.getMessage().partition(": 200 on ")[2].partition(" in ")[0] for record in caplog.records
    ]
    assert outcomes == ["a new connection", *["a kept connection"] * 10]


async def test_everything_works_over_it(secured: Secured, connect: Connect, tmp_path: Path) -> None:
    layer = context("FROM scratch", big=bytes(range(256)) * 40_000)
    async with connect(secured.url, tls=secured.tls) as docker:
        await docker.images.import_filesystem(layer, repo="big")
        data = await docker.images.export_image("big").read()
        assert len(data) > 10_000_000
        assert await docker.images.import_image(data) == [{"stream": "Loaded image: big:latest\n"}]
        await anyio.Path(tmp_path / "big.tar").write_bytes(data)
        loaded = await docker.images.import_image(tmp_path / "big.tar")
        assert loaded == [{"stream": "Loaded image: big:latest\n"}]
        with pytest.raises(BadRequest):
            await docker.images.import_image(b"no tar" * 2_000_000)
        assert await docker.images.exists("big")


async def test_a_build_in_a_session_works_over_it(secured: Secured, connect: Connect, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nCOPY file /\nRUN cat /file\n")
    (tmp_path / "file").write_bytes(bytes(range(256)) * 1000)
    async with connect(secured.url, tls=secured.tls) as docker:
        await docker.images.build(path=tmp_path, builder="buildkit", tag="session", network_mode="none")
        assert await docker.images.exists("session")


async def test_leaving_a_build_stops_it(secured: Secured, connect: Connect) -> None:
    data = context("FROM busybox\nRUN echo begun; sleep 4321.75\n")
    async with connect(secured.url, tls=secured.tls) as docker:
        build = docker.images.build(fileobj=data, network_mode="none", nocache=True, stream=True)
        async with build as stream:
            await read_until_begun(secured.engine, stream, "sleep 4321.75")
        wait_until(lambda: not secured.engine.processes("sleep 4321.75"), 2)


async def test_a_context_of_the_ssl_module_serves_too(secured: Secured, connect: Connect) -> None:
    own = ssl.create_default_context(cafile=secured.good.ca)
    own.load_cert_chain(secured.good.certificate, secured.good.key)
    async with connect(secured.url, tls=own) as docker:
        await docker.ping()


async def test_the_environment_serves_too(
    secured: Secured, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", secured.url)
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(secured.good.directory))
    async with connect() as docker:
        await docker.ping()


@pytest.mark.parametrize("skip", [False, True])
async def test_a_docker_context_serves_too(
    secured: Secured, connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, skip: bool
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    digest = hashlib.sha256(b"remote").hexdigest()
    meta = tmp_path / "contexts/meta" / digest / "meta.json"
    meta.parent.mkdir(parents=True)
    endpoint = {"Host": secured.url, "SkipTLSVerify": skip}
    meta.write_text(json.dumps({"Name": "remote", "Metadata": {}, "Endpoints": {"docker": endpoint}}))
    material = tmp_path / "contexts/tls" / digest / "docker"
    material.parent.mkdir(parents=True)
    material.symlink_to(secured.good.directory)
    async with connect(context="remote") as docker:
        await docker.ping()


REFUSED = {
    "a server of another authority": ("strange", "good", "certificate verify failed"),
    "a client without a certificate": ("good", None, "certificate required|bad certificate"),
    "a client of another authority": ("good", "strange", "unknown ca|bad certificate|certificate unknown"),
}
"""The authority that the client trusts, the owner of its certificate, and the error."""


@pytest.mark.parametrize("case", REFUSED)
async def test_who_is_not_trusted_is_refused(secured: Secured, connect: Connect, case: str) -> None:
    authority, own, reason = REFUSED[case]
    files = {"good": secured.good, "strange": secured.strange}
    tls = TLS(ca=files[authority].ca)
    if own is not None:
        tls = replace(tls, certificate=files[own].certificate, key=files[own].key)
    async with connect(secured.url, tls=tls) as docker:
        with pytest.raises(ConnectionFailed) as raised:
            await docker.ping()
        text = f"{raised.value.message} {raised.value.__cause__!r}".lower().replace("_", " ")
        assert any(each in text for each in reason.split("|")), text


async def test_the_name_of_the_host_is_checked(secured: Secured, connect: Connect) -> None:
    async with connect(f"tcp://localhost:{secured.port}", tls=secured.tls) as docker:
        with pytest.raises(ConnectionFailed, match=r"IP address mismatch|Hostname mismatch"):
            await docker.ping()


async def test_verification_can_be_turned_off(secured: Secured, connect: Connect) -> None:
    careless = TLS(certificate=secured.good.certificate, key=secured.good.key, verify=False)
    async with connect(f"tcp://localhost:{secured.port}", tls=careless) as docker:
        await docker.ping()


async def test_a_plain_client_is_told(secured: Secured, connect: Connect) -> None:
    async with connect(secured.url) as docker:
        with pytest.raises(BadRequest, match="HTTP request to an HTTPS server"):
            await docker.ping()


async def test_a_handshake_may_take_only_so_long(connect: Connect, secured: Secured) -> None:

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        async with connect(url, tls=secured.tls) as docker:
            with pytest.raises(TimeoutError, match=r"\(connect\)"):
                await docker.images.list(timeout=Timeout(connect=0.2))


async def test_material_that_cannot_be_used_is_known_at_once(connect: Connect, tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("no certificate")
    for tls in (TLS(ca=str(tmp_path / "absent.pem")), TLS(certificate=str(tmp_path / "cert.pem"))):
        with pytest.raises(ConnectionFailed, match="TLS"):
            connect("tcp://127.0.0.1:1", tls=tls)
