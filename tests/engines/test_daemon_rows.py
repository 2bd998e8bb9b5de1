"""The rows of the Control API that a BuildKit daemon has, on a relay that stands in for one.

The bodies are those of the tests on engines: only the way in differs. They run on Docker 28.5 with the
containerd image store, or on the engine that --engine selects, if it has that store.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dockerproto import CacheOnly, ConnectionFailed, StepFailed
from tests.conftest import Connect, engine_name
from tests.engines import test_checks, test_control_builds, test_control_rows, test_layouts, test_sbom
from tests.engines.test_control_builds import HOST, SALTED
from tests.support.daemon_faces import faces
from tests.support.facade import Transport, client
from tests.support.private_engines import CONTAINERD_STORES, Start, engines, new_salt
from tests.support.salted_builds import salted_build
from tests.testbed.bridged import BridgedDocker28
from tests.testbed.dockerd import Dockerd
from tests.testbed.engines import Docker28Containerd
from tests.testbed.private import PrivateEngine

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

start = pytest.fixture(engines, scope="module")
salt = pytest.fixture(new_salt)
salted = pytest.fixture(salted_build)
connect = pytest.fixture(faces)


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> type[PrivateEngine]:
    """Return the kind of the engine behind the daemon."""
    chosen = (each for each in CONTAINERD_STORES if each.name == engine_name(request.config))
    return next(chosen, Docker28Containerd)


@pytest.fixture
def containerd(kind: type[PrivateEngine], start: Start) -> PrivateEngine:
    """Return the engine behind the daemon."""
    return start(kind)


any_engine = newer = replying = containerd


@pytest.fixture
def checking(kind: type[PrivateEngine], containerd: PrivateEngine) -> PrivateEngine:
    """Return the engine behind the daemon, if it has checks."""
    if kind is not Docker28Containerd:
        pytest.skip(f"{kind.name} has no checks")
    return containerd


@pytest.fixture
def bridged(start: Start) -> PrivateEngine:
    """Return an engine whose containers have a network."""
    return start(BridgedDocker28)


test_a_tar_as_the_context_and_as_the_output = test_control_rows.test_a_tar_as_the_context_and_as_the_output
test_warnings_of_the_linter = test_control_rows.test_warnings_of_the_linter
test_an_inline_cache_after_a_prune = test_control_rows.test_an_inline_cache_after_a_prune
test_what_buildkit_says_about_itself = test_control_rows.test_what_buildkit_says_about_itself
test_the_history_of_builds = test_control_rows.test_the_history_of_builds
test_a_scanner_of_the_program = test_sbom.test_a_scanner_of_the_program


class TestAnyEngine(test_control_builds.TestAnyEngine):
    test_an_image: Any = None  # it compares with POST /build
    test_a_step_that_fails: Any = None


async def test_a_step_that_fails(containerd: PrivateEngine, connect: Connect) -> None:
    async with connect(containerd.url, credentials=None) as docker:
        with pytest.raises(StepFailed) as raised:
            await docker.images.build(
                dockerfile="FROM busybox\nRUN echo before; exit 7\n", outputs=CacheOnly(), **HOST
            )
    assert raised.value.step is not None
    assert (raised.value.step.exit_code, raised.value.step.log) == (7, ("before",))


class TestALoad:
    @pytest.mark.parametrize("into", [Dockerd, Docker28Containerd], ids=lambda kind: kind.name)
    async def test_puts_the_image_into_an_engine(
        self,
        *,
        into: type[PrivateEngine],
        containerd: PrivateEngine,
        start: Start,
        connect: Connect,
        transport: Transport,
        salt: dict[str, str],
    ) -> None:
        name = f"load/app:{salt['SALT']}"
        arguments = {"dockerfile": f"{SALTED}RUN head -c 9000000 /dev/urandom > /big\n", "buildargs": salt}
        async with (
            connect(containerd.url, credentials=None) as docker,
            client(transport, start(into).url, credentials=None) as engine,
        ):
            build = await docker.images.build(tag=name, load=engine, **arguments, **HOST)
            assert build.result.tags == (name,)
            assert len(build) > 5
            image = await engine.images.inspect(name)
        assert len(image["RootFS"]["Layers"]) == 3

    async def test_that_fails_fails_the_build(
        self, containerd: PrivateEngine, connect: Connect, transport: Transport, tmp_path: Path
    ) -> None:
        async with (
            connect(containerd.url, credentials=None) as docker,
            client(transport, f"unix://{tmp_path}/absent", credentials=None) as engine,
        ):
            with pytest.raises(ConnectionFailed, match="absent"):
                await docker.images.build(dockerfile="FROM busybox\n", load=engine)


class TestNewerEngines(test_control_builds.TestNewerEngines):
    pass


class TestContainerdStore(test_control_builds.TestContainerdStore):
    test_an_image_is_pulled_by_another_engine: Any = None  # about engines


class _OneKind:
    @pytest.fixture
    def containerd(self, kind: type[PrivateEngine]) -> type[PrivateEngine]:
        """Return the kind of the engine behind the daemon."""
        return kind


class TestCaches(_OneKind, test_layouts.TestCaches):
    test_are_used_by_another_engine: Any = None  # about engines
    test_an_old_engine_reads_them: Any = None
    test_are_not_written_by_a_graph_driver: Any = None


class TestLayouts(_OneKind, test_layouts.TestLayouts):
    test_are_no_contexts_of_a_graph_driver: Any = None  # about engines


class TestACheck(test_checks.TestACheck):
    pass


class TestAnOutline(test_checks.TestAnOutline):
    pass


class TestTargets(test_checks.TestTargets):
    pass


class TestAnEnd(test_checks.TestAnEnd):
    pass
