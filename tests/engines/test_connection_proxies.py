"""A real engine behind an HTTP proxy, on all three clients; and the Docker CLI's choice of a proxy."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockerproto import TCP, TLS
from dockerproto.endpoint.proxies import find_proxy
from tests.conftest import Connect
from tests.support.proxy_cases import NO_PROXY_CASES
from tests.support.waiting import read_until_begun
from tests.testbed import dockerd
from tests.testbed.base_image import busybox_layer, context, import_layer
from tests.testbed.certificates import Certificates
from tests.testbed.dockerd import Dockerd
from tests.testbed.processes import free_port
from tests.testbed.proxy import Proxy
from tests.testbed.scripted import ScriptedEngine, json_response, wait_until

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

PROXY = "http://proxy.test:3128"


class HiddenEngine:
    """An engine with TLS, called engine.test, that only a proxy can find; and without TLS on its socket."""

    def __init__(self, engine: Dockerd, port: int, files: Certificates) -> None:
        self.engine = engine
        self.port = port
        self.tls = TLS(ca=files.ca, certificate=files.certificate, key=files.key)


@pytest.fixture(scope="module")
def hidden(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HiddenEngine]:
    if reason := Dockerd.available():
        pytest.fail(f'there is no Docker Engine to test with; deselect by -m "not engine": {reason}')
    directory = tmp_path_factory.mktemp("hidden")
    files = Certificates.issue(directory / "files", "engine.test")
    port = free_port()
    options = dockerd.tls_options(port, files.ca, files.certificate, files.key)
    with Dockerd(directory, *options) as engine:
        import_layer(engine.socket, "busybox", busybox_layer())
        yield HiddenEngine(engine, port, files)


@pytest.fixture(params=["plain", "tls"])
def proxied(request: pytest.FixtureRequest, hidden: HiddenEngine) -> Iterator[tuple[Proxy, TLS | None]]:
    """A proxy in front of the engine, and what TLS needs."""
    encrypted = request.param == "tls"
    with Proxy(hidden.port if encrypted else hidden.engine.socket) as proxy:
        yield proxy, hidden.tls if encrypted else None


async def test_everything_works_behind_it(
    proxied: tuple[Proxy, TLS | None], connect: Connect, tmp_path: Path
) -> None:
    proxy, tls = proxied
    layer = context("FROM scratch", big=bytes(range(256)) * 40_000)
    async with connect("tcp://engine.test:2376", tls=tls, proxy=proxy.url) as docker:
        await docker.images.import_filesystem(layer, repo="big")
        data = await docker.images.export_image("big").read()
        assert len(data) > 10_000_000
        (tmp_path / "big.tar").write_bytes(data)
        assert await docker.images.import_image(tmp_path / "big.tar")
        assert await docker.images.exists("big")
    methods = {method for method, _ in proxy.requests}
    assert methods == ({"CONNECT"} if tls else {"GET", "POST"})
    assert {target for method, target in proxy.requests if method == "CONNECT"} <= {"engine.test:2376"}


async def test_a_build_in_a_session_works_behind_it(
    proxied: tuple[Proxy, TLS | None], connect: Connect, tmp_path: Path
) -> None:
    proxy, tls = proxied
    (tmp_path / "Dockerfile").write_text("FROM busybox\nCOPY file /\nRUN cat /file\n")
    (tmp_path / "file").write_text("content")
    async with connect("tcp://engine.test:2376", tls=tls, proxy=proxy.url) as docker:
        build = docker.images.build(
            path=tmp_path, builder="buildkit", tag="session", network_mode="none", stream=True
        )
        async with build as stream:
            async for _ in stream:
                pass
        assert await docker.images.exists("session")
    assert ("CONNECT", "engine.test:2376") in proxy.requests


async def test_leaving_a_build_stops_it(
    proxied: tuple[Proxy, TLS | None], hidden: HiddenEngine, connect: Connect
) -> None:
    proxy, tls = proxied
    data = context("FROM busybox\nRUN echo begun; sleep 4321.5\n")
    async with connect("tcp://engine.test:2376", tls=tls, proxy=proxy.url) as docker:
        build = docker.images.build(fileobj=data, network_mode="none", nocache=True, stream=True)
        async with build as stream:
            await read_until_begun(hidden.engine, stream, "sleep 4321.5")
        wait_until(lambda: not hidden.engine.processes("sleep 4321.5"), 5)


def docker_cli(*arguments: str, **variables: str) -> str:
    """Run the Docker CLI without a network; return its standard error."""
    command = ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec docker "$@"', "sh", *arguments]
    environment = {"PATH": os.environ["PATH"], "DOCKER_CONFIG": os.devnull, **variables}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=60
    ).stderr


@pytest.mark.usefixtures("docker_command")
@pytest.mark.parametrize(("url", "no_proxy", "used"), NO_PROXY_CASES, ids=repr)
def test_the_docker_cli_excepts_the_same_hosts(url: str, no_proxy: str, used: bool) -> None:
    stderr = docker_cli("version", DOCKER_HOST=url, HTTP_PROXY=PROXY, NO_PROXY=no_proxy)
    assert "connect" in stderr.lower(), stderr
    assert ("proxyconnect" in stderr) is used, stderr


@pytest.mark.usefixtures("docker_command")
@pytest.mark.parametrize(
    ("variables", "host"),
    [
        ({"HTTP_PROXY": PROXY}, "proxy.test"),
        ({"http_proxy": "proxy.test"}, "proxy.test"),
        ({"HTTP_PROXY": "", "http_proxy": "me:pw@other.test:1"}, "other.test"),
        ({"HTTP_PROXY": PROXY, "http_proxy": "http://other.test"}, "proxy.test"),
        ({"HTTP_PROXY": "http://bücher.test"}, "xn--bcher-kva.test"),
        ({"HTTP_PROXY": "HTTPS://proxy.test/path?query"}, "proxy.test"),
        ({"HTTP_PROXY": PROXY, "NO_PROXY": "x", "no_proxy": "engine.test"}, "proxy.test"),
        ({"HTTP_PROXY": PROXY, "no_proxy": "engine.test"}, None),
        ({"HTTPS_PROXY": PROXY, "ALL_PROXY": PROXY, "all_proxy": PROXY}, None),
    ],
    ids=str,
)
def test_the_docker_cli_takes_the_same_proxy(variables: dict[str, str], host: str | None) -> None:
    address = TCP("engine.test", 2375)
    proxy = find_proxy(address, variables, tls=False)
    assert (None if proxy is None else proxy.address.name) == host
    stderr = docker_cli("version", DOCKER_HOST=str(address), **variables)
    assert f"lookup {host or 'engine.test'} " in stderr, stderr
    assert ("proxyconnect" in stderr) is (host is not None), stderr


@pytest.mark.usefixtures("docker_command")
def test_the_docker_cli_refuses_a_proxy_in_a_cgi_program() -> None:
    stderr = docker_cli("version", DOCKER_HOST="tcp://engine.test", HTTP_PROXY=PROXY, REQUEST_METHOD="GET")
    assert "refusing to use HTTP_PROXY value in CGI environment" in stderr


def docker_images(**variables: str) -> None:
    """Run the Docker CLI."""
    environment = {"PATH": os.environ["PATH"], "DOCKER_CONFIG": os.devnull, **variables}
    subprocess.run(["docker", "images"], env=environment, check=True, capture_output=True, timeout=60)


@pytest.mark.usefixtures("docker_command")
async def test_the_docker_cli_sends_the_same_requests(connect: Connect) -> None:
    with ScriptedEngine() as engine, Proxy(engine.socket) as theirs, Proxy(engine.socket) as ours:
        engine.script("GET", "/images/json", json_response([]))
        url = "tcp://engine.test"
        docker_images(DOCKER_HOST=url, HTTP_PROXY=theirs.url.replace("//", "//me:s3%40cret@"))
        async with connect(url, proxy=ours.url.replace("//", "//me:s3%40cret@")) as docker:
            await docker.images.list()
        assert theirs.requests[-1] == ours.requests[-1]
        for name in ("Host", "Proxy-Authorization"):
            lines = [
                next(line for line in proxy.heads[-1].splitlines() if line.startswith(f"{name}:"))
                for proxy in (theirs, ours)
            ]
            assert lines[0] == lines[1]


@pytest.mark.usefixtures("docker_command")
async def test_the_docker_cli_tunnels_to_an_engine_with_tls(hidden: HiddenEngine, connect: Connect) -> None:
    directory = str(Path(hidden.tls.ca or "").parent)
    variables = {
        "DOCKER_HOST": "tcp://engine.test:2376",
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": directory,
    }
    with Proxy(hidden.port) as theirs, Proxy(hidden.port) as ours:
        docker_images(HTTPS_PROXY=theirs.url, **variables)
        async with connect(variables["DOCKER_HOST"], tls=hidden.tls, proxy=ours.url) as docker:
            await docker.images.list()
        assert set(theirs.requests) == set(ours.requests) == {("CONNECT", "engine.test:2376")}
