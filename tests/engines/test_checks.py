"""Questions about a Dockerfile on real engines, and what engines without them do.

These tests start the engines they need, whatever --engine selects.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from dockerproto import (
    ANONYMOUS,
    BadRequest,
    CheckResult,
    CheckWarning,
    DockerStreamError,
    NotFound,
    Outline,
    OutlineArg,
    OutlineMount,
    SourceLines,
    TargetSummary,
    UnsupportedEngine,
    UnsupportedVersion,
)
from tests.conftest import Connect
from tests.engines.differences import Difference
from tests.engines.test_command_engine import Command
from tests.support.private_engines import Start, engines
from tests.support.stored import ME
from tests.testbed.dockerd import Dockerd
from tests.testbed.engines import Docker26, Docker26Containerd, Docker28, Docker28Containerd
from tests.testbed.private import PrivateEngine
from tests.testbed.registry import Registry
from tests.testbed.unix_http import ask

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

DOCKERFILE = """# build the thing
FROM busybox AS build
# V is the version
ARG V=1
RUN --mount=type=secret,id=token,required --mount=type=ssh true
FROM --platform=linux/amd64 scratch
ARG W
COPY --from=build /bin /
"""
WARNED = "FROM busybox AS Made\nMAINTAINER me\nCMD echo a \\\n  b\n"
URL = "https://docs.docker.com/go/dockerfile/rule/"

start = pytest.fixture(engines, scope="module")


@pytest.fixture(params=[Docker28, Docker28Containerd], ids=lambda kind: kind.name)
def checking(request: pytest.FixtureRequest, start: Start) -> PrivateEngine:
    """Return an engine with checks."""
    return start(request.param)


@pytest.fixture(
    params=[Docker26, Docker26Containerd, Docker28, Docker28Containerd], ids=lambda kind: kind.name
)
def replying(request: pytest.FixtureRequest, start: Start) -> PrivateEngine:
    """Return an engine with outlines and targets."""
    return start(request.param)


def rules(warnings: tuple[CheckWarning, ...]) -> list[str]:
    return [each.rule for each in warnings]


def _image_ids(engine: PrivateEngine) -> list[str]:
    """Return the ids of the images; the order of an engine's list varies."""
    images = json.loads(ask(engine.socket, "GET", "/images/json?all=1").body)
    return sorted(each["Id"] for each in images)


class TestACheck:
    async def test_of_a_directory(self, checking: PrivateEngine, connect: Connect, tmp_path: Path) -> None:
        (tmp_path / "Dockerfile").write_text(WARNED)
        async with connect(checking.url, credentials=None) as docker:
            check = await docker.images.check(path=tmp_path)
        assert not check.ok
        assert check.failure is None
        assert rules(check.warnings) == ["StageNameCasing", "MaintainerDeprecated", "JSONArgsRecommended"]
        assert check.warnings[0] == CheckWarning(
            "StageNameCasing",
            "Stage names should be lowercase",
            "Stage name 'Made' should be lowercase",
            f"{URL}stage-name-casing/",
            "Dockerfile",
            (SourceLines(1, 1, ("FROM busybox AS Made",)),),
        )
        assert check.warnings[2].ranges == (
            SourceLines(3, 3, ("CMD echo a \\",)),
            SourceLines(4, 4, ("  b",)),
        )
        (source,) = check.sources
        assert (source.filename, source.text) == ("Dockerfile", WARNED)

    async def test_of_a_good_dockerfile(self, checking: PrivateEngine, connect: Connect) -> None:
        async with connect(checking.url, credentials=None) as docker:
            check = await docker.images.check(dockerfile="FROM busybox\nRUN true\n")
            assert check.ok
            assert (check.warnings, check.failure) == ((), None)

    async def test_builds_nothing(self, checking: PrivateEngine, connect: Connect) -> None:
        command = f"sleep 4321.{time.time_ns()}"
        images = _image_ids(checking)
        async with connect(checking.url, credentials=None) as docker:
            assert (await docker.images.check(dockerfile=f"FROM busybox\nRUN {command}\n")).ok
        assert _image_ids(checking) == images

    @pytest.mark.parametrize(
        ("dockerfile", "message", "lines"),
        [
            ("FROM busybox\nFOO bar\n", "unknown instruction: FOO", SourceLines(2, 2, ("FOO bar",))),
            ("RUN a\n", "no build stage in current context", SourceLines(1, 1, ("RUN a",))),
            ("FROM busybox\nRUN --foo a\n", "unknown flag: --foo", SourceLines(2, 2, ("RUN --foo a",))),
        ],
    )
    async def test_of_a_dockerfile_that_cannot_be_built(
        self, checking: PrivateEngine, connect: Connect, dockerfile: str, message: str, lines: SourceLines
    ) -> None:
        async with connect(checking.url, credentials=None) as docker:
            failure = (await docker.images.check(dockerfile=dockerfile)).failure
        assert failure is not None
        assert message in failure.message
        assert failure.ranges == (lines,)

    async def test_of_one_target(self, checking: PrivateEngine, connect: Connect) -> None:
        dockerfile = "FROM busybox AS one\nWORKDIR a\nFROM busybox AS two\nRUN true\n"
        async with connect(checking.url, credentials=None) as docker:
            whole = await docker.images.check(dockerfile=dockerfile)
            one = await docker.images.check(dockerfile=dockerfile, target="one")
            two = await docker.images.check(dockerfile=dockerfile, target="two")
            none = await docker.images.check(dockerfile=dockerfile, target="three")
        assert rules(whole.warnings) == rules(one.warnings) == ["WorkdirRelativePath"]
        assert two.ok
        assert none.failure is not None
        assert "three" in none.failure.message

    async def test_is_configured_by_a_build_argument(self, checking: PrivateEngine, connect: Connect) -> None:
        arguments = {"BUILDKIT_DOCKERFILE_CHECK": "skip=MaintainerDeprecated"}
        async with connect(checking.url, credentials=None) as docker:
            check = await docker.images.check(dockerfile=WARNED, buildargs=arguments)
        assert "MaintainerDeprecated" not in rules(check.warnings)

    async def test_uses_credentials(
        self, checking: PrivateEngine, connect: Connect, closed_registry: Registry
    ) -> None:
        name = f"{closed_registry.host}/checks/{time.time_ns()}"
        arguments: dict[str, Any] = {"dockerfile": f"FROM {name}\nRUN true\n", "pull": True}
        async with connect(checking.url, credentials={closed_registry.host: ME}) as docker:
            await docker.images.tag("busybox", name)
            await docker.images.push(name)
            await docker.images.delete(name)
            refused = await docker.images.check(auth=ANONYMOUS, **arguments)
            allowed = await docker.images.check(**arguments)
        assert refused.failure is not None
        assert name in refused.failure.message
        assert refused.failure.ranges == (SourceLines(1, 1, (f"FROM {name}",)),)
        assert allowed.ok


