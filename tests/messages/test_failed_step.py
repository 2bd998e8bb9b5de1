"""The failed step of a build in one form for all builders, from recorded and from invented builds."""

from __future__ import annotations

import pickle
import tracemalloc
from typing import Any

import pytest

from dockerproto import BadRequest, DockerStreamError, FailedStep, NotFound, StepFailed
from dockerproto.errors import DockerError
from dockerproto.messages.classification import stream_error
from dockerproto.messages.decoding import BuildMessages
from dockerproto.messages.failed_step import LINE_LENGTH, LOG_LINES, LogTail
from dockerproto.messages.models import Message
from dockerproto.messages.reduce import Collector
from dockerproto.messages.results import BuildReducer
from dockerproto.messages.trace import StatusResponse, Timestamp, Vertex, VertexLog
from tests.support.feeding import bytewise, recorded

RUN = "RUN echo out; echo err >&2; exit 3"
SHELL = "/bin/sh -c echo out; echo err >&2; exit 3"
BASE = "127.0.0.1:5000/apiref/absent:1"
DOCKERS = ("docker-20.10", "docker-26.1")


def failing(step: FailedStep | None, cls: type[DockerError], operation: str, *engines: str) -> list[Any]:
    return [pytest.param(each, operation, cls, step, id=f"{operation}-{each}") for each in engines]


LOG = ("out", "err")
FAILED = FailedStep(f"[2/2] {RUN}", SHELL, 3, LOG)
PODMAN = FailedStep(f"[2/2] {RUN}", RUN.removeprefix("RUN "), 3, LOG)
COPY = FailedStep("[2/2] COPY absent /x")
FROM = FailedStep(f"[1/1] FROM {BASE}")
LOAD = FailedStep(f"[internal] load metadata for {BASE}")
RECORDED = [
    *failing(FAILED, StepFailed, "build-classic-failing-step", *DOCKERS),
    *failing(FAILED, StepFailed, "build-classic-failing-step-quiet", *DOCKERS),
    *failing(FAILED, StepFailed, "build-buildkit-failing-step", *DOCKERS),
    *failing(FAILED, StepFailed, "build-buildkit-failing-step-quiet", *DOCKERS),
    *failing(PODMAN, StepFailed, "build-classic-failing-step", "podman-4.3"),
    *failing(COPY, BadRequest, "build-classic-missing-copy-source", *DOCKERS, "podman-4.3"),
    *failing(COPY, BadRequest, "build-buildkit-missing-copy-source", *DOCKERS),
    *failing(FROM, NotFound, "build-classic-unknown-base", *DOCKERS),
    *failing(LOAD, NotFound, "build-buildkit-unknown-base", *DOCKERS),
    *failing(None, BadRequest, "build-buildkit-syntax-error", *DOCKERS),
    *failing(None, BadRequest, "build-buildkit-unknown-target", *DOCKERS),
    *failing(None, BadRequest, "build-classic-empty-dockerfile", "podman-4.3"),
]


def fail(body: bytes, *, bytewise_fed: bool = False) -> DockerStreamError:
    """Return the error of a build, as a stream raises it."""
    collector = Collector(BuildReducer())
    (make_decoder,) = collector.wrap({200: BuildMessages}).values()
    decoder = make_decoder(1 << 20)
    with pytest.raises(DockerStreamError) as raised:
        for chunk in (*(bytewise(body) if bytewise_fed else [body]), b""):
            list(decoder.feed(chunk))
    collector.explain(raised.value)
    return raised.value


@pytest.mark.parametrize(("engine", "operation", "cls", "step"), RECORDED)
def test_a_failed_build_tells_its_step(
    engine: str, operation: str, cls: type[DockerError], step: FailedStep | None
) -> None:
    error = fail(recorded(engine, operation).body)
    assert isinstance(error, cls)
    if step is not None and error.step is not None and step.log:
        assert sorted(error.step.log) == sorted(step.log)  # of two outputs the order is by chance
        step = FailedStep(step.name, step.command, step.exit_code, error.step.log)
    assert error.step == step
    assert fail(recorded(engine, operation).body, bytewise_fed=True).step == step


def test_a_quiet_podman_tells_the_step_in_its_error_only() -> None:
    step = fail(recorded("podman-4.3", "build-classic-failing-step-quiet").body).step
    assert step == FailedStep(RUN, RUN.removeprefix("RUN "), 3, ("err",))


