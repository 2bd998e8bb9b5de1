"""The wording of a failed command, of each builder: its exit code, its command, its instruction."""

from __future__ import annotations

import pytest

from dockerproto.messages.command_failure import (
    exit_code,
    failed_command,
    failed_instruction,
    is_command_failure,
)
from dockerproto.messages.error_text import without_quotes
from dockerproto.messages.goquote import LONGEST, unquote

CLASSIC = "The command '/bin/sh -c make' returned a non-zero code: 2"
BUILDKIT = 'process "/bin/sh -c make" did not complete successfully: exit code: 2'
SOLVED = f"failed to solve: {BUILDKIT}"
BUILDKIT_OF_20_10 = "executor failed running [/bin/sh -c make]: exit code: 2"
PODMAN = 'building at STEP "RUN make": while running runtime: exit status 2'
PODMAN_5 = f"error {PODMAN}"
SIGNAL = 'process "/bin/sh -c make" did not complete successfully: signal: killed'


@pytest.mark.parametrize(
    ("message", "code", "command", "instruction"),
    [
        pytest.param(CLASSIC, None, "/bin/sh -c make", None, id="classic"),
        pytest.param(BUILDKIT, 2, "/bin/sh -c make", None, id="buildkit"),
        pytest.param(SOLVED, 2, "/bin/sh -c make", None, id="solved"),
        pytest.param(BUILDKIT_OF_20_10, 2, "/bin/sh -c make", None, id="buildkit-20.10"),
        pytest.param(PODMAN, 2, "make", "RUN make", id="podman"),
        pytest.param(PODMAN_5, 2, "make", "RUN make", id="podman-error"),
        pytest.param(f"{BUILDKIT}\n", 2, "/bin/sh -c make", None, id="line-end"),
        pytest.param(SIGNAL, None, "/bin/sh -c make", None, id="signal"),
    ],
)
def test_a_failed_command(
    message: str, code: int | None, command: str | None, instruction: str | None
) -> None:
    assert is_command_failure(without_quotes(message.lower()))
    assert exit_code(message) == code
    assert failed_command(message) == command
    assert failed_instruction(message) == instruction


@pytest.mark.parametrize(
    ("message", "instruction"),
    [
        ("", None),
        ("exit code: 2", None),
        ("manifest unknown", None),
        ('failed to process "echo returned a non-zero code: 2": x', None),
        ('unknown flag: "process did not complete successfully: "', None),
        ("the command returned", None),
        ('building at STEP "COPY absent /x": no such file or directory', "COPY absent /x"),
        ('error building at STEP "ADD a: b": x', "ADD a: b"),
        ('while building at STEP "COPY a b": x', None),
    ],
)
def test_other_errors(message: str, instruction: str | None) -> None:
    assert not is_command_failure(without_quotes(message.lower()))
    assert exit_code(message) is None
    assert failed_command(message) is None
    assert failed_instruction(message) == instruction


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ('process "echo exit code: 7" did not complete successfully: exit code: 3', 3),
        ("executor failed running [echo ]: exit code: 7]: exit code: 3", 3),
        ('building at STEP "RUN echo exit status 7": while running runtime: exit status 3', 3),
        ("The command 'echo exit code: 7' returned a non-zero code: 3", None),
    ],
)
def test_the_exit_code_is_not_that_of_the_quoted_command(message: str, code: int | None) -> None:
    assert exit_code(message) == code


@pytest.mark.parametrize(
    ("quoted", "command"),
    [
        ('"a"', "a"),
        (r'"say \"hi\""', 'say "hi"'),
        (r'"tab\there"', "tab\there"),
        (r'"\u00e9"', "é"),
        (r'"\x"', r"\x"),  # not what Go writes: kept as it is
        (r'"\a\b\f\r\v\\\x1b\n"', "\a\b\f\r\v\\\x1b\n"),
        (r'"\U0001f40b \u20ac \101"', "\U0001f40b € A"),
        (r'"\xe2\x82\xac \xff"', "€ \ufffd"),  # bytes, as Go's strings are
        (r'"\ud800"', r"\ud800"),
        (r'"\U00110000"', r"\U00110000"),
        (r'"\UFFFFFFFF"', r"\UFFFFFFFF"),
        (r'"\N{BULLET}"', r"\N{BULLET}"),
        (r'"\d"', r"\d"),
        (r'"\400"', r"\400"),
        ('"a\\"', "a\\"),
        ('"a\nb"', "a\nb"),
        (r'"\"" + "\t"', r'\"" + "\t'),  # two strings
        (f'"{"(" * 10_000}"', "(" * 10_000),
        (f'"{"-" * 100_000}1"', "-" * 100_000 + "1"),
    ],
)
def test_the_command_of_buildkit_is_unquoted(quoted: str, command: str) -> None:
    message = f"process {quoted} did not complete successfully: exit code: 1"
    assert failed_command(message) == command


@pytest.mark.parametrize(
    "quoted", [r"\d\d", r"\8", "{" * 200_000, "[" * 200_000, '" * 9 ** 9 ** "', r"\N{x}", "\0", "\\\n"]
)
def test_a_command_is_never_evaluated(quoted: str, recwarn: pytest.WarningsRecorder) -> None:
    message = f'process "{quoted}" did not complete successfully: exit code: 1'
    assert failed_command(message) == quoted
    assert list(recwarn) == []


def test_a_command_that_is_longer_than_any_stays_quoted() -> None:
    escaped = r"\n" * (LONGEST // 2)
    assert unquote(escaped) == "\n" * (LONGEST // 2)
    assert unquote(f"{escaped}a") == f"{escaped}a"
