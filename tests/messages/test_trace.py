"""The trace of a BuildKit build: every recorded one is read whole, as Google's package reads it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from msgspec.structs import fields

from dockerproto import ProtocolViolated
from dockerproto.messages.trace import STDOUT, TRACE, StatusResponse, Timestamp, decode_trace
from dockerproto.protobuf.codec import ProtoMessage
from tests.support.feeding import VECTORS

TYPES = descriptor_pb2.FieldDescriptorProto
KINDS = {
    "string": TYPES.TYPE_STRING,
    "bytes": TYPES.TYPE_BYTES,
    "bool": TYPES.TYPE_BOOL,
    "int32": TYPES.TYPE_INT32,
    "int64": TYPES.TYPE_INT64,
}
MESSAGES = {
    "StatusResponse": "Vertex* vertexes, VertexStatus* statuses, VertexLog* logs, VertexWarning* warnings",
    "Vertex": "string digest, string* inputs, string name, bool cached, Timestamp started, "
    "Timestamp completed, string error, ProgressGroup progress_group",
    "VertexStatus": "string id, string vertex, string name, int64 current, int64 total, "
    "Timestamp timestamp, Timestamp started, Timestamp completed",
    "VertexLog": "string vertex, Timestamp timestamp, int64 stream, bytes msg",
    "VertexWarning": "string vertex, int64 level, bytes short, bytes* detail, string url, "
    "SourceInfo info, Range* ranges",
    "SourceInfo": "string filename, bytes data, bytes definition, string language",
    "Range": "Position start, Position end",
    "Position": "int32 line, int32 character",
    "ProgressGroup": "string id, string name, bool weak",
    "Timestamp": "int64 seconds, int32 nanos",
}
"""The messages by their names in BuildKit, with the fields in the order of their numbers."""


def google_class() -> Any:
    """Return Google's class of the same messages."""
    file = descriptor_pb2.FileDescriptorProto(name="trace.proto", package="t", syntax="proto3")
    for name, declared in MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, field in enumerate(declared.split(", "), 1):
            kind, label = field.split()
            added = message.field.add(name=label, number=number, label=TYPES.LABEL_OPTIONAL)
            if kind.endswith("*"):
                added.label = TYPES.LABEL_REPEATED
            if kind.rstrip("*") in KINDS:
                added.type = KINDS[kind.rstrip("*")]
            else:
                added.type, added.type_name = TYPES.TYPE_MESSAGE, f".t.{kind.rstrip('*')}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.StatusResponse"))


def assert_alike(ours: Any, theirs: Any) -> None:
    """Check that two messages, or values of them, say the same."""
    if isinstance(ours, ProtoMessage):
        for each in fields(ours):
            value = getattr(ours, each.name)
            assert value is not None or not theirs.HasField(each.name)
            if value is not None:
                assert_alike(value, getattr(theirs, each.name))
    elif isinstance(ours, str | bytes | int):
        assert ours == theirs
    else:
        for one, other in zip(ours, theirs, strict=True):
            assert_alike(one, other)


def traces(engine: str) -> list[str]:
    """Return the traces of a build that works and of one that does not."""
    messages: list[dict[str, Any]] = json.loads((VECTORS / engine / "traces.json").read_text())
    return [message["aux"] for message in messages if message.get("id") == TRACE]


by_engine = pytest.mark.parametrize("engine", ["docker-20.10", "docker-26.1"])


@by_engine
def test_recorded_traces_are_read_as_google_reads_them(engine: str) -> None:
    cls = google_class()
    recorded = traces(engine)
    assert len(recorded) == 34
    for trace in recorded:
        data = base64.b64decode(trace)
        assert_alike(StatusResponse.decode(data), cls.FromString(data))


@by_engine
def test_recorded_traces_lose_nothing(engine: str) -> None:
    read = {trace: decode_trace(trace) for trace in traces(engine)}
    plain = {trace: response for trace, response in read.items() if not response.warnings}
    assert (
        len(plain) >= len(read) - 2
    )  # a warning has a part that is skipped: the whole build as BuildKit has it
    assert {trace: base64.b64encode(response.encode()).decode() for trace, response in plain.items()} == {
        trace: trace for trace in plain
    }


@by_engine
def test_a_failing_step_is_told_with_what_it_printed(engine: str) -> None:
    read = [decode_trace(trace) for trace in traces(engine)]
    failed = [vertex for each in read for vertex in each.vertexes if vertex.error]
    assert failed[-1].name.endswith("exit 5")
    assert failed[-1].error.endswith("exit code: 5")
    assert failed[-1].started is not None
    assert failed[-1].completed is not None
    assert failed[-1].completed.time >= failed[-1].started.time > 1.7e9
    logs = [log for each in read for log in each.logs]
    assert {log.stream for log in logs} == {STDOUT, 2}
    assert all(log.msg for log in logs)


def test_a_warning_is_told_with_its_place() -> None:
    warning, *_ = [each for trace in traces("docker-26.1") for each in decode_trace(trace).warnings]
    assert warning.short.startswith(b"Empty continuation line")
    assert warning.info is not None
    assert warning.info.filename == "Dockerfile"
    assert b"FROM" in warning.info.data
    assert warning.ranges[0].start is not None
    assert warning.ranges[0].start.line > 0


def test_a_time_has_nanoseconds() -> None:
    assert Timestamp(1_700_000_000, 250_000_000).time == 1_700_000_000.25


@pytest.mark.parametrize(
    ("aux", "message"),
    [
        ({"ID": "x"}, "a trace must be a str, not "),
        (None, "a trace must be a str, not None"),
        ("a", "a trace must be base64, not 'a'"),
        ("a===", "a trace must be base64, not "),
        ("é", "a trace must be base64, not 'é'"),
        ("CgE=", "a protobuf message is truncated"),
    ],
)
def test_what_is_no_trace_is_refused(aux: object, message: str) -> None:
    with pytest.raises(ProtocolViolated, match=f"^{message}"):
        decode_trace(aux)
