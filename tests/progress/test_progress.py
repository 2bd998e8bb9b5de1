from __future__ import annotations

from typing import Any

import pytest

from dockerproto.progress import Amount, Kind, Line, Part, Snapshot, State, Tracker
from dockerproto.progress.layers import STATUSES
from dockerproto.progress.text import LONGEST, printable
from tests.support.following import followed, layer, told


def after(*messages: dict[str, Any]) -> Snapshot:
    return followed(messages)[0].snapshot(float(len(messages)))


def only(snapshot: Snapshot) -> Part:
    (part,) = snapshot.parts
    return part


@pytest.mark.parametrize(("status", "state"), STATUSES.items())
def test_a_status_means_a_state(status: str, state: State) -> None:
    part = only(after(layer(status)))
    assert (part.state, part.status, part.kind, part.name) == (state, status, Kind.LAYER, "a")


@pytest.mark.parametrize(
    ("status", "state"),
    [("Mounted from team/app", State.SKIPPED), ("Retrying in 5 seconds", State.RUNNING)],
)
def test_a_status_may_say_more(status: str, state: State) -> None:
    part = only(after(layer(status)))
    assert (part.state, part.status) == (state, status)


def test_an_unknown_status_with_an_amount_is_a_layer() -> None:
    part = only(after(layer("Teleporting", current=1, total=4)))
    assert (part.state, part.percent) == (State.RUNNING, 25.0)


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ({"status": "Pulling from library/busybox", "id": "latest"}, "latest: Pulling from library/busybox"),
        ({"status": "Digest: sha256:1"}, "Digest: sha256:1"),
        ({"status": "the tag is old", "id": "WARNING"}, "WARNING: the tag is old"),
        (
            {"status": "Downloading from http://registry.example/x"},
            "Downloading from http://registry.example/x",
        ),
        ({"status": "sha256:1", "id": "sha256:1", "progressDetail": {}}, "sha256:1"),
        ({"stream": "Loaded image: busybox:latest\n"}, "Loaded image: busybox:latest"),
    ],
)
def test_what_is_said_of_the_whole_is_a_line(message: dict[str, Any], line: str) -> None:
    progress, events = followed([message])
    assert events == [Line(line)]
    assert progress.snapshot(1).lines == (line,)


@pytest.mark.parametrize("message", [{}, {"status": ""}, {"stream": "\n"}, {"aux": {"ID": "sha256:1"}}])
def test_what_says_nothing_is_no_line(message: dict[str, Any]) -> None:
    assert followed([message])[1] == []


def test_a_pull_is_downloaded_and_extracted() -> None:
    messages = [
        layer("Pulling fs layer"),
        layer("Downloading", current=50, total=100),
        layer("Download complete"),
        layer("Extracting", current=50, total=100),
        layer("Pull complete"),
    ]
    seen = [only(after(*messages[:count])) for count in range(1, 6)]
    assert [part.percent for part in seen] == [None, 25.0, 50.0, 75.0, 100.0]
    assert [part.current for part in seen] == [0, 50, 100, 100, 100]
    assert [part.unpacked for part in seen[-2:]] == [Amount(50, 100, 0.5), Amount(100, 100, 1.0)]
    assert (seen[-1].started, seen[-1].completed, seen[-1].seconds(9.0)) == (1.0, 4.0, 3.0)


def test_an_extraction_without_an_end_is_counted_in_seconds_which_are_no_bytes() -> None:
    part = only(
        after(
            layer("Downloading", current=7, total=8),
            layer("Download complete"),
            layer("Extracting", current=3, units="s"),
        )
    )
    assert (part.state, part.current, part.percent) == (State.EXTRACTING, 8, 50.0)


def test_a_download_that_begins_again_is_not_taken_back() -> None:
    seen = after(
        layer("Downloading", current=90, total=100),
        layer("Verifying Checksum"),
        layer("Retrying in 1 second"),
        layer("Downloading", current=10, total=100),
    )
    assert (only(seen).current, only(seen).status, seen.percent) == (90, "Downloading", 45.0)


def test_a_push_may_send_more_than_was_said() -> None:
    part = only(after(layer("Pushing", current=60, total=50)))
    assert (part.current, part.total, part.percent) == (60, 60, 100.0)


def test_what_is_over_stays_over() -> None:
    part = only(after(layer("Pull complete"), layer("Already exists"), layer("Waiting")))
    assert (part.state, part.status, part.completed) == (State.DONE, "Pull complete", 0.0)


def test_totals_are_unknown_until_every_layer_says_its_own() -> None:
    first = [layer("Pushing", "a", current=10, total=100), layer("Waiting", "b")]
    assert (after(*first).total, after(*first).percent, after(*first).current) == (None, None, 10)
    both = after(*first, layer("Pushing", "b", current=50, total=100))
    assert (both.total, both.percent, both.current, both.done, both.count) == (200, 30.0, 60, 0, 2)


