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
from typing import Final

from rich.console import Console
from rich.text import Text

from dockerproto import DockerError, Images, Message, Stream
from dockerproto_cli.screen import Recorder, frame
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


def lines_of(name: str, console: Console) -> list[Text]:
    """Return the lines that the display shows on a console."""
    capture = CAPTURES[name]
    ticks = count()
    recorder = Recorder(lambda: next(ticks) * SECONDS)
    error: str | None = None
    with ScriptedEngine() as engine, Docker(engine.url) as docker:
        engine.script("POST", capture.path, recorded(capture.recording))
        with capture.call(docker.images) as stream:
            try:
                for message in islice(stream, capture.messages):
                    _record(recorder, message)
            except DockerError as failure:
                error = failure.message
    if capture.messages is None:
        recorder.record(lambda tracker, now: tracker.finish(now, error))
    return frame(console, *recorder.snapshot())


def _record(recorder: Recorder, message: Message) -> None:
    recorder.record(lambda tracker, now: tracker.feed(message, now))


def text(name: str) -> str:
    """Return a picture as text, below its command."""
    lines = lines_of(name, _console())
    return "\n".join([f"$ {CAPTURES[name].command}", *(line.plain.rstrip() for line in lines), ""])


def svg(name: str) -> str:
    """Return a picture as SVG."""
    console = _console()
    console.print(Text(f"$ {CAPTURES[name].command}", "bold"), highlight=False)
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
