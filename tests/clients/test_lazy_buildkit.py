"""The extra for BuildKit: nothing of it is loaded before it is needed, and without it that is said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dockerproto import NotInstalled
from tests.conftest import Connect
from tests.testbed.base_image import context
from tests.testbed.scripted import ScriptedEngine, chunked, response

ROOT = Path(__file__).parents[2]
LOADED = """
import sys, {package}
names = ("h2", "hpack", "hyperframe", "dockerproto.buildkit.session", "dockerproto.buildkit.sender")
print([name for name in names if name in sys.modules])
"""


@pytest.mark.parametrize(
    "package", ["dockerproto", "dockerproto_asyncio", "dockerproto_trio", "dockerproto_httpx"]
)
def test_nothing_is_loaded_before_it_is_needed(package: str) -> None:
    program = LOADED.format(package=package)
    path = {"PYTHONPATH": f"{ROOT}:{ROOT / 'transports'}"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=path, check=True
    )
    assert done.stdout == "[]\n"


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python in which the extra is not installed, and an environment that names no builder."""
    monkeypatch.delenv("DOCKER_BUILDKIT")
    for name in [name for name in sys.modules if name.startswith(("dockerproto.buildkit.", "h2"))]:
        if name != "dockerproto.messages.trace":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "h2", None)


@pytest.mark.anyio
async def test_without_it_the_extra_is_named(
    scripted: ScriptedEngine, connect: Connect, without: None
) -> None:
    async with connect(scripted.url) as docker:
        with pytest.raises(NotInstalled, match=r"pip install 'dockerproto\[buildkit\]'") as raised:
            await docker.images.build(fileobj=context("FROM x\n"), builder="buildkit")
    assert isinstance(raised.value, ImportError)
    assert isinstance(raised.value.__cause__, ModuleNotFoundError)


@pytest.mark.anyio
async def test_without_it_the_default_is_the_classic_builder(
    scripted: ScriptedEngine, connect: Connect, without: None
) -> None:
    headers = {"Api-Version": "1.45", "Builder-Version": "2"}
    scripted.script("GET", "/_ping", response(200, b"OK", headers))
    scripted.script("POST", "/build", chunked(b'{"stream":"done"}\n'))
    async with connect(scripted.url) as docker:
        await docker.images.build(fileobj=context("FROM x\n"))
    assert "version" not in scripted.requests[-1].query
