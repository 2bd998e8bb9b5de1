"""Sessions that buildx served to real engines: both sides read what was sent, wherever it is split."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from dockerproto.buildkit.files.fsutil import Packet, PacketType
from dockerproto.buildkit.files.sender import file_sync
from dockerproto.buildkit.rpc.grpc import GRPC, CallStarted, MessageReceived
from dockerproto.buildkit.session.services import health
from tests.buildkit.files.test_filesync import recorded_tree
from tests.support.calling import Engine
from tests.support.feeding import bytewise, in_pieces
from tests.support.recorded_sessions import OF_BUILDX, Answers, answers, pieces_by, sent_by

DOCKERFILE, IGNORE_FILE, CONTEXT = 1, 3, 5
"""Streams in which the recorded engines ask for files."""
SELECTION = ("dir-name", "followpaths", "exclude-patterns")
SYNC = "/moby.filesync.v1.FileSync/DiffCopy"

pytestmark = pytest.mark.parametrize("recording", OF_BUILDX)


def received(pieces: Iterable[bytes]) -> dict[int, list[Packet]]:
    """Feed what buildx sent to the calls of an engine; return the packets of each call."""
    engine = GRPC(calls=True)
    packets: dict[int, list[Packet]] = {}
    for stream in (DOCKERFILE, IGNORE_FILE, CONTEXT):
        assert engine.call(SYNC) == stream
        packets[stream] = []
    for piece in pieces:
        for event in engine.feed(piece):
            if isinstance(event, MessageReceived):
                packets[event.stream].append(Packet.decode(event.message))
                engine.acknowledge(event.stream, event.message)
    return packets


def asked(pieces: Iterable[bytes]) -> list[tuple[str, dict[str, tuple[str, ...]]]]:
    """Feed what an engine sent to the served side; return its calls, each with its selection of files."""
    served = GRPC()
    calls: list[tuple[str, dict[str, tuple[str, ...]]]] = []
    for piece in pieces:
        for event in served.feed(piece):
            if isinstance(event, CallStarted):
                selection = {each: event.metadata[each] for each in SELECTION if each in event.metadata}
                calls.append((event.path, selection))
            elif isinstance(event, MessageReceived):
                served.acknowledge(event.stream, event.message)
    return calls


def replayed(recording: str, pieces: Iterable[bytes]) -> Answers:
    """Feed what an engine sent to a session with the same files; return its replies."""
    packets = received(pieces_by("client", recording))
    trees = {
        "dockerfile": recorded_tree(packets[DOCKERFILE]),
        "context": recorded_tree(packets[IGNORE_FILE], packets[CONTEXT]),
    }
    served = Engine({**health(), **file_sync(trees)})
    wire = served.hear(pieces)
    served.session.close()
    assert served.session.failure is None
    return answers(wire)


def contents(packets: list[Packet]) -> tuple[list[str], bytes]:
    """Return the paths and the contents of the files in a call."""
    paths = [each.stat.path for each in packets if each.stat is not None]
    return paths, b"".join(each.data for each in packets if each.type == PacketType.DATA)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_an_engine_reads_the_files_of_buildx(recording: str, size: int) -> None:
    packets = received(in_pieces(sent_by("client", recording), size))
    assert {stream: contents(each) for stream, each in packets.items()} == {
        DOCKERFILE: (["Dockerfile"], b"FROM scratch\nCOPY file /\n"),
        IGNORE_FILE: ([".dockerignore"], b"ignored\n"),
        CONTEXT: (["file"], b"content\n"),
    }


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_a_session_reads_the_calls_of_an_engine(recording: str, size: int) -> None:
    assert asked(in_pieces(sent_by("engine", recording), size)) == [
        (
            SYNC,
            {
                "dir-name": ("dockerfile",),
                "followpaths": ("Dockerfile", "Dockerfile.dockerignore", "dockerfile"),
            },
        ),
        (SYNC, {"dir-name": ("context",), "followpaths": (".dockerignore",)}),
        (
            SYNC,
            {"dir-name": ("context",), "followpaths": ("file",), "exclude-patterns": ("ignored",)},
        ),
    ]


def test_a_session_replies_as_buildx_did(recording: str) -> None:
    theirs = answers(sent_by("client", recording))
    assert replayed(recording, pieces_by("engine", recording)) == theirs
    assert replayed(recording, bytewise(sent_by("engine", recording))) == theirs
