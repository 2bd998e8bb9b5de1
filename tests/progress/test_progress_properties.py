"""Properties of progress for arbitrary messages of an engine."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from itertools import pairwise
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerproto.messages.trace import TRACE, StatusResponse, Timestamp, Vertex, VertexLog, VertexStatus
from dockerproto.progress import Kind, Part, Snapshot, State, Tracker
from dockerproto.progress.layers import STATUSES
from tests.support.following import recording
from tests.testbed.recordings import ENGINES, recordings_of

Fed: TypeAlias = Mapping[str, Any] | tuple[int, int | None]
"""A message, or what was uploaded."""

PATTERNS = ("pull-*", "push-*", "load-*", "import-stdin*", "build-classic-*", "build-buildkit-*")
RECORDED = [
    (engine, name)
    for engine in ENGINES
    for name, each in recordings_of(engine).items()
    if any(fnmatch(name, pattern) for pattern in PATTERNS) and each.response.startswith(b"HTTP/1.1 200")
]


def layer_message(status: str, name: str, current: int, total: int) -> dict[str, object]:
    return {"status": status, "id": name, "progressDetail": {"current": current, "total": total}}


def output_message(text: str) -> dict[str, object]:
    return {"stream": text}


def trace_message(
    vertexes: list[Vertex], statuses: list[VertexStatus], logs: list[VertexLog]
) -> dict[str, object]:
    trace = StatusResponse(tuple(vertexes), tuple(statuses), tuple(logs))
    return {"id": TRACE, "aux": b64encode(trace.encode()).decode()}


amounts = st.integers(-1, 40)
names = st.sampled_from("abc")
layers = st.builds(
    layer_message,
    st.sampled_from([*STATUSES, "Mounted from x", "Retrying in 3 seconds", "Teleporting"]),
    names,
    amounts,
    amounts,
)
outputs = st.builds(
    output_message,
    st.sampled_from(
        [
            *(f"Step {step}/3 : RUN x" for step in (1, 2, 3)),
            *("\n", "text\n", "te", "xt\r", " ---> Using cache\n", "Successfully built 0123456789ab\n"),
        ]
    ),
)
times = st.none() | st.builds(Timestamp, st.integers(0, 9))
vertexes = st.builds(
    Vertex,
    digest=names,
    name=names,
    cached=st.booleans(),
    started=times,
    completed=times,
    error=st.sampled_from(["", "", "it failed"]),
)
statuses = st.builds(VertexStatus, id=names, vertex=names, current=amounts, total=amounts, completed=times)
logs = st.builds(VertexLog, vertex=names, msg=st.sampled_from([b"x\n", b"y", b"\xff"]))
traces = st.builds(
    trace_message, st.lists(vertexes, max_size=2), st.lists(statuses, max_size=2), st.lists(logs, max_size=2)
)
uploads = st.tuples(amounts, st.none() | amounts)
messages = st.lists(layers | outputs | traces | uploads, max_size=30)

json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.sampled_from([*STATUSES, TRACE, "Step 1/2 : x", "\x1b["]),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=3), children, max_size=3)
    ),
    max_leaves=5,
)
details = st.dictionaries(st.sampled_from(["current", "total", "units", "start"]), json)
anything = st.dictionaries(
    st.sampled_from(["status", "id", "stream", "aux", "progressDetail", "progress", "x"]), json | details
)


def snapshots(progress: Tracker, fed: Sequence[Fed]) -> list[Snapshot]:
    """Feed messages and uploads, and look after each of them."""
    seen = [progress.snapshot(0.0)]
    for now, message in enumerate(fed, start=1):
        if isinstance(message, tuple):
            progress.uploaded(message[0], now, message[1])
        else:
            progress.feed(message, now)
        seen.append(progress.snapshot(now))
    return seen


def assert_bounded(seen: Snapshot) -> None:
    assert 0 <= seen.done <= seen.count
    assert seen.total is None or 0 <= seen.current <= seen.total
    assert seen.percent is None or 0 <= seen.percent <= 100
    assert seen.rate is None or seen.rate > 0
    for part in seen.parts:
        assert part.total is None or 0 <= part.current <= part.total
        assert part.percent is None or 0 <= part.percent <= 100
        assert part.completed is None or (part.started is None or part.started <= part.completed)
        assert (part.completed is not None) == part.state.over


def assert_forward(before: Snapshot, after: Snapshot) -> None:
    assert [part.id for part in after.parts[: len(before.parts)]] == [part.id for part in before.parts]
    assert after.current >= before.current
    assert before.percent is None or after.percent is None or after.percent >= before.percent
    for old, new in zip(before.parts, after.parts, strict=False):
        assert_part_forward(old, new)


def assert_part_forward(old: Part, new: Part) -> None:
    assert new.current >= old.current
    assert old.percent is None or (new.percent is not None and new.percent >= old.percent)
    assert new.state.rank >= old.state.rank or new.kind is Kind.UPLOAD
    assert not old.state.over or (new.state, new.completed) == (old.state, old.completed)


def assert_all(progress: Tracker, fed: Sequence[Fed], *, failed: bool) -> None:
    seen = snapshots(progress, fed)
    progress.finish(len(fed) + 1.0, "it failed" if failed else None)
    seen.append(progress.snapshot(len(fed) + 2.0))
    for each in seen:
        assert_bounded(each)
    for before, after in pairwise(seen):
        assert_forward(before, after)
    assert all(part.state.over for part in seen[-1].parts)
    if not failed:
        assert (seen[-1].state, seen[-1].percent) == (State.DONE, 100.0)
        assert seen[-1].total == seen[-1].current or seen[-1].total is None


def test_there_are_recordings() -> None:
    assert {engine for engine, _ in RECORDED} == {*ENGINES}
    assert len(RECORDED) > 20


@pytest.mark.parametrize(("engine", "operation"), RECORDED)
def test_recorded_streams(engine: str, operation: str) -> None:
    fed = recording(engine, operation)
    for failed in (True, False):
        assert_all(Tracker(), fed, failed=failed)


@given(fed=messages, failed=st.booleans())
def test_generated_streams(fed: Sequence[Fed], failed: bool) -> None:
    assert_all(Tracker(), fed, failed=failed)


@given(fed=st.lists(anything, max_size=10), failed=st.booleans())
def test_no_message_makes_it_raise(fed: Sequence[Fed], failed: bool) -> None:
    assert_all(Tracker(), fed, failed=failed)
