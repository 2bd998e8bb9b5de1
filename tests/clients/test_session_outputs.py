"""Outputs that cannot be written: the exception has the system's reason, not the engine's."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dockerproto import DockerStreamError, OutputFailed, StepFailed, Tar
from dockerproto.buildkit.files.fsutil import BytesMessage, Packet, entry_to_stat
from tests.conftest import Connect
from tests.support.calling import Speak, Speaking
from tests.support.filesync import data, file
from tests.support.limits import largest_file
from tests.testbed.scripted import LAST_CHUNK, ScriptedEngine, UntilClosed, WaitFor, chunk, stream_head

pytestmark = pytest.mark.anyio

METHOD = "/moby.filesync.v1.FileSend/DiffCopy"
LIMIT, PIECE, PIECES = 2**20, 2**18, 8
EOF = b'{"errorDetail":{"message":"failed to solve: EOF"}}'
NONZERO = (
    b'{"errorDetail":{"code":2,'
    b'"message":"process \\"/bin/sh -c make\\" did not complete successfully: exit code: 2"}}'
)


def send_tar(speaking: Speaking) -> None:
    stream = speaking.begin(METHOD, *(BytesMessage(b"x" * PIECE).encode() for _ in range(PIECES)))
    speaking.end(stream)


def send_tree(speaking: Speaking) -> None:
    entry = Packet(stat=entry_to_stat(file("large", PIECE * PIECES)))
    stream = speaking.begin(METHOD, entry.encode(), Packet().encode())
    while not speaking.messages[stream]:  # the file is requested
        speaking.hear()
    for _ in range(PIECES):
        speaking.grpc.send(stream, data(0, b"x" * PIECE).encode())
    speaking.end(stream)


OUTPUTS: dict[str, tuple[Callable[[Path], Any], Callable[[Speaking], object], str]] = {
    "directory": (lambda path: path / "dist", send_tree, "'large'"),
    "tar": (lambda path: Tar(path / "out.tar"), send_tar, "'out.tar'"),
}


def script(engine: ScriptedEngine, send: Callable[[Speaking], object], failure: bytes) -> None:
    sent = threading.Event()

    def speak(speaking: Speaking) -> None:
        send(speaking)
        sent.set()

    engine.script("POST", "/session", (Speak(speak), UntilClosed()))
    engine.script(
        "POST", "/build", (stream_head(), chunk(b'{"stream":"a"}'), WaitFor(sent), chunk(failure), LAST_CHUNK)
    )


def files(directory: Path) -> list[Path]:
    """Return the files in a directory, at any depth, except sockets."""
    return [path for path in directory.rglob("*") if path.is_file()]


def build(docker: Any, output: Any, **options: Any) -> Any:
    return docker.images.build(remote="https://h/a.git", output=output, builder="buildkit", **options)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("stream", [False, True])
async def test_an_output_that_becomes_too_large(
    output: str, stream: bool, scripted: ScriptedEngine, connect: Connect, tmp_path: Path
) -> None:
    destination, send, name = OUTPUTS[output]
    script(scripted, send, EOF)
    async with connect(scripted.url) as docker:
        with largest_file(LIMIT), pytest.raises(OutputFailed) as raised:
            building = build(docker, destination(tmp_path), stream=stream)
            await (building.rest() if stream else building)
    error = raised.value
    assert error.message == f"cannot write the build output: [Errno 27] File too large: {name}"
    assert isinstance(error, DockerStreamError)
    assert (error.messages, error.step) == ([{"stream": "a"}], None)
    assert error.error_detail == {"message": "failed to solve: EOF"}
    assert isinstance(error.__cause__, OutputFailed)
    assert "the engine reported: failed to solve: EOF" in "".join(traceback.format_exception(error))
    assert files(tmp_path) == []


@pytest.mark.parametrize("output", OUTPUTS)
async def test_a_full_disk(
    output: str,
    scripted: ScriptedEngine,
    connect: Connect,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def write(*_: object) -> int:
        raise OSError(28, "No space left on device")

    destination, send, name = OUTPUTS[output]
    script(scripted, send, EOF)
    monkeypatch.setattr("dockerproto_local.output_directory.os.write", write)
    async with connect(scripted.url) as docker:
        with pytest.raises(OutputFailed) as raised:
            await build(docker, destination(tmp_path))
    assert (
        raised.value.message == f"cannot write the build output: [Errno 28] No space left on device: {name}"
    )


async def test_a_directory_that_cannot_be_made(
    scripted: ScriptedEngine, connect: Connect, tmp_path: Path
) -> None:
    (tmp_path / "dist").write_text("a file")
    script(scripted, lambda speaking: speaking.ask(METHOD), EOF)
    async with connect(scripted.url) as docker:
        with pytest.raises(OutputFailed, match=r"^cannot write the build output: .*File exists: '.*/dist'\n"):
            await build(docker, tmp_path / "dist")


async def test_a_step_that_fails_decides(scripted: ScriptedEngine, connect: Connect, tmp_path: Path) -> None:
    script(scripted, send_tar, NONZERO)
    async with connect(scripted.url) as docker:
        with largest_file(LIMIT), pytest.raises(StepFailed) as raised:
            await build(docker, Tar(tmp_path / "out.tar"))
    assert isinstance(raised.value.__cause__, OutputFailed)


async def test_a_tar_that_is_cut_is_not_the_reason(
    scripted: ScriptedEngine, connect: Connect, tmp_path: Path
) -> None:
    script(scripted, lambda speaking: speaking.ask(METHOD, BytesMessage(b"x" * 512).encode()), EOF)
    async with connect(scripted.url) as docker:
        with pytest.raises(DockerStreamError, match=r"^failed to solve: EOF$") as raised:
            await build(docker, Tar(tmp_path / "out.tar"))
    assert isinstance(raised.value.__cause__, OutputFailed)
