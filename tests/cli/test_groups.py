"""Several streams at once on one terminal, on every client: in groups, and each for itself."""

from __future__ import annotations

import gc
import io
import os
import pty
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from rich.console import Console
from rich.text import Text

import dockerproto_asyncio
import dockerproto_httpx
import dockerproto_trio
from dockerproto import DockerStreamError, NotFound
from dockerproto.progress import State
from dockerproto_cli import Display, DisplayGroup, show, show_all
from dockerproto_cli.drawing import UNICODE
from dockerproto_cli.region import MOST_ENDED, Canvas, Hold, Member, Region, region_of
from dockerproto_cli.screen import Recorder
from tests.support.facade import Transport
from tests.support.glass import Glass
from tests.support.recorded_streams import Halt, lines_of, reply
from tests.testbed.scripted import ScriptedEngine, chunk, json_response, stream_head, wait_until

CLIENTS = {"asyncio": dockerproto_asyncio.Docker, "trio": dockerproto_trio.Docker}
PULLED = lines_of("docker-20.10", "pull-ok")
NAMES = ("one", "two", "three")
FAILING = stream_head() + chunk(b'{"errorDetail":{"message":"no space left"},"error":"no space left"}\n')
MISSING = json_response({"message": "no such image"}, 404)


def run_all(transport: Transport, url: str, console: Console, names: tuple[str, ...]) -> dict[str, Any]:
    """Pull all images at once in one display; return the messages or the error of each."""
    outcomes: dict[str, Any] = {}
    if transport in CLIENTS:

        async def main() -> None:
            async with CLIENTS[transport](url) as docker:
                streams = {name: docker.images.pull(name, stream=True) for name in names}
                with show_all(streams, console) as shown:
                    async with anyio.create_task_group() as tasks:
                        for name, stream in shown.items():
                            tasks.start_soon(read, name, stream)

        async def read(name: str, stream: Any) -> None:
            try:
                outcomes[name] = await stream.rest()
            except Exception as error:  # noqa: BLE001  # what is tested
                outcomes[name] = error

        anyio.run(main, backend=transport)
        return outcomes

    def read_blocking(name: str, stream: Any) -> None:
        try:
            outcomes[name] = stream.rest()
        except Exception as error:  # noqa: BLE001  # what is tested
            outcomes[name] = error

    with (
        dockerproto_httpx.Docker(url) as docker,
        ThreadPoolExecutor(8) as threads,
        show_all({name: docker.images.pull(name, stream=True) for name in names}, console) as shown,
    ):
        list(threads.map(read_blocking, shown.keys(), shown.values()))
    return outcomes


def headings(glass: Glass) -> list[str]:
    """Return the mark, the name and the state of each operation on the screen, and the start of the sum."""
    lines = [line.split() for line in glass.shown]
    return [" ".join(words[:3]) for words in lines[:-1]] + [" ".join(lines[-1][:2])]


def test_all_are_in_one_display(transport: Transport, scripted: ScriptedEngine) -> None:
    scripted.script("POST", "/images/create", reply(PULLED))
    glass = Glass()
    outcomes = run_all(transport, scripted.url, glass.console, NAMES)
    assert {name: len(messages) for name, messages in outcomes.items()} == dict.fromkeys(NAMES, len(PULLED))
    assert headings(glass) == ["✓ one done", "✓ two done", "✓ three done", "3/3 done"]
    assert not glass.cursor_hidden


def test_twenty_on_a_terminal_of_eight_lines(transport: Transport, scripted: ScriptedEngine) -> None:
    scripted.script("POST", "/images/create", reply(PULLED))
    glass = Glass(lines=8)
    run_all(transport, scripted.url, glass.console, tuple(f"image{number}" for number in range(20)))
    assert glass.shown[0] == "… 15 more: 15 done"
    assert glass.shown[-1].startswith("20/20 done  68.0 MB / 68.0 MB")
    assert len(glass.shown) == 7


