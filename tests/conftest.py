"""Fixtures that all tests share: clients of the three transports, private engines and registries."""

from __future__ import annotations

import gc
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import hypothesis
import pytest

import dockerproto_httpx
from tests.support.addresses import Address
from tests.support.facade import Transport, client, daemon_client
from tests.support.runs import FileProgress, Selection, shuffled, summary
from tests.support.stored import PASSWORD, USER, Machine
from tests.testbed import registry
from tests.testbed.base_image import busybox_layer, import_layer
from tests.testbed.engines import DEFAULT, ENGINES
from tests.testbed.private import PrivateEngine
from tests.testbed.registry import Registry
from tests.testbed.scripted import ScriptedEngine
from tests.testbed.token_server import TokenServer
from tests.testbed.unix_http import ask

Connect: TypeAlias = Callable[..., Any]
"""Create a client from an engine's URL, with an async interface on every transport."""

OLDEST_CLI = 28
"""First major version of the Docker CLI that the tests compare with; Debian 12 has 20.10."""

hypothesis.settings.register_profile(  # a loaded machine must not fail a test
    "default", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("default")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--engine", choices=list(ENGINES), default=DEFAULT, help="the engine to test with")
    parser.addoption("--seed", type=int, help="run the tests in a random order, the same for the same number")
    parser.addoption("--summary", type=Path, help="file to append a line to that says what ran where")


_SELECTION = pytest.StashKey[Selection]()


@pytest.hookimpl(trylast=True)  # once there is a reporter
def pytest_configure(config: pytest.Config) -> None:
    """Let Ctrl-C stop the tests and the programs that they start, even in a background job."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.stash[_SELECTION] = selection = Selection(config)
    config.pluginmanager.register(selection)
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if config.getoption("numprocesses", None) and reporter and config.option.verbose <= 0:
        config.pluginmanager.register(FileProgress(reporter))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return one process more than there are cores, as tests also wait; at most four."""
    return min((os.cpu_count() or 1) + 1, 4)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what ran where, and what `-m "not engine"` left out; pytest itself lists the skipped tests."""
    if hasattr(config, "workerinput"):  # the process that started this one knows more
        return
    selection = config.stash[_SELECTION]
    if selection.without_engine:
        terminalreporter.write_line(selection.without_engine)
    line = summary(terminalreporter, engine_name(config) if selection.on_engine else None)
    terminalreporter.write_line(line)
    if file := config.option.summary:
        with file.open("a") as lines:
            lines.write(f"{line}\n")


def engine_name(config: pytest.Config) -> str:
    name: str = config.option.engine
    return name


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark and shuffle the tests; expect those to fail that its differences make fail on this engine."""
    for item in items:
        if hypothesis.is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker("random")
        if "new_engine" in getattr(item, "fixturenames", ()):
            item.add_marker("on_engine")
        for mark in item.iter_markers("differs"):
            (difference,) = mark.args
            if engine_name(config) in difference.engines:
                item.add_marker(pytest.mark.xfail(reason=difference.reason, strict=True, **mark.kwargs))
    if config.option.seed is not None:
        items[:] = shuffled(items, config.option.seed)


@pytest.fixture(params=["asyncio", "trio", "httpx"])
def transport(request: pytest.FixtureRequest) -> Transport:
    transport: Transport = request.param
    return transport


@pytest.fixture
def anyio_backend(transport: Transport) -> str:
    return "trio" if transport == "trio" else "asyncio"


@pytest.fixture
def connect(transport: Transport) -> Iterator[Connect]:
    yield from _connecting(transport, client)


@pytest.fixture
def connect_daemon(transport: Transport) -> Iterator[Connect]:
    """Return a function that creates a client of a BuildKit daemon from its address."""
    yield from _connecting(transport, daemon_client)


def _connecting(transport: Transport, make: Callable[..., Any]) -> Iterator[Connect]:
    gc.freeze()  # so that only what the test itself creates is collected, which takes no time
    yield partial(make, transport)
    gc.collect()  # a leak warns in the test that caused it
    gc.unfreeze()  # as Hypothesis looks for referrers, and finds none that are frozen


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Hide the Docker settings of this machine from the tests."""
    for name in (
        *("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_API_VERSION", "SSH_AUTH_SOCK", "BUILDKIT_HOST"),
        *("DOCKER_CUSTOM_HEADERS", "DOCKER_DEFAULT_PLATFORM"),
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "REQUEST_METHOD"),
        *("DOCKER_AUTH_CONFIG", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"),
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", f"{os.devnull}/docker")
    # Only the tests of builder selection follow the engine's recommendation.
    monkeypatch.setenv("DOCKER_BUILDKIT", "0")


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[ScriptedEngine]:
    """Return an engine that plays a script."""
    with ScriptedEngine(tmp_path) as engine:
        yield engine


@pytest.fixture
def refusing_port() -> Iterator[int]:
    """Return a TCP port of the loopback interface that nobody listens on, and that no other test can take."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    directory = tmp_path / "docker"
    directory.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(directory))
    monkeypatch.setenv("PATH", str(directory))
    return Machine(directory)


