"""What is found on this machine: the environment, the usual sockets."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from dockerproto import TCP, InvalidHost, UnixSocket
from dockerproto.network import ByteStream
from dockerproto_local import find_endpoint, find_version
from dockerproto_local.network import Dialled, LocalNetwork

SOCKETS = [
    "system/docker.sock",
    "run/docker.sock",
    "home/.docker/run/docker.sock",
    "home/.docker/desktop/docker.sock",
    "run/podman/podman.sock",
    "system/podman.sock",
]
"""The usual sockets, of which the first that exists is taken."""

ENVIRONMENT = {"HOME": "home", "XDG_RUNTIME_DIR": "run"}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of its own: its sockets are looked for below the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dockerproto_local.DEFAULT_SOCKET", SOCKETS[0])
    monkeypatch.setattr("dockerproto_local.PODMAN_SOCKET", SOCKETS[-1])
    for each in SOCKETS:
        Path(each).parent.mkdir(parents=True, exist_ok=True)
    return tmp_path


@pytest.mark.parametrize("first", range(len(SOCKETS)))
def test_the_first_usual_socket_that_exists_is_taken(machine: Path, first: int) -> None:
    with ExitStack() as stack:
        for each in SOCKETS[first:]:
            stack.enter_context(socket.socket(socket.AF_UNIX)).bind(each)
        endpoint = find_endpoint(None, ENVIRONMENT)
    assert endpoint.address == UnixSocket(SOCKETS[first])
    assert endpoint.reason == "the first of the usual sockets that exists"


def test_without_any_it_is_the_default(machine: Path) -> None:
    Path(SOCKETS[1]).write_text("no socket")
    for environment in (ENVIRONMENT, {}):
        endpoint = find_endpoint(None, environment)
        assert endpoint.address == UnixSocket(SOCKETS[0])
        assert "no usual one exists" in endpoint.reason


def test_what_is_asked_for_comes_first(machine: Path) -> None:
    environment = {"DOCKER_HOST": "tcp://127.0.0.1:1"}
    assert find_endpoint("unix:///x", environment).address == UnixSocket("/x")
    assert find_endpoint("unix:///x", environment).reason == "url="
    assert find_endpoint(None, environment).address == TCP("127.0.0.1", 1)
    assert find_endpoint(None, {"DOCKER_HOST": ""}).address == UnixSocket(SOCKETS[0])
    with pytest.raises(InvalidHost):
        find_endpoint(None, {"DOCKER_HOST": "nowhere"})


def test_a_version_is_insisted_on_by_the_program_then_the_environment() -> None:
    environment = {"DOCKER_API_VERSION": "1.30"}
    assert str(find_version("1.31", environment)) == "1.31"
    assert str(find_version("auto", environment)) == "1.30"
    assert find_version("auto", {}) is None
    assert find_version("auto", {"DOCKER_API_VERSION": ""}) is None
    with pytest.raises(ValueError, match="API version"):
        find_version("auto", {"DOCKER_API_VERSION": "new"})


class Nowhere(LocalNetwork):
    async def dial(self, address: Dialled, timeout: float | None) -> ByteStream:
        raise NotImplementedError

    def now(self) -> float:
        raise NotImplementedError


def test_a_file_is_opened_for_bytes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    with Nowhere().open_file(str(path)) as file:
        assert file.read(3) == b"con"
