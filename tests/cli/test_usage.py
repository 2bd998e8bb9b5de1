"""Invalid arguments: the usage is that of the command, and the error names the arguments at fault only."""

from __future__ import annotations

import pytest

from dockerproto_cli.arguments import parse
from dockerproto_cli.command import main
from dockerproto_cli.commands import COMMANDS
from dockerproto_cli.options import load

ERRORS: dict[str, tuple[str, str]] = {
    "builder": ("", "unknown command: builder; see dockerproto --help"),
    "builder fly": ("", "unknown command: builder fly; see dockerproto --help"),
    "builder prune --bogus": ("builder prune", "unknown option: --bogus"),
    "completion csh": (
        "completion",
        "argument bash|zsh|fish: invalid choice: 'csh' (choose from 'bash', 'zsh', 'fish')",
    ),
    "": ("", "a command is required"),
    "--json": ("", "a command is required"),
    "fly": ("", "unknown command: fly; see dockerproto --help"),
    "--colour always images": ("", "unknown option: --colour"),
    "-H": ("", "argument -H/--host: expected one argument"),
    "pull": ("pull", "the following arguments are required: NAME[:TAG]"),
    "pull --bogus app": ("pull", "unknown option: --bogus"),
    "pull --bogus=1 app": ("pull", "unknown option: --bogus=1"),
    "pull --platfrm linux/arm64 app": ("pull", "unknown option: --platfrm"),
    "rmi one --bogus two": ("rmi", "unknown option: --bogus"),
    "build -t a --bogus x --more y .": ("build", "unknown option: --bogus --more"),
    "build . -": ("build", "unexpected argument: -"),
    "images --dig": ("images", "unknown option: --dig"),
    "tag one two three": ("tag", "unexpected argument: three"),
    "tag one": ("tag", "the following arguments are required: NAME[:TAG]"),
    "images --filter x": ("images", "argument -f/--filter: must be NAME=VALUE, not 'x'"),
}


@pytest.mark.parametrize("line", ERRORS)
def test_errors(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    command, error = ERRORS[line]
    with pytest.raises(SystemExit) as ending:
        main(line.split())
    program = f"dockerproto {command}".rstrip()
    invalid_option = "option:" in error or "argument -" in error
    assert ending.value.code == (125 if invalid_option else 1)
    usage, _, last = capsys.readouterr().err.rstrip("\n").rpartition("\n")
    assert usage.startswith(f"usage: {program} [-h]")
    assert last == f"{program}: error: {error}"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("rmi one -f two", {"image": ["one", "two"], "force": True}),
        ("rmi -f one two --no-prune three", {"image": ["one", "two", "three"], "no_prune": True}),
        ("images app -a", {"repository": "app", "all": True}),
        ("images -a --json", {"repository": None, "all": True, "json": True}),
        ("build . -t a --pull", {"source": ".", "tag": ["a"], "pull": True}),
        ("build -", {"source": "-"}),
        ("save -o a.tar -- -x --bogus", {"image": ["-x", "--bogus"], "output": "a.tar"}),
        ("-H unix:///a -c b --json images", {"host": "unix:///a", "context": "b", "json": True}),
        ("-H unix:///a images -H unix:///b", {"host": "unix:///b", "json": False}),
        ("images -Hunix:///b", {"host": "unix:///b", "context": None}),
    ],
)
def test_options_may_stand_anywhere(line: str, expected: dict[str, object]) -> None:
    arguments = vars(parse(line.split()))
    assert arguments["command"] in line.split()
    assert {name: arguments[name] for name in expected} == expected


def test_the_arguments_of_the_program_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["dockerproto", "tag", "a", "b"])
    assert parse().target == "b"


def test_the_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    text = capsys.readouterr().out
    assert "commands:\n  build          build an image\n  builder prune  delete build cache\n" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_each_function_exists(name: str) -> None:
    assert callable(load(COMMANDS[name].function))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("import -c ENV=a -c CMD - app", {"change": ["ENV=a", "CMD"], "source": "-", "context": None}),
        ("-c far import f.tar", {"change": [], "context": "far"}),
        ("builder prune -f --keep-storage 1g", {"force": True, "keep_storage": 2**30}),
        ("build . --add-host a:1.2.3.4 --ulimit nofile=5", {"add_host": ["a:1.2.3.4"]}),
    ],
)
def test_values(line: str, expected: dict[str, object]) -> None:
    arguments = vars(parse(line.split()))
    assert {name: arguments[name] for name in expected} == expected
