"""The Python of README.md and of the pages in docs runs as it stands there, against a real engine.

What is done with it is in its fence's info string. A `python program` is complete, and finds the engine
by DOCKER_HOST, a daemon by BUILDKIT_HOST. The `python fragment`s of a page are one program that is given an
open client, `docker`: of asyncio, of trio and, without `async` and `await`, the blocking one. A `python
scripted` is a fragment whose answer would need Docker Hub, and so comes from a scripted engine. A `diff` is
a program once it is applied.

A `text capture` is what the progress display shows: see docs/captures.py.

Two things are replaced: `registry.example` by the registry of the test, and a pull of `busybox` by a pull
from that.
"""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import json
import re
import runpy
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest
import trio

import dockerproto_asyncio
import dockerproto_httpx
import dockerproto_trio
from dockerproto import BadRequest, ServerError, UnsupportedEngine, UnsupportedVersion
from dockerproto.transport.runtime import run
from tests.engines.differences import Difference
from tests.support.facade import Transport
from tests.testbed.daemon_relay import DaemonRelay
from tests.testbed.engines import Docker26Containerd
from tests.testbed.private import PrivateEngine
from tests.testbed.registry import Registry
from tests.testbed.scripted import ScriptedEngine, json_response
from tests.testbed.unix_http import ask

pytestmark = pytest.mark.engine

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
FENCE: Final = re.compile(
    r"^(?P<fence>`{3,})(?P<info>[^`\n]*)\n(?P<code>.*?)^(?P=fence)$", re.MULTILINE | re.DOTALL
)
REMOVED: Final = re.compile(r"^-.*\n", re.MULTILINE)
KEPT: Final = re.compile(r"^[ +]", re.MULTILINE)
KINDS: Final = {"python program", "python fragment", "python scripted", "diff"}
SEARCH: Final = [{"name": "busybox", "description": "", "star_count": 3000, "is_official": True}]
MIRRORED: Final = "registry.example/library/busybox"
IN_REGISTRY: Final = (MIRRORED, "registry.example/team/app", "registry.example/team/web")
FILLED: Final = set[str]()
"""Registries that have these images."""
Refused: TypeAlias = dict[str, type[Exception]]


@dataclass(frozen=True)
class Snippet:
    """Code of a page, and where it is from."""

    page: Path
    line: int
    kind: str
    code: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"

    def compiled(self, host: str, *, blocking: bool = False) -> Any:
        """Compile it, with the line numbers of its page."""
        code = REMOVED.sub("\n", self.code) if self.kind == "diff" else self.code
        code = KEPT.sub("", code) if self.kind == "diff" else code
        code = code.replace('pull("busybox"', f'pull("{MIRRORED}"').replace("registry.example", host)
        if blocking:
            code = re.sub(r"\b(async|await) ", "", code)
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if self.kind != "python program" else 0
        return compile("\n" * self.line + code, self.page, "exec", flags)


def _snippets() -> Iterator[Snippet]:
    for page in PAGES:
        text = page.read_text()
        for found in FENCE.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            yield Snippet(page, line, found["info"].strip(), found["code"])


SNIPPETS: Final = list(_snippets())
PROGRAMS: Final = [each for each in SNIPPETS if each.kind in ("python program", "diff")]


def _fragments(kind: str) -> dict[str, list[Snippet]]:
    pages: defaultdict[str, list[Snippet]] = defaultdict(list)
    for snippet in SNIPPETS:
        if snippet.kind == kind:
            pages[snippet.page.name].append(snippet)
    return dict(pages)


@pytest.fixture
def host(engine: PrivateEngine, open_registry: Registry) -> str:
    """The registry, which has a busybox under some names."""
    for repository in () if open_registry.host in FILLED else IN_REGISTRY:
        name = repository.replace("registry.example", open_registry.host)
        for method, target in (
            ("POST", f"/images/busybox/tag?repo={name}&tag=latest"),
            ("POST", f"/images/{name}/push?tag=latest"),
            ("DELETE", f"/images/{name}:latest"),
        ):
            answer = ask(engine.socket, method, target, headers={"X-Registry-Auth": "e30="})
            assert answer.status < 300, answer.body
    FILLED.add(open_registry.host)
    return open_registry.host