class TestAnOutline:
    async def test_of_the_default_target(self, replying: PrivateEngine, connect: Connect) -> None:
        run = DOCKERFILE.splitlines()[4]
        async with connect(replying.url, credentials=None) as docker:
            outline = await docker.images.outline(dockerfile=DOCKERFILE, buildargs={"W": "given"})
        assert outline == Outline(
            None,
            "",
            (
                OutlineArg("V", "is the version", "1", (SourceLines(4, 4, ("ARG V=1",)),)),
                OutlineArg("W", "", "given", (SourceLines(7, 7, ("ARG W",)),)),
            ),
            (OutlineMount("token", True, (SourceLines(5, 5, (run,)),)),),
            (OutlineMount("default", False, (SourceLines(5, 5, (run,)),)),),
            (DOCKERFILE,),
        )

    async def test_of_a_target(self, replying: PrivateEngine, connect: Connect, tmp_path: Path) -> None:
        (tmp_path / "Other").write_text(DOCKERFILE)
        arguments: dict[str, Any] = {"path": tmp_path, "path_dockerfile": "Other"}
        async with connect(replying.url, credentials=None) as docker:
            outline = await docker.images.outline(target="build", **arguments)
            with pytest.raises(BadRequest, match='target stage "absent" could not be found'):
                await docker.images.outline(target="absent", **arguments)
        assert (outline.name, outline.description) == ("build", "the thing")
        assert [each.name for each in outline.args] == ["V"]

    async def test_of_a_missing_image(
        self, replying: PrivateEngine, connect: Connect, open_registry: Registry
    ) -> None:
        name = f"{open_registry.host}/checks/missing"
        async with connect(replying.url, credentials=None) as docker:
            with pytest.raises(NotFound) as raised:
                await docker.images.outline(dockerfile=f"FROM {name}\nRUN a\n")
        assert isinstance(raised.value, DockerStreamError)
        assert raised.value.step is not None
        assert name in raised.value.step.name

    async def test_with_named_contexts(
        self, replying: PrivateEngine, connect: Connect, tmp_path: Path
    ) -> None:
        contexts = {"base": "docker-image://busybox", "lib": tmp_path}
        dockerfile = "FROM base AS made\nARG A\nCOPY --from=lib . /\n"
        async with connect(replying.url, credentials=None) as docker:
            outline = await docker.images.outline(dockerfile=dockerfile, contexts=contexts)
        assert [each.name for each in outline.args] == ["A"]


