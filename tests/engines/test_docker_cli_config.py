"""config.json is read as the Docker CLI reads it: its context, headers, credentials and proxies."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.config_files import CASES, REGISTRY, Reading, content_of, reading_of
from tests.testbed.scripted import ScriptedEngine, chunked, json_response

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("docker_command")]

ITS_OWN = {"host", "user-agent", "accept-encoding", "connection", "content-length", "content-type"}
"""Headers that the Docker CLI sends without being told."""


def docker(directory: Path, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        ["docker", *arguments],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "DOCKER_CONFIG": str(directory),
            **environment,
        },
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.strip()


def read_by_the_docker_cli(directory: Path, engine: ScriptedEngine) -> Reading:
    """Return what the Docker CLI does with a config.json."""
    context = docker(directory, "context", "show")
    docker(directory, "pull", "--quiet", f"{REGISTRY}/a", DOCKER_HOST=engine.url)
    (pull,) = (each for each in engine.requests if each.path == "/images/create")
    auth = json.loads(base64.urlsafe_b64decode(pull.headers["x-registry-auth"]))
    auth.pop("serveraddress", None)
    headers = {
        name: value for name, value in pull.headers.items() if name not in {*ITS_OWN, "x-registry-auth"}
    }
    docker(directory, "build", str(directory / "empty"), DOCKER_HOST=engine.url, DOCKER_BUILDKIT="0")
    (build,) = (each for each in engine.requests if each.path == "/build")
    arguments = json.loads(build.query.get("buildargs", ["{}"])[0])
    proxies = {name: value for name, value in arguments.items() if name.isupper()}
    return Reading(context, headers, auth, proxies)


@pytest.mark.parametrize("case", CASES)
def test_the_docker_cli_reads_the_same(case: str, scripted: ScriptedEngine, tmp_path: Path) -> None:
    content = content_of(case, scripted.url)
    (tmp_path / "config.json").write_bytes(content)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/Dockerfile").write_text("FROM scratch\n")
    scripted.script("POST", "/images/create", chunked(b'{"status":"done"}\n'))
    scripted.script("POST", "/build", chunked(b"{}"))
    scripted.script("GET", "/info", json_response({}))
    assert reading_of(content, scripted.url) == read_by_the_docker_cli(tmp_path, scripted)