def test_a_step_that_failed_goes_through_pickle() -> None:
    error = fail(recorded("docker-26.1", "build-buildkit-failing-step").body)
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.step, copy.error_detail) == (StepFailed, error.step, error.error_detail)


def failed(text: str, *messages: Message, **detail: Any) -> FailedStep | None:
    reducer = BuildReducer()
    for message in messages:
        reducer.add(message)
    return explained(reducer, stream_error(text, {"message": text, **detail}))


def explained(reducer: BuildReducer, error: DockerStreamError) -> FailedStep | None:
    reducer.explain(error)
    return error.step


def logged(*texts: str) -> list[Message]:
    return [{"stream": text} for text in texts]


CLASSIC = "The command '/bin/sh -c x' returned a non-zero code: 4"


def test_a_step_that_prints_the_lines_of_a_builder_is_not_taken_for_the_next() -> None:
    lines = logged("Step 2/5 : RUN x", "\n", " ---> Running in 0123456789ab\n")
    printed = logged("Step 5/5 : RUN y", "STEP 9/9: RUN z\n", "Step 3/5 : RUN y\n", " ---> 0123456789ab\n")
    assert failed(CLASSIC, *logged("Step 1/5 : FROM a", "\n"), *lines, *printed, code=4) == FailedStep(
        "[2/5] RUN x",
        "/bin/sh -c x",
        4,
        ("Step 5/5 : RUN ySTEP 9/9: RUN z", "Step 3/5 : RUN y", " ---> 0123456789ab"),
    )


def test_the_red_of_the_classic_builder_is_left_out_and_that_of_a_command_is_not() -> None:
    lines = logged("Step 1/1 : RUN x", "\x1b[91merr\n\x1b[0m", "\x1b[31mmine\x1b[0m\r\n")
    step = failed(CLASSIC, *lines)
    assert step is not None
    assert step.log == ("err", "\x1b[31mmine\x1b[0m")


def test_the_steps_of_each_stage_of_a_podman_are_numbered_anew() -> None:
    lines = logged("[1/2] STEP 1/2: FROM a AS b\n", "[1/2] STEP 2/2: RUN x\n", "[2/2] STEP 1/2: FROM c\n")
    step = failed('building at STEP "RUN y": while running runtime: exit status 7\n', *lines)
    assert step == FailedStep("[1/2] FROM c", "y", 7)


def test_a_failure_after_the_last_step_is_of_no_step() -> None:
    assert failed("no space", *logged("Step 1/1 : FROM a", "Successfully built 0123456789ab\n")) is None


def test_a_build_that_began_with_no_step_failed_at_none() -> None:
    assert failed("no space") is None


def vertex(digest: str, name: str, error: str = "", *, completed: bool = False) -> Vertex:
    return Vertex(digest=digest, name=name, error=error, completed=Timestamp(1) if completed else None)


def trace(*vertexes: Vertex, logs: tuple[VertexLog, ...] = ()) -> Message:
    return {"trace": StatusResponse(vertexes=vertexes, logs=logs)}


QUOTED = 'process "/bin/sh -c echo \\"ä\\\\n\\" \\u00e9" did not complete successfully: exit code: 2'


@pytest.mark.parametrize(
    ("text", "command"),
    [
        (QUOTED, '/bin/sh -c echo "ä\\n" é'),
        ('process "a\\q" did not complete successfully: exit code: 2', "a\\q"),
        ('process "a\\x" did not complete successfully: exit code: 2', "a\\x"),
        ("executor failed running [/bin/sh -c [ -e x ]]: exit code: 2", "/bin/sh -c [ -e x ]"),
        ("The command '/bin/sh -c echo 'x'' returned a non-zero code: 2", "/bin/sh -c echo 'x'"),
    ],
)
def test_the_command_is_told_as_it_was_run(text: str, command: str) -> None:
    step = failed(text, trace(vertex("a", "[1/1] RUN x", text)), code=2)
    assert step == FailedStep("[1/1] RUN x", command, 2)


