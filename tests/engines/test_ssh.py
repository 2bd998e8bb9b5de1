"""ssh: a real server on this machine, whose Docker CLI forwards the bytes, on all three transports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dockerproto import ConnectionFailed
from tests.conftest import Connect
from tests.engines.differences import Difference
from tests.engines.test_images import loaded
from tests.support.waiting import read_until_begun
from tests.testbed import sshd
from tests.testbed.base_image import context
from tests.testbed.private import PrivateEngine
from tests.testbed.process_table import process_table
from tests.testbed.processes import NotInTimeError
from tests.testbed.scripted import wait_until
from tests.testbed.sshd import Sshd

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.pythons]


@pytest.fixture(scope="module")
def server() -> Iterator[Sshd]:
    if reason := sshd.available():
        pytest.fail(f'ssh is unavailable: {reason}; deselect these tests with -m "not engine"')
    with Sshd() as server:
        yield server


@pytest.fixture
def url(server: Sshd, engine: PrivateEngine, monkeypatch: pytest.MonkeyPatch) -> str:
    """The engine behind ssh, for programs that find the ssh of the server's user."""
    monkeypatch.setenv("PATH", str(server.bin), prepend=":")
    server.config.write_text(server.configuration())
    return f"ssh://{server.user}@127.0.0.1:{server.port}{engine.socket}"


def clients(server: Sshd) -> list[int]:
    return [each.pid for each in process_table() if f"-p {server.port}" in each.command.replace("\0", " ")]


async def test_everything_works_over_it(
    url: str, server: Sshd, engine: PrivateEngine, connect: Connect
) -> None:
    async with connect(url) as docker:
        assert (await docker.ping()).api_version
        data = await docker.images.export_image("busybox").read()
        assert await docker.images.import_image(data) == loaded(engine, "busybox:latest")
        assert len(clients(server)) == 1
    wait_until(lambda: not clients(server))


@pytest.mark.differs(Difference.BUILDS_GO_ON, raises=NotInTimeError)
async def test_leaving_a_build_stops_it(
    url: str, engine: PrivateEngine, connect: Connect, command: str
) -> None:
    data = context(f"FROM busybox\nRUN echo begun; {command}\n")
    async with connect(url) as docker:
        build = docker.images.build(fileobj=data, network_mode="none", nocache=True, stream=True)
        async with build as stream:
            await read_until_begun(engine, stream, command)
        wait_until(lambda: not engine.processes(command), 2)


async def test_a_host_of_another_key(url: str, server: Sshd, connect: Connect) -> None:
    server.config.write_text(server.distrust())
    async with connect(url) as docker:
        with pytest.raises(ConnectionFailed, match="Host key verification failed"):
            await docker.ping()
    wait_until(lambda: not clients(server))


async def test_a_user_of_another_key(url: str, server: Sshd, connect: Connect) -> None:
    server.config.write_text(server.configuration(key="stranger"))
    async with connect(url) as docker:
        with pytest.raises(ConnectionFailed, match="Permission denied"):
            await docker.ping()


async def test_a_host_without_docker(url: str, server: Sshd, connect: Connect, tmp_path: Path) -> None:
    # The ssh of this test asks for another command, as if the host had none of the name.
    wrapper = tmp_path / "ssh"
    wrapper.write_text(f"#!/bin/sh\nexec {server.bin}/ssh -p {server.port} 127.0.0.1 docker-is-not-here\n")
    wrapper.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(tmp_path), prepend=":")
        async with connect(url) as docker:
            with pytest.raises(ConnectionFailed, match=r"docker-is-not-here: .*not found"):
                await docker.ping()


async def test_an_engine_that_is_not_there(url: str, connect: Connect) -> None:
    async with connect(f"{url}-absent") as docker:
        with pytest.raises(ConnectionFailed, match="absent"):
            await docker.ping()


async def test_a_machine_without_ssh(
    url: str, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    async with connect(url) as docker:
        with pytest.raises(ConnectionFailed, match=r"cannot connect to ssh://.*ssh"):
            await docker.ping()
