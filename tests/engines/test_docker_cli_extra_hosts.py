"""The entries for /etc/hosts that a build sends agree with the Docker CLI's."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs

import pytest

from dockerproto.images.build import build
from dockerproto.versions import NEWEST
from tests.images.test_operations import request_of
from tests.request.test_extra_hosts import ACCEPTED, REJECTED
from tests.testbed.scripted import ScriptedEngine, chunked

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("docker_command")]

VARIANTS = [
    "b=1:2:3:4:5:6:7::",
    "b=1:2:3:4:5:6:7:8::",
    "b=00001::1",
    "b=::1.2.3.4",
    "b=\x1c1.2.3.4",
    "b=[ ::1 ]",
]


def cli_hosts(directory: Path, text: str) -> list[str] | None:
    """Return the entries that the Docker CLI sends; None if it rejects the text."""
    with ScriptedEngine() as engine:
        engine.script("POST", "/build", chunked(b'{"stream":"built"}'))
        env = {"PATH": os.environ["PATH"], "DOCKER_HOST": engine.url, "DOCKER_BUILDKIT": "0"}
        subprocess.run(
            ["docker", "build", "--add-host", "first=10.0.0.1", "--add-host", text, str(directory)],
            env=env | {"DOCKER_CONFIG": os.devnull},
            capture_output=True,
            check=False,
            timeout=60,
        )
        targets = [each.target for each in engine.requests if each.path == "/build"]
    return parse_qs(targets[0].partition("?")[2])["extrahosts"] if targets else None


def our_hosts(text: str, builder: Literal["classic", "buildkit"]) -> list[str] | None:
    try:
        operation = build(path=".", extra_hosts=["first=10.0.0.1", text], builder=builder)
    except ValueError:
        return None
    return parse_qs(request_of(operation).target(NEWEST).partition("?")[2])["extrahosts"]


def test_extra_hosts_are_those_of_the_docker_command(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    texts = [*ACCEPTED, *REJECTED, *VARIANTS]
    with ThreadPoolExecutor(4) as pool:
        theirs = [*pool.map(partial(cli_hosts, tmp_path), texts)]
    for text, expected in zip(texts, theirs, strict=True):
        assert our_hosts(text, "classic") == our_hosts(text, "buildkit") == expected, text
    assert theirs[: len(ACCEPTED)] == [["first:10.0.0.1", sent] for sent in ACCEPTED.values()]
    assert theirs[len(ACCEPTED) : -len(VARIANTS)] == [None] * len(REJECTED)
