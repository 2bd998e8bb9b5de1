"""Completion: the words that may follow, and the script for bash in a real bash."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dockerproto_cli.command import main
from dockerproto_cli.commands import COMMANDS, SHELLS
from dockerproto_cli.completion import COMPLETE, FILES
from tests.testbed.scripted import ScriptedEngine, json_response

TAGS = ["app:1", "app:2", "<none>:<none>", "other:latest"]


@pytest.fixture
def engine(scripted: ScriptedEngine, monkeypatch: pytest.MonkeyPatch) -> ScriptedEngine:
    scripted.script("GET", "/images/json", json_response([{"Id": "x", "RepoTags": TAGS}, {"RepoTags": None}]))
    monkeypatch.setenv("DOCKER_HOST", scripted.url)
    return scripted


WORDS: dict[tuple[str, ...], list[str]] = {
    ("",): list(dict.fromkeys(name.split()[0] for name in COMMANDS)),
    (): list(dict.fromkeys(name.split()[0] for name in COMMANDS)),
    ("im",): ["images", "import"],
    ("-",): ["--help", "--host", "--context", "--json", "--version"],
    ("--json", "his"): ["history"],
    ("-H", "x", "ta"): ["tag"],
    ("-H", ""): [],
    ("fly", ""): [],
    ("builder", ""): ["prune"],
    ("builder", "prune", "--f"): ["--force", "--filter"],
    ("builder", "fly", ""): [],
    ("images", "--d"): ["--digests"],
    ("images", "-f", ""): [],
    ("completion", ""): [*SHELLS],
    ("completion", "z"): ["zsh"],
    ("pull", "--progress", ""): ["auto", "plain", "tty"],
    ("pull", "app", "--progress", "p"): ["plain"],
    ("build", "-f", ""): [FILES],
    ("build", ""): [FILES],
    ("load", "-i", "a"): [FILES],
    ("rmi", "a"): ["app:1", "app:2"],
    ("rmi", "--force", "app:1", "o"): ["other:latest"],
    ("info", ""): [],
}


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_words(engine: ScriptedEngine, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    assert main([COMPLETE, *words]) == 0
    assert capsys.readouterr().out.splitlines() == WORDS[words]


def test_an_engine_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/absent.sock")
    assert main([COMPLETE, "rmi", ""]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("shell", SHELLS)
def test_scripts(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert COMPLETE in script
    if program := shutil.which(shell):
        subprocess.run([program, "-n"], input=script, text=True, check=True)


LINES: dict[str, list[str]] = {
    "dockerproto im": ["images", "import"],
    "dockerproto rmi app:": ["1", "2"],
    "dockerproto rmi --force app:2": ["2"],
    "dockerproto build -f ": [],
    "dockerproto builder ": ["prune"],
    "dockerproto fly ": [],
    "dockerproto pull --progress ": ["auto", "plain", "tty"],
}


@pytest.mark.parametrize("line", LINES)
def test_bash(engine: ScriptedEngine, capfd: pytest.CaptureFixture[str], line: str) -> None:
    main(["completion", "bash"])
    script = capfd.readouterr().out
    program = (
        f'dockerproto() {{ {sys.executable} -m dockerproto_cli "$@"; }}\n{script}\n'
        f"COMP_LINE={line!r}; COMP_POINT=${{#COMP_LINE}}; _dockerproto\n"
        'for each in "${COMPREPLY[@]}"; do echo "$each"; done\n'
    )
    path = {"PYTHONPATH": ":".join(sys.path), "DOCKER_HOST": engine.url, "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        ["bash", "--norc"], input=program, text=True, capture_output=True, check=True, env=path, timeout=60
    )
    assert (done.stdout.splitlines(), done.stderr) == (LINES[line], "")
