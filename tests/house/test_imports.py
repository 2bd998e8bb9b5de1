"""Modules that importing a client loads: a program does not pay for features that it does not use."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LATER = [
    "dockerproto.buildcontext.bitsets",
    "dockerproto.buildcontext.items",
    "dockerproto.buildcontext.literals",
    "dockerproto.buildcontext.nfa",
    "dockerproto.buildcontext.position_sets",
    "dockerproto.buildkit.session.coordinator",
    "dockerproto.buildcontext.dockerfile",
    "dockerproto.buildcontext.substitution",
    "dockerproto.buildcontext.glob",
    "dockerproto.buildcontext.dockerignore",
    "dockerproto.messages.classification",
    "dockerproto.messages.error_text",
    "dockerproto.progress",
    "dockerproto.registry.facade",
    "dockerproto.registry.manifests",
    "dockerproto.buildcontext.tar_writer",
    "dockerproto.buildcontext.tar_reader",
    "dockerproto_local.build_context",
    "dockerproto_local.directory",
    "dockerproto_local.output_directory",
    "dockerproto_local.pack",
    "dockerproto_local.registry",
    "dockerproto_local.commands",
    "dockerproto_local.walk",
    "gzip",
    "tarfile",
]
"""Modules that only some operations or engines need."""
NOT_BY_ITSELF = ["bz2", "hashlib", "json", "lzma", "random", "shutil", "tempfile", "unicodedata", "zlib"]
"""Modules that trio and httpx load, but not asyncio, msgspec or h11."""


def loaded(package: str) -> set[str]:
    """Return what a fresh Python has loaded when it has imported a package."""
    program = f"import {package}, sys; print(*sys.modules)"
    path = {"PYTHONPATH": f"{ROOT}:{ROOT / 'transports'}"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=path, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("package", ["dockerproto_asyncio", "dockerproto_trio", "dockerproto_httpx"])
def test_what_few_programs_need_is_loaded_later(package: str) -> None:
    modules = loaded(package)
    assert {"dockerproto.images.build", "dockerproto_local.base_transport"} <= modules
    assert sorted(modules.intersection(LATER)) == []


def test_asyncio_loads_no_more_of_the_standard_library_than_it_needs() -> None:
    assert sorted(loaded("dockerproto_asyncio").intersection(NOT_BY_ITSELF)) == []


@pytest.mark.parametrize("module", LATER + NOT_BY_ITSELF)
def test_what_is_loaded_later_exists(module: str) -> None:
    assert importlib.util.find_spec(module) is not None


COMMANDS = {
    "--help": ["--help"],
    "the help of a command": ["build", "--help"],
    "completion": ["completion", "bash"],
    "words": ["__complete", "images", "--f"],
}
"""Calls of the command that load nothing but the parser of its arguments."""


def loaded_by_command(arguments: list[str]) -> set[str]:
    """Return what a fresh Python has loaded when it has run the command."""
    program = """
import runpy, sys
try:
    runpy.run_module("dockerproto_cli", run_name="__main__", alter_sys=True)
finally:
    print("loaded", *sys.modules)
"""
    path = {"PYTHONPATH": f"{ROOT}:{ROOT / 'transports'}"}
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, env=path, check=False
    )
    return set(done.stdout.rpartition("loaded")[2].split())


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
def test_help_loads_no_part_of_the_library(arguments: list[str]) -> None:
    modules = loaded_by_command(arguments)
    assert "dockerproto_cli.arguments" in modules
    assert sorted(modules & {"dockerproto", "msgspec", "rich", "httpx", "asyncio"}) == []


def test_a_command_without_progress_loads_neither_rich_nor_a_client() -> None:
    modules = loaded_by_command(["-H", "unix:///absent.sock", "images"])
    assert "dockerproto_cli.local" in modules
    clients = {"dockerproto_asyncio", "dockerproto_trio", "dockerproto_httpx"}
    assert sorted(modules & {"rich", "httpx", "trio", "asyncio", "h2", *clients}) == []
