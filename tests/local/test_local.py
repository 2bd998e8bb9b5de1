"""Settings of this machine: the environment, the files of Docker contexts, the standard sockets."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest

import dockerproto_asyncio
import dockerproto_httpx
import dockerproto_trio
from dockerproto import TCP, TLS, ContextError, Endpoint, InvalidHost, UnixSocket
from dockerproto.endpoint.contexts import meta_path, tls_path
from dockerproto.transport.host import no_limit
from dockerproto_local import configure, find_endpoint
from dockerproto_local.configuration import find_version
from dockerproto_local.local_host import LocalHost

SOCKETS = [
    "system/docker.sock",
    "run/docker.sock",
    "home/.docker/run/docker.sock",
    "home/.docker/desktop/docker.sock",
    "run/podman/podman.sock",
    "system/podman.sock",
]
"""The standard sockets, of which the first that exists is taken."""

ENVIRONMENT = {"HOME": "home", "XDG_RUNTIME_DIR": "run"}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of its own: its sockets are looked for below the working directory."""
    monkeypatch.chdir(tmp_path)
    for module in ("dockerproto_local.endpoint", "dockerproto.endpoint.resolution"):
        monkeypatch.setattr(f"{module}.DEFAULT_SOCKET", SOCKETS[0])
    monkeypatch.setattr("dockerproto_local.endpoint.PODMAN_SOCKET", SOCKETS[-1])
    for each in SOCKETS:
        Path(each).parent.mkdir(parents=True, exist_ok=True)
    return tmp_path


@pytest.mark.parametrize("first", range(len(SOCKETS)))
def test_the_first_standard_socket_that_exists_is_taken(machine: Path, first: int) -> None:
    with ExitStack() as stack:
        for each in SOCKETS[first:]:
            stack.enter_context(socket.socket(socket.AF_UNIX)).bind(each)
        endpoint = find_endpoint(None, ENVIRONMENT)
    assert endpoint.address == UnixSocket(SOCKETS[first])
    assert endpoint.reason == "the first standard socket that exists"


def test_without_any_it_is_the_default(machine: Path) -> None:
    Path(SOCKETS[1]).write_text("no socket")
    for environment in (ENVIRONMENT, {}):
        endpoint = find_endpoint(None, environment)
        assert endpoint.address == UnixSocket(SOCKETS[0])
        assert "no standard one exists" in endpoint.reason


def test_what_is_asked_for_comes_first(machine: Path) -> None:
    environment = {"DOCKER_HOST": "tcp://127.0.0.1:1"}
    assert find_endpoint("unix:///x", environment).address == UnixSocket("/x")
    assert find_endpoint("unix:///x", environment).reason == "url="
    assert find_endpoint(None, environment).address == TCP("127.0.0.1", 1)
    assert find_endpoint(None, {"DOCKER_HOST": ""}).address == UnixSocket(SOCKETS[0])
    with pytest.raises(InvalidHost):
        find_endpoint(None, {"DOCKER_HOST": "nowhere://"})


def store(directory: Path, name: str, host: str, **files: str) -> None:
    """Write a context, and its TLS files."""
    meta = {"Name": name, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}}
    write(directory / meta_path(name), json.dumps(meta))
    for file, content in files.items():
        write(directory / tls_path(name) / f"{file}.pem", content)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_context_of_the_home_directory(machine: Path) -> None:
    store(Path("home/.docker"), "remote", "tcp://h:1")
    write(Path("home/.docker/config.json"), '{"currentContext": "remote"}')
    endpoint = find_endpoint(None, ENVIRONMENT)
    assert endpoint == Endpoint(TCP("h", 1), "currentContext of config.json", "remote")
    assert find_endpoint(None, {**ENVIRONMENT, "DOCKER_HOST": "unix:///s"}).reason == "DOCKER_HOST"
    assert find_endpoint(None, {**ENVIRONMENT, "DOCKER_CONTEXT": "default"}).context is None


def test_a_context_of_another_directory(machine: Path) -> None:
    store(Path("other"), "remote", "tcp://h:1", ca="", cert="", key="")
    (Path("other") / tls_path("remote") / "directory").mkdir()
    environment = {"DOCKER_CONFIG": "other", "DOCKER_CONTEXT": "remote"}
    ca, certificate, key = (f"other/{tls_path('remote')}/{each}.pem" for each in ("ca", "cert", "key"))
    encrypted = TLS(ca=ca, certificate=certificate, key=key)
    expected = Endpoint(TCP("h", 1), "DOCKER_CONTEXT", "remote", encrypted)
    assert find_endpoint(None, environment) == expected
    assert find_endpoint(None, environment, context="remote").reason == "context="
    assert find_endpoint(None, environment, tls=TLS(ca="mine")).tls == TLS(ca="mine")


