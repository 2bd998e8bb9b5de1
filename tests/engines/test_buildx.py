"""The Docker CLI's buildx and this library build the same image, bit by bit.

Each has an engine of its own, so nothing comes from a cache of the other. These tests start the engines they
need, whatever --engine selects.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Final

import anyio.to_thread
import pytest

from dockerproto import Image
from dockerproto_cli.command import main
from tests.conftest import Connect
from tests.support.private_engines import Start, engines
from tests.testbed.buildx import buildx
from tests.testbed.engines import Docker26, Docker26Containerd, Docker28, Docker28Containerd
from tests.testbed.private import PrivateEngine
from tests.testbed.processes import environment

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

DOCKERFILE: Final = """ARG PLATFORM=$TARGETPLATFORM
FROM scratch AS files
COPY file /
FROM scratch
ARG TARGETPLATFORM SALT
LABEL platform=$TARGETPLATFORM salt=$SALT
ENV A=b
COPY --from=files file /copied
COPY directory/ /
"""
ARGUMENTS: Final = {"SOURCE_DATE_EPOCH": "1700000000", "SALT": "a b"}
LABELS: Final = {"org.example.a": "b=c"}
WORDS: Final = (
    *(word for name, value in ARGUMENTS.items() for word in ("--build-arg", f"{name}={value}")),
    *(word for name, value in LABELS.items() for word in ("--label", f"{name}={value}")),
)
"""The same in the words of a command."""
PLATFORMS: Final = ["linux/amd64", "linux/arm64"]

start = pytest.fixture(engines, scope="module")


@pytest.fixture(scope="module")
def command() -> tuple[str, ...]:
    """Return the command of buildx."""
    if not (command := buildx()):
        pytest.skip("buildx does not run on this machine")
    return command


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a directory to build, with the same times in every test."""
    project = tmp_path / "project"
    (project / "directory/sub").mkdir(parents=True)
    (project / "Dockerfile").write_text(DOCKERFILE)
    (project / ".dockerignore").write_text("**/ignored\n")
    (project / "file").write_text("content\n")
    (project / "file").chmod(0o750)
    (project / "directory/sub/file").write_text("more\n")
    (project / "directory/sub/ignored").touch()
    (project / "directory/link").symlink_to("sub/file")
    for path in (project, *project.rglob("*")):
        os.utime(path, (1_600_000_000, 1_600_000_000), follow_symlinks=False)
    return project


def built(command: tuple[str, ...], engine: PrivateEngine, project: Path, *options: str) -> dict[str, Any]:
    """Build with buildx, and return the facts that it writes to a file."""
    metadata = project.with_name("metadata.json")
    subprocess.run(
        [
            *(*command, "build", "--builder", "default", "--progress", "plain", "--provenance=false"),
            *(*WORDS, *options, "--metadata-file", str(metadata), str(project)),
        ],
        check=True,
        capture_output=True,
        env={**environment(), "DOCKER_HOST": engine.url, "DOCKER_CONFIG": str(project.with_name("config"))},
    )
    facts: dict[str, Any] = json.loads(metadata.read_bytes())
    return facts


@pytest.mark.parametrize(
    ("kind", "platforms"),
    [
        (Docker26, []),
        (Docker28, []),
        (Docker26Containerd, []),
        (Docker28Containerd, []),
        (Docker26Containerd, PLATFORMS),
        (Docker28Containerd, PLATFORMS),
    ],
    ids=lambda value: getattr(value, "name", None),
)
async def test_the_same_image(
    kind: type[PrivateEngine],
    platforms: list[str],
    *,
    start: Start,
    connect: Connect,
    command: tuple[str, ...],
    project: Path,
) -> None:
    options = ("--platform", ",".join(platforms)) if platforms else ()
    theirs = await anyio.to_thread.run_sync(
        built, command, start(kind), project, "--tag", "compared:1", *options
    )
    async with connect(start(kind, 1).url, credentials=None) as docker:
        ours = await docker.images.build(
            path=project,
            tag="compared:1",
            buildargs=ARGUMENTS,
            labels=LABELS,
            outputs=Image(),
            platforms=platforms or None,
        )
    names = ("containerimage.digest", "containerimage.config.digest")
    assert {name: ours.result.metadata.get(name) for name in names} == {
        name: theirs.get(name) for name in names
    }
    assert ours.result.image_id == theirs["containerimage.digest"]


@pytest.mark.parametrize(
    "kind", [Docker26, Docker28, Docker26Containerd, Docker28Containerd], ids=lambda kind: kind.name
)
def test_the_same_id_in_a_file(
    kind: type[PrivateEngine], start: Start, command: tuple[str, ...], project: Path, tmp_path: Path
) -> None:
    """It is the digest of the configuration, also where that is not the id in the engine."""
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    built(command, start(kind), project, "--iidfile", str(theirs))
    options = ("--host", start(kind, 1).url, "build", "--builder", "buildkit", "--iidfile", str(ours))
    assert main([*options, *WORDS, str(project)]) == 0
    assert ours.read_text() == theirs.read_text()
    assert ours.read_text().startswith("sha256:")