def test_steps_that_were_cancelled_beside_the_one_that_failed_are_not_it() -> None:
    step = failed(
        "executor failed running [x]: exit code: 2",
        trace(vertex("b", "[b 1/1] RUN y", "context canceled", completed=True)),
        trace(vertex("a", "[a 1/1] RUN x", "executor failed running [x]: exit code: 2", completed=True)),
    )
    assert step is not None
    assert step.name == "[a 1/1] RUN x"
    step = failed("context canceled!", trace(vertex("b", "[b 1/1] RUN y", "exit code: 137")))
    assert step is not None
    assert step.name == "[b 1/1] RUN y"


def test_the_log_is_that_of_the_step_that_failed() -> None:
    logs = (
        VertexLog("a", stream=1, msg=b"one\ntw"),
        VertexLog("b", stream=1, msg=b"other\n"),
        VertexLog("a", stream=2, msg=b"err\xff\n"),
        VertexLog("a", stream=1, msg=b"o\r\nthree"),
    )
    step = failed("x", trace(logs=logs), trace(vertex("a", "[1/1] RUN x", "x", completed=True)))
    assert step is not None
    assert step.log == ("one", "err\ufffd", "two", "three")


def test_logs_of_steps_that_are_over_are_not_kept() -> None:
    log = VertexLog("a", stream=1, msg=b"one\n")
    again = trace(vertex("a", "[1/1] RUN x", "x"))
    step = failed("x", trace(logs=(log,)), trace(vertex("a", "[1/1] RUN x", completed=True)), again)
    assert step is not None
    assert step.log == ()


def test_what_is_kept_of_a_build_is_bounded() -> None:
    tail = LogTail()
    for number in range(LOG_LINES + 5):
        tail.add(1, b"%d" % number + b"x" * LINE_LENGTH * 2 + b"\n")
    assert len(tail.texts()) == LOG_LINES
    assert tail.texts()[0].startswith("5x")
    assert {len(line) for line in tail.texts()} == {LINE_LENGTH}
    reducer = BuildReducer()
    for number in range(1005):
        digest = str(number)
        logs = (VertexLog(digest, stream=1, msg=b"a\n"),)
        reducer.add(trace(vertex(digest, digest, f"error {number}"), logs=logs))
    first = explained(reducer, stream_error("error 0", {}))
    last = explained(reducer, stream_error("error 999", {}))
    assert first is not None
    assert last is not None
    assert (first.log, last.log) == ((), ("a",))
    over = explained(reducer, stream_error("error 1004", {}))
    assert over is not None
    assert over.name != "1004"


def test_memory_is_bounded_whatever_the_texts_of_steps_are() -> None:
    texts = [f"{number} {'x' * 2**16}" for number in range(2000)]
    kept = [peak(texts[:count]) for count in (500, 2000)]
    # Of each text, 16 KiB at most: the digest twice, the name, the error and a line.
    assert kept[1] <= 1000 * 2**14 + 2**22
    assert kept[0] <= 500 * 2**14 + 2**22


def peak(texts: list[str]) -> int:
    """Return the memory that steps with these texts take, in bytes."""
    reducer = BuildReducer()
    tracemalloc.start()
    try:
        for text in texts:
            logs = (VertexLog(text[:100], stream=1, msg=text.encode()),)
            reducer.add(trace(vertex(f"{text}digest"[::-1], f"{text}name", f"{text}error"), logs=logs))
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def test_the_logs_of_all_steps_are_bounded_together() -> None:
    reducer = BuildReducer()
    line = b"x" * LINE_LENGTH + b"\n"
    tracemalloc.start()
    try:
        for step in range(100):
            logs = tuple(VertexLog(str(step), stream=number, msg=line) for number in range(2 * LOG_LINES))
            reducer.add(trace(logs=logs))
        assert tracemalloc.get_traced_memory()[0] <= 2**24 + 2**20
    finally:
        tracemalloc.stop()
    reducer.add(trace(vertex("99", "last", "failure"), vertex("0", "first", "other")))
    last, first = (explained(reducer, stream_error(text, {})) for text in ("failure", "other"))
    assert last is not None
    assert first is not None
    assert (len(last.log), first.log) == (LOG_LINES, ())


def test_a_long_error_still_finds_its_step() -> None:
    reducer = BuildReducer()
    reducer.add(trace(vertex("1", "one", "canceled"), vertex("2", "two " * 5000, "long " * 5000)))
    step = explained(reducer, stream_error("failed: " + "long " * 5000, {}))
    assert step is not None
    assert step.name == ("two " * 5000)[:4096]
