"""Connections of buildx to the Control API of real engines: both sides read them, wherever they are split."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from dockerproto.buildkit.control.calls import Call, Calls
from dockerproto.buildkit.control.messages import Entry, SolveRequest, StatusRequest
from dockerproto.buildkit.control.solve import Solve
from dockerproto.buildkit.control.worker import worker_of
from dockerproto.buildkit.rpc.grpc import GRPC, CallStarted, HalfClosed, MessageReceived
from dockerproto.messages.decoding import BuildMessages
from dockerproto.messages.results import BuildResult, build_result
from tests.support.controlling import ControlServer
from tests.support.feeding import in_pieces
from tests.support.recorded_sessions import OF_BUILDX, sent_by

CONTROL = "/moby.buildkit.v1.Control/"
GATEWAY = "/moby.buildkit.v1.frontend.LLBBridge/"
IMAGES = {
    "buildx-docker-20.10": "sha256:47379ed2c60048718ad73972a95bb56353d90af5af21c4d0ff0fd30fd6444c7d",
    "buildx-docker-26.1": "sha256:892583dd644b431695265ac745576c4120af0f502672734c50fb5adc5eb44e7c",
}
STEPS = {
    "[internal] load build definition from Dockerfile",
    "[internal] load .dockerignore",
    "[internal] load build context",
    "[1/1] COPY file /",
    "exporting to image",
}
PROBE = {"ListWorkers", "Status", "Solve", "Ping", "Return"}
"""Calls of a build without a frontend, by which buildx asks for abilities."""

pytestmark = [
    pytest.mark.parametrize("size", [1, 2, 7, 1000]),
    pytest.mark.parametrize("recording", OF_BUILDX),
]


def split(side: str, recording: str, size: int) -> list[bytes]:
    """Return what a side sent, in pieces of a size."""
    return in_pieces(sent_by(side, recording, "control"), size)


def called(pieces: Iterable[bytes]) -> list[tuple[str, bytes]]:
    """Feed what buildx sent to the served side; return its complete calls, each with its message."""
    served, paths, calls = GRPC(), dict[int, str](), list[tuple[str, bytes]]()
    messages: dict[int, bytes] = {}
    for piece in pieces:
        for event in served.feed(piece):
            if isinstance(event, CallStarted):
                paths[event.stream] = event.path
            elif isinstance(event, MessageReceived):
                messages[event.stream] = event.message
                served.acknowledge(event.stream, event.message)
            elif isinstance(event, HalfClosed):
                calls.append((paths[event.stream], messages[event.stream]))
    return calls


def test_an_engine_reads_the_calls_of_buildx(recording: str, size: int) -> None:
    calls = called(split("client", recording, size))
    assert calls == called([sent_by("client", recording, "control")])
    *probe, last = [path.rpartition("/")[2] for path, _ in calls]
    assert set(probe[:5]) == PROBE
    assert probe[5:] == ["ListWorkers", "Status", "Solve", "Ping", "Solve", "Return"]
    assert last == "ListenBuildHistory"
    assert [path for path, _ in calls if path.endswith("/Return")] == [f"{GATEWAY}Return"] * 2


def test_an_engine_reads_the_build_of_buildx(recording: str, size: int) -> None:
    server = ControlServer()
    for piece in split("client", recording, size):
        server.feed(piece)
    request = server.solve
    assert request.ref == StatusRequest.decode(server.requests["Status"]).ref
    assert request.exporters == (Entry("moby", {"name": "recorded:1"}),)
    assert (request.exporter, request.exporter_attributes) == ("moby", {"name": "recorded:1"})
    assert request.frontend_attributes == {
        "build-arg:SALT": "x",
        "filename": "Dockerfile",
        "image-resolve-mode": "local",
    }
    assert request.frontend == ""
    assert len(request.session) == 25


def replied(recording: str, pieces: Iterable[bytes]) -> tuple[Calls, dict[str, Call], Solve]:
    """Feed what an engine sent to the same calls; return them, the build among them."""
    calls, begun, solve = Calls(), dict[str, Call](), None
    for number, path in enumerate(_as_begun(recording)):
        if number >= len(PROBE) and path == "Status":
            solve = Solve(calls, SolveRequest("ref"), quiet=False)
        elif number < len(PROBE) or path != "Solve":
            begun[path] = calls.begin(path, unary=path not in ("Status", "ListenBuildHistory"))
    assert solve is not None
    for piece in pieces:
        calls.feed(piece)
    return calls, begun, solve


def _as_begun(recording: str) -> list[str]:
    """Return the methods that buildx called, in the order in which the calls began; gateway ones in full."""
    events = GRPC().feed(sent_by("client", recording, "control"))
    return [event.path.removeprefix(CONTROL) for event in events if isinstance(event, CallStarted)]


def test_a_client_reads_the_build_of_an_engine(recording: str, size: int) -> None:
    calls, begun, solve = replied(recording, split("engine", recording, size))
    assert not worker_of(calls.reply(begun["ListWorkers"])).containerd
    lines = solve.messages()
    assert solve.over
    decoder = BuildMessages()
    messages = [*decoder.feed(lines), *decoder.feed(b"")]
    vertexes = [vertex for each in messages if "trace" in each for vertex in each["trace"].vertexes]
    assert {vertex.name for vertex in vertexes} == STEPS
    result = build_result(messages)
    assert isinstance(result, BuildResult)
    assert (result.image_id, result.tags) == (IMAGES[recording], ("recorded:1",))
    assert result.metadata["containerimage.digest"] == IMAGES[recording]


def test_a_client_reads_the_ends_of_calls(recording: str, size: int) -> None:
    """Engine 20.10 has no history of builds."""
    _, begun, _ = replied(recording, split("engine", recording, size))
    ended = {path: call.ended for path, call in begun.items()}
    assert None not in ended.values()
    history = begun["ListenBuildHistory"]
    assert history.succeeded is (recording != "buildx-docker-20.10")
    assert all(call.succeeded for call in begun.values() if call is not history)
