"""Programs that print without end, do not end, or leave something behind."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dockerproto_local import programs
from dockerproto_local.programs import OUTPUT_LIMIT, TooMuchOutput, run_program
from tests.testbed.process_table import process_table
from tests.testbed.processes import wait_until

LONG = 30
SHORT = 0.3


def sh(script: str, request: bytes = b"", timeout: float = LONG) -> tuple[int, bytes]:
    return run_program(["/bin/sh", "-c", script], request, timeout)


@pytest.fixture(params=["in a session of its own", "beside a terminal"])
def terminal(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    beside: bool = request.param == "beside a terminal"
    monkeypatch.setattr(programs, "has_terminal", lambda: beside)
    return beside


@pytest.fixture
def unique() -> str:
    """A number of seconds by which a test finds its own processes."""
    return f"4322.{time.time_ns()}"


def running(unique: str) -> list[str]:
    return [each.command for each in process_table() if unique in each.command]


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(
    ("script", "request_", "result"),
    [
        ("cat", b"question", (0, b"question")),
        ("cat", b"", (0, b"")),
        ("cat | tail -c 3", b"x" * 500_000 + b"end", (0, b"end")),  # more than a pipe holds
        ("echo answer; exit 3", b"question", (3, b"answer\n")),
        ("kill -9 $$", b"question", (-9, b"")),
        ("exec <&-; sleep 0.2; echo answer", b"x" * 500_000, (0, b"answer\n")),  # reads nothing
        ("exec >&-; sleep 0.2; exit 4", b"", (4, b"")),  # closes its output first
        ("cat /dev/zero >&2 & sleep 0.2; kill $!; echo answer", b"", (0, b"answer\n")),
        (f"head -c {OUTPUT_LIMIT} /dev/zero", b"", (0, bytes(OUTPUT_LIMIT))),
    ],
)
def test_what_a_program_prints(script: str, request_: bytes, result: tuple[int, bytes]) -> None:
    assert sh(script, request_) == result


FLOODS = ["cat /dev/zero", "exec yes", f"head -c {OUTPUT_LIMIT + 1} /dev/zero; sleep {LONG}"]


@pytest.mark.parametrize("script", FLOODS)
def test_a_program_that_prints_without_end_is_killed(script: str, terminal: bool, unique: str) -> None:
    threads = threading.active_count()
    with pytest.raises(TooMuchOutput):
        sh(f": {unique}; {script}")
    wait_until(lambda: not running(unique))  # its killed children are reaped by another process
    assert threading.active_count() == threads


def test_a_program_that_does_not_end_is_killed_with_what_it_has_started(terminal: bool, unique: str) -> None:
    for script in (f"sleep {unique} & echo answer; wait", f"exec >&-; sleep {unique} & wait"):
        with pytest.raises(TimeoutError):
            sh(script, timeout=SHORT)
        if terminal:  # there it stays with its own child, but without its own reader
            (child,) = [each for each in process_table() if unique in each.command]
            assert child.command == f"sleep {unique}"
            os.kill(child.pid, 9)
        wait_until(lambda: not running(unique))


@pytest.mark.usefixtures("terminal")
def test_a_process_left_behind_keeps_nobody_waiting(unique: str) -> None:
    assert sh(f"sleep {unique} & echo answer") == (0, b"answer\n")
    (left,) = [each for each in process_table() if unique in each.command]
    os.kill(left.pid, 9)  # it may be an agent that is meant to stay


def test_a_process_left_behind_that_prints_without_end(unique: str) -> None:
    with pytest.raises(TooMuchOutput):
        sh(f"yes {unique} & sleep 60")  # it is over as soon as too much was printed
    wait_until(lambda: not running(unique))  # nobody reads it any more


def test_an_interrupt_kills_the_program(monkeypatch: pytest.MonkeyPatch, unique: str) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dockerproto_local.programs._Dialogue.finish", interrupt)
    with pytest.raises(KeyboardInterrupt):
        sh(f"sleep {unique}")
    wait_until(lambda: not running(unique))


def test_a_program_that_cannot_be_started(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run_program([str(tmp_path / "none")], b"", LONG)


def test_descriptors_are_closed() -> None:
    def descriptors() -> int:
        return len([*Path("/proc/self/fd").iterdir()])

    before = descriptors()
    for script in ("echo answer", *FLOODS):
        try:
            sh(script)
        except TooMuchOutput:
            continue
    assert descriptors() == before


def in_session(call: Callable[[], object]) -> bytes:
    """Return what a call returns in a new session that has a terminal."""
    child, terminal = os.forkpty()
    if not child:
        try:
            os.write(1, repr(call()).encode())
        finally:
            os._exit(0)
    said = os.read(terminal, 1000)
    os.waitpid(child, 0)
    os.close(terminal)
    return said


@pytest.mark.skipif(not hasattr(os, "forkpty"), reason="needs a pseudoterminal")
def test_whether_there_is_a_terminal() -> None:
    assert in_session(programs.has_terminal) == b"True"


def test_a_terminal_that_can_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    for path, result in ((os.devnull, True), ("/nowhere", False)):
        monkeypatch.setattr(os, "ctermid", lambda path=path: path)
        assert programs.has_terminal() is result
