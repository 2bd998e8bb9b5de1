"""Replies of a Dockerfile frontend become results; those of another form, or too long, raise."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest

from dockerproto import (
    CheckFailure,
    CheckResult,
    CheckWarning,
    DockerStreamError,
    Outline,
    OutlineArg,
    OutlineMount,
    ProtocolViolated,
    SourceFile,
    SourceLines,
    TargetSummary,
)
from dockerproto.messages.decoding import BuildMessages
from dockerproto.messages.subrequests import (
    MAX_LINES,
    SUBREQUEST,
    SubrequestReducer,
    parse_check,
    parse_outline,
    parse_targets,
)
from dockerproto.messages.trace import StatusResponse, Vertex

TEXT = "# build the thing\nFROM busybox AS Build\r\nARG V=1\nRUN a \\\n  b\n"
DATA = b64encode(TEXT.encode()).decode()
PARSERS: list[Callable[[bytes], Any]] = [parse_check, parse_outline, parse_targets]


def at(first: int, last: int, **more: Any) -> dict[str, Any]:
    """Return a location as engines send it."""
    return {
        "ranges": [{"start": {"line": first, "character": 1}, "end": {"line": last}}],
        **more,
    }


def reply(document: object) -> bytes:
    return json.dumps(document).encode()


LINT: dict[str, Any] = {
    "warnings": [
        {
            "ruleName": "StageNameCasing",
            "description": "Stage names should be lowercase",
            "url": "https://docs.docker.com/go/dockerfile/rule/stage-name-casing/",
            "detail": "Stage name 'Build' should be lowercase",
            "location": at(2, 2),
        },
        {"ruleName": "Bare"},
        {"ruleName": "Later", "location": {**at(4, 5, sourceIndex=0), "future": 1}, "level": 1},
    ],
    "sources": [
        {"filename": "Dockerfile", "data": DATA, "language": "Dockerfile", "definition": {"def": []}}
    ],
}
NAMED = (SourceLines(2, 2, ("FROM busybox AS Build",)),)
RUN = (SourceLines(4, 5, ("RUN a \\", "  b")),)

PLACES: list[tuple[Any, str | None, tuple[SourceLines, ...]]] = [
    (at(2, 2, sourceIndex=1), None, (SourceLines(2, 2),)),
    (at(2, 2, sourceIndex=-1), None, (SourceLines(2, 2),)),
    (at(2, 2, sourceIndex=2**80), None, (SourceLines(2, 2),)),
    (at(0, 0), "Dockerfile", (SourceLines(0, 0),)),
    (at(5, 2), "Dockerfile", (SourceLines(5, 2),)),
    (at(99, 2**31 - 1), "Dockerfile", (SourceLines(99, 2**31 - 1),)),
    ({"ranges": None}, "Dockerfile", ()),
    ({"ranges": [{}]}, "Dockerfile", (SourceLines(0, 0),)),
    ({"ranges": [{"start": {"line": 3}}]}, "Dockerfile", (SourceLines(3, 3, ("ARG V=1",)),)),
    ({"ranges": [{"end": None, "start": None}]}, "Dockerfile", (SourceLines(0, 0),)),
]
WRONG_TYPES: list[tuple[Callable[[bytes], Any], Any]] = [
    (parse_check, {"warnings": 5}),
    (parse_check, {"warnings": [None]}),
    (parse_check, {"warnings": [{}]}),
    (parse_check, {"warnings": [{"ruleName": 5}]}),
    (parse_check, {"warnings": [{"ruleName": "A", "detail": []}]}),
    (parse_check, {"warnings": [{"ruleName": "A", "location": []}]}),
    (parse_check, {"warnings": [{"ruleName": "A", "location": {"sourceIndex": "1"}}]}),
    (parse_check, {"warnings": [{"ruleName": "A", "location": at(-1, 1)}]}),
    (parse_check, {"warnings": [{"ruleName": "A", "location": at(1, 2**31)}]}),
    (parse_check, {"warnings": [{"ruleName": "A", "location": {"ranges": [{"start": 1}]}}]}),
    (parse_check, {"buildError": "no"}),
    (parse_check, {"buildError": {}}),
    (parse_outline, {"name": None}),
    (parse_outline, {"args": [{}]}),
    (parse_outline, {"args": [{"name": "A", "value": 5}]}),
    (parse_outline, {"secrets": [{"name": "A", "required": "yes"}]}),
    (parse_outline, {"ssh": "default"}),
    (parse_targets, {"targets": {"a": 1}}),
    (parse_targets, {"targets": [{"default": 1}]}),
]


class TestACheck:
    def test_has_warnings(self) -> None:
        check = parse_check(reply(LINT))
        assert check == CheckResult(
            (
                CheckWarning(
                    "StageNameCasing",
                    "Stage names should be lowercase",
                    "Stage name 'Build' should be lowercase",
                    "https://docs.docker.com/go/dockerfile/rule/stage-name-casing/",
                    "Dockerfile",
                    NAMED,
                ),
                CheckWarning("Bare"),
                CheckWarning("Later", filename="Dockerfile", ranges=RUN),
            ),
            None,
            (SourceFile("Dockerfile", TEXT),),
        )
        assert not check.ok

    @pytest.mark.parametrize("document", [{"warnings": None, "sources": None}, {"warnings": []}, {}], ids=str)
    def test_of_a_good_dockerfile(self, document: object) -> None:
        check = parse_check(reply(document))
        assert check == CheckResult()
        assert check.ok

    def test_has_a_failure(self) -> None:
        error = {"message": "unknown instruction: FOO", "location": at(3, 3)}
        check = parse_check(reply({"warnings": [], "buildError": error, "sources": LINT["sources"]}))
        assert check.failure == CheckFailure(
            "unknown instruction: FOO", "Dockerfile", (SourceLines(3, 3, ("ARG V=1",)),)
        )
        assert not check.ok

    def test_has_a_failure_without_a_place(self) -> None:
        check = parse_check(reply({"buildError": {"message": "no", "location": None}}))
        assert check.failure == CheckFailure("no")

    @pytest.mark.parametrize(("location", "filename", "ranges"), PLACES, ids=str)
    def test_of_any_place(self, location: object, filename: str | None, ranges: object) -> None:
        warned = [{"ruleName": "A", "location": location}]
        document: dict[str, Any] = {"warnings": warned, "sources": LINT["sources"]}
        (warning,) = parse_check(reply(document)).warnings
        assert (warning.filename, warning.ranges) == (filename, ranges)

    def test_of_a_dockerfile_that_is_not_utf8(self) -> None:
        sources: list[Any] = [{"data": b64encode(b"FROM \xff").decode()}, {"data": None}]
        warned: list[Any] = [{"ruleName": "A", "location": {}}]
        check = parse_check(reply({"sources": sources, "warnings": warned}))
        assert check.sources == (SourceFile("", "FROM �"), SourceFile("", ""))
        assert check.warnings[0].filename is None


class TestAnOutline:
    def test_has_what_a_target_takes(self) -> None:
        document = {
            "name": "build",
            "description": "the thing",
            "args": [
                {"name": "V", "description": "is the version", "value": "1", "location": at(3, 3)},
                {"name": "W"},
            ],
            "secrets": [{"name": "token", "required": True, "location": at(4, 5)}],
            "ssh": [{"name": "default"}],
            "cache": [{"ID": "later"}],
            "sources": [DATA],
        }
        assert parse_outline(reply(document)) == Outline(
            "build",
            "the thing",
            (OutlineArg("V", "is the version", "1", (SourceLines(3, 3, ("ARG V=1",)),)), OutlineArg("W")),
            (OutlineMount("token", True, RUN),),
            (OutlineMount("default"),),
            (TEXT,),
        )

    def test_may_be_empty(self) -> None:
        assert parse_outline(b"{}") == Outline()


class TestTargets:
    def test_are_listed(self) -> None:
        document = {
            "targets": [
                {"name": "build", "description": "the thing", "base": "busybox", "location": at(2, 2)},
                {"default": True, "base": "scratch", "platform": "linux/amd64"},
            ],
            "sources": [DATA],
        }
        assert parse_targets(reply(document)) == [
            TargetSummary("build", "the thing", False, "busybox", None, NAMED),
            TargetSummary(None, "", True, "scratch", "linux/amd64"),
        ]

    def test_may_be_none(self) -> None:
        assert parse_targets(b'{"targets": null, "sources": []}') == []


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"{", b"no JSON", b"\xff\xfe", b'{"sources": "\xff"}', b"null", b"[]", b"1", b'"text"'),
        b'{"sources": 5}',
        b'{"sources": [5]}',
        b'{"sources": ["not base64", {"data": "not base64"}]}',
        b'{"sources": {"a": 1}}',
        b"[" * 100_000,
        b'{"later": ' + b"[" * 100_000,
        b'{"later": "\\ud800"}',
    ],
    ids=lambda data: repr(data[:30]),
)
def test_replies_of_another_form(parse: Callable[[bytes], Any], data: bytes) -> None:
    with pytest.raises(ProtocolViolated, match=r"^the engine's reply is malformed: "):
        parse(data)


@pytest.mark.parametrize(
    ("parse", "document"), WRONG_TYPES, ids=lambda value: getattr(value, "__name__", repr(value))
)
def test_values_of_another_type(parse: Callable[[bytes], Any], document: object) -> None:
    with pytest.raises(ProtocolViolated, match=r"^the engine's reply is malformed: Expected|.* missing"):
        parse(reply(document))


def test_lines_are_limited() -> None:
    """A short reply may be about the same lines again and again."""
    text = b64encode(b"\n" * 1000).decode()
    warnings = [{"ruleName": "A", "location": at(1, 1000)}] * (MAX_LINES // 1000)
    document: dict[str, Any] = {"warnings": warnings, "sources": [{"data": text}]}
    assert len(parse_check(reply(document)).warnings) == MAX_LINES // 1000
    document["warnings"] = [*warnings, {"ruleName": "A", "location": at(1, 1)}]
    with pytest.raises(ProtocolViolated, match=r"^the engine's reply is about more than 250000 lines$"):
        parse_check(reply(document))


class TestTheReducer:
    def test_has_the_result_of_the_messages(self) -> None:
        reducer = SubrequestReducer(parse_check)
        reducer.add({"id": "other"})
        reducer.add({"id": SUBREQUEST, "aux": b64encode(reply(LINT)).decode()})
        assert reducer.result() == parse_check(reply(LINT))

    def test_has_none_without_a_reply(self) -> None:
        with pytest.raises(ProtocolViolated):
            SubrequestReducer(parse_check).result()

    def test_explains_an_error(self) -> None:
        reducer = SubrequestReducer(parse_check)
        trace = StatusResponse(vertexes=(Vertex("sha256:1", name="load metadata", error="no such host"),))
        line = {"id": "moby.buildkit.trace", "aux": b64encode(trace.encode()).decode()}
        for message in BuildMessages().feed(json.dumps(line).encode() + b"\n"):
            reducer.add(message)
        error = DockerStreamError("a: no such host")
        reducer.explain(error)
        assert error.step is not None
        assert error.step.name == "load metadata"
