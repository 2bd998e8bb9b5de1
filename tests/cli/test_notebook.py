"""Displays and results in notebooks: in a real kernel, and step by step in a shell that stands in for one."""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Iterator
from functools import partial
from html import unescape
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from dockerproto_cli import Display, DisplayGroup
from dockerproto_cli.drawing import Glyphs
from dockerproto_cli.notebook import NotebookSurface, html_of, running_shell
from dockerproto_cli.screen import LineScreen, Place, Recorder
from tests.support.glass import Glass
from tests.support.notebooks import run_cells
from tests.support.recorded_streams import lines_of, reply
from tests.testbed.scripted import ScriptedEngine, json_response

PULLED = lines_of("docker-20.10", "pull-ok")
IMAGES = [{"Id": "sha256:0123456789ab", "RepoTags": ["<b>app</b>:1"], "Created": 1_700_000_000, "Size": 5}]
CELLS = {
    "setup": """
        import asyncio
        from concurrent.futures import ThreadPoolExecutor
        import dockerproto_httpx
        from dockerproto_asyncio import Docker
        from dockerproto_cli import Shown, show, show_all
        docker = Docker()
        """,
    "show": 'messages = [each async for each in show(docker.images.pull("x", stream=True))]',
    "show_all": """
        with show_all({name: docker.images.pull(name, stream=True) for name in ("one", "two")}) as shown:
            await asyncio.gather(*(stream.rest() for stream in shown.values()))
        """,
    "threads": """
        with dockerproto_httpx.Docker() as blocking, ThreadPoolExecutor() as threads:
            streams = {name: blocking.images.pull(name, stream=True) for name in ("three", "four")}
            with show_all(streams) as shown:
                list(threads.map(Shown.rest, shown.values()))
        """,
    "failure": 'await show(docker.images.push("x", stream=True)).rest()',
    "list": "await docker.images.list()",
    "result": 'await docker.images.pull("x")',
    "close": "await docker.close()",
}


@pytest.fixture(scope="module")
def outputs() -> dict[str, list[dict[str, Any]]]:
    with ScriptedEngine() as engine:
        engine.script("POST", "/images/create", reply(PULLED))
        engine.script("POST", "/images/x/push", json_response({"message": "<i>denied</i>"}, 500))
        engine.script("GET", "/images/json", json_response(IMAGES))
        cells = [re.sub("^        ", "", cell, flags=re.MULTILINE) for cell in CELLS.values()]
        return dict(zip(CELLS, run_cells(cells, DOCKER_HOST=engine.url), strict=True))


def html(output: dict[str, Any]) -> str:
    """Return what a reader of the notebook sees of an output."""
    shown: str = output["data"]["text/html"]
    return unescape(re.sub("<[^>]*>", "", shown))


@pytest.mark.parametrize("cell", ["setup", "close"])
def test_other_cells_have_no_output(outputs: dict[str, list[dict[str, Any]]], cell: str) -> None:
    assert outputs[cell] == []


def test_a_stream_is_one_output_that_was_updated(outputs: dict[str, list[dict[str, Any]]]) -> None:
    (output,) = outputs["show"]
    assert output["output_type"] == "display_data"
    lines = html(output).splitlines()
    assert lines[0] == "1: Pulling from apiref/multi"
    assert lines[-1].startswith("done  2/2 layers  3.40 MB / 3.40 MB")
    assert output["data"]["text/plain"].splitlines()[-1] == lines[-1]


@pytest.mark.parametrize(("cell", "names"), [("show_all", ("one", "two")), ("threads", ("three", "four"))])
def test_several_streams_are_one_output(
    outputs: dict[str, list[dict[str, Any]]], cell: str, names: tuple[str, ...]
) -> None:
    (output,) = outputs[cell]
    lines = [line.split()[:3] for line in html(output).splitlines()]
    assert lines[:2] == [["✓", name, "done"] for name in names]
    assert html(output).splitlines()[-1].startswith("2/2 done  6.80 MB / 6.80 MB")


