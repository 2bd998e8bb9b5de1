"""Messages and results as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dockerproto import (
    BuildResult,
    BuildWarning,
    Credentials,
    FailedStep,
    ImportResult,
    Message,
    MessageList,
    PulledTag,
    PullResult,
    PushedTag,
    PushResult,
    to_json,
)
from dockerproto.messages.decoding import BuildMessages
from dockerproto.messages.trace import StatusResponse, Timestamp, Vertex, VertexLog, VertexWarning
from tests.support.feeding import recorded

JSON: list[tuple[Any, Any]] = [
    ({"stream": "é\n"}, {"stream": "é\n"}),
    ({"aux": {"ID": None, "n": 1.5, "b": True}}, {"aux": {"ID": None, "n": 1.5, "b": True}}),
    ([{"status": "a"}], [{"status": "a"}]),
    (MessageList([{"status": "a"}], PullResult("a:1")), [{"status": "a"}]),
    (
        BuildResult("sha256:ab", ("a:1",), (BuildWarning("w", line=3),)),
        {
            "image": "sha256:ab",
            "tags": ["a:1"],
            "warnings": [{"text": "w", "detail": [], "url": None, "filename": None, "line": 3}],
            "metadata": {},
            "pushed": [],
        },
    ),
    (
        PullResult("a:1", True, (PulledTag("1", "sha256:ab"),)),
        {
            "reference": "a:1",
            "downloaded": True,
            "tags": [{"tag": "1", "digest": "sha256:ab"}],
            "mismatched_platform": None,
        },
    ),
    (
        PushResult("r/a", (PushedTag("1", "sha256:ab", 5, "r/a"),)),
        {
            "repository": "r/a",
            "tags": [{"tag": "1", "digest": "sha256:ab", "size": 5, "repository": "r/a"}],
        },
    ),
    (ImportResult(("a:1",), ("sha256:ab",)), {"references": ["a:1"], "ids": ["sha256:ab"]}),
    (FailedStep("RUN a", exit_code=3), {"name": "RUN a", "command": None, "exit_code": 3, "log": []}),
    (
        {"trace": StatusResponse(vertexes=(Vertex(digest="d", inputs=("a\udcff",), started=Timestamp(1)),))},
        {"trace": {"vertexes": [{"digest": "d", "inputs": ["a\ufffd"], "started": {"seconds": 1}}]}},
    ),
    (
        {
            "trace": StatusResponse(
                logs=(VertexLog(vertex="d", msg=b"a\xff\n"),),
                warnings=(VertexWarning(short=b"w", detail=(b"x",)),),
            )
        },
        {
            "trace": {
                "logs": [{"vertex": "d", "msg": "a\ufffd\n"}],
                "warnings": [{"short": "w", "detail": ["x"]}],
            }
        },
    ),
    ({"trace": StatusResponse()}, {"trace": {}}),
]


@pytest.mark.parametrize(("value", "document"), JSON)
def test_values_as_json(value: Any, document: Any) -> None:
    encoded = to_json(value)
    assert json.loads(encoded) == document
    assert encoded.isascii()
    assert b"\n" not in encoded


@pytest.mark.parametrize("engine", ["docker-20.10", "docker-26.1"])
def test_recorded_messages_keep_what_the_engine_sent(engine: str) -> None:
    body = recorded(engine, "build-buildkit-ok").body
    messages: list[Message] = list(BuildMessages().feed(body))
    assert any("trace" in message for message in messages)
    for message, line in zip(messages, body.splitlines(), strict=True):
        document = json.loads(to_json(message))
        document.pop("trace", None)
        assert document == json.loads(line)


@pytest.mark.parametrize("value", [object(), {"auth": Credentials(username="u", password="hush")}, {1, 2}])
def test_other_values_are_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="cannot encode") as caught:
        to_json(value)
    assert "hush" not in str(caught.value)
