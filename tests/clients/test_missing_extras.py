"""A package or command whose extra is missing names the extra to install."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable, Generator
from unittest.mock import patch

import pytest

from dockerproto import NotInstalled
from tests.support.terminal import environment

Block = Callable[[str], None]
DEPENDENT = ("dockerproto_trio", "dockerproto_httpx", "dockerproto_cli")


@pytest.fixture
def block() -> Generator[Block]:
    """A function that makes a library impossible to import, until the test ends."""
    with patch.dict(sys.modules):

        def hide(library: str) -> None:
            for name in [*sys.modules]:
                if name.partition(".")[0] in (library, *DEPENDENT):
                    del sys.modules[name]
            vars(sys)["modules"][library] = None  # makes its import raise ModuleNotFoundError

        yield hide


@pytest.mark.parametrize("extra", ["trio", "httpx"])
def test_a_client_names_its_extra(block: Block, extra: str) -> None:
    block(extra)
    with pytest.raises(NotInstalled, match=rf"dockerproto_{extra} needs {extra}: ") as raised:
        importlib.import_module(f"dockerproto_{extra}")
    assert f"pip install 'dockerproto[{extra}]'" in str(raised.value)
    assert isinstance(raised.value, ImportError)
    assert isinstance(raised.value.__cause__, ModuleNotFoundError)


def test_the_display_names_its_extra(block: Block) -> None:
    block("rich")
    package = importlib.import_module("dockerproto_cli")
    with pytest.raises(NotInstalled, match=r"dockerproto_cli needs rich: pip install 'dockerproto\[rich\]'"):
        _ = package.show
    with pytest.raises(AttributeError, match="has no attribute 'absent'"):
        _ = package.absent


def test_the_command_names_the_extra_of_the_display(block: Block, capsys: pytest.CaptureFixture[str]) -> None:
    block("rich")
    command = importlib.import_module("dockerproto_cli.command")
    assert command.main(["-H", "unix:///absent.sock", "pull", "app"]) == 1
    assert "dockerproto_cli needs rich" in capsys.readouterr().err


PROGRAM = """
import runpy, sys
sys.modules["httpx"] = sys.modules["rich"] = None
runpy.run_module("dockerproto_cli", run_name="__main__", alter_sys=True)
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command where neither httpx nor rich is installed."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )


def test_progress_of_the_command_names_its_extra() -> None:
    done = run("-H", "unix:///absent.sock", "pull", "app")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "dockerproto: dockerproto_cli needs rich: pip install 'dockerproto[rich]'\n"


@pytest.mark.parametrize("arguments", [["images"], ["pull", "-q", "app"], ["--json", "pull", "app"]])
def test_other_commands_need_no_extra(arguments: list[str]) -> None:
    done = run("-H", "unix:///absent.sock", *arguments)
    assert done.returncode == 1
    assert "cannot connect to unix:///absent.sock" in done.stderr
