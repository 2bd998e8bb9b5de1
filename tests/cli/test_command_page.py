"""The page about the command: its tables are complete, and true of the real Docker CLI."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from dockerproto_cli.commands import COMMANDS
from dockerproto_cli.templates import compile_template
from tests.testbed.buildx import buildx

DOCS = Path(__file__).parents[2] / "docs"
OPTION = re.compile(r"^ +(?:-\w, )?(--[a-z-]+)", re.MULTILINE)
NOT_OURS = {"--help"}


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sys, "path", [str(DOCS), *sys.path])
    return import_module("commands")


def test_each_command_and_option_has_its_row(page: Any) -> None:
    assert page.DOCKER.keys() == COMMANDS.keys()
    text = page.options_by_command()
    for name in COMMANDS:
        assert f"### {name}\n" in text
        ours, theirs = page.names_of(name), page.DOCKER[name].split()
        assert set(theirs) - set(ours) == set(page.LEFT_OUT.get(name, {}))
    for name, option in page.DIFFERENT:
        assert option in page.names_of(name)
    assert "| `--file` | `-f, --file` |" in text
    assert "| `--squash` | | left out: experimental in engines; `build()` has it |" in text
    assert "| | `--progress` | plain: lines;" in text


def test_the_overview_and_the_help(page: Any) -> None:
    assert "| `df` | `docker system df` | show how much space" in page.overview()
    assert page.help_texts().count("```text\nusage: dockerproto ") == len(COMMANDS)


def help_of(*command: str) -> str:
    return subprocess.run([*command, "--help"], capture_output=True, text=True, check=True).stdout


@pytest.mark.engine
@pytest.mark.parametrize("name", COMMANDS)
def test_the_options_are_those_of_the_docker_cli(page: Any, docker_command: None, name: str) -> None:
    words = ["completion", "bash"] if name == "completion" else page.NAMES.get(name, name).split()
    text = help_of("docker", *words)
    if name == "build":
        if not buildx():
            pytest.skip("buildx does not run on this machine")
        text += help_of(*buildx(), "build")
    assert set(OPTION.findall(text)) - NOT_OURS == set(page.DOCKER[name].split())


def test_the_page_names_each_function() -> None:
    text = (DOCS / "command.md").read_text()
    with pytest.raises(ValueError, match="the functions ") as raised:
        compile_template("{{bogus .}}")
    functions = str(raised.value).rpartition("the functions ")[2].split(", ")
    assert [name for name in functions if f"`{name}`" not in text] == []
