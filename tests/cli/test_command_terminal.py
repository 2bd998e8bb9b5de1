"""The command's output on a terminal, and without one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.recorded_streams import Halt, lines_of, reply
from tests.support.terminal import Terminal, environment
from tests.testbed.scripted import ScriptedEngine

PULL = ("-m", "dockerproto_cli", "pull", "busybox")
DOCKERFILE = b"FROM busybox"
BUILD = ("-m", "dockerproto_cli", "build", "-")


def step(status: str, id: str, current: int = 0, total: int = 0) -> dict[str, Any]:
    return {
        "status": status,
        "id": id,
        "progressDetail": {"current": current, "total": total} if total else {},
    }


def many_layers(count: int) -> list[dict[str, Any]]:
    """Return a pull: a third of the layers are done, a third is downloaded, a third waits."""
    layers = [f"{number:012x}" for number in range(count)]
    done, running = count // 3, 2 * count // 3
    return [
        *(step("Pulling fs layer", layer) for layer in layers),
        *(step("Pull complete", layer) for layer in layers[:done]),
        *(step("Downloading", layer, 500, 1000) for layer in layers[done:running]),
    ]


@contextmanager
def terminal(engine: ScriptedEngine, *arguments: str, **options: Any) -> Generator[Terminal]:
    with Terminal(*arguments, DOCKER_HOST=engine.url, **options) as screen:
        yield screen


def test_a_pull(scripted: ScriptedEngine) -> None:
    halt, end = Halt(), Halt()
    messages = lines_of("docker-20.10", "pull-ok")
    scripted.script("POST", "/images/create", reply(messages, (6, halt), (len(messages), end)))
    with terminal(scripted, *PULL) as screen:
        screen.wait_for("400 kB / 400 kB")
        first, *layers, summary = screen.shown
        assert first == "1: Pulling from apiref/multi"
        assert [re.sub(r"[━─┈]+", "=", line) for line in layers] == [
            "daf491b818a3  Downloading         =  36.4 kB / 3.00 MB",
            "d4cf2b7a81ab  Downloading         =  400 kB / 400 kB",
        ]
        assert "─" in layers[1]
        assert "━" not in layers[1]
        assert "┈" in layers[0]
        assert re.fullmatch(r"6 %  0/2 layers  437 kB / 3\.40 MB(  \S+ \S+/s)?  \d+\.\ds", summary)
        assert screen.cursor_hidden
        halt.go_on()
        screen.wait_for("Status: Downloaded newer image")
        end.go_on()
        assert screen.end() == 0
        lines = screen.shown
    assert [line[:31].rstrip() for line in lines[1:3]] == [
        "daf491b818a3  Pull complete",
        "d4cf2b7a81ab  Pull complete",
    ]
    assert lines[3].startswith("Digest: sha256:69d07cab")
    assert re.fullmatch(r"done  2/2 layers  3\.40 MB / 3\.40 MB  \d+\.\ds", lines[5])
    assert lines[6:] == ["docker.io/library/busybox:latest"]
    assert not screen.cursor_hidden


def test_a_classic_build(scripted: ScriptedEngine) -> None:
    halt = Halt()
    messages = lines_of("docker-26.1", "build-classic-ok")
    scripted.script("POST", "/build", reply(messages, (12, halt)))
    with terminal(scripted, *BUILD, stdin=DOCKERFILE) as screen:
        screen.wait_for("hello nobody")
        lines = screen.shown
        assert re.fullmatch(r"✓ \[1/5\] FROM busybox +\d\.\ds", lines[0])
        assert re.fullmatch(r"[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] \[3/5\] RUN echo hello \$WHO +\d+\.\ds", lines[2])
        assert lines[3] == "  │ hello nobody"
        assert re.fullmatch(r"2/5 steps  \d+\.\ds", lines[4])
        halt.go_on()
        assert screen.end() == 0
        lines = screen.shown
    assert "│" not in "".join(lines)
    assert re.fullmatch(r"done  5/5 steps  \d+\.\ds", lines[-2])
    assert lines[-1] == "sha256:0204b82371e0bb2c141d4861ed2e27645b3cf867b527d2dcbb126cc2c5489b5e"
    assert "Successfully tagged apiref/built:1" in lines


def test_a_buildkit_build(scripted: ScriptedEngine) -> None:
    halt = Halt()
    messages = lines_of("docker-20.10", "build-buildkit-ok")
    scripted.script("POST", "/build", reply(messages, (15, halt)))
    with terminal(scripted, *BUILD, stdin=DOCKERFILE) as screen:
        screen.wait_for("│ hello nobody")
        assert re.search(r"^✓ \[1/3\] FROM docker.io/library/busybox +\d\.\ds$", screen.text, re.MULTILINE)
        assert re.search(r"^. \[2/3\] RUN echo hello nobody +\d+\.\ds$", screen.text, re.MULTILINE)
        assert re.search(r"^· \[3/3\] COPY f /f$", screen.text, re.MULTILINE)
        halt.go_on()
        assert screen.end() == 0
        lines = screen.shown
    assert [line for line in lines if line.startswith("✓")][-1].startswith("✓ exporting to image")
    assert any(line.startswith("✓ copy /context /") and line.endswith("cached") for line in lines)
    assert lines[-1].startswith("sha256:")


@pytest.mark.parametrize("operation", ["build-classic-failing-step", "build-buildkit-failing-step"])
def test_a_failure(scripted: ScriptedEngine, operation: str) -> None:
    scripted.script("POST", "/build", reply(lines_of("docker-26.1", operation)))
    with terminal(scripted, *BUILD, stdin=DOCKERFILE) as screen:
        assert screen.end() == 1
        lines = screen.shown
    at = next(number for number, line in enumerate(lines) if line.startswith("✗"))
    assert lines[at].startswith("✗ [2/2] RUN echo out; echo err >&2; exit 3")
    assert set(lines[at + 1 : at + 3]) == {"  │ out", "  │ err"}
    assert re.match(r"failed  [1-4]/\d steps", lines[at + 3])
    assert "3" in "".join(lines[at + 4 :])
    assert lines[at + 4].startswith("dockerproto: ")
    assert not screen.cursor_hidden


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (60, "daf491b818a3 Downloading"),
        (44, "daf491b818a3 36.4 kB / 3.00 MB"),
        (30, "daf491b818a3 0 %"),
        (10, "daf491b8…"),
    ],
)
def test_a_narrow_terminal(scripted: ScriptedEngine, columns: int, line: str) -> None:
    halt = Halt()
    scripted.script("POST", "/images/create", reply(lines_of("docker-20.10", "pull-ok"), (5, halt)))
    with terminal(scripted, *PULL, columns=columns) as screen:
        screen.wait_for(lambda text: line in text and len(text.splitlines()) == 4)
        halt.go_on()
        assert screen.end() == 0


def test_hundreds_of_layers_are_folded(scripted: ScriptedEngine) -> None:
    halt = Halt()
    messages = many_layers(300)
    scripted.script("POST", "/images/create", reply(messages, (len(messages), halt)))
    with terminal(scripted, *PULL, lines=20) as screen:
        screen.wait_for(lambda text: "… 283 more: 83 running, 100 done" in text and "100/300 layers" in text)
        assert len(screen.shown) == 19
        assert sum("Downloading" in line for line in screen.shown) == 17
        assert "100/300 layers" in screen.shown[-1]
        halt.go_on()
        assert screen.end() == 0
    assert "… 283 more: 283 done" in screen.all
    assert screen.all.count("more:") == 1


def test_the_size_may_change(scripted: ScriptedEngine) -> None:
    halt = Halt()
    messages = many_layers(30)
    scripted.script("POST", "/images/create", reply(messages, (len(messages), halt)))
    with terminal(scripted, *PULL, columns=100, lines=40) as screen:
        screen.wait_for(lambda text: "10/30 layers" in text and len(text.splitlines()) == 31)
        screen.resize(50, 12)
        screen.wait_for("… 21 more:")
        screen.wait_for(lambda text: max(map(len, text.splitlines())) < 50)
        screen.resize(100, 40)
        screen.wait_for(lambda text: "more:" not in text and "┈" in text)
        halt.go_on()
        assert screen.end() == 0


def test_no_color(scripted: ScriptedEngine) -> None:
    scripted.script("POST", "/images/create", reply(lines_of("docker-20.10", "pull-ok")))
    with terminal(scripted, *PULL) as screen:
        assert screen.end() == 0
        assert "green" in screen.colours
    with terminal(scripted, *PULL, NO_COLOR="1") as screen:
        assert screen.end() == 0
        assert screen.colours == {"default"}
        assert "Pull complete" in screen.text


def test_a_terminal_without_unicode(scripted: ScriptedEngine) -> None:
    scripted.script("POST", "/images/create", reply(lines_of("docker-20.10", "pull-ok")))
    with terminal(scripted, *PULL, PYTHONIOENCODING="ascii") as screen:
        assert screen.end() == 0
        assert re.search(r"daf491b818a3  Pull complete +#+  3.00 MB", screen.text)


def test_escape_sequences_do_not_reach_the_terminal(scripted: ScriptedEngine) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\x1b[?1049h\x9b31mred\x1b[0m\r\x08over\x00\n"
    messages = [{"stream": "Step 1/1 : RUN \x1b[5mx"}, {"stream": "\n"}, {"stream": evil}]
    halt = Halt()
    scripted.script("POST", "/build", reply(messages, (3, halt)))
    with terminal(scripted, *BUILD, stdin=DOCKERFILE) as screen:
        screen.wait_for("│ over")
        assert screen.shown[0].split()[1:4] == ["[1/1]", "RUN", "x"]
        halt.go_on()
        assert screen.end() == 0
        for raw in (b"owned", b"\x1b[2J", b"\x1b[?1049h", b"\x1b[5m", b"\x9b", b"\x08", b"\x07"):
            assert raw not in screen.raw


def test_ctrl_c(scripted: ScriptedEngine) -> None:
    halt = Halt()
    scripted.script("POST", "/images/create", reply(lines_of("docker-20.10", "pull-ok"), (5, halt)))
    with terminal(scripted, *PULL) as screen:
        screen.wait_for("0/2 layers")
        screen.interrupt()
        assert screen.end() == 130
        assert any(line.startswith("failed  0/2 layers") for line in screen.shown)
        assert not screen.cursor_hidden
        assert "Traceback" not in screen.text


def test_the_terminal_is_the_users_again_whatever_happens(scripted: ScriptedEngine) -> None:
    halt = Halt()
    scripted.script("POST", "/images/create", reply(lines_of("docker-20.10", "pull-ok"), (5, halt)))
    code = (
        "from dockerproto_cli import show\n"
        "from dockerproto_httpx import Docker\n"
        "with Docker() as docker:\n"
        "    for message in show(docker.images.pull('x', stream=True)):\n"
        "        if message.get('status') == 'Downloading':\n"
        "            raise ValueError('of the user')\n"
    )
    with terminal(scripted, "-c", code) as screen:
        assert screen.end() == 1
        assert "ValueError: of the user" in screen.text
        assert not screen.cursor_hidden


def run(engine: ScriptedEngine, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        check=False,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        env=environment(DOCKER_HOST=engine.url, **options.pop("changes", {})),
        **options,
    )


@pytest.mark.parametrize("changes", [{}, {"FORCE_COLOR": "1"}, {"TERM": "dumb"}])
def test_lines_where_there_is_no_terminal(scripted: ScriptedEngine, changes: dict[str, str]) -> None:
    scripted.script("POST", "/images/create", reply(lines_of("docker-20.10", "pull-ok")))
    done = run(scripted, *PULL, changes=changes)
    assert (done.returncode, done.stdout) == (0, "docker.io/library/busybox:latest\n")
    assert done.stderr.splitlines() == [
        "1: Pulling from apiref/multi",
        "daf491b818a3: Pulling fs layer",
        "d4cf2b7a81ab: Pulling fs layer",
        "daf491b818a3: Downloading 3.00 MB",
        "d4cf2b7a81ab: Downloading 400 kB",
        "d4cf2b7a81ab: Verifying Checksum",
        "d4cf2b7a81ab: Download complete",
        "daf491b818a3: Verifying Checksum 3.00 MB",
        "daf491b818a3: Download complete",
        "daf491b818a3: Extracting",
        "daf491b818a3: Pull complete",
        "d4cf2b7a81ab: Extracting",
        "d4cf2b7a81ab: Pull complete",
        "Digest: sha256:69d07cab94120dc709cc458a65cbf3d2160012f6bc19c50157a02e8844bf7be0",
        "Status: Downloaded newer image for 127.0.0.1:5000/apiref/multi:1",
    ]


def test_lines_of_a_build(scripted: ScriptedEngine) -> None:
    scripted.script("POST", "/build", reply(lines_of("docker-26.1", "build-classic-failing-step")))
    done = run(scripted, *BUILD, "--builder", "classic", input=DOCKERFILE.decode())
    assert (done.returncode, done.stdout) == (1, "")
    sent, first, second, third, fourth, *rest = done.stderr.splitlines()
    assert re.fullmatch(r"upload: \d+ B|upload: \S+ kB", sent)
    assert (first, third) == ("#1 [1/2] FROM busybox", "#2 [2/2] RUN echo out; echo err >&2; exit 3")
    assert re.fullmatch(r"#1 done \d+\.\ds", second)
    assert {fourth, rest[0]} == {"#2 out", "#2 err"}
    assert rest[1].startswith("#2 failed: The command")
    assert rest[2].startswith("dockerproto: ")


def test_a_broken_pipe(scripted: ScriptedEngine) -> None:
    scripted.script("POST", "/images/create", reply([{"status": "x" * 1000}] * 1000))
    command = (sys.executable, *PULL, "--json")
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(DOCKER_HOST=scripted.url)
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        os.read(process.stdout.fileno(), 10)
        process.stdout.close()
        assert process.wait(60) == 141
        assert process.stderr.read() == b""
