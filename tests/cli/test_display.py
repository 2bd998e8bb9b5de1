"""Streams wrapped in `show`, on every client: the display, and the items and exceptions of the stream."""

from __future__ import annotations

import gc
import io
import subprocess
import sys
import warnings
from typing import Any

import anyio
import pytest
from rich.console import Console

import dockerproto_asyncio
import dockerproto_httpx
import dockerproto_trio
from dockerproto import DockerError, DockerStreamError, NotFound
from dockerproto.progress import State
from dockerproto_cli import Display, show
from tests.support.glass import Glass
from tests.support.recorded_streams import lines_of, reply
from tests.support.terminal import environment
from tests.testbed.scripted import ScriptedEngine, UntilClosed, chunk, json_response, stream_head, wait_until

PULLED = lines_of("docker-20.10", "pull-ok")
ENDLESS = (
    stream_head(),
    chunk(b'{"status":"Pushing","id":"a","progressDetail":{"current":1}}\n'),
    UntilClosed(),
)
CLIENTS = {"asyncio": dockerproto_asyncio.Docker, "trio": dockerproto_trio.Docker}
on_event_loops = pytest.mark.parametrize("loop", CLIENTS)


def test_it_is_shown_on_a_terminal(scripted: ScriptedEngine) -> None:
    scripted.script("POST", "/images/create", reply(PULLED))
    glass = Glass()
    with dockerproto_httpx.Docker(scripted.url) as docker:
        messages = list(show(docker.images.pull("x", stream=True), glass.console))
    assert len(messages) == len(PULLED)
    assert glass.shown[0] == "1: Pulling from apiref/multi"
    assert glass.shown[-1].startswith("done  2/2 layers")
    assert not glass.cursor_hidden


@on_event_loops
def test_it_is_shown_on_a_terminal_on_event_loops(loop: str, scripted: ScriptedEngine) -> None:
    scripted.script("POST", "/images/create", reply(PULLED))
    glass = Glass()

    async def main() -> list[Any]:
        async with CLIENTS[loop](scripted.url) as docker:
            stream = docker.images.pull("x", stream=True)
            return [message async for message in show(stream, glass.console)]

    assert len(anyio.run(main, backend=loop)) == len(PULLED)
    assert glass.shown[-1].startswith("done  2/2 layers")
    assert not glass.cursor_hidden


def test_a_list_is_not_a_stream(scripted: ScriptedEngine) -> None:
    scripted.script("POST", "/images/create", reply(PULLED))
    wanted = "needs a stream, not (MessageList|list): pass stream=True to the operation"
    with dockerproto_httpx.Docker(scripted.url) as docker:
        for messages in (docker.images.pull("x"), list[Any]()):
            with pytest.raises(TypeError, match=wanted):
                show(messages)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]  # what is tested


@on_event_loops
def test_a_coroutine_is_not_a_stream(loop: str) -> None:
    docker = CLIENTS[loop]("unix:///x")
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises(TypeError, match="needs a stream, not coroutine: pass stream=True"):
            show(docker.images.pull("x"))  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]  # what is tested
        gc.collect()
    assert not warned


def test_a_failure_is_the_streams_own(scripted: ScriptedEngine) -> None:
    scripted.script("POST", "/images/create", recorded_reply("pull-mid-stream-error"))
    glass = Glass()
    with (
        dockerproto_httpx.Docker(scripted.url) as docker,
        pytest.raises(DockerStreamError, match="unknown blob"),
    ):
        list(show(docker.images.pull("x", stream=True), glass.console))
    assert glass.shown[-1].startswith("failed  ")
    assert any("stopped" in line for line in glass.shown)
    assert not glass.cursor_hidden


@on_event_loops
def test_a_failure_is_the_streams_own_on_event_loops(loop: str, scripted: ScriptedEngine) -> None:
    scripted.script("POST", "/images/create", recorded_reply("pull-mid-stream-error"))
    glass = Glass()

    async def main() -> None:
        async with CLIENTS[loop](scripted.url) as docker:
            async for _ in show(docker.images.pull("x", stream=True), glass.console):
                pass

    with pytest.raises(DockerStreamError, match="unknown blob"):
        anyio.run(main, backend=loop)
    assert glass.shown[-1].startswith("failed  ")
    assert not glass.cursor_hidden


def recorded_reply(operation: str) -> bytes:
    return stream_head() + b"".join(map(chunk, lines_of("docker-20.10", operation))) + b"0\r\n\r\n"


def test_a_refusal_shows_nothing(scripted: ScriptedEngine) -> None:
    scripted.script("POST", "/images/create", json_response({"message": "no such image"}, 404))
    glass = Glass()
    with dockerproto_httpx.Docker(scripted.url) as docker:
        shown = show(docker.images.pull("x", stream=True), glass.console)
        with pytest.raises(NotFound), shown:
            pytest.fail("it was entered")
    assert glass.shown == [""]
    assert not glass.cursor_hidden


