from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from dockerproto.messages.trace import (
    STDERR,
    STDOUT,
    TRACE,
    StatusResponse,
    Timestamp,
    Vertex,
    VertexLog,
    VertexStatus,
    VertexWarning,
)
from dockerproto.progress import Kind, State, Tracker
from dockerproto.progress.text import LONGEST
from tests.support.following import followed, recording, told
from tests.testbed.recordings import ENGINES

DOCKER = [engine for engine in ENGINES if engine.startswith("docker")]


def output(*texts: str) -> list[dict[str, Any]]:
    return [{"stream": text} for text in texts]


def trace(**parts: Any) -> dict[str, Any]:
    aux = b64encode(StatusResponse(**{name: tuple(each) for name, each in parts.items()}).encode()).decode()
    return {"id": TRACE, "aux": aux}


def vertex(name: str = "[1/2] RUN x", *, start: int = 0, end: int = 0, **more: Any) -> Vertex:
    return Vertex(
        digest=more.pop("digest", "sha256:1"),
        name=name,
        started=Timestamp(start) if start else None,
        completed=Timestamp(end) if end else None,
        **more,
    )


CLASSIC = ["[1/5] FROM busybox", "[2/5] ARG WHO=nobody", "[3/5] RUN echo hello $WHO", "[4/5] COPY f /f"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_classic_build_has_the_steps_of_its_dockerfile(engine: str) -> None:
    progress, events = followed(recording(engine, "build-classic-ok"))
    progress.finish(99.0)
    seen = progress.snapshot(99.0)
    assert [part.name for part in seen.parts] == [*CLASSIC, "[5/5] LABEL apiref=1"]
    assert {part.state for part in seen.parts} == {State.DONE}
    assert [part.number for part in seen.parts] == [1, 2, 3, 4, 5]
    assert seen.parts[2].log == ("hello nobody",)
    assert "[3/5] RUN echo hello $WHO> hello nobody" in told(events)
    assert (seen.done, seen.count) == (5, 5)
    assert "Successfully tagged apiref/built:1" in seen.lines


@pytest.mark.parametrize("engine", ENGINES)
def test_a_classic_step_that_fails_keeps_its_output(engine: str) -> None:
    progress, _ = followed(recording(engine, "build-classic-failing-step"))
    progress.finish(99.0, "the command returned 3")
    step = progress.snapshot(99.0).parts[-1]
    assert step.name == "[2/2] RUN echo out; echo err >&2; exit 3"
    assert (step.state, step.error, set(step.log)) == (
        State.FAILED,
        "the command returned 3",
        {"out", "err"} if engine != "podman-4.3" else {*step.log, "err"},
    )


def test_a_cached_step_is_skipped() -> None:
    progress, events = followed(
        output(
            "Step 1/2 : FROM x", "\n", "Step 2/2 : RUN y", "\n", " ---> Using cache\n", " ---> 0123456789ab\n"
        )
    )
    assert told(events)[-1] == "[2/2] RUN y skipped"
    assert (progress.snapshot(9).done, progress.snapshot(9).count) == (2, 2)


def test_layers_of_a_base_image_are_beside_the_steps() -> None:
    pulled: dict[str, Any] = {"status": "Pull complete", "id": "a", "progressDetail": {}}
    progress, _ = followed([*output("Step 1/1 : FROM x", "\n"), pulled])
    assert [part.kind for part in progress.snapshot(9).parts] == [Kind.STEP, Kind.LAYER]


@pytest.mark.parametrize(
    "text", ["Step 7/9 : RUN x\n", "Step 2/9 : x\n", "Step 99999999/1 : x\n", "Successfully built wheels\n"]
)
def test_output_that_looks_like_the_builders_own_is_output(text: str) -> None:
    progress, _ = followed(output("Step 1/1 : RUN x", "\n", "begun ", text))
    (step,) = progress.snapshot(9).parts
    assert step.log == (f"begun {text[:-1]}",)
    progress, _ = followed(output("Step 4/4 : RUN x", "\n", "Step 4/4 : RUN x\n"))
    assert progress.snapshot(9).parts == ()


def test_stages_of_podman_count_on() -> None:
    progress, _ = followed(
        output("[1/2] STEP 1/2: FROM x AS a\n", "[1/2] STEP 2/2: RUN x\n", "[2/2] STEP 1/3: FROM a\n")
    )
    seen = progress.snapshot(9)
    assert [part.name for part in seen.parts] == [
        "[1/2] [1/2] FROM x AS a",
        "[1/2] [2/2] RUN x",
        "[2/2] [1/3] FROM a",
    ]
    assert (seen.done, seen.count) == (2, 5)


def test_output_without_a_line_end_is_shown_at_the_end_at_the_latest() -> None:
    progress, events = followed(output("Step 1/1 : RUN x", "\n", "no end"))
    assert told(events) == ["[1/1] RUN x running"]
    assert told(progress.finish(5.0)) == ["[1/1] RUN x> no end", "[1/1] RUN x done"]


def test_output_that_never_ends_a_line_is_cut() -> None:
    _, events = followed(output("Step 1/1 : RUN x", "\n", *["." * LONGEST] * 5))
    assert told(events) == ["[1/1] RUN x running", f"[1/1] RUN x> {'.' * LONGEST}"]


def test_the_last_lines_are_kept() -> None:
    progress = Tracker(lines=2)
    for message in output("Step 1/1 : RUN x", "\n", "1\n2\n3\n4\n"):
        progress.feed(message, 1.0)
    assert progress.snapshot(1.0).parts[0].log == ("3", "4")


@pytest.mark.parametrize("engine", DOCKER)
def test_a_buildkit_build_has_its_vertexes(engine: str) -> None:
    progress, events = followed(recording(engine, "build-buildkit-ok"))
    progress.finish(99.0)
    steps = {part.name: part for part in progress.snapshot(99.0).parts if part.kind is Kind.STEP}
    assert {"[2/3] RUN echo hello nobody", "[3/3] COPY f /f", "exporting to image"} <= steps.keys()
    assert {part.state for part in steps.values()} <= {State.DONE, State.SKIPPED}
    assert steps["[2/3] RUN echo hello nobody"].log == ("hello nobody",)
    assert "[2/3] RUN echo hello nobody> hello nobody" in told(events)


@pytest.mark.parametrize("engine", DOCKER)
def test_a_buildkit_step_that_fails_is_the_one_that_the_engine_names(engine: str) -> None:
    progress, _ = followed(recording(engine, "build-buildkit-failing-step"))
    progress.finish(99.0, "exit code: 3")
    failed = [part for part in progress.snapshot(99.0).parts if part.state is State.FAILED]
    assert [part.name for part in failed] == ["[2/2] RUN echo out; echo err >&2; exit 3"]
    assert set(failed[0].log) == {"out", "err"}
    assert "exit code: 3" in failed[0].error


def test_a_vertex_is_announced_begun_and_over() -> None:
    progress, events = followed(
        [
            trace(vertexes=[vertex()]),
            trace(vertexes=[vertex(start=100)]),
            trace(vertexes=[vertex(start=100, end=107)]),
            trace(vertexes=[vertex(start=100, end=108)]),
        ],
        seconds=8,
    )
    assert told(events) == [f"[1/2] RUN x {state}" for state in ("waiting", "running", "done")]
    (step,) = progress.snapshot(99).parts
    assert (step.started, step.completed, step.seconds(99)) == (8.0, 16.0, 8.0)


def test_a_vertex_that_is_told_of_when_it_is_over_took_what_the_engine_says() -> None:
    progress, _ = followed([{}, trace(vertexes=[vertex(start=100, end=107)])], seconds=10)
    (step,) = progress.snapshot(99).parts
    assert (step.started, step.completed) == (3.0, 10.0)


def test_a_vertex_that_was_cached_is_skipped_and_one_that_was_cancelled_stopped() -> None:
    progress, _ = followed(
        [
            trace(
                vertexes=[
                    vertex("a", start=1, end=1, cached=True, digest="1"),
                    vertex("b", start=1, end=2, error="context canceled: context canceled", digest="2"),
                    vertex("c", start=1, end=2, error="exit code: 3\nlong story", digest="3"),
                ]
            )
        ]
    )
    seen = progress.snapshot(9).parts
    assert [part.state for part in seen] == [State.SKIPPED, State.STOPPED, State.FAILED]
    assert [part.error for part in seen] == ["", "context canceled: context canceled", "exit code: 3"]


def test_statuses_are_details_of_their_step() -> None:
    done = Timestamp(5)
    progress, _ = followed(
        [
            trace(
                vertexes=[vertex(start=1)],
                statuses=[VertexStatus(id="sha256:2", vertex="sha256:1", current=30, total=40)],
            ),
            trace(
                statuses=[
                    VertexStatus(id="sha256:2", vertex="sha256:1", current=40, total=40, completed=done)
                ]
            ),
            trace(statuses=[VertexStatus(id="x", vertex="unknown")]),
        ]
    )
    step, detail = progress.snapshot(9).parts
    assert (detail.kind, detail.parent, detail.number) == (Kind.DETAIL, step.id, step.number)
    assert (detail.state, detail.current, detail.percent) == (State.DONE, 40, 100.0)
    assert (progress.snapshot(9).count, progress.snapshot(9).percent) == (1, None)


def test_logs_are_put_together_to_lines_by_step_and_output() -> None:
    progress, _ = followed(
        [
            trace(
                vertexes=[vertex(start=1)],
                logs=[
                    VertexLog(vertex="sha256:1", stream=STDOUT, msg="one \xe9".encode()[:-1]),
                    VertexLog(vertex="sha256:1", stream=STDERR, msg=b"err\n"),
                    VertexLog(vertex="sha256:1", stream=STDOUT, msg="\xe9".encode()[1:] + b"\n\ntwo\nrest"),
                    VertexLog(vertex="unknown", msg=b"lost\n"),
                ],
            )
        ]
    )
    assert progress.snapshot(9).parts[0].log == ("err", "one \xe9", "two")
    assert told(progress.finish(9))[0] == "[1/2] RUN x> rest"


def test_a_log_that_never_ends_a_line_is_cut() -> None:
    log = VertexLog(vertex="sha256:1", msg=b"." * 5 * LONGEST)
    _, events = followed([trace(vertexes=[vertex(start=1)], logs=[log])])
    assert told(events)[-1] == f"[1/2] RUN x> {'.' * LONGEST}"


def test_warnings_are_told() -> None:
    warnings = [
        VertexWarning(vertex="sha256:1", short=b"mind\nthe gap"),
        VertexWarning(short=b"of the whole"),
    ]
    _, events = followed([trace(vertexes=[vertex()], warnings=warnings)])
    assert told(events)[1:] == ["[1/2] RUN x> warning: mind", "> warning: of the whole"]


def test_a_trace_may_be_decoded_already() -> None:
    _, events = followed([{"id": TRACE, "trace": StatusResponse((vertex(start=1),))}])
    assert told(events) == ["[1/2] RUN x running"]


@pytest.mark.parametrize("aux", [None, 7, "no base64!", "AAAA"])
def test_a_trace_that_cannot_be_read_is_passed_over(aux: object) -> None:
    assert followed([{"id": TRACE, "aux": aux}])[1] == []