def test_a_context_that_cannot_be_read(machine: Path) -> None:
    with pytest.raises(ContextError, match=r"Docker context 'gone' .* does not exist: missing .*/meta\.json"):
        find_endpoint(None, ENVIRONMENT, context="gone")
    (Path("home/.docker") / meta_path("folder")).mkdir(parents=True)
    with pytest.raises(ContextError, match=r"the context 'folder' cannot be read: .*/meta\.json") as caught:
        find_endpoint(None, ENVIRONMENT, context="folder")
    assert isinstance(caught.value.__cause__, OSError)


def test_an_address_or_a_context(machine: Path) -> None:
    with pytest.raises(ValueError, match="url= and context= both name an engine"):
        find_endpoint("unix:///s", ENVIRONMENT, context="remote")


@pytest.mark.parametrize("content", ["{", '{"currentContext": 5}', None])
def test_a_broken_configuration_is_passed_over_with_a_warning(machine: Path, content: str | None) -> None:
    config = Path("home/.docker/config.json")
    if content is None:
        config.mkdir()
    else:
        config.write_text(content)
    with pytest.warns(UserWarning, match=r"home/\.docker/config\.json was ignored: "):
        endpoint = find_endpoint(None, ENVIRONMENT)
    assert "; config.json was ignored: " in endpoint.reason
    assert find_endpoint("unix:///s", ENVIRONMENT).reason == "url="
    assert find_endpoint(None, {**ENVIRONMENT, "DOCKER_HOST": "unix:///s"}).reason == "DOCKER_HOST"


def test_the_warning_points_at_the_program(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("home/.docker/config.json").write_text("{")
    monkeypatch.setenv("DOCKER_CONFIG", "home/.docker")
    for client in (dockerproto_asyncio.Docker, dockerproto_trio.Docker, dockerproto_httpx.Docker):
        with pytest.warns(UserWarning, match="was ignored") as warned:
            client()
        assert warned[0].filename == __file__


def test_tls_files_of_the_environment(machine: Path) -> None:
    for directory in ("home/.docker", "certificates"):
        write(Path(directory, "ca.pem"), "")
    environment = {**ENVIRONMENT, "DOCKER_HOST": "tcp://h", "DOCKER_TLS_VERIFY": "1"}
    assert find_endpoint(None, environment).tls == TLS(ca="home/.docker/ca.pem")
    environment["DOCKER_CERT_PATH"] = "certificates"
    assert find_endpoint("tcp://h", environment).tls == TLS(ca="certificates/ca.pem")


def test_the_home_directory_is_asked_of_the_system(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store(Path("home/.docker"), "remote", "tcp://h:1")

    def known(_: int) -> SimpleNamespace:
        return SimpleNamespace(pw_dir="home")

    monkeypatch.setattr("pwd.getpwuid", known)
    assert find_endpoint(None, {"HOME": ""}, context="remote").context == "remote"

    def unknown(_: int) -> None:
        raise KeyError

    monkeypatch.setattr("pwd.getpwuid", unknown)
    with pytest.raises(ContextError, match=r"missing \.docker/contexts/meta/"):
        find_endpoint(None, {}, context="remote")


def test_a_socket_that_may_not_be_looked_at_is_none(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_: Path) -> bool:
        raise PermissionError

    monkeypatch.setattr(Path, "is_socket", denied)
    assert "no standard one exists" in find_endpoint(None, ENVIRONMENT).reason


def test_a_configuration_has_the_endpoint(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store(Path("other"), "remote", "tcp://h:1")
    monkeypatch.setenv("DOCKER_CONFIG", "other")
    configuration = configure(context="remote", tls=TLS(), message_limit=5)
    assert configuration.endpoint == Endpoint(TCP("h", 1), "context=", "remote", TLS())
    assert configuration.message_limit == 5


def test_a_version_is_insisted_on_by_the_program_then_the_environment() -> None:
    environment = {"DOCKER_API_VERSION": "1.30"}
    assert str(find_version("1.31", environment)) == "1.31"
    assert str(find_version("auto", environment)) == "1.30"
    assert find_version("auto", {}) is None
    assert find_version("auto", {"DOCKER_API_VERSION": ""}) is None
    with pytest.raises(ValueError, match="API version"):
        find_version("auto", {"DOCKER_API_VERSION": "new"})


def test_a_file_is_opened_for_bytes(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    with LocalHost().open_file(str(path), no_limit) as file:
        assert file.read(3) == b"con"
