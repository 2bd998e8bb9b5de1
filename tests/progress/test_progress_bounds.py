"""Progress and results of operations without an end: memory is bounded, sums stay exact."""

from __future__ import annotations

from typing import Any

from dockerproto.messages.models import Message
from dockerproto.messages.results import MOST_RESULTS, build_result, import_result, pull_result, push_result
from dockerproto.messages.trace import StatusResponse, Timestamp, Vertex, VertexLog, VertexStatus
from dockerproto.progress import Line, State, Tracker
from dockerproto.progress.board import MOST_PARTS

MORE = 10
DIGEST = f"sha256:{64 * 'a'}"


def pulling(id: str, current: int) -> Message:
    return {"status": "Downloading", "id": id, "progressDetail": {"current": current, "total": 10}}


def test_the_layers_that_ended_first_are_dropped() -> None:
    tracker = Tracker()
    tracker.feed(pulling("running", 5), 0.0)
    for number in range(MOST_PARTS + MORE):
        tracker.feed(pulling(str(number), 10), 0.0)
        tracker.feed({"status": "Pull complete", "id": str(number)}, 0.0)
    found = tracker.snapshot(0.0)
    assert [part.id for part in found.parts[:2]] == ["running", str(MORE + 1)]
    assert len(found.parts) == MOST_PARTS
    assert (found.done, found.count) == (MOST_PARTS + MORE, MOST_PARTS + MORE + 1)
    assert (found.current, found.total) == (10 * found.done + 5, 10 * found.count)
    tracker.finish(1.0)
    assert tracker.snapshot(1.0).done == found.count


def test_the_oldest_layers_are_dropped_if_none_has_ended() -> None:
    tracker = Tracker()
    for number in range(MOST_PARTS + MORE):
        tracker.feed(pulling(str(number), 1), 0.0)
    found = tracker.snapshot(0.0)
    assert found.parts[0].id == str(MORE)
    assert (len(found.parts), found.done, found.count) == (MOST_PARTS, 0, MOST_PARTS + MORE)


def trace(**fields: Any) -> Message:
    return {"trace": StatusResponse(**fields)}


def test_vertexes_and_their_outputs_are_bounded() -> None:
    tracker = Tracker()
    for number in range(3 * MOST_PARTS):
        digest = str(number)
        vertex = Vertex(digest=digest, name=digest, started=Timestamp(1))
        logs = tuple(VertexLog(vertex=digest, stream=stream, msg=b"partial") for stream in (1, 2))
        tracker.feed(trace(vertexes=(vertex,), logs=logs), 0.0)
        tracker.feed(
            trace(vertexes=(Vertex(digest=digest, started=Timestamp(1), completed=Timestamp(2)),)), 0.0
        )
        tracker.feed(trace(statuses=(VertexStatus(id="x", vertex=digest, current=1),)), 0.0)
    found = tracker.snapshot(0.0)
    assert len(found.parts) == MOST_PARTS
    assert found.count == found.done == 3 * MOST_PARTS
    tracker.finish(1.0)
    assert tracker.snapshot(1.0).state is State.DONE


def test_the_current_step_may_be_dropped() -> None:
    tracker = Tracker()
    tracker.feed({"stream": "Step 1/1 : RUN x"}, 0.0)
    for number in range(MOST_PARTS):
        tracker.feed(pulling(str(number), 1), 0.0)
    (line,) = tracker.feed({"stream": "output\n"}, 0.0)
    assert isinstance(line, Line)
    assert line.text == "output"
    assert tracker.snapshot(0.0).parts[0].id == "0"


def test_results_keep_the_newest() -> None:
    numbers = range(MOST_RESULTS + MORE)
    pulled = pull_result({"status": f"Digest: sha256:{number:064}"} for number in numbers)
    assert (len(pulled.tags), pulled.digest) == (MOST_RESULTS, f"sha256:{numbers[-1]:064}")
    aux: list[Message] = [{"aux": {"Tag": str(n), "Digest": DIGEST, "Size": n}} for n in numbers]
    pushed = push_result([*aux, {"status": f"{numbers[-1]}: digest: {DIGEST} size: 7"}])
    assert (len(pushed.tags), pushed.tags[0].tag, pushed.size) == (MOST_RESULTS, str(MORE), 7)
    loaded = import_result({"stream": f"Loaded image: {number}"} for number in numbers)
    assert loaded.references == tuple(map(str, numbers[MORE:]))
    tagged: list[Message] = [{"stream": f"Successfully tagged {number}:1\n"} for number in numbers]
    warned: list[Message] = [{"stream": f"[Warning] {number}\n"} for number in numbers]
    built = build_result([{"aux": {"ID": DIGEST}}, *tagged, *warned])
    assert (len(built.tags), built.tags[0]) == (MOST_RESULTS, f"{MORE}:1")
    assert [each.text for each in built.warnings] == list(map(str, numbers[MORE:]))
