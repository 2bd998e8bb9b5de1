"""Pictures of the progress display, from recordings of real engines.

A client reads a recorded response from a scripted engine; a picture is the display after some messages.
The pages show them as SVG, README.md has one as text.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count, islice
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from dockerproto import DockerError, Images, Message, Stream
from dockerproto_cli.group_drawing import Entry, GroupDrawing, Totals
from dockerproto_cli.notebook import html_of
from dockerproto_cli.screen import Recorder, fitted, frame
from dockerproto_httpx import Docker
from tests.testbed.scripted import ScriptedEngine, recorded

SECONDS: Final = 0.2
"""Seconds between two messages."""
WIDTH: Final = 80


@dataclass(frozen=True)
class Capture:
    """A picture: its command, its request, the recorded response, and the number of messages to read."""

    command: str
    path: str
    recording: str
    call: Callable[[Images], Stream[Message]]
    messages: int | None = None


CAPTURES: Final = {
    "pull": Capture(
        "dockerproto pull registry.example/team/app:1",
        "/images/create",
        "docker-20.10/pull-ok",
        lambda images: images.pull("registry.example/team/app:1", stream=True),
        messages=11,
    ),
    "build": Capture(
        "dockerproto build .",
        "/build",
        "docker-20.10/build-buildkit-ok",
        lambda images: images.build(dockerfile="FROM busybox", stream=True),
        messages=15,
    ),
    "failure": Capture(
        "dockerproto build .",
        "/build",
        "docker-26.1/build-buildkit-failing-step",
        lambda images: images.build(dockerfile="FROM busybox", stream=True),
    ),
}


def pull(recording: str, messages: int | None = None) -> Capture:
    """Return one of several pulls in a picture."""
    path, reference = "/images/create", "registry.example/team/app"
    return Capture("", path, recording, lambda images: images.pull(reference, stream=True), messages)


COMMANDS: Final = {name: capture.command for name, capture in CAPTURES.items()} | {
    "pulls": "python pull_all.py"
}
PULLS: Final = {
    "team/app": pull("docker-20.10/pull-ok", 9),
    "team/web": pull("docker-26.1/pull-ok"),
    "team/db": pull("docker-28.5/pull-ok", 14),
    "team/cache": pull("docker-20.10/pull-up-to-date"),
    "team/mail": pull("docker-20.10/pull-unknown-tag"),
    "team/jobs": pull("docker-20.10/pull-ok", 0),
}
"""The pulls of the picture `pulls`, by their names."""


def lines_of(name: str, console: Console) -> list[Text]:
    """Return the lines that the display shows on a console."""
    if name != "pulls":
        return frame(console, *follow(CAPTURES[name]).snapshot())
    entries = [Entry(each, *follow(capture).snapshot()) for each, capture in PULLS.items()]
    return fitted(
        console, lambda width, height, glyphs: GroupDrawing(width, height, glyphs).frame(entries, Totals())
    )


def follow(capture: Capture) -> Recorder:
    """Return the progress of a client that has read some messages of a recorded response."""
    ticks = count()
    recorder = Recorder(lambda: next(ticks) * SECONDS)
    error: str | None = None
    with ScriptedEngine() as engine, Docker(engine.url) as docker:
        engine.script("POST", capture.path, recorded(capture.recording))
        stream = capture.call(docker.images)
        try:
            for message in islice(stream, capture.messages):
                _record(recorder, message)
        except DockerError as failure:
            error = failure.message
        stream.close()
    if capture.messages is None:
        recorder.record(lambda tracker, now: tracker.finish(now, error))
    return recorder


def _record(recorder: Recorder, message: Message) -> None:
    recorder.record(lambda tracker, now: tracker.feed(message, now))


def text(name: str) -> str:
    """Return a picture as text, below its command."""
    lines = lines_of(name, _console())
    return "\n".join([f"$ {COMMANDS[name]}", *(line.plain.rstrip() for line in lines), ""])


def html(name: str) -> str:
    """Return a picture as HTML: a terminal as SVG, or what a notebook displays."""
    if name == "notebook-pulls":
        return html_of(lines_of("pulls", _console()))
    return images_table() if name == "notebook-images" else svg(name)


def images_table() -> str:
    """Return the table that a notebook displays for a recorded list of images."""
    with ScriptedEngine() as engine, Docker(engine.url) as docker:
        engine.script("GET", "/images/json", recorded("docker-28.5/list"))
        images: Any = docker.images.list()
        table: str = images._repr_html_()
    return f'<div style="overflow-x: auto">{table}</div>'


def svg(name: str) -> str:
    """Return a picture as SVG."""
    console = _console()
    console.print(Text(f"$ {COMMANDS[name]}", "bold"), highlight=False)
    for line in lines_of(name, console):
        console.print(line)
    drawing = console.export_svg(title="dockerproto", unique_id=f"capture-{name}")
    return re.sub(
        r"@font-face \{.*?\}\s*", "", drawing, flags=re.DOTALL
    )  # a reader's browser would download the fonts


def _console() -> Console:
    return Console(
        file=io.StringIO(),
        record=True,
        force_terminal=True,
        width=WIDTH,
        height=24,
        color_system="truecolor",
        _environ={},
    )
