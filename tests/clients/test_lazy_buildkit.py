"""Lazy BuildKit: importing a client loads neither h2 nor a session module."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOADED = """
import sys, {package}
names = ("h2", "hpack", "hyperframe", "dockerproto.buildkit.rpc.grpc", "dockerproto.buildkit.files.sender")
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