@pytest.mark.parametrize("entered", [True, False])
def test_leaving_early_closes_the_stream(scripted: ScriptedEngine, *, entered: bool) -> None:
    scripted.script("POST", "/images/create", ENDLESS)
    glass = Glass()
    with dockerproto_httpx.Docker(scripted.url) as docker:
        if entered:
            with show(docker.images.pull("x", stream=True), glass.console) as messages:
                for _ in messages:
                    assert glass.cursor_hidden
                    break
        else:
            for _ in show(docker.images.pull("x", stream=True), glass.console):
                break
            gc.collect()
        wait_until(lambda: scripted.connections_open == 0)
    assert not glass.cursor_hidden
    assert "0/1 layers" in glass.shown[-1]


@on_event_loops
@pytest.mark.parametrize("entered", [True, False])
def test_leaving_early_closes_the_stream_on_event_loops(
    loop: str, scripted: ScriptedEngine, *, entered: bool
) -> None:
    scripted.script("POST", "/images/create", ENDLESS)
    glass = Glass()

    async def main() -> None:
        async with CLIENTS[loop](scripted.url) as docker:
            if entered:
                async with show(docker.images.pull("x", stream=True), glass.console) as messages:
                    async for _ in messages:
                        break
                    await messages.close()
            else:
                async for _ in show(docker.images.pull("x", stream=True), glass.console):
                    break
                gc.collect()
            wait_until(lambda: scripted.connections_open == 0)

    anyio.run(main, backend=loop)
    assert not glass.cursor_hidden


@on_event_loops
def test_cancellation_ends_the_display(loop: str, scripted: ScriptedEngine) -> None:
    scripted.script("POST", "/images/create", ENDLESS)
    glass = Glass()

    async def main() -> None:
        async with CLIENTS[loop](scripted.url) as docker:
            with anyio.CancelScope() as scope:
                async for _ in show(docker.images.pull("x", stream=True), glass.console):
                    scope.cancel()

    anyio.run(main, backend=loop)
    assert glass.shown[-1].startswith("failed  ")
    assert not glass.cursor_hidden


def test_an_upload_is_shown_too() -> None:
    glass = Glass()
    display = Display(glass.console, clock=lambda: 1.0)
    display.start()
    display.uploaded(500, 1000)
    assert (display.snapshot.percent, display.snapshot.state) == (50.0, State.RUNNING)
    display.finish()
    assert [line.split("  ")[0] for line in glass.shown] == ["upload", "done"]
    assert "1.00 kB / 1.00 kB" in glass.shown[0]


class Broken(io.StringIO):
    """A pipe that nobody reads, after some lines."""

    def __init__(self, lines: int = 0) -> None:
        super().__init__()
        self._left = lines

    def write(self, text: str, /) -> int:
        self._left -= 1
        if self._left < 0:
            raise BrokenPipeError(32, "nobody reads")
        return super().write(text)


def test_an_output_that_is_gone_hides_no_exception_of_the_stream(scripted: ScriptedEngine) -> None:
    scripted.script("POST", "/images/create", recorded_reply("pull-mid-stream-error"))
    file = Broken(lines=1)
    display = Display(Console(file=file))
    display.feed({"status": "Waiting", "id": "a", "progressDetail": {}})
    display.finish(DockerError(0, "it"))
    assert file.getvalue() == "a: Waiting\n"
    with dockerproto_httpx.Docker(scripted.url) as docker, pytest.raises(BrokenPipeError):
        list(show(docker.images.pull("x", stream=True), Console(file=Broken())))


def test_an_output_that_is_gone_is_told_at_the_end() -> None:
    display = Display(Console(file=Broken()))
    display.uploaded(1)
    with pytest.raises(BrokenPipeError):
        display.finish()


@pytest.mark.parametrize(
    ("encoding", "text"), [("ascii", "a ? ?"), ("latin-1", "a é ?"), ("utf-8", "a é 世")]
)
def test_what_an_encoding_does_not_have_is_replaced(encoding: str, text: str) -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    display = Display(Console(file=file))
    display.feed({"status": "a é 世"})
    file.seek(0)
    assert file.read() == f"{text}\n"


PROGRAM = """
import sys
sys.modules["click"] = None  # with it, httpx loads its own command, and that loads rich
import dockerproto, dockerproto_asyncio, dockerproto_httpx, dockerproto_trio
assert not {name for name in sys.modules if name.split(".")[0] in ("rich", "dockerproto_cli")}
from dockerproto_cli import show
assert "rich" in sys.modules and "dockerproto_cli.command" not in sys.modules
"""


def test_nothing_loads_rich_but_the_display() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, env=environment())
