"""The build context sent of a directory agrees with the Docker CLI, for many trees and ignore files."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from dockerproto import DockerError, InvalidPattern
from dockerproto.buildcontext.plan import BuildContext
from dockerproto.buildcontext.tar_writer import BLOCK, END
from dockerproto_local.build_context import open_context
from tests.support.context_trees import REFUSED, Case, make_case
from tests.testbed.scripted import ScriptedEngine, chunked

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("docker_command")]

BATCHES, CASES = 10, 40
IGNORE = ".dockerignore"
DOCKERFILE = "<Dockerfile>"


def sent(root: Path, case: Case) -> tuple[str, bytes] | None:
    """Return the Dockerfile's name and the build context that the Docker CLI sends; None if it fails."""
    with ScriptedEngine() as engine:
        engine.script("POST", "/build", chunked(b'{"stream":"built"}'))
        named = [] if case.dockerfile is None else ["--file", str(root / case.dockerfile)]
        done = subprocess.run(
            ["docker", "build", *named, str(root)],
            env={
                "PATH": os.environ["PATH"],
                "DOCKER_HOST": engine.url,
                "DOCKER_BUILDKIT": "0",
                "DOCKER_CONFIG": os.devnull,
            },
            capture_output=True,
            check=False,
            timeout=60,
        )
        if done.returncode != 0:
            return None
        (request,) = (each for each in engine.requests if each.path == "/build")
        assert len(request.body) == request.length
        # If the Dockerfile is outside the directory, the Docker CLI omits the end of the archive.
        query = parse_qs(request.target.partition("?")[2], errors="surrogateescape")
        return query["dockerfile"][0], request.body + bytes(-len(request.body) % BLOCK) + END


def ours(root: Path, case: Case) -> tuple[str, bytes] | None:
    context = BuildContext(directory=str(root), dockerfile=case.dockerfile)
    try:
        source = open_context(context)
        return source.plan.dockerfile, b"".join(source)
    except DockerError:
        return None


def facts(given: tuple[str, bytes] | None) -> dict[str, Any] | None:
    """Return what an archive has, whatever the order of it, and the name of a Dockerfile that was made."""
    if given is None:
        return None
    dockerfile, archive = given
    generated = dockerfile.startswith(".dockerfile.")
    found: dict[str, Any] = {}
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
        for each in tar:
            file = tar.extractfile(each) if each.isreg() else None
            content = file.read() if file else b""
            shown: tuple[object, ...] = (each.type, each.mode, each.linkname, each.devmajor, each.devminor)
            shown += (each.mtime, each.uid, each.gid)
            if generated and each.name in (dockerfile, IGNORE):
                shown, content = (each.type,), content.replace(dockerfile.encode(), DOCKERFILE.encode())
            name = DOCKERFILE if each.name == dockerfile else each.name
            assert name not in found
            found[name] = (*shown, content)
    return found


@pytest.mark.parametrize("batch", range(BATCHES))
def test_what_is_sent_is_what_the_docker_command_sends(batch: int, tmp_path: Path) -> None:
    seeds = range(batch * CASES, batch * CASES + CASES)
    roots = [tmp_path / str(seed) for seed in seeds]
    cases = [make_case(root, seed) for root, seed in zip(roots, seeds, strict=True)]
    with ThreadPoolExecutor(4) as pool:
        theirs = [*pool.map(sent, roots, cases)]
    for root, case, expected in zip(roots, cases, theirs, strict=True):
        lines = (root / IGNORE).read_bytes() if (root / IGNORE).exists() else None
        found, wanted = facts(ours(root, case)), facts(expected)
        if found and wanted and DOCKERFILE not in wanted:
            del found[DOCKERFILE]  # the Docker CLI does not restore every excluded one
        assert found == wanted, (case, lines)
    assert sum(each is not None for each in theirs) > CASES * 0.9


@pytest.mark.parametrize("pattern", REFUSED)
def test_what_the_docker_command_refuses_is_refused(pattern: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / IGNORE).write_text(f"{pattern}\n")
    assert sent(tmp_path, Case(0, None)) is None
    with pytest.raises(InvalidPattern, match="line 1: "):
        open_context(BuildContext(directory=str(tmp_path)))