class TestTargets:
    async def test_are_listed(self, replying: PrivateEngine, connect: Connect, tmp_path: Path) -> None:
        (tmp_path / "Dockerfile").write_text(DOCKERFILE)
        lines = DOCKERFILE.splitlines()
        async with connect(replying.url, credentials=None) as docker:
            targets = await docker.images.targets(path=tmp_path)
            with pytest.raises(BadRequest, match="unknown instruction: FOO"):
                await docker.images.targets(dockerfile="FROM a\nFOO bar\n")
        assert targets == [
            TargetSummary("build", "the thing", False, "busybox", None, (SourceLines(2, 2, (lines[1],)),)),
            TargetSummary(None, "", True, "scratch", "linux/amd64", (SourceLines(6, 6, (lines[5],)),)),
        ]


class TestAnEnd:
    @pytest.mark.parametrize("transport", ["asyncio", "trio"])
    async def test_cancelling(self, checking: PrivateEngine, connect: Connect) -> None:
        """The next question works, and the engine has given up the cancelled one."""
        async with connect(checking.url, credentials=None) as docker:
            for wait in range(5):
                with anyio.move_on_after(wait / 200):
                    await docker.images.check(dockerfile=WARNED)
            assert not (await docker.images.check(dockerfile=WARNED)).ok

    async def test_many_at_once(self, checking: PrivateEngine, connect: Connect) -> None:
        checks: list[tuple[int, CheckResult]] = []
        async with connect(checking.url, credentials=None) as docker:

            async def check(number: int) -> None:
                dockerfile = f"FROM busybox AS Made{number}\nRUN true\n"
                checks.append((number, await docker.images.check(dockerfile=dockerfile)))

            async with anyio.create_task_group() as group:
                for number in range(8):
                    group.start_soon(check, number)
        assert len(checks) == 8
        for number, each in checks:
            assert each.warnings[0].text == f"Stage name 'Made{number}' should be lowercase"


class TestWhatEnginesLack:
    @pytest.mark.parametrize("method", ["check", "outline", "targets"])
    async def test_docker_20(self, start: Start, connect: Connect, method: str) -> None:
        async with connect(start(Dockerd).url, credentials=None) as docker:
            with pytest.raises(UnsupportedVersion, match=rf"^images.{method}\(\) needs API 1.43"):
                await getattr(docker.images, method)(dockerfile=DOCKERFILE)

    @pytest.mark.parametrize("kind", [Docker26, Docker26Containerd], ids=lambda kind: kind.name)
    async def test_docker_26_has_no_checks(
        self, kind: type[PrivateEngine], start: Start, connect: Connect
    ) -> None:
        async with connect(start(kind).url, credentials=None) as docker:
            with pytest.raises(
                UnsupportedEngine, match=r"images.check\(\): unsupported request frontend.lint"
            ):
                await docker.images.check(dockerfile=DOCKERFILE)


class TestTheCommand:
    def test_checks(self, checking: PrivateEngine, tmp_path: Path) -> None:
        (tmp_path / "Dockerfile").write_text(WARNED)
        command = Command(checking)
        lines = command("build", "--check", "-t", "a", str(tmp_path), status=1).splitlines()
        assert lines[0] == "Check complete, 3 warnings found."
        assert lines[2] == f"WARNING: StageNameCasing - {URL}stage-name-casing/"
        assert "1 | FROM busybox AS Made" in lines
        document = json.loads(command("build", "--call", "check,format=json", str(tmp_path), status=1))
        assert document["warnings"][0]["ruleName"] == "StageNameCasing"
        (tmp_path / "Dockerfile").write_text("FROM busybox\n")
        assert command("build", "--check", str(tmp_path)) == "Check complete, no warnings found.\n"

    def test_shows_outlines_and_targets(self, replying: PrivateEngine, tmp_path: Path) -> None:
        (tmp_path / "Dockerfile").write_text(DOCKERFILE)
        command = Command(replying)
        outline = command("build", "--call", "outline", "--target", "build", str(tmp_path)).splitlines()
        assert outline[0] == "TARGET: build"
        targets = command("build", "--call", "targets", str(tmp_path)).splitlines()
        assert targets[1].split() == ["build", "busybox", "the", "thing"]
        assert targets[2].split() == ["(default)", "scratch"]


async def test_the_engine_that_is_selected(engine: PrivateEngine, connect: Connect) -> None:
    async with connect(engine.url, credentials=None) as docker:
        questions = (
            (docker.images.targets, Difference.NO_OUTLINES),
            (docker.images.check, Difference.NO_CHECKS),
        )
        for method, difference in questions:
            if difference.on(engine) or Difference.NO_BUILDKIT.on(engine):
                with pytest.raises((UnsupportedEngine, UnsupportedVersion)):
                    await method(dockerfile="FROM busybox\n")
            else:
                assert await method(dockerfile="FROM busybox\n")
