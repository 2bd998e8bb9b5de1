"""The example of several engines at once."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import dockerproto_httpx
from tests.engines.differences import Difference
from tests.testbed.private import PrivateEngine
from tests.testbed.registry import Registry
from tests.testbed.scripted import ScriptedEngine, UntilClosed, chunked, json_response, wait_until

FLEET = [sys.executable, str(Path(__file__).parents[2] / "docs/examples/fleet.py")]
LOOPS = pytest.mark.parametrize("loop", [[], ["--trio"]], ids=["asyncio", "trio"])


def fleet(*arguments: str) -> tuple[int, list[str]]:
    done = subprocess.run([*FLEET, *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    return done.returncode, sorted(done.stdout.splitlines())


@LOOPS
def test_the_failure_of_one_does_not_stop_the_others(loop: list[str], tmp_path: Path) -> None:
    with ScriptedEngine(tmp_path) as good, ScriptedEngine(tmp_path) as bad:
        good.script("POST", "/images/create", chunked(b'{"status":"Status: Downloaded"}\n'))
        bad.script("POST", "/images/create", json_response({"message": "manifest unknown"}, 404))
        absent = f"unix://{tmp_path}/absent.sock"
        code, lines = fleet(*loop, "busybox", good.url, bad.url, absent)
    assert code == 1
    assert f"{good.url}: Status: Downloaded" in lines
    assert f"{bad.url}: failed: [404] manifest unknown" in lines
    assert any(line.startswith(f"{absent}: failed: cannot connect to {absent}") for line in lines)


@LOOPS
def test_no_more_than_three_at_once(loop: list[str], tmp_path: Path) -> None:
    with ScriptedEngine(tmp_path) as engine:
        engine.script("POST", "/images/create", UntilClosed())
        program = subprocess.Popen([*FLEET, *loop, "busybox", *[engine.url] * 5])
        try:
            wait_until(lambda: engine.connections_open == 3, 20)
            with pytest.raises(subprocess.TimeoutExpired):
                program.wait(1)
            assert engine.connections_opened == 3
        finally:
            program.kill()
            program.wait()


@pytest.mark.engine
@LOOPS
def test_of_real_engines(loop: list[str], engine: PrivateEngine, open_registry: Registry) -> None:
    image = f"{open_registry.host}/fleet"

    with dockerproto_httpx.Docker(engine.url) as docker:
        docker.images.tag("busybox", image)
        docker.images.push(image)
        code, lines = fleet(*loop, image, engine.url, engine.url)
        docker.images.delete(image)
    assert code == 0
    layers_only = Difference.PULL_OF_LAYERS_ONLY.on(engine)
    said = r"[0-9a-f]{12}: Download complete" if layers_only else "Status: Image is up to date"
    assert len(lines) == 2
    assert all(re.match(f"{engine.url}: {said}", line) for line in lines)
