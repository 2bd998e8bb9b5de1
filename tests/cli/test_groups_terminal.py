"""Several streams at once in a program on a real terminal: in threads, by asyncio, resized, interrupted."""

from __future__ import annotations

import pytest

from tests.support.recorded_streams import Halt, lines_of, reply
from tests.support.terminal import Terminal
from tests.testbed.scripted import ScriptedEngine

PULLED = lines_of("docker-20.10", "pull-ok")
IN_THREADS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from rich.console import Console
from dockerproto_cli import show
from dockerproto_httpx import Docker
consoles = [Console(), Console(stderr=True), None]
def pull(number):
    print("pulling", number)
    for _ in show(docker.images.pull("x", stream=True), consoles[number], name=f"image{number}"):
        pass
with Docker() as docker, ThreadPoolExecutor() as threads:
    list(threads.map(pull, range(3)))
"""
IN_TASKS = """
import asyncio
from dockerproto_asyncio import Docker
from dockerproto_cli import show_all
async def main():
    async with Docker() as docker:
        with show_all({f"image{n}": docker.images.pull("x", stream=True) for n in range(12)}) as shown:
            async with asyncio.TaskGroup() as tasks:
                for stream in shown.values():
                    tasks.create_task(stream.rest())
asyncio.run(main())
"""


def headings(terminal: Terminal) -> list[str]:
    return sorted(" ".join(line.split()[:3]) for line in terminal.shown if " image" in line)


def test_shows_in_threads_share_the_terminal(scripted: ScriptedEngine) -> None:
    halt = Halt()
    scripted.script("POST", "/images/create", reply(PULLED, (5, halt)))
    with Terminal("-c", IN_THREADS, DOCKER_HOST=scripted.url) as terminal:
        terminal.wait_for(lambda text: text.count("0/2 layers") == 3 and "0/3 done" in text)
        assert terminal.text.count("pulling") == 3
        halt.go_on()
        assert terminal.end() == 0
        assert headings(terminal) == [f"✓ image{number} done" for number in range(3)]
        assert terminal.all.count("3/3 done") == 1
        assert not terminal.cursor_hidden


@pytest.mark.parametrize("interrupted", [True, False])
def test_a_group_fits_the_terminal_whatever_its_height(
    scripted: ScriptedEngine, *, interrupted: bool
) -> None:
    halt = Halt()
    scripted.script("POST", "/images/create", reply(PULLED, (5, halt)))
    with Terminal("-c", IN_TASKS, lines=10, DOCKER_HOST=scripted.url) as terminal:
        terminal.wait_for(lambda text: "… 5 more: 5 running" in text and "0/12 done" in text)
        terminal.resize(60, 16)
        terminal.wait_for(lambda text: "more:" not in text and text.count("0/2 layers") == 12)
        if interrupted:
            terminal.interrupt()
            assert terminal.end() != 0
            assert "0/12 done  12 failed" in terminal.all
            assert "KeyboardInterrupt" in terminal.all
        else:
            halt.go_on()
            assert terminal.end() == 0
            assert headings(terminal)[0] == "✓ image0 done"
        assert not terminal.cursor_hidden