def test_a_failure_is_raised_in_its_cell(outputs: dict[str, list[dict[str, Any]]]) -> None:
    shown, error = outputs["failure"]
    assert html(shown).strip() == ""
    assert (error["ename"], error["evalue"]) == ("ServerError", "[500] <i>denied</i>")


def test_lists_and_results_are_tables(outputs: dict[str, list[dict[str, Any]]]) -> None:
    (images,), (result,) = outputs["list"], outputs["result"]
    assert "<b>app</b>" not in images["data"]["text/html"]
    assert "<b>app</b>:1" in html(images)
    assert "<table>" in result["data"]["text/html"]
    assert "messages" in html(result)


class Handle:
    """An output of a cell."""

    def __init__(self, contents: list[str], shown: Any, *, display_id: bool = False) -> None:
        self._contents = contents
        self.update(shown)

    def update(self, shown: Any) -> None:
        self._contents.append(shown._repr_mimebundle_(include=None, exclude=None)["text/plain"])


@pytest.fixture
def contents(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Stand in for a kernel; return what its outputs had, one after the other."""
    contents: list[str] = []
    shell = SimpleNamespace(kernel=object(), execution_count=1)
    ipython, displays = ModuleType("IPython"), ModuleType("IPython.display")
    vars(ipython)["get_ipython"] = lambda: shell
    vars(displays)["display"] = partial(Handle, contents)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", displays)
    yield contents
    gc.collect()


def test_an_output_is_updated(contents: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 0.05, 0.15, 0.2, 0.3, 0.35])
    monkeypatch.setattr("dockerproto_cli.notebook.monotonic", lambda: next(times))
    display = Display(clock=lambda: 1.0)
    display.start()
    for status in ("one", "two", "three", "four"):
        display.feed({"status": status})
    display.finish()
    assert contents == ["", "one\ntwo\n0.0s", "one\ntwo\nthree\nfour\n0.0s", "one\ntwo\nthree\nfour"]


def draw_x(width: int, height: int, glyphs: Glyphs) -> list[Text]:
    return [Text("x")]


def test_an_update_does_not_wait_for_another_one() -> None:
    contents: list[str] = []
    surface = NotebookSurface(draw_x)
    inside: Any = surface
    inside._handle = Handle(contents, surface)
    with inside._lock:
        surface.update()
    assert contents == ["x"]
    surface.update()
    assert contents == ["x", "x"]


def test_a_group_is_one_output(contents: list[str]) -> None:
    with DisplayGroup(clock=lambda: 1.0) as group:
        for name in ("one", "two"):
            display = group.display(name)
            display.start()
            display.finish()
    assert contents[-1].splitlines() == ["✓ one  done  0.0s", "✓ two  done  0.0s", "2/2 done  0.0s"]


def test_a_console_or_lines_are_used_if_asked_for(contents: list[str]) -> None:
    glass = Glass()
    display = Display(glass.console)
    display.start()
    display.finish()
    assert isinstance(Place(None, live=False).screen(Recorder(lambda: 1.0), ""), LineScreen)
    assert contents == []


@pytest.mark.parametrize("shell", [None, SimpleNamespace()], ids=["no shell", "a terminal"])
def test_ipython_without_a_kernel_is_no_notebook(monkeypatch: pytest.MonkeyPatch, shell: object) -> None:
    ipython = ModuleType("IPython")
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    assert running_shell() is None
    vars(ipython)["get_ipython"] = lambda: shell
    assert running_shell() is None


def test_html_is_escaped() -> None:
    text = html_of([Text("<script>", "bold red"), Text("&amp;")])
    assert "&lt;script&gt;" in text
    assert "&amp;amp;" in text
    assert "<script" not in text


def test_a_console_of_ones_own_writes_lines_in_a_notebook(contents: list[str]) -> None:
    assert isinstance(Place(Console(stderr=True), live=None).screen(Recorder(lambda: 1.0), ""), LineScreen)
