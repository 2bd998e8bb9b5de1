"""What tests share: the three transports under one body, and the engines and registries that they talk to."""

from __future__ import annotations

import gc
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import hypothesis
import pytest

import dockerproto_httpx
from tests.support.facade import Transport, client
from tests.support.stored import PASSWORD, USER, Machine
from tests.testbed import registry
from tests.testbed.base_image import busybox_layer
from tests.testbed.engines import DEFAULT, ENGINES
from tests.testbed.private import PrivateEngine
from tests.testbed.registry import Registry
from tests.testbed.scripted import ScriptedEngine
from tests.testbed.unix_http import ask

Connect: TypeAlias = Callable[..., Any]
"""Makes a client of an engine's URL, with an async face whatever the transport."""

OLDEST_COMMAND = 28
"""The first major version of the docker command whose rules are compared; Debian 12 has 20.10."""

hypothesis.settings.register_profile(  # a loaded machine is no reason to fail
    "default", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("default")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--engine", choices=list(ENGINES), default=DEFAULT, help="the engine to test with")


def pytest_configure() -> None:
    """Heed Ctrl-C, and have the programs that are started heed it, even where tests run in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def engine_name(config: pytest.Config) -> str:
    name: str = config.option.engine
    return name


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Expect the failures of tests that are marked with a difference that the engine has."""
    for item in items:
        for mark in item.iter_markers("differs"):
            (difference,) = mark.args
            if engine_name(config) in difference.engines:
                item.add_marker(pytest.mark.xfail(reason=difference.reason, strict=True, **mark.kwargs))


@pytest.fixture(params=["asyncio", "trio", "httpx"])
def transport(request: pytest.FixtureRequest) -> Transport:
    transport: Transport = request.param
    return transport


@pytest.fixture
def anyio_backend(transport: Transport) -> str:
    return "trio" if transport == "trio" else "asyncio"


@pytest.fixture
def connect(transport: Transport) -> Iterator[Connect]:
    def connect(url: str | None = None, **options: Any) -> Any:
        return client(transport, url, **options)

    yield connect
    gc.collect()  # what a test leaked warns in that test


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the machine's own settings out."""
    for name in (
        *("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_API_VERSION", "SSH_AUTH_SOCK"),
        *("DOCKER_CUSTOM_HEADERS", "DOCKER_DEFAULT_PLATFORM"),
        *("DOCKER_AUTH_CONFIG", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"),
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", f"{os.devnull}/docker")
    # What an engine recommends is for the tests of that.
    monkeypatch.setenv("DOCKER_BUILDKIT", "0")


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[ScriptedEngine]:
    """An engine that follows a script."""
    with ScriptedEngine(tmp_path) as engine:
        yield engine


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    directory = tmp_path / "docker"
    directory.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(directory))
    monkeypatch.setenv("PATH", str(directory))
    return Machine(directory)


@pytest.fixture(scope="session")
def docker_command() -> None:
    """See that there is a docker command to compare with."""
    if shutil.which("docker") is None:
        pytest.fail('there is no docker command to compare with; deselect by -m "not engine"')
    version = subprocess.run(["docker", "--version"], capture_output=True, text=True, check=True).stdout
    if int(re.findall(r"\d+", version)[0]) < OLDEST_COMMAND:
        pytest.skip(f"the rules are those of the docker command from {OLDEST_COMMAND} on; here is {version}")


@pytest.fixture(scope="session")
def new_engine(request: pytest.FixtureRequest) -> type[PrivateEngine]:
    """What makes engines of the kind that the tests are run on."""
    kind, hindrance = ENGINES[engine_name(request.config)]
    if reason := hindrance():
        pytest.fail(f'there is no {kind.name} to test with; deselect by -m "not engine": {reason}')
    return kind


@pytest.fixture(scope="session")
def engine(
    new_engine: type[PrivateEngine], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrivateEngine]:
    """A private engine that has busybox:latest, for tests to do with as they like."""
    with new_engine(tmp_path_factory.mktemp("engine")) as engine:
        target = "/images/create?fromSrc=-&repo=busybox&tag=latest"
        answer = ask(engine.socket, "POST", target, busybox_layer(), {"Content-Type": "application/x-tar"})
        assert answer.status == 200, answer.body
        yield engine


@pytest.fixture(scope="session")
def buildkit(engine: PrivateEngine) -> None:
    """Build with BuildKit, before tests that would wait for what cannot begin without."""
    with dockerproto_httpx.Docker(engine.url, credentials=None) as docker:
        docker.images.build(dockerfile="FROM busybox\n", builder="buildkit")


@pytest.fixture(scope="session")
def open_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that lets everybody in."""
    yield from _registry(tmp_path_factory.mktemp("registry"))


@pytest.fixture(scope="session")
def closed_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that wants USER and PASSWORD."""
    yield from _registry(tmp_path_factory.mktemp("registry"), user=USER, password=PASSWORD)


def _registry(directory: Path, **credentials: Any) -> Iterator[Registry]:
    if reason := registry.available():
        pytest.fail(f'there is no registry to test with; deselect by -m "not engine": {reason}')
    with Registry(directory, **credentials) as server:
        yield server


@pytest.fixture
def repository(engine: PrivateEngine, closed_registry: Registry) -> Any:
    """A name in a registry that wants credentials, for busybox."""
    name = f"{closed_registry.host}/team/private"
    assert ask(engine.socket, "POST", f"/images/busybox/tag?repo={name}&tag=latest").status == 201
    yield name
    ask(engine.socket, "DELETE", f"/images/{name}?force=1")


@pytest.fixture
def command(engine: PrivateEngine) -> Iterator[str]:
    """A command that is unlike that of any other test, and ends with it."""
    command = f"sleep 4321.{time.time_ns()}"
    yield command
    for pid in engine.processes(command):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
async def docker(engine: PrivateEngine, connect: Connect) -> Any:
    async with connect(engine.url) as docker:
        yield docker


@pytest.fixture
def name(engine: PrivateEngine) -> Iterator[str]:
    """The name of an image that is busybox under another name; what the test makes of it is removed."""
    name = "dockerproto/image:1"
    assert ask(engine.socket, "POST", "/images/busybox/tag?repo=dockerproto/image&tag=1").status == 201
    yield name
    ask(engine.socket, "DELETE", f"/images/{name}?force=1")
