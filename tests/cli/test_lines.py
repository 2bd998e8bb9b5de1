"""Changes as lines, for files, pipes and logs."""

from __future__ import annotations

import re

import pytest

from dockerproto.messages.trace import VertexStatus
from dockerproto.progress import Tracker
from dockerproto_cli.formatting import duration, width
from dockerproto_cli.lines import LineFormatter
from tests.progress.test_progress_builds import trace, vertex
from tests.support.following import followed, layer


def lines(tracker: Tracker, *messages: dict[str, object]) -> list[str]:
    formatter = LineFormatter()
    events = (event for now, message in enumerate(messages) for event in tracker.feed(message, float(now)))
    told = [*formatter.lines(events), *formatter.lines(tracker.finish(9.0, "it"))]
    return [re.sub(r"\d\.\ds", "0.0s", line) for line in told]


def test_a_layer_has_a_line_for_each_state() -> None:
    assert lines(
        Tracker(),
        layer("Waiting"),
        layer("Waiting"),
        layer("Downloading", current=1, total=2000),
        layer("Downloading", current=2000, total=2000),
        layer("Download complete"),
    ) == ["a: Waiting", "a: Downloading 2.00 kB", "a: Download complete", "a: stopped"]


def test_steps_begin_and_end_and_those_that_never_began_say_nothing() -> None:
    told = lines(
        Tracker(),
        trace(
            vertexes=[
                vertex("at once", start=1, end=2, digest="1"),
                vertex("cached", start=1, end=1, cached=True, digest="2"),
                vertex("fails", start=1, digest="3"),
                vertex("goes on", start=1, digest="4"),
                vertex("never begins", digest="5"),
            ],
            statuses=[VertexStatus(id="detail", vertex="3", current=1)],
        ),
        trace(vertexes=[vertex("fails", start=1, end=2, error="it", digest="3")]),
    )
    assert told == [
        *("#1 at once", "#1 done 0.0s", "#2 cached: cached", "#3 fails", "#4 goes on"),
        *("#3 failed: it", "#4 stopped 0.0s"),
    ]


def test_what_never_began_took_no_time() -> None:
    tracker, _ = followed([trace(vertexes=[vertex()])])
    tracker.finish(5.0, "it")
    (step,) = tracker.snapshot(5.0).parts
    assert (step.started, step.completed, step.seconds(9.0)) == (None, 5.0, None)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.26, "0.3s"), (59, "59.0s"), (83, "1:23"), (3725, "1:02:05")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("text", "cells"), [("abc", 3), ("\u6f22\u5b57", 4), ("e\u0301", 1)])
def test_widths(text: str, cells: int) -> None:
    assert width(text) == cells