@pytest.fixture(autouse=True)
def place(engine: PrivateEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run in an empty folder, with DOCKER_HOST; remove the names that have come."""
    before = _tags(engine)
    monkeypatch.setenv("DOCKER_HOST", engine.url)
    monkeypatch.chdir(tmp_path)
    yield
    for tag in _tags(engine) - before:
        ask(engine.socket, "DELETE", f"/images/{tag}")
    assert _tags(engine) == before


def _tags(engine: PrivateEngine) -> set[str]:
    images = json.loads(ask(engine.socket, "GET", "/images/json").body)
    tags = {tag for image in images for tag in image["RepoTags"] or () if tag != "<none>:<none>"}
    return {tag for tag in tags if ":" in tag.rpartition("/")[2]}  # a push by digest leaves a bare name


CAPTURED: Final = [each for each in SNIPPETS if each.kind.startswith("text capture ")]


def test_there_is_a_capture() -> None:
    assert CAPTURED


@pytest.mark.parametrize("snippet", CAPTURED, ids=str)
def test_captures(snippet: Snippet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "docs"), *sys.path])
    captures = importlib.import_module("captures")
    assert snippet.code == captures.text(snippet.kind.split()[-1])


def test_all_python_is_run() -> None:
    marked = {each.kind for each in SNIPPETS if each.kind.startswith(("python", "diff"))}
    assert marked == KINDS


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonRelay]:
    """A BuildKit daemon, with containerd's store as all of them."""
    if reason := Docker26Containerd.available():
        pytest.skip(f"{Docker26Containerd.name} is unavailable: {reason}")
    with Docker26Containerd(tmp_path_factory.mktemp("daemon")) as engine, DaemonRelay(engine.socket) as relay:
        yield relay


@pytest.mark.parametrize("snippet", PROGRAMS, ids=str)
def test_programs(
    snippet: Snippet,
    host: str,
    *,
    engine: PrivateEngine,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if "import BuildKit" in snippet.code:
        monkeypatch.setenv("BUILDKIT_HOST", request.getfixturevalue("daemon").url)
    run_program(snippet, host, engine, capsys)


GET_STARTED: Final = [
    each for each in PROGRAMS if each.page.name == "get-started.md" and "asyncio" in each.code
]


@pytest.fixture
def own_transport() -> dict[str, Any]:
    """Run the transport of docs/write-your-own-transport.md and return its names."""
    return runpy.run_path(str(ROOT / "docs/examples/socket_transport.py"))


@pytest.mark.parametrize("snippet", GET_STARTED, ids=str)
def test_a_transport_of_ones_own_runs_get_started(
    snippet: Snippet,
    own_transport: dict[str, Any],
    host: str,
    *,
    engine: PrivateEngine,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dockerproto_asyncio, "Docker", own_transport["Docker"])
    run_program(snippet, host, engine, capsys)


@pytest.mark.differs(Difference.NO_BUILDKIT, raises=UnsupportedEngine)
def test_a_transport_of_ones_own_serves_sessions(own_transport: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\nCOPY Dockerfile /\n")

    async def build() -> None:
        async with own_transport["Docker"]() as docker:
            assert await docker.images.build(path=tmp_path, builder="buildkit", tag="app")

    run(build())


@pytest.mark.parametrize("page", _fragments("python fragment"))
def test_fragments(page: str, transport: Transport, host: str, engine: PrivateEngine) -> None:
    run_fragments(_fragments("python fragment")[page], transport, host, engine.url, _refused(engine))


@pytest.mark.parametrize("page", _fragments("python scripted"))
def test_scripted_fragments(page: str, transport: Transport, scripted: ScriptedEngine) -> None:
    scripted.script("GET", "/images/search", json_response(SEARCH))
    run_fragments(_fragments("python scripted")[page], transport, "", scripted.url, {})


REFUSED: Final[dict[str, tuple[Difference, type[Exception]]]] = {
    ".prune_builds(": (Difference.NO_BUILD_CACHE, UnsupportedEngine),
    '.prune(filters={"dangling": False': (Difference.PRUNE_OF_DANGLING_ONLY, ServerError),
    ".distribution(": (Difference.NO_DISTRIBUTION, UnsupportedEngine),
    ".login(": (Difference.LOGIN_OVER_TLS, ServerError),
    'builder="buildkit"': (Difference.NO_BUILDKIT, UnsupportedEngine),
    "secrets={": (Difference.NO_BUILDKIT, UnsupportedEngine),
    "output=": (Difference.NO_BUILDKIT, UnsupportedEngine),
    "outputs=": (Difference.NO_BUILDKIT, UnsupportedEngine),
    "cache_to=": (Difference.NO_BUILDKIT, UnsupportedEngine),
    "LocalCache(": (Difference.NO_STORE_OF_CONTAINERD, UnsupportedEngine),
    "GitHubCache(": (Difference.NO_STORE_OF_CONTAINERD, UnsupportedEngine),
    "outputs=OCI(": (Difference.NO_STORE_OF_CONTAINERD, UnsupportedEngine),
    "contexts=": (Difference.NO_NAMED_CONTEXTS, UnsupportedVersion),
    ".check(": (Difference.NO_CHECKS, BadRequest),
    ".outline(": (Difference.NO_OUTLINES, UnsupportedVersion),
    ".targets(": (Difference.NO_OUTLINES, UnsupportedVersion),
    "buildkit.history(": (Difference.NO_BUILD_HISTORY, UnsupportedEngine),
    "buildkit.info(": (Difference.NO_BUILD_HISTORY, UnsupportedEngine),
    "docker.buildkit.": (Difference.NO_BUILDKIT, UnsupportedEngine),
    "images.check(": (Difference.NO_BUILDKIT, UnsupportedEngine),
    "images.outline(": (Difference.NO_BUILDKIT, UnsupportedEngine),
    "images.targets(": (Difference.NO_BUILDKIT, UnsupportedEngine),
    "RegistryCache(": (Difference.NO_STORE_OF_CONTAINERD, UnsupportedEngine),
    'registry.example/app:2"': (Difference.NO_STORE_OF_CONTAINERD, UnsupportedEngine),
    "downloaded is False": (Difference.PULL_OF_LAYERS_ONLY, AssertionError),
}


def _refused(engine: PrivateEngine) -> Refused:
    """Return the code that fails on the engine, and the errors that it raises."""
    return {code: error for code, (difference, error) in REFUSED.items() if difference.on(engine)}


def errors_of(snippet: Snippet, refused: Refused) -> list[type[Exception]]:
    """Return the errors that a snippet may raise on an engine."""
    return [error for code, error in refused.items() if code in snippet.code]


def run_program(
    snippet: Snippet, host: str, engine: PrivateEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    """Run a program, which prints something, or raises what the engine may refuse."""
    errors = errors_of(snippet, _refused(engine))
    with suppress(*errors):  # which the program may handle
        exec(snippet.compiled(host), {"__name__": "__main__"})
    assert errors or capsys.readouterr().out


def run_fragments(
    snippets: list[Snippet], transport: Transport, host: str, url: str, refused: Refused
) -> None:
    def expectation(snippet: Snippet) -> AbstractContextManager[object]:
        errors = errors_of(snippet, refused)
        return pytest.raises(errors[0]) if errors else nullcontext()

    async def on_event_loop(client: dockerproto_asyncio.Docker | dockerproto_trio.Docker) -> None:
        async with client as docker:
            namespace = {"docker": docker}
            for snippet in snippets:
                with expectation(snippet):
                    result = eval(snippet.compiled(host), namespace)
                    if inspect.iscoroutine(result):
                        await result

    if transport == "asyncio":
        asyncio.run(on_event_loop(dockerproto_asyncio.Docker(url)))
    elif transport == "trio":
        trio.run(on_event_loop, dockerproto_trio.Docker(url))
    else:
        with dockerproto_httpx.Docker(url) as docker:
            namespace = {"docker": docker}
            for snippet in snippets:
                with expectation(snippet):
                    exec(snippet.compiled(host, blocking=True), namespace)
