"""Drawing of several operations at once, for terminals of all sizes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerproto.progress import Tracker
from dockerproto_cli.drawing import ASCII, UNICODE
from dockerproto_cli.group_drawing import Entry, GroupDrawing, Totals
from tests.progress.test_progress_builds import trace, vertex
from tests.support.following import followed, layer

NOW = 4.0


def entry(
    name: str, *messages: dict[str, Any], ended: bool = False, error: str | None = None, left: bool = False
) -> Entry:
    tracker = followed(messages)[0] if messages else Tracker()
    if ended:
        tracker.finish(NOW, error)
    return Entry(name, tracker.snapshot(NOW), NOW, left)


WAITING = entry("postgres:16")
RUNNING = entry(
    "python:3.12",
    layer("Already exists", "cccccccccccc"),
    layer("Downloading", "aaaaaaaaaaaa", current=500, total=1000),
)
UNNAMED = entry("", {"status": "Pulling from team/app", "id": "1"}, layer("Extracting", "eeeeeeeeeeee"))
DONE = entry("redis", layer("Downloading", "a", current=500, total=1000), ended=True)
FAILED = entry("nginx", layer("Downloading", "a", current=5, total=9), ended=True, error="no space left")
REFUSED = entry("ngimx", ended=True, error="manifest unknown")
LEFT = entry("busybox", layer("Downloading", "a", current=5, total=9), left=True)
BUILD = entry("app", trace(vertexes=[vertex("[1/2] FROM x", start=1), vertex("[2/2] RUN y", digest="2")]))


def drawn(*entries: Entry, width: int = 80, height: int = 24, dropped: Totals = Totals()) -> list[str]:  # noqa: B008  # frozen
    lines = GroupDrawing(width, height).frame(entries, dropped)
    return [line.plain.rstrip() for line in lines]


def test_each_operation_has_a_line_and_its_running_parts() -> None:
    assert drawn(WAITING, RUNNING, UNNAMED, DONE, FAILED, REFUSED, LEFT, BUILD) == [
        "· postgres:16               waiting",
        "⠋ python:3.12               25 %  1/2 layers  500 B / 1.00 kB  125 B/s  4.0s",
        "  aaaaaaaaaaaa  Downloading         ─────────┈┈┈┈┈┈┈┈┈┈  500 B / 1.00 kB",
        "⠋ 1: Pulling from team/app  0/1 layers  4.0s",
        "  eeeeeeeeeeee  Extracting",
        "✓ redis                     done  1/1 layers  1.00 kB / 1.00 kB  4.0s",
        "✗ nginx                     failed  no space left",
        "✗ ngimx                     failed  manifest unknown",
        "■ busybox                   stopped  0/1 layers  5 B / 9 B  4.0s",
        "⠋ app                       0/2 steps  4.0s",
        "  ⠋ [1/2] FROM x                                                           4.0s",
        "1/8 done  2 failed  1.51 kB  125 B/s  4.0s",
    ]


def test_those_that_do_not_fit_are_counted() -> None:
    assert drawn(WAITING, DONE, RUNNING, WAITING, FAILED, DONE, width=60, height=6) == [
        "… 3 more: 1 done, 2 waiting",
        "⠋ python:3.12  25 %  1/2 layers  500 B / 1.00 kB  125 B/s …",
        "✗ nginx        failed  no space left",
        "✓ redis        done  1/1 layers  1.00 kB / 1.00 kB  4.0s",
        "2/6 done  1 failed  2.50 kB  125 B/s  4.0s",
    ]


def test_running_parts_are_shown_if_all_of_an_operation_fit() -> None:
    two = entry("two", layer("Downloading", "a"), layer("Downloading", "b"))
    one = entry("one", layer("Downloading", "c"))
    assert [line.split()[1 if line[0] != " " else 0] for line in drawn(two, one, height=5)[:-1]] == [
        "two",
        "one",
        "c",
    ]


def test_those_not_drawn_any_more_count_in_the_sum() -> None:
    dropped = Totals().add(DONE).add(FAILED)
    assert drawn(DONE, RUNNING, dropped=dropped)[-1] == "2/4 done  1 failed  2.50 kB / 3.00 kB  125 B/s  4.0s"


@pytest.mark.parametrize(
    ("entries", "words", "style"),
    [
        ([WAITING], "0/1 done  0.0s", "cyan"),
        ([DONE, DONE], "2/2 done  2.00 kB / 2.00 kB  4.0s", "green"),
        ([DONE, LEFT], "1/2 done  1.00 kB / 1.00 kB  4.0s", "yellow"),
        ([DONE, REFUSED], "1/2 done  1 failed  1.00 kB / 1.00 kB  4.0s", "bold red"),
        ([RUNNING, DONE], "1/2 done  1.50 kB / 2.00 kB  125 B/s  4.0s", "cyan"),
        ([RUNNING, BUILD], "0/2 done  500 B / 1.00 kB  125 B/s  4.0s", "cyan"),
    ],
)
def test_the_sum(entries: list[Entry], words: str, style: str) -> None:
    line = GroupDrawing(80, 24).frame(entries, Totals())[-1]
    assert (line.plain, line.style) == (words, style)


@given(
    st.lists(st.sampled_from([WAITING, RUNNING, UNNAMED, DONE, FAILED, REFUSED, LEFT, BUILD]), max_size=40),
    st.integers(0, 120),
    st.integers(0, 50),
    st.sampled_from([UNICODE, ASCII]),
)
def test_a_frame_fits_any_terminal(entries: list[Entry], width: int, height: int, glyphs: Any) -> None:
    lines = GroupDrawing(width, height, glyphs).frame(entries, Totals())
    assert len(lines) <= max(height - 1, 2)
    assert all(line.cell_len < max(width, 2) for line in lines)