@pytest.fixture(scope="session")
def docker_command() -> None:
    """Fail or skip if this machine has no Docker CLI, or one too old to compare with."""
    if shutil.which("docker") is None:
        pytest.fail('the Docker CLI is missing; deselect these tests with -m "not engine"')
    version = subprocess.run(["docker", "--version"], capture_output=True, text=True, check=True).stdout
    if int(re.findall(r"\d+", version)[0]) < OLDEST_CLI:
        pytest.skip(f"the Docker CLI must be {OLDEST_CLI} or newer, not {version}")


@pytest.fixture(scope="session")
def new_engine(request: pytest.FixtureRequest) -> type[PrivateEngine]:
    """Return the class of the private engine that --engine selects."""
    kind = ENGINES[engine_name(request.config)]
    if reason := kind.available():
        pytest.fail(f'{kind.name} is unavailable: {reason}; deselect these tests with -m "not engine"')
    return kind


@pytest.fixture(scope="session")
def engine(
    new_engine: type[PrivateEngine], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrivateEngine]:
    """Start a private engine with the image busybox:latest, that tests may change freely."""
    with new_engine(tmp_path_factory.mktemp("engine")) as engine:
        import_layer(engine.socket, "busybox", busybox_layer())
        yield engine


@pytest.fixture(scope="session")
def buildkit(engine: PrivateEngine) -> None:
    """Build once with BuildKit, so that a broken BuildKit fails here and does not hang later tests."""
    with dockerproto_httpx.Docker(engine.url, credentials=None) as docker:
        docker.images.build(dockerfile="FROM busybox\n", builder="buildkit")


@pytest.fixture(scope="session")
def open_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Start a registry without authentication."""
    yield from _registry(tmp_path_factory.mktemp("registry"))


@pytest.fixture(scope="session")
def closed_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Start a registry that requires USER and PASSWORD."""
    yield from _registry(tmp_path_factory.mktemp("registry"), user=USER, password=PASSWORD)


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenServer]:
    """Start a server of tokens for USER and PASSWORD."""
    with TokenServer(tmp_path_factory.mktemp("tokens"), user=USER, password=PASSWORD) as server:
        yield server


@pytest.fixture(scope="session")
def token_registry(tokens: TokenServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Start a registry that requires a token of that server."""
    yield from _registry(tmp_path_factory.mktemp("registry"), tokens=tokens)


def _registry(directory: Path, **credentials: Any) -> Iterator[Registry]:
    if reason := registry.available():
        pytest.fail(f'registry is unavailable: {reason}; deselect these tests with -m "not engine"')
    with Registry(directory, **credentials) as server:
        yield server


@pytest.fixture
def repository(engine: PrivateEngine, closed_registry: Registry) -> Any:
    """Tag busybox for a registry that requires credentials, and return the repository."""
    name = f"{closed_registry.host}/team/private"
    assert ask(engine.socket, "POST", f"/images/busybox/tag?repo={name}&tag=latest").status == 201
    yield name
    ask(engine.socket, "DELETE", f"/images/{name}?force=1")


@pytest.fixture
def command(engine: PrivateEngine) -> Iterator[str]:
    """Return a unique command; kill its processes after the test."""
    command = f"sleep 4321.{time.time_ns()}"
    yield command
    for pid in engine.processes(command):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def address(engine: PrivateEngine) -> Address:
    """Return the address of the engine; modules that hold for a relay in front of it replace this fixture."""
    return Address(engine.url)


@pytest.fixture
async def docker(address: Address, connect: Connect) -> Any:
    async with connect(address.url) as docker:
        yield docker


@pytest.fixture
def name(engine: PrivateEngine) -> Iterator[str]:
    """Tag busybox, return the new name, and delete it after the test."""
    name = "dockerproto/image:1"
    assert ask(engine.socket, "POST", "/images/busybox/tag?repo=dockerproto/image&tag=1").status == 201
    yield name
    ask(engine.socket, "DELETE", f"/images/{name}?force=1")
