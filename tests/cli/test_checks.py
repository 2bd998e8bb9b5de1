"""The command's --check and --call: their syntax, and how each reply is printed."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from base64 import b64encode

import pytest

from dockerproto.buildkit.control.messages import FrontendRequest
from dockerproto_cli.arguments import parse
from dockerproto_cli.checks import CHECK, Question, read_call
from tests.messages.test_subrequests import DATA, LINT, TEXT, at
from tests.support.commanding import Run, stdin
from tests.support.control_engines import script
from tests.support.controlling import replied, replying
from tests.testbed.scripted import ScriptedEngine

FAILURE = {"message": "unknown instruction: FOO", "location": at(3, 3)}
OUTLINE = {
    "name": "made",
    "description": "the thing",
    "args": [
        {"name": "V", "description": "is the version", "value": "1", "location": at(3, 3)},
        {"name": "W"},
    ],
    "secrets": [{"name": "token", "required": True}],
    "ssh": [{"name": "default"}],
    "sources": [DATA],
}
TARGETS = {
    "targets": [
        {"name": "made", "description": "the thing", "base": "busybox"},
        {"default": True, "base": "scratch", "platform": "linux/amd64", "location": at(2, 2)},
        {"name": "last", "default": True},
    ]
}


@pytest.fixture
def run(scripted: ScriptedEngine, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(scripted, capsys)


def reply(run: Run, document: object) -> None:
    script(run.engine, replying(replied(document)))


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("build", None),
        ("check", Question("check")),
        ("outline,format=json", Question("outline", json=True)),
        ("targets,format=text", Question("targets")),
    ],
)
def test_syntax(text: str, question: object) -> None:
    assert read_call(text) == question


@pytest.mark.parametrize("text", ["", "lint", "check,", "check,format=xml", "check,format=json,x", "json"])
def test_other_syntax(text: str) -> None:
    with pytest.raises(ArgumentTypeError) as raised:
        read_call(text)
    assert str(raised.value) == (
        f"must be check, outline or targets, with or without ,format=json, not {text!r}"
    )


@pytest.mark.parametrize(
    ("line", "question"),
    [
        ("build .", None),
        ("build --call build .", None),
        ("build --check .", CHECK),
        ("build --call check .", CHECK),
        ("build --check --call targets .", Question("targets")),
    ],
)
def test_the_last_option_counts(line: str, question: object) -> None:
    assert parse(line.split()).call == question


class TestACheck:
    def test_without_warnings(self, run: Run) -> None:
        reply(run, {"warnings": []})
        assert run("build", "--check", "https://h/a.git") == ["Check complete, no warnings found."]
        assert run.errors == ""

    def test_with_warnings(self, run: Run) -> None:
        reply(run, LINT)
        assert run("build", "--check", "https://h/a.git", status=1) == [
            "Check complete, 3 warnings found.",
            "",
            ("WARNING: StageNameCasing - https://docs.docker.com/go/dockerfile/rule/stage-name-casing/"),
            "Stage name 'Build' should be lowercase",
            "Dockerfile:2",
            "--------------------",
            "2 | FROM busybox AS Build",
            "--------------------",
            "",
            "WARNING: Bare",
            "",
            "",
            "WARNING: Later",
            "",
            "Dockerfile:4",
            "--------------------",
            "4 | RUN a \\",
            "5 |   b",
            "--------------------",
        ]

    def test_with_one_warning(self, run: Run) -> None:
        reply(
            run, {"warnings": [{"ruleName": "A", "description": "b", "location": at(10, 10, sourceIndex=9)}]}
        )
        assert run("build", "--check", "https://h/a.git", status=1) == [
            *("Check complete, 1 warning found.", "", "WARNING: A", "b"),
            *("Dockerfile:10", "--------------------", "--------------------"),
        ]

    def test_with_a_failure(self, run: Run) -> None:
        reply(run, {"buildError": FAILURE, "sources": LINT["sources"]})
        assert run("build", "--check", "https://h/a.git", status=1) == [
            *("Check failed, no warnings found.", "", "ERROR: unknown instruction: FOO"),
            *("Dockerfile:3", "--------------------", "3 | ARG V=1", "--------------------"),
        ]

    def test_with_a_failure_after_a_warning(self, run: Run) -> None:
        reply(run, {"warnings": [{"ruleName": "A"}], "buildError": {"message": "no"}})
        assert run("build", "--check", "https://h/a.git", status=1) == [
            "Check failed, 1 warning found.",
            "",
            "WARNING: A",
            "",
            "",
            "ERROR: no",
        ]

    @pytest.mark.parametrize("text", ["\x1b[31m", "a\nb", "\u202e"])
    def test_escapes_what_an_engine_sends(self, run: Run, text: str) -> None:
        warning = {"ruleName": text, "url": text, "detail": text, "location": at(1, 1)}
        sources = [{"filename": text, "data": b64encode(text.replace("\n", "").encode()).decode()}]
        reply(run, {"warnings": [warning], "sources": sources})
        lines = run("build", "--check", "https://h/a.git", status=1)
        assert len(lines) == 8
        assert not [line for line in lines if text in line and text != "a\nb"]

    @pytest.mark.parametrize("options", [("--check", "--json"), ("--call", "check,format=json")], ids=str)
    def test_as_json(self, run: Run, options: tuple[str, ...]) -> None:
        reply(run, {**LINT, "buildError": FAILURE})
        lines = run("build", *options, "https://h/a.git", status=1)
        assert (len(lines) == 1) == ("--json" in options)
        document = json.loads("\n".join(lines))
        assert document["warnings"][0] == {
            "ruleName": "StageNameCasing",
            "description": "Stage names should be lowercase",
            "url": "https://docs.docker.com/go/dockerfile/rule/stage-name-casing/",
            "detail": "Stage name 'Build' should be lowercase",
            "location": {"sourceIndex": 0, "ranges": [{"start": {"line": 2}, "end": {"line": 2}}]},
        }
        assert document["warnings"][1]["location"] == {"sourceIndex": 0, "ranges": []}
        assert document["sources"] == [{"filename": "Dockerfile", "data": DATA}]
        assert document["buildError"]["message"] == "unknown instruction: FOO"

    def test_of_several_sources_as_json(self, run: Run) -> None:
        sources = [{"filename": "a"}, {"filename": "b"}]
        reply(run, {"warnings": [{"ruleName": "A", "location": {"sourceIndex": 1}}], "sources": sources})
        (line,) = run("build", "--check", "--json", "https://h/a.git", status=1)
        assert json.loads(line)["warnings"][0]["location"]["sourceIndex"] == 1
        assert "buildError" not in json.loads(line)


class TestAnOutline:
    def test_as_tables(self, run: Run) -> None:
        reply(run, OUTLINE)
        assert run("build", "--call", "outline", "https://h/a.git") == [
            "TARGET: made",
            "DESCRIPTION: the thing",
            "BUILD ARG   VALUE   DESCRIPTION",
            "V           1       is the version",
            "W",
            "SECRET   REQUIRED",
            "token    yes",
            "SSH       REQUIRED",
            "default",
        ]

    def test_that_is_empty(self, run: Run) -> None:
        reply(run, {})
        assert run("build", "--call", "outline", "https://h/a.git") == []

    def test_as_json(self, run: Run) -> None:
        reply(run, OUTLINE)
        document = json.loads("".join(run("build", "--call", "outline,format=json", "https://h/a.git")))
        assert document == {
            "name": "made",
            "description": "the thing",
            "args": [
                {
                    "name": "V",
                    "description": "is the version",
                    "value": "1",
                    "location": {"ranges": [{"start": {"line": 3}, "end": {"line": 3}}]},
                },
                {"name": "W", "location": {"ranges": []}},
            ],
            "secrets": [{"name": "token", "required": True, "location": {"ranges": []}}],
            "ssh": [{"name": "default", "location": {"ranges": []}}],
            "sources": [b64encode(TEXT.encode()).decode()],
        }


class TestTargets:
    def test_as_a_table(self, run: Run) -> None:
        reply(run, TARGETS)
        assert run("build", "--call", "targets", "https://h/a.git") == [
            "TARGET           BASE      DESCRIPTION",
            "made             busybox   the thing",
            "(default)        scratch",
            "last (default)",
        ]

    def test_as_json(self, run: Run) -> None:
        reply(run, TARGETS)
        document = json.loads("".join(run("build", "--call", "targets,format=json", "https://h/a.git")))
        assert document["targets"][1] == {
            "default": True,
            "base": "scratch",
            "platform": "linux/amd64",
            "location": {"ranges": [{"start": {"line": 2}, "end": {"line": 2}}]},
        }


@pytest.mark.parametrize(("method", "target"), [("check", "made"), ("outline", "made"), ("targets", None)])
def test_options(run: Run, monkeypatch: pytest.MonkeyPatch, method: str, target: str | None) -> None:
    seen: list[FrontendRequest] = []
    script(run.engine, replying(replied({}), seen))
    stdin(monkeypatch, b"FROM busybox\n")
    options = "--build-arg A=1 --pull --platform linux/arm64 --target made --build-context b=docker-image://c"
    options += f" -t app --label a=b -o dist --push --no-cache --call {method} -"
    run("build", *options.split())
    attributes = seen[0].attributes
    given = {
        name: attributes.get(name) for name in ("build-arg:A", "image-resolve-mode", "platform", "target")
    }
    assert given == {
        "build-arg:A": "1",
        "image-resolve-mode": "pull",
        "platform": "linux/arm64",
        "target": target,
    }
    assert attributes["context:b"] == "docker-image://c"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--builder classic", "the classic builder does not support --call outline"),
        ("--platform a,b", "--call outline takes one platform, not a,b"),
    ],
)
def test_options_that_a_question_cannot_have(run: Run, options: str, message: str) -> None:
    run("build", "--call", "outline", *options.split(), "https://h/a.git", status=1)
    assert message in run.errors
    assert run.engine.requests == []
