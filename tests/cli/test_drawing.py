"""Drawing of snapshots, for terminals of all sizes."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from dockerproto.messages.trace import Timestamp, VertexLog, VertexStatus
from dockerproto.progress import Tracker
from dockerproto_cli.drawing import ASCII, LAYOUTS, UNICODE, Drawing
from dockerproto_cli.screen import frame
from tests.progress.test_progress_builds import trace, vertex
from tests.support.following import followed, layer


def drawn(tracker: Tracker, width: int = 80, height: int = 24, now: float = 9.0) -> list[str]:
    return [line.plain.rstrip() for line in Drawing(width, height).frame(tracker.snapshot(now), now)]


def tracker_of(*messages: dict[str, Any]) -> Tracker:
    return followed(messages)[0]


def pulled() -> Tracker:
    return tracker_of(
        {"status": "Pulling from x", "id": "1"},
        layer("Already exists", "cccccccccccc"),
        layer("Pulling fs layer", "aaaaaaaaaaaa"),
        layer("Downloading", "bbbbbbbbbbbb", current=500, total=1000),
        layer("Extracting", "dddddddddddd", current=400, total=1000),
    )


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (
            80,
            [
                "1: Pulling from x",
                "cccccccccccc  Already exists",
                "aaaaaaaaaaaa  Pulling fs layer",
                "bbbbbbbbbbbb  Downloading         ──────────┈┈┈┈┈┈┈┈┈┈┈  500 B / 1.00 kB",
                "dddddddddddd  Extracting          ━━━━━━━━─────────────  1.00 kB / 1.00 kB",
                "1/4 layers  1.50 kB  125 B/s  4.0s",
            ],
        ),
        (
            60,
            [
                "1: Pulling from x",
                "cccccccccccc Already exists",
                "aaaaaaaaaaaa Pulling fs layer",
                "bbbbbbbbbbbb Downloading       ─────────────┈┈┈┈┈┈┈┈┈┈┈┈┈",
                "dddddddddddd Extracting        ━━━━━━━━━━────────────────",
                "1/4 layers  1.50 kB  125 B/s  4.0s",
            ],
        ),
        (
            44,
            [
                "1: Pulling from x",
                "cccccccccccc Already exists",
                "aaaaaaaaaaaa Pulling fs layer",
                "bbbbbbbbbbbb 500 B / 1.00 kB",
                "dddddddddddd 1.00 kB / 1.00 kB",
                "1/4 layers  1.50 kB  125 B/s  4.0s",
            ],
        ),
        (
            30,
            [
                "1: Pulling from x",
                "cccccccccccc Already exists",
                "aaaaaaaaaaaa Pulling fs layer",
                "bbbbbbbbbbbb 25 %",
                "dddddddddddd 70 %",
                "1/4 layers  1.50 kB  125 B/s…",
            ],
        ),
        (
            12,
            [
                "1: Pulling…",
                "cccccccccc…",
                "aaaaaaaaaa…",
                "bbbbbbbbbb…",
                "dddddddddd…",
                "1/4 layers…",
            ],
        ),
    ],
)
def test_layers(width: int, lines: list[str]) -> None:
    assert drawn(pulled(), width, now=4.0) == lines


def built() -> Tracker:
    running = vertex("[2/3] RUN make", start=3, digest="2")
    tracker = tracker_of(
        trace(
            vertexes=[
                vertex("[3/3] COPY . /", digest="3"),
                vertex("[1/3] FROM x", start=1, end=2, digest="1"),
                running,
            ],
            statuses=[
                VertexStatus(id="sha256:ffffffffffffffff", vertex="2", current=5, total=10),
                VertexStatus(id="sha256:0", vertex="2", current=5, total=10, completed=Timestamp(9)),
            ],
        ),
    )
    for number in range(30):
        tracker.feed(trace(logs=[VertexLog(vertex="2", msg=f"line {number}\n".encode())]), 5.0)
    return tracker


def test_steps_are_in_the_order_in_which_they_began() -> None:
    assert drawn(built(), 60) == [
        "✓ [1/3] FROM x                                         1.0s",
        "⠋ [2/3] RUN make                                       9.0s",
        "  sha256:ffff… running           ━━━━━━━━━━━━┈┈┈┈┈┈┈┈┈┈┈┈",
        *(f"  │ line {number}" for number in range(25, 30)),
        "· [3/3] COPY . /",
        "1/3 steps  9.0s",
    ]


def test_a_spinner_turns() -> None:
    marks = {drawn(built(), now=9.0 + tenth / 10)[1][0] for tenth in range(10)}
    assert marks == set(UNICODE.spinner)


@pytest.mark.parametrize(
    ("height", "count"),
    [(24, 10), (10, 9), (8, 7), (5, 4), (4, 3), (1, 2)],
)
def test_output_is_folded_before_steps_are(height: int, count: int) -> None:
    shown = drawn(built(), height=height)
    assert len(shown) == count
    assert any("RUN make" in line for line in shown) == (height > 1)


def test_what_is_folded_is_counted() -> None:
    assert drawn(built(), height=4)[0] == "… 2 more: 1 done, 1 waiting"


def test_all_is_said_at_the_end() -> None:
    tracker = pulled()
    for number in range(9):
        tracker.feed({"status": f"note {number}"}, 9.0)
    assert [line for line in drawn(tracker) if line.startswith("note")] == ["note 6", "note 7", "note 8"]
    tracker.finish(9.0)
    assert len([line for line in drawn(tracker) if line.startswith("note")]) == 9
    assert drawn(tracker)[-1].startswith("done  4/4 layers  2.00 kB / 2.00 kB  9.0s")


@pytest.mark.parametrize(
    ("vertexes", "summary"),
    [
        ([vertex(start=1, end=2), vertex("b", digest="b", start=3), vertex("c", digest="c")], "1/3 steps"),
        (
            [vertex(start=1, end=2, cached=True), vertex("b", digest="b", start=3, end=4, error="x")],
            "1/2 steps",
        ),
        ([vertex(start=1), vertex("b", digest="b", start=1)], "0/2 steps"),
    ],
)
def test_the_end_of_a_build_that_failed_counts_what_was_done(vertexes: list[Any], summary: str) -> None:
    tracker = tracker_of(trace(vertexes=vertexes))
    tracker.finish(9.0, "interrupted")
    assert drawn(tracker)[-1].startswith(f"failed  {summary}  ")


def test_the_end_of_a_pull_that_failed_counts_what_was_done() -> None:
    tracker = pulled()
    tracker.finish(9.0, "interrupted")
    assert drawn(tracker)[-1].startswith("failed  1/4 layers  ")


def test_nothing_to_show_is_nothing() -> None:
    tracker = Tracker()
    assert drawn(tracker) == []
    tracker.finish(1.0)
    assert drawn(tracker) == []


def test_an_encoding_may_know_no_bars() -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    console = Console(file=file, width=80, height=24)
    lines = [line.plain for line in frame(console, pulled().snapshot(9.0), 9.0)]
    assert "========" in lines[3]
    assert "########=" in lines[4]
    assert set("".join(lines)) <= set(map(chr, range(128)))
    assert {glyph for glyph in (*ASCII.marks.values(), ASCII.more) if not glyph.isascii()} == set()


@pytest.mark.parametrize("make", [pulled, built])
def test_no_line_is_wider_than_the_terminal_and_no_frame_higher(make: Callable[[], Tracker]) -> None:
    tracker = make()

    @given(width=st.integers(2, 200), height=st.integers(5, 60))
    def check(width: int, height: int) -> None:
        lines = Drawing(width, height).frame(tracker.snapshot(9.0), 9.0)
        assert all(line.cell_len <= width for line in lines)
        assert len(lines) < height

    check()


def test_layouts_are_for_less_and_less_room() -> None:
    widths = [least for least, _ in LAYOUTS]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] == 0
