"""Messages as text for people: what each engine sends for each operation, and what none should send."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerproto import BuildResult, DockerStreamError, Message, build_result, message_text, to_json
from dockerproto.messages.decoding import BuildMessages
from dockerproto.messages.sizes import size, size_of
from dockerproto.messages.trace import (
    TRACE,
    Position,
    Range,
    SourceInfo,
    StatusResponse,
    Timestamp,
    Vertex,
    VertexLog,
    VertexStatus,
    VertexWarning,
)
from dockerproto.progress import Tracker
from tests.support.feeding import VECTORS, recorded

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("status", "id", "stream", "aux", "trace", "progressDetail", "progress", "error", "errorDetail")


def text_of_all(engine: str, operation: str) -> str:
    """Return the text of a recorded response, up to its error."""
    text = ""
    try:
        for message in BuildMessages().feed(recorded(engine, operation).body):
            text += message_text(message)
    except DockerStreamError:
        pass
    return text


def message(**values: Any) -> Message:
    return cast("Message", values)


def built(**values: Any) -> Message:
    return {"trace": StatusResponse(**values)}


LINES: dict[str, tuple[Message, str]] = {
    "status": (message(status="Preparing", id="0a"), "0a: Preparing\n"),
    "status without an id": (message(status="Digest: sha256:ab"), "Digest: sha256:ab\n"),
    "a status that repeats the id": (message(status="sha256:ab", id="sha256:ab"), "sha256:ab\n"),
    "an id without a status": (message(id="0a", progressDetail={"current": 5}), ""),
    "bytes": (
        message(status="Pushing", id="0a", progressDetail={"current": 1_200_000, "total": 3_000_000}),
        "0a: Pushing 1.20 MB / 3.00 MB\n",
    ),
    "bytes of an unknown total": (
        message(status="Importing", progressDetail={"current": 5}),
        "Importing 5 B\n",
    ),
    "no bytes yet": (
        message(status="Downloading", id="0a", progressDetail={"total": 10}),
        "0a: Downloading 0 B / 10 B\n",
    ),
    "units": (
        message(status="Extracting", id="0a", progressDetail={"current": 3, "units": "s"}),
        "0a: Extracting 3 s\n",
    ),
    "units of a total": (
        message(status="Extracting", id="0a", progressDetail={"current": 3, "total": 9, "units": "files"}),
        "0a: Extracting 3 / 9 files\n",
    ),
    "hidden counts": (
        message(status="Extracting", id="0a", progressDetail={"current": 3, "hidecounts": True}),
        "0a: Extracting\n",
    ),
    "output of a build": (message(stream="Step 1/2 : FROM x"), "Step 1/2 : FROM x"),
    "its line end": (message(stream="\n"), "\n"),
    "the id of an image": (message(aux={"ID": "sha256:ab"}), ""),
    "the digest of a push": (message(progressDetail={}, aux={"Tag": "1", "Digest": "d", "Size": 1}), ""),
    "a saved error": (
        message(error="no space", errorDetail={"code": 1, "message": "no space"}),
        "no space\n",
    ),
    "a saved error of an old engine": (message(error="no space"), "no space\n"),
    "half of a surrogate pair": (message(stream="a\ud800"), "a\ufffd"),
    "an announced step": (built(vertexes=(Vertex(name="RUN a"),)), ""),
    "a started step": (built(vertexes=(Vertex(name="RUN a", started=Timestamp(1)),)), "RUN a\n"),
    "a step that is done": (
        built(vertexes=(Vertex(name="RUN a", started=Timestamp(1), completed=Timestamp(3, 500_000_000)),)),
        "RUN a: done 2.5s\n",
    ),
    "a step without a start": (
        built(vertexes=(Vertex(name="RUN a", completed=Timestamp(3)),)),
        "RUN a: done\n",
    ),
    "a clock that went back": (
        built(vertexes=(Vertex(name="RUN a", started=Timestamp(3), completed=Timestamp(1)),)),
        "RUN a: done 0.0s\n",
    ),
    "a cached step": (
        built(vertexes=(Vertex(name="RUN a", started=Timestamp(1), completed=Timestamp(1), cached=True),)),
        "RUN a: cached\n",
    ),
    "a failed step": (
        built(vertexes=(Vertex(name="RUN a", started=Timestamp(1), completed=Timestamp(1), error="code 3"),)),
        "RUN a: failed: code 3\n",
    ),
    "a step that never started and failed": (
        built(vertexes=(Vertex(name="RUN a", error="code 3"),)),
        "RUN a: failed: code 3\n",
    ),
    "a canceled step": (
        built(vertexes=(Vertex(name="RUN a", completed=Timestamp(1), error="x: context canceled"),)),
        "RUN a: canceled\n",
    ),
    "a task": (
        built(statuses=(VertexStatus(id="exporting layers", started=Timestamp(1)),)),
        "",
    ),
    "tasks that are done": (
        built(
            statuses=(
                VertexStatus(id="naming to app:1 done", completed=Timestamp(1)),
                VertexStatus(id="sha256:ab", name="extracting", total=5000, completed=Timestamp(1)),
            )
        ),
        "naming to app:1: done\nextracting: done 5.00 kB\n",
    ),
    "output of a step": (
        built(logs=(VertexLog(msg=b"a\nb"), VertexLog(msg=b"c\xff\n", stream=2))),
        "a\nbc\ufffd\n",
    ),
    "a character in two chunks": (built(logs=(VertexLog(msg=b"\xc3"), VertexLog(msg=b"\xa9"))), "é"),
    "the order of time": (
        built(
            vertexes=(
                Vertex(name="RUN a", completed=Timestamp(1)),
                Vertex(name="RUN b", started=Timestamp(1)),
            ),
            logs=(VertexLog(msg=b"no line end"),),
        ),
        "RUN b\nno line end\nRUN a: done\n",
    ),
    "a warning": (
        built(
            warnings=(
                VertexWarning(
                    short=b"JSONArgsRecommended",
                    url="https://docs.example/x",
                    info=SourceInfo(filename="Dev.Dockerfile"),
                    ranges=(Range(start=Position(line=7)),),
                ),
            )
        ),
        "warning: JSONArgsRecommended (Dev.Dockerfile:7), see https://docs.example/x\n",
    ),
    "a warning without a place": (built(warnings=(VertexWarning(short=b"old"),)), "warning: old\n"),
    "a warning without a file name": (
        built(warnings=(VertexWarning(short=b"old", ranges=(Range(start=Position(line=7)),)),)),
        "warning: old (Dockerfile:7)\n",
    ),
    "a name that is not UTF-8": (
        built(vertexes=(Vertex(name="COPY \udcff", started=Timestamp(1)),)),
        "COPY \ufffd\n",
    ),
    "a trace that is not decoded": (
        message(id=TRACE, aux=b64encode(StatusResponse(logs=(VertexLog(msg=b"a\n"),)).encode()).decode()),
        "a\n",
    ),
    "a malformed trace": (message(id=TRACE, aux="%"), ""),
}


@pytest.mark.parametrize(("value", "text"), LINES.values(), ids=LINES)
def test_the_text_of_a_message(value: Message, text: str) -> None:
    assert message_text(value) == text
    text.encode()


@given(st.dictionaries(st.sampled_from(KEYS), ANY_JSON))
def test_no_message_raises(value: dict[str, Any]) -> None:
    text = message_text(cast("Message", value))
    text.encode()
    assert build_result([cast("Message", value)]) is not None


@pytest.mark.parametrize(
    ("engine", "operation", "lines"),
    [
        (
            "docker-26.1",
            "pull-ok",
            [
                "1: Pulling from apiref/multi",
                "d4cf2b7a81ab: Downloading 36.4 kB / 400 kB",
                "daf491b818a3: Pull complete",
                "Status: Downloaded newer image for 127.0.0.1:5000/apiref/multi:1",
            ],
        ),
        ("podman-4.3", "pull-ok", ["d4cf2b7a81ab: Download complete"]),
        (
            "docker-20.10",
            "push-ok",
            ["789c72242271: Preparing", "37af57159573: Mounted from apiref/multi"],
        ),
        ("docker-26.1", "load-ok-not-quiet", ["Loaded image: apiref/small:1"]),
        ("docker-20.10", "build-classic-ok", ["Step 3/5 : RUN echo hello $WHO", "hello nobody"]),
        ("podman-4.3", "build-classic-ok", ["STEP 3/5: RUN echo hello $WHO", "hello nobody"]),
        *(
            (
                engine,
                "build-buildkit-ok",
                ["[2/3] RUN echo hello nobody", "hello nobody", "copy /context /: cached"],
            )
            for engine in ("docker-20.10", "docker-26.1")
        ),
        ("docker-26.1", "build-buildkit-ok", ["naming to docker.io/apiref/bk:1: done"]),
        ("docker-26.1", "build-buildkit-failing-step", ["out", "err"]),
    ],
)
def test_the_text_of_recorded_responses(engine: str, operation: str, lines: list[str]) -> None:
    text = text_of_all(engine, operation)
    assert set(lines) <= set(text.splitlines())
    assert "" not in text.splitlines()


def test_a_failed_step_says_why() -> None:
    assert "[2/2] RUN echo out; echo err >&2; exit 3: failed: process" in text_of_all(
        "docker-26.1", "build-buildkit-failing-step"
    )


def test_warnings_of_buildkit_are_read() -> None:
    messages: list[Message] = json.loads((VECTORS / "docker-26.1" / "traces.json").read_text())
    text = "".join(map(message_text, messages))
    assert "warning: Empty continuation line found in: RUN " in text
    assert "(Dockerfile:5), see https://github.com/moby/moby/pull/33719\n" in text


@pytest.mark.parametrize("engine", ["docker-20.10", "docker-26.1"])
def test_messages_that_were_saved_as_json_say_the_same(engine: str) -> None:
    messages = list(BuildMessages().feed(recorded(engine, "build-buildkit-ok").body))
    saved: list[Message] = [json.loads(to_json(each)) for each in messages]
    assert saved != messages  # the trace is JSON
    assert [*map(message_text, saved)] == [*map(message_text, messages)]
    assert build_result(saved) == build_result(messages) != BuildResult(None)
    assert followed(saved) == followed(messages) != []


def followed(messages: list[Message]) -> list[str]:
    tracker = Tracker()
    for each in messages:
        tracker.feed(each, now=0.0)
    return [f"{part.name} {part.state}" for part in tracker.snapshot(now=0.0).parts]


def test_a_trace_of_an_engine_that_is_json_does_not_break_a_build() -> None:
    assert build_result([message(trace={"vertexes": []}), message(trace="x")]) == BuildResult(None)


def test_sizes_have_three_digits() -> None:
    assert [size(10**exponent) for exponent in (0, 3, 8)] == ["1 B", "1.00 kB", "100 MB"]
    assert size_of(1, None) == "1 B"
