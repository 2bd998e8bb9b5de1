"""The engines and registries that the tests start: they run, know their own, and leave nothing behind."""

import base64
import json
import re
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.engines.differences import Difference
from tests.testbed import registry
from tests.testbed.base_image import busybox_layer, context
from tests.testbed.dockerd import Dockerd
from tests.testbed.podman import Podman
from tests.testbed.private import PrivateEngine
from tests.testbed.processes import ChildError, NotInTimeError
from tests.testbed.registry import Registry
from tests.testbed.scripted import wait_until
from tests.testbed.unix_http import UnixConnection, ask


@pytest.fixture(scope="module")
def private(
    new_engine: type[PrivateEngine], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrivateEngine]:
    with new_engine(tmp_path_factory.mktemp("private")) as engine:
        target = "/images/create?fromSrc=-&repo=busybox&tag=latest"
        headers = {"Content-Type": "application/x-tar"}
        assert ask(engine.socket, "POST", target, busybox_layer(), headers).status == 200
        yield engine
        left = engine.pid
    assert not engine.socket.parent.exists()
    assert not Path(f"/proc/{left}").exists()
    assert engine.processes("") == []
    assert engine.socket.parent.name not in Path("/proc/self/mountinfo").read_text()


@pytest.mark.engine
def test_an_engine_has_the_version_of_its_name(private: PrivateEngine) -> None:
    """Debian's trees move on: what they bring is not to be mistaken for what they brought."""
    version = json.loads(ask(private.socket, "GET", "/version").body)["Version"]
    kind, number, *_ = private.name.split("-")
    assert version.startswith(f"{number}.")
    assert (kind == "podman") == isinstance(private, Podman)


@pytest.mark.engine
@pytest.mark.differs(Difference.BUILDS_GO_ON, raises=NotInTimeError)
@pytest.mark.parametrize(
    "version",
    [
        "1",
        pytest.param("2", marks=pytest.mark.differs(Difference.BUILDKIT_WITHOUT_TAR, raises=NotInTimeError)),
    ],
)
def test_a_build_ends_with_its_connection(private: PrivateEngine, version: str) -> None:
    seconds = f"4321.{version}{time.time_ns()}"
    tar = context(f"FROM busybox\nRUN sleep {seconds}\n")
    with closing(UnixConnection(private.socket)) as connection:
        connection.request("POST", f"/v1.41/build?version={version}&networkmode=none", tar)
        wait_until(lambda: private.processes(f"sleep {seconds}"), 15)
        assert len(private.processes("")) > len(private.processes(f"sleep {seconds}"))
    wait_until(lambda: not private.processes(f"sleep {seconds}"), 10)  # else it is stopped with the engine


@pytest.mark.engine
def test_a_containers_processes_are_found_too(private: PrivateEngine) -> None:
    config = {"Image": "busybox", "Cmd": ["/bin/sleep", "8765"], "HostConfig": {"NetworkMode": "none"}}
    headers = {"Content-Type": "application/json"}
    created = ask(private.socket, "POST", "/containers/create", json.dumps(config).encode(), headers)
    name = json.loads(created.body)["Id"]
    assert ask(private.socket, "POST", f"/containers/{name}/start").status == 204
    wait_until(lambda: private.processes("/bin/sleep 8765"))  # it stays: the engine is stopped with it


@pytest.mark.engine
def test_two_engines_know_their_own(
    private: PrivateEngine, new_engine: type[PrivateEngine], tmp_path: Path
) -> None:
    with new_engine(tmp_path / "a" / ("long" * 30)) as other:
        assert ask(other.socket, "GET", "/images/json").body == b"[]\n"
        assert other.pid not in private.processes("")
        assert private.pid not in other.processes("")
    assert ask(private.socket, "GET", "/_ping").status == 200


@pytest.mark.engine
def test_a_dockerd_that_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if reason := Dockerd.available():
        pytest.fail(reason)
    monkeypatch.setattr(Dockerd, "_exec_root", Path("/proc/nothing"))
    with pytest.raises(ChildError, match=r"(?s)ended with code 1.*/proc/nothing"):
        Dockerd(tmp_path).__enter__()


@pytest.mark.engine
@pytest.mark.parametrize("user", [None, "anna"])
def test_a_push_reaches_the_registry(private: PrivateEngine, tmp_path: Path, user: str | None) -> None:
    if reason := registry.available():
        pytest.fail(reason)
    with Registry(tmp_path, user=user, password="secret" if user else None) as server:
        assert re.fullmatch(r"127\.0\.0\.1:\d+", server.host)
        ask(private.socket, "POST", f"/images/busybox/tag?repo={server.host}/one&tag=1")
        refused = _push(private, server.host, {"username": "anna", "password": "wrong"})
        assert (b": digest: sha256:" not in refused) == (user is not None)
        pushed = _push(private, server.host, {"username": "anna", "password": "secret"})
        assert b": digest: sha256:" in pushed
    with pytest.raises(ConnectionRefusedError):
        HTTPConnection(server.host).connect()


def _push(private: PrivateEngine, host: str, credentials: dict[str, str]) -> bytes:
    header = base64.urlsafe_b64encode(json.dumps(credentials).encode()).decode()
    return ask(
        private.socket, "POST", f"/images/{host}/one/push?tag=1", None, {"X-Registry-Auth": header}
    ).body