def test_a_failure_is_shown_and_raised_by_its_stream(transport: Transport, scripted: ScriptedEngine) -> None:
    scripted.script("POST", "/images/create", FAILING)
    glass = Glass()
    outcomes = run_all(transport, scripted.url, glass.console, ("one",))
    scripted.script("POST", "/images/create", MISSING)
    outcomes |= run_all(transport, scripted.url, glass.console, ("two", "three"))
    assert {name: type(error) for name, error in outcomes.items()} == {
        "one": DockerStreamError,
        "two": NotFound,
        "three": NotFound,
    }
    assert glass.shown[-3:-1] == ["✗ two    failed  no such image", "✗ three  failed  no such image"]
    assert glass.shown[-1].startswith("0/2 done  2 failed")


def test_lines_have_the_names(transport: Transport, scripted: ScriptedEngine) -> None:
    scripted.script("POST", "/images/create", reply(PULLED[:2]), MISSING)
    file = io.StringIO()
    run_all(transport, scripted.url, Console(file=file), ("one", "two"))
    lines = file.getvalue().splitlines()
    (failed,) = {line.partition(":")[0] for line in lines if line.endswith("failed: no such image")}
    pulled = "one" if failed == "two" else "two"
    assert [line.partition(" ")[2] for line in lines if line.startswith(pulled)][:2] == [
        "1: Pulling from apiref/multi",
        "daf491b818a3: Pulling fs layer",
    ]
    assert f"{pulled}: done " in lines[-1] + lines[-2]


def test_those_that_wait_are_shown_until_they_start(scripted: ScriptedEngine) -> None:
    scripted.script("POST", "/images/create", reply(PULLED))
    glass = Glass()
    with dockerproto_httpx.Docker(scripted.url) as docker, DisplayGroup(glass.console) as group:
        shown = [group.show(docker.images.pull(name, stream=True), name) for name in NAMES]
        assert glass.cursor_hidden
        shown[0].rest()
        wait_until(lambda: headings(glass) == ["✓ one done", "· two waiting", "· three waiting", "1/3 done"])
        shown[1].rest()
        assert glass.cursor_hidden
        shown[2].close()
    assert headings(glass) == ["✓ one done", "✓ two done", "■ three stopped", "2/3 done"]
    assert not glass.cursor_hidden


@pytest.mark.parametrize("started", [True, False])
def test_leaving_a_group_closes_the_streams_that_are_left(
    transport: Transport, scripted: ScriptedEngine, *, started: bool
) -> None:
    halt = Halt()
    scripted.script("POST", "/images/create", reply(PULLED, (1, halt)))
    glass = Glass()

    async def on_event_loop() -> None:
        async with CLIENTS[transport](scripted.url) as docker:
            with show_all({"one": docker.images.pull("x", stream=True)}, glass.console) as shown:
                if started:
                    await shown["one"].__anext__()
            wait_until(lambda: scripted.connections_open == 0)

    if transport in CLIENTS:
        anyio.run(on_event_loop, backend=transport)
    else:
        with dockerproto_httpx.Docker(scripted.url) as docker:
            with show_all({"one": docker.images.pull("x", stream=True)}, glass.console) as blocking:
                if started:
                    next(blocking["one"])
            wait_until(lambda: scripted.connections_open == 0)
    gc.collect()
    assert sum(request.method == "POST" for request in scripted.requests) == started
    assert not glass.cursor_hidden


def test_a_list_is_not_a_stream() -> None:
    glass = Glass()
    with pytest.raises(TypeError, match="pass stream=True"), show_all({"one": []}, glass.console):  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType, reportCallIssue]  # what is tested
        pytest.fail("it was entered")
    assert not glass.cursor_hidden


def test_a_display_in_a_group_shows_uploads() -> None:
    glass = Glass()
    with DisplayGroup(glass.console, clock=lambda: 1.0) as group:
        display = group.display("import")
        display.start()
        display.uploaded(500, 1000)
        left = group.display("never started")
    assert headings(glass) == ["■ import stopped", "■ never started", "0/2 done"]
    assert left.snapshot.state is State.WAITING


