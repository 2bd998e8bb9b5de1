"""The main job, done by the command on a real engine."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.engines.differences import Difference
from tests.support.terminal import Terminal, environment
from tests.testbed.base_image import context
from tests.testbed.private import PrivateEngine
from tests.testbed.registry import Registry

pytestmark = pytest.mark.engine
DOCKERFILE = "FROM busybox\nCOPY poem.txt /\nRUN cat /poem.txt\nLABEL made=here\n"


class Command:
    """Runs the command, as a program, on an engine."""

    def __init__(self, engine: PrivateEngine) -> None:
        self._engine = engine
        self.errors = ""

    def __call__(self, *arguments: str, stdin: bytes = b"", status: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "dockerproto_cli", *arguments],
            check=False,
            capture_output=True,
            input=stdin,
            timeout=300,
            env=environment(DOCKER_HOST=self._engine.url),
        )
        self.errors = done.stderr.decode()
        assert done.returncode == status, self.errors
        return done.stdout.decode()


@pytest.fixture
def command(engine: PrivateEngine) -> Command:
    return Command(engine)


def test_the_main_job(
    command: Command, engine: PrivateEngine, open_registry: Registry, tmp_path: Path
) -> None:
    name, pushed = "from/cli:1", f"{open_registry.host}/from/cli:1"
    tar = context(DOCKERFILE, **{"poem.txt": b"one core\n"})
    id = command("build", "-t", name, "--network", "none", "-", stdin=tar).strip()
    assert id.startswith("sha256:")
    assert "one core" in command.errors
    assert command("tag", name, pushed) == ""
    assert command("push", pushed).startswith(f"{pushed}@sha256:")
    for each in (name, pushed):
        untagged = command("rmi", each).splitlines()
        assert any(line.startswith("Untagged: ") and line.endswith(each) for line in untagged)
    assert command("images", "-q", pushed) == ""
    assert command("pull", pushed) == f"{pushed}\n"
    complete = "Download complete" if Difference.PULL_WITHOUT_UNPACKING.on(engine) else "Pull complete"
    assert complete in command.errors or "Already exists" in command.errors
    repository, tag, short, *_ = command("images", pushed).splitlines()[1].split()
    assert (f"{repository}:{tag}", f"sha256:{short}") == (pushed, id[: len("sha256:") + 12])
    assert "LABEL made=here" in command("history", "--no-trunc", pushed)
    (inspected,) = json.loads(command("inspect", pushed))
    assert (inspected["Id"], inspected["Config"]["Labels"]["made"]) == (id, "here")
    archive = tmp_path / "saved.tar"
    command("save", "-o", str(archive), pushed)
    with tarfile.open(archive) as opened:
        assert "manifest.json" in opened.getnames()
    command("rmi", pushed)
    assert command("load", "-i", str(archive)) == f"{pushed}\n"
    command("rmi", "-f", pushed)


@pytest.mark.parametrize(
    "builder",
    [
        "classic",
        pytest.param("buildkit", marks=pytest.mark.differs(Difference.NO_BUILDKIT, raises=AssertionError)),
    ],
)
def test_a_build_of_a_directory(command: Command, tmp_path: Path, builder: str) -> None:
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "poem.txt").write_text("one core\n")
    (folder / "left-out.txt").write_text("noise\n")
    (folder / ".dockerignore").write_text("left-out.txt\n")
    other = tmp_path / "Other"
    other.write_text("FROM busybox\nCOPY . /in/\nRUN ls /in; cat /in/poem.txt\n")
    arguments = ["--builder", builder, "--network", "none", "-t", "from/cli:directory"]
    for file, stdin in ((str(other), b""), ("-", other.read_bytes())):
        id = command("build", *arguments, "--no-cache", "-f", file, str(folder), stdin=stdin).strip()
        assert id.startswith("sha256:")
        assert "one core" in command.errors
        assert " left-out.txt" not in command.errors
        assert ("upload: " in command.errors) == (builder == "classic")
    command("rmi", "from/cli:directory")


def test_prune(command: Command) -> None:
    for text in (b"1", b"2"):
        command(
            "build", "-q", "-t", "from/cli:pruned", "-", stdin=context("FROM scratch\nCOPY f /\n", f=text)
        )
    pruned = json.loads(command("prune", "-f", "--json"))
    assert pruned["ImagesDeleted"]
    assert "Total reclaimed space: 0 B" in command("prune", "-f")
    command("rmi", "from/cli:pruned")


def test_a_build_that_fails(command: Command) -> None:
    tar = context("FROM busybox\nRUN echo before && exit 7\n")
    assert command("build", "--network", "none", "-", stdin=tar, status=1) == ""
    assert re.search(r"^#\d+ before$", command.errors, re.MULTILINE)
    assert command.errors.splitlines()[-1].startswith("dockerproto: ")
    assert "7" in command.errors.splitlines()[-1]


def test_a_build_on_a_terminal(engine: PrivateEngine) -> None:
    tar = context("FROM busybox\nRUN echo before && exit 7\n")
    arguments = ("-m", "dockerproto_cli", "build", "--network", "none", "-")
    with Terminal(*arguments, stdin=tar, DOCKER_HOST=engine.url) as screen:
        assert screen.end() == 1
        lines = screen.shown
    assert any(line.startswith("✗ [2/2] RUN echo before && exit 7") for line in lines)
    assert "  │ before" in lines
    assert not screen.cursor_hidden


def test_what_is_not_there(command: Command) -> None:
    assert command("rmi", "no/such/image", status=1) == ""
    assert command.errors.startswith("dockerproto: ")
    assert command.errors.count("\n") == 1


def test_standard_input_and_output_carry_archives(command: Command, engine: PrivateEngine) -> None:
    saved = subprocess.run(
        [sys.executable, "-m", "dockerproto_cli", "save", "busybox"],
        check=True,
        capture_output=True,
        env=environment(DOCKER_HOST=engine.url),
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(saved)) as opened:
        assert "manifest.json" in opened.getnames()
    assert command("load", stdin=saved).endswith("busybox:latest\n")
