"""The commands search, login and logout."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.support.commanding import Run, endless_stdin, stdin
from tests.support.stored import Machine
from tests.testbed.scripted import ScriptedEngine, json_response

FOUND = [
    {
        "name": "busybox",
        "description": "Busybox base image, which is small and has \n all",
        "star_count": 3000,
        "is_official": True,
        "is_automated": False,
    },
    {"name": "team/box", "star_count": 1},
]
AUTH = base64.b64encode(b"anna:s3cret").decode()


@pytest.fixture
def run(scripted: ScriptedEngine, capsys: pytest.CaptureFixture[str]) -> Run:
    scripted.script("GET", "/images/search", json_response(FOUND))
    scripted.script("POST", "/auth", json_response({"Status": "Login Succeeded"}))
    return Run(scripted, capsys)


def test_search(run: Run) -> None:
    lines = run("search", "box", "--limit", "5", "-f", "stars=3")
    assert [line.split()[0] for line in lines] == ["NAME", "busybox", "team/box"]
    assert lines[1].split()[-2:] == ["3000", "[OK]"]
    assert "which is small and has a… " in lines[1]
    assert run.query == {"term": ["box"], "limit": ["5"], "filters": ['{"stars":["3"]}']}
    assert "has all" in run("search", "box", "--no-trunc")[1]


def test_formats_of_search(run: Run) -> None:
    assert run("search", "box", "--format", "{{.Name}} {{.StarCount}} {{.IsOfficial}}") == [
        "busybox 3000 [OK]",
        "team/box 1 ",
    ]
    assert json.loads(run("search", "box", "--json")[0]) == FOUND


def test_login_with_a_password_on_standard_input(
    run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.write({"detachKeys": "x"})
    stdin(monkeypatch, b"s3cret\r\n")
    assert run("login", "-u", "anna", "--password-stdin", "r.example") == ["Login Succeeded"]
    assert machine.read() == {"detachKeys": "x", "auths": {"r.example": {"auth": AUTH}}}
    assert json.loads(run.engine.requests[-1].body)["password"] == "s3cret"
    assert run("logout", "r.example") == ["Removed login credentials for r.example"]
    assert machine.read() == {"detachKeys": "x", "auths": {}}
    assert run("logout", "r.example", "--json") == ['{"Status": "No login credentials for r.example"}']


def test_login_on_a_terminal(run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin(monkeypatch, b"anna\n")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    asked = list[str]()

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return "s3cret"

    monkeypatch.setattr("getpass.getpass", ask)
    assert run("--json", "login") == ['{"Status": "Login Succeeded"}']
    assert (run.errors, asked) == ("Username: ", ["Password: "])
    assert machine.read() == {"auths": {"https://index.docker.io/v1/": {"auth": AUTH}}}


def test_login_with_a_password_in_the_arguments(run: Run, machine: Machine) -> None:
    assert run("login", "-u", "anna", "-p", "s3cret", "r.example") == ["Login Succeeded"]
    assert machine.read()["auths"]["r.example"] == {"auth": AUTH}


def test_a_login_that_is_refused(run: Run, machine: Machine) -> None:
    message = "Get https://r.example/v2/: unauthorized: incorrect username or password"
    run.engine.script("POST", "/auth", json_response({"message": message}, 401))
    assert run("login", "-u", "anna", "-p", "s3cret", "r.example", status=1) == []
    assert "incorrect username or password" in run.errors
    assert not (machine.directory / "config.json").exists()


WRONG: dict[str, tuple[list[str], str]] = {
    "no name": (["--password-stdin"], "--password-stdin needs --username, and excludes --password"),
    "two": (["-u", "a", "-p", "b", "--password-stdin"], "--password-stdin needs --username"),
    "no terminal": (["-u", "a"], "cannot ask for a password without a terminal: use -u and --password-stdin"),
    "no registry": (["-u", "a", "-p", "b", "http://"], "invalid registry address"),
}


@pytest.mark.parametrize(("arguments", "error"), WRONG.values(), ids=WRONG)
def test_invalid_logins(
    run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch, arguments: list[str], error: str
) -> None:
    stdin(monkeypatch, b"")
    assert run("login", *arguments, status=1) == []
    assert error in run.errors


def test_a_password_without_end(run: Run, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    endless_stdin(monkeypatch)
    assert run("login", "-u", "a", "--password-stdin", status=1) == []
    assert "a password must have at most 65536 characters" in run.errors


class TestLogoutWithAHelper:
    def test_the_helper_erases(self, run: Run, machine: Machine) -> None:
        machine.helper("keep")
        document: dict[str, Any] = {"credsStore": "keep", "auths": {"r.example": {}, "s.example": {}}}
        machine.write(document)
        assert run("logout", "r.example") == ["Removed login credentials for r.example"]
        assert machine.asked == ["erase r.example"]
        assert machine.read() == {"credsStore": "keep", "auths": {"s.example": {}}}

    @pytest.mark.parametrize(
        ("does", "status"),
        [('print("credentials not found in native keychain"); sys.exit(1)', 0), ("sys.exit(3)", 1)],
    )
    def test_a_helper_that_fails(self, run: Run, machine: Machine, does: str, status: int) -> None:
        machine.helper("keep", does)
        machine.write({"credsStore": "keep"})
        run("logout", "r.example", status=status)
        assert ("it failed with status 3" in run.errors) == bool(status)

    def test_a_malformed_file(self, run: Run, machine: Machine) -> None:
        machine.write({"auths": 5})
        assert run("logout", "r.example", status=1) == []
        assert "auths must be an object" in run.errors