def test_shows_in_threads_share_the_terminal(scripted: ScriptedEngine) -> None:
    scripted.script("POST", "/images/create", reply(PULLED))
    glass = Glass()
    all_started = threading.Barrier(3)

    def pull(docker: dockerproto_httpx.Docker, name: str) -> None:
        console = Console(file=glass, force_terminal=True, width=80, height=24)
        with show(docker.images.pull(name, stream=True), console, name=name) as messages:
            for message in messages:
                if "progressDetail" not in message:
                    continue
                if "Downloading" not in message.get("status", ""):
                    continue
                break
            all_started.wait(60)
            assert glass.cursor_hidden
            messages.rest()
            all_started.wait(60)

    with dockerproto_httpx.Docker(scripted.url) as docker, ThreadPoolExecutor(3) as threads:
        list(threads.map(partial(pull, docker), NAMES))
    assert sorted(headings(glass)) == sorted(["✓ one done", "✓ two done", "✓ three done", "3/3 done"])
    assert not glass.cursor_hidden


def test_unnamed_shows_have_what_the_engine_reports(scripted: ScriptedEngine) -> None:
    scripted.script("POST", "/images/create", reply(PULLED))
    glass = Glass()
    with dockerproto_httpx.Docker(scripted.url) as docker:
        first, second = (show(docker.images.pull("x", stream=True), glass.console) for _ in range(2))
        next(first)
        next(second)
        first.rest()
        assert glass.cursor_hidden
        second.rest()
    assert [line[:30] for line in glass.shown[:2]] == ["✓ 1: Pulling from apiref/multi"] * 2
    with dockerproto_httpx.Docker(scripted.url) as docker:
        show(docker.images.pull("x", stream=True), glass.console).rest()
    assert glass.shown[3] == "1: Pulling from apiref/multi", "a new region begins"


def test_a_group_that_is_not_entered_shows_each_for_itself() -> None:
    glass = Glass()
    group = DisplayGroup(glass.console, clock=lambda: 1.0)
    displays = [group.display(name) for name in ("one", "two")]
    for display in displays:
        display.start()
        display.feed({"status": "Hello"})
        display.finish()
        assert not glass.cursor_hidden
    group.close()
    assert glass.shown == ["Hello", "Hello"]


class Board:
    """A surface that remembers what was done with it."""

    def __init__(self, canvas: Canvas, events: list[str], on_start: Callable[[], None]) -> None:
        self.canvas = canvas
        self._events = events
        self._on_start = on_start

    def start(self) -> None:
        self._events.append("start")
        self._on_start()

    def update(self) -> None:
        self._events.append("update")

    def stop(self) -> None:
        self._events.append("stop")


def member(region: Region, events: list[str], on_start: Callable[[], None] = lambda: None) -> Member:
    recorder = Recorder(lambda: 1.0)
    recorder.record(lambda tracker, now: tracker.feed({"status": "Waiting", "id": "a"}, now))
    each = Member(lambda canvas: Board(canvas, events, on_start), recorder.snapshot, "x")
    each.active = True
    region.add(each)
    return each


def test_what_changes_during_a_change_is_applied_after_it() -> None:
    region, events = Region(), list[str]()

    def end() -> None:  # as the garbage collector may
        first.end()
        region.settle()
        region.update()
        assert events == ["start"]

    first = member(region, events, end)
    region.settle()
    assert events == ["start", "stop"]
    member(region, events)
    region.settle()
    region.update()
    assert events == ["start", "stop", "start", "update"]


def test_a_member_that_comes_while_the_last_one_goes_is_kept() -> None:
    region, events = Region(), list[str]()
    first = member(region, events)
    region.settle()
    inside: Any = region
    with inside._lock:
        first.end()
        second = member(region, events)
        region.settle()
    region.settle()
    assert events == ["start"]
    assert [each.title for each in map(Member.entry, inside._members())] == ["x", "x"]
    second.end()
    region.settle()
    inside._apply()  # another thread may have been faster
    assert events == ["start", "stop"]


