"""A BuildKit daemon, reached in every way: the BuildKit of a private engine behind a relay.

What a daemon builds is the matter of other tests; these are about the ways to it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from dockerproto import TLS, ConnectionFailed, Image
from tests.conftest import Connect
from tests.support.private_engines import Start, engines, new_salt
from tests.testbed.certificates import Certificates
from tests.testbed.daemon_relay import DaemonRelay
from tests.testbed.engines import Docker26Containerd
from tests.testbed.private import PrivateEngine

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

start = pytest.fixture(engines, scope="module")
salt = pytest.fixture(new_salt)

DIAL: Final = ["buildctl", "dial-stdio"]
COPYING: Final = "FROM scratch\nARG SALT\nCOPY . /\n"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return certificates for 127.0.0.1, as a server and as a client."""
    return Certificates.issue(tmp_path_factory.mktemp("certificates") / "tls", "127.0.0.1")


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """Return a directory to build."""
    directory = tmp_path / "context"
    directory.mkdir()
    (directory / "Dockerfile").write_text(COPYING)
    (directory / "file").write_text("content")
    return directory


async def builds(buildkit: Any, context: Path, salt: dict[str, str]) -> None:
    """Build a directory, and see that it comes back."""
    async with buildkit:
        await buildkit.build(path=context, buildargs=salt, outputs=context.parent / "out")
        assert (context.parent / "out/file").read_text() == "content"


def files(certificates: Certificates) -> TLS:
    return TLS(ca=certificates.ca, certificate=certificates.certificate, key=certificates.key)


Way = Callable[[PrivateEngine, Certificates], tuple[DaemonRelay, dict[str, Any]]]
WAYS: Final[dict[str, Way]] = {
    "unix": lambda engine, _: (DaemonRelay(engine.socket), {}),
    "tcp": lambda engine, _: (DaemonRelay(engine.socket, port=True), {}),
    "TLS": lambda engine, by: (DaemonRelay(engine.socket, tls=by), {"tls": files(by)}),
    "TLS without ALPN": lambda engine, by: (
        DaemonRelay(engine.socket, tls=by, protocols=()),
        {"tls": files(by)},
    ),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_sockets_and_ports(
    way: Way,
    engine: PrivateEngine,
    *,
    certificates: Certificates,
    connect_daemon: Connect,
    context: Path,
    salt: dict[str, str],
) -> None:
    daemon, options = way(engine, certificates)
    with daemon:
        await builds(connect_daemon(daemon.url, credentials=None, **options), context, salt)


@pytest.fixture
def programs(
    engine: PrivateEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], list[list[str]]]]:
    """Let the programs of clients lead to a daemon; yield a function that returns how they were called."""
    directory = tmp_path / "bin"
    directory.mkdir()
    with DaemonRelay(engine.socket) as daemon:
        daemon.install(directory, tmp_path / "record")
        monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
        yield lambda: [json.loads(line) for line in (tmp_path / "record").read_text().splitlines()]


@pytest.mark.parametrize(
    ("address", "called"),
    [
        ("docker-container://builder", ["docker", "exec", "-i", "builder", *DIAL]),
        ("podman-container://builder", ["podman", "exec", "-i", "builder", *DIAL]),
        (
            "kube-pod://builder-0?namespace=ci&context=me@far",
            ["kubectl", "--context=me@far", "--namespace=ci", "exec", "-i", "builder-0", "--", *DIAL],
        ),
        ("ssh://me@h", ["ssh", "-o", "ConnectTimeout=30", "-T", "-l", "me", "--", "h", " ".join(DIAL)]),
    ],
    ids=["docker", "podman", "kubectl", "ssh"],
)
async def test_programs(
    address: str,
    called: list[str],
    *,
    programs: Callable[[], list[list[str]]],
    connect_daemon: Connect,
    context: Path,
    salt: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BUILDKIT_HOST", address)
    await builds(connect_daemon(credentials=None), context, salt)
    assert programs() == [called]


async def test_a_name_that_the_certificate_lacks(
    engine: PrivateEngine, certificates: Certificates, connect_daemon: Connect
) -> None:
    with DaemonRelay(engine.socket, tls=certificates) as daemon:
        address = daemon.url.replace("127.0.0.1", "localhost")
        async with connect_daemon(address, tls=files(certificates)) as buildkit:
            with pytest.raises(
                ConnectionFailed, match=f"^cannot connect to {address} .* certificate"
            ) as raised:
                await buildkit.workers()
            assert "localhost" in raised.value.message


async def test_a_client_without_a_certificate(
    engine: PrivateEngine, certificates: Certificates, connect_daemon: Connect
) -> None:
    with DaemonRelay(engine.socket, tls=certificates) as daemon:
        async with connect_daemon(daemon.url, tls=TLS(ca=certificates.ca)) as buildkit:
            with pytest.raises(ConnectionFailed, match=r"requires a certificate of the client; pass tls=TLS"):
                await buildkit.workers()


async def test_an_image_and_the_other_operations(
    start: Start, connect_daemon: Connect, context: Path, salt: dict[str, str]
) -> None:
    with DaemonRelay(start(Docker26Containerd).socket) as daemon:
        async with connect_daemon(daemon.url, credentials=None) as buildkit:
            outputs = [Image(), context.parent / "out"]
            built = await buildkit.build(path=context, buildargs=salt, tag="daemon/a:1", outputs=outputs)
            assert built.result.tags == ("daemon/a:1",)
            assert built.result.image_id == built.result.digest
            assert (context.parent / "out/file").read_text() == "content"
            assert [each.base for each in await buildkit.targets(path=context)] == ["scratch"]
            assert "linux/amd64" in (await buildkit.workers())[0].platforms
            assert await buildkit.usage() != []
            assert (await buildkit.history(limit=1))[0].completed is not None
