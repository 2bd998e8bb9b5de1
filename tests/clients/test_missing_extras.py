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
COMMAND = "dockerproto: the command needs httpx and rich: pip install 'dockerproto[cli]'"


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


@pytest.mark.parametrize("library", ["httpx", "rich"])
def test_the_command_names_its_extra(block: Block, capsys: pytest.CaptureFixture[str], library: str) -> None:
    block(library)
    assert importlib.import_module("dockerproto_cli.__main__").main() == 1
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.startswith(f"{COMMAND} (")
    assert library in written.err.removeprefix(COMMAND)


@pytest.mark.parametrize("library", ["httpx", "rich"])
def test_the_program_ends_with_one_line(library: str) -> None:
    program = f"""
import runpy, sys
sys.modules[{library!r}] = None
runpy.run_module("dockerproto_cli", run_name="__main__", alter_sys=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment(), check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(COMMAND)
    assert done.stderr.count("\n") == 1