def test_a_surface_that_fails_is_not_a_reason_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    glass = Glass()
    blocked = Display(glass.console)
    with monkeypatch.context() as patched:
        patched.setattr("rich.live.Live.start", failing)
        with pytest.raises(OSError, match="no terminal"):
            blocked.start()
        with pytest.raises(OSError, match="no terminal"), DisplayGroup(glass.console):
            pytest.fail("it was entered")
    other = Display(glass.console)
    other.start()
    other.feed({"status": "Hello"})
    other.finish()
    assert glass.shown[-1] == "Hello"


def failing(*arguments: object) -> None:
    raise OSError("no terminal")


def test_of_very_many_the_first_that_ended_are_only_counted() -> None:
    region, events = Region(), list[str]()
    running = member(region, events)
    for _ in range(MOST_ENDED + 50):
        member(region, events).end()
        region.settle()
    inside: Any = region
    assert len(inside._members()) == MOST_ENDED + 1
    lines = region.draw(80, 24, UNICODE)
    assert lines[-1].plain.startswith(f"0/{MOST_ENDED + 51} done")
    assert [line.plain for line in lines[:1]] == [f"… {MOST_ENDED - 20} more: {MOST_ENDED - 20} stopped"]
    running.end()
    region.settle()
    assert (events, region.draw(80, 24, UNICODE)[0].plain) == (["start", "stop"], "0/0 done  0.0s")


@contextmanager
def terminal_files() -> Generator[tuple[Any, Any], None, None]:
    """Open two files that are the same terminal."""
    master, slave = pty.openpty()
    try:
        with os.fdopen(slave, "w") as one, os.fdopen(os.dup(slave), "w") as two:
            yield one, two
    finally:
        os.close(master)


class Unhashable(io.StringIO):
    __hash__ = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]  # what is tested


def test_consoles_of_one_terminal_share_a_region(tmp_path: Path) -> None:
    with (tmp_path / "one").open("w") as file, (tmp_path / "two").open("w") as second_file:
        assert region_of(Console(file=file)) is not region_of(Console(file=second_file))
    with terminal_files() as (one, two), terminal_files() as (other, _):
        region = region_of(Console(file=one))
        assert region_of(Console(file=two)) is region
        assert region_of(Console(file=other)) is not region
    glass, second = Glass(), Glass()
    assert region_of(glass.console) is region_of(Console(file=glass))
    assert region_of(glass.console) is not region_of(second.console)
    odd = Console(file=Unhashable())
    assert region_of(odd) is not region_of(odd)


def test_a_redraw_does_not_wait_for_a_thread_that_feeds() -> None:
    recorder = Recorder(lambda: 1.0)
    seen: list[State] = []

    def feed_slowly(tracker: Any, now: float) -> Any:
        events = tracker.feed({"status": "Hello"}, now)
        thread = threading.Thread(target=lambda: seen.append(recorder.snapshot()[0].state))
        thread.start()
        thread.join()
        return events

    recorder.record(feed_slowly)
    assert seen == [State.WAITING]
    assert recorder.snapshot()[0].state is State.RUNNING


@pytest.mark.parametrize(
    ("error", "text"), [(KeyboardInterrupt(), "interrupted"), (GeneratorExit(), "cancelled")]
)
def test_what_is_no_error_has_a_word(error: BaseException, text: str) -> None:
    file = io.StringIO()
    display = Display(Console(file=file), name="x", clock=lambda: 1.0)
    display.start()
    display.finish(error)
    display.stop()
    assert file.getvalue() == f"x: failed: {text}\n"


def test_a_hold_without_a_member_shows_the_sum() -> None:
    region, shown = Region(), list[Text]()

    def draw_once(canvas: Canvas) -> Board:
        return Board(canvas, [], lambda: shown.extend(canvas(80, 24, UNICODE)))

    hold = Hold(draw_once)
    hold.active = True
    region.add(hold)
    region.settle()
    assert [line.plain for line in shown] == ["0/0 done  0.0s"]