def test_layers_that_were_there_have_no_bytes() -> None:
    seen = after(layer("Layer already exists", "a"), layer("Pushing", "b", current=1, total=4))
    assert (seen.total, seen.percent, seen.done, seen.count) == (4, 25.0, 1, 2)


def test_all_layers_that_were_there_make_no_percentage_before_the_end() -> None:
    progress, _ = followed([layer("Already exists", "a")])
    assert progress.snapshot(1).percent is None
    progress.finish(1)
    assert progress.snapshot(1).percent == 100.0


def test_a_percentage_waits_for_the_end_to_be_100() -> None:
    assert after(layer("Pull complete"), layer("Pushed", "b")).percent is None
    assert after(layer("Pushing", current=5, total=5)).percent == 99.0


def test_the_rate_is_that_of_the_last_seconds() -> None:
    messages = [layer("Pushing", current=1000 * second, total=10**6) for second in range(1, 21)]
    progress, _ = followed(messages)
    assert progress.snapshot(19.0).rate == pytest.approx(1000, rel=0.2)
    assert progress.snapshot(23.0).rate == pytest.approx(200, rel=0.2), "nothing since 19"
    assert progress.snapshot(24.0).rate is None
    assert after().rate is None
    assert after(layer("Waiting")).rate is None


def test_messages_that_come_together_make_no_more_samples() -> None:
    progress, _ = followed(
        [layer("Pushing", current=each, total=9000) for each in range(1, 9000)], seconds=0.001
    )
    assert progress.snapshot(9.0).rate == pytest.approx(1000, rel=0.3)


def test_an_upload_is_over_when_the_engine_answers() -> None:
    progress = Tracker()
    assert told(progress.uploaded(10, 1.0, 40)) == ["upload running"]
    assert progress.snapshot(1.0).percent == 25.0
    assert (progress.snapshot(1.0).done, progress.snapshot(1.0).count) == (0, 1)
    assert progress.uploaded(20, 2.0, 40) == ()
    assert told(progress.feed({"stream": "Step 1/1 : FROM busybox"}, 3.0)) == [
        "upload transferred",
        "[1/1] FROM busybox running",
    ]
    assert told(progress.uploaded(30, 4.0, 40)) == ["upload running"]  # newest engines answer before
    progress.feed({"stream": "\n"}, 5.0)
    assert told(progress.finish(6.0)) == ["upload done", "[1/1] FROM busybox done"]


def test_an_upload_that_was_sent_is_not_what_failed() -> None:
    progress = Tracker()
    progress.uploaded(10, 1.0)
    assert only(progress.snapshot(1.0)).total is None
    progress.feed({"status": "Loading layer", "id": "a", "progressDetail": {"current": 1, "total": 2}}, 2.0)
    assert told(progress.finish(3.0, "no space")) == ["upload done", "a stopped"]


def test_an_end_is_an_end() -> None:
    progress, _ = followed([layer("Pushing", current=1, total=2)])
    assert told(progress.finish(1.0)) == ["a done"]
    assert (
        progress.feed(layer("Pushing", "b"), 2.0) == progress.uploaded(1, 2.0) == progress.finish(2.0) == ()
    )
    seen = progress.snapshot(3.0)
    assert (seen.state, seen.seconds(3.0), seen.percent) == (State.DONE, 1.0, 100.0)


def test_a_failure_stops_what_was_under_way() -> None:
    progress, _ = followed([layer("Pull complete", "a"), layer("Downloading", "b", current=1, total=2)])
    assert told(progress.finish(2.0, "unknown blob\nand more")) == ["b stopped"]
    seen = progress.snapshot(3.0)
    assert (seen.state, seen.error, seen.percent) == (State.FAILED, "unknown blob", 25.0)


def test_nothing_is_waiting() -> None:
    seen = Tracker().snapshot(1.0)
    assert (seen.state, seen.seconds(2.0), seen.percent, seen.total, seen.parts) == (
        State.WAITING,
        0.0,
        None,
        None,
        (),
    )
    assert after(layer("Waiting")).seconds(1.5) == 1.5
    assert only(after(layer("Waiting"))).seconds(1.5) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[91merr\x1b[0m", "err"),
        ("10 %\r20 %\r\n", "20 %"),
        ("a\tb", "a       b"),
        ("\x1b]0;title\x07x\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "xlink"),
        ("\x1bPq\x1b\\x\x1b(B\x1bc", "x"),
        ("\x9b31mred", "red"),
        ("bell\x07 nul\x00 back\x08 del\x7f", "bell nul back del"),
        ("\u202eright\u2066to left\u2028", "rightto left"),
        ("half \ud800", "half \ufffd"),
        ("\x1b[999999999", "999999999"),
        ("x" * 10_000, "x" * LONGEST),
        ("é 世界", "é 世界"),
    ],
)
def test_text_is_made_fit_to_be_shown(text: str, shown: str) -> None:
    assert printable(text) == shown
