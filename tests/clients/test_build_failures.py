"""Tracebacks of failed builds: the failed step and its last lines, and few frames of the library."""

from __future__ import annotations

import json
import pickle
import traceback
from pathlib import Path
from typing import Any

import pytest

import dockerproto
from dockerproto import DockerStreamError, StepFailed
from tests.conftest import Connect
from tests.support.facade import Transport
from tests.testbed.scripted import Close, ScriptedEngine, chunked, recorded, stream_head

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
LIBRARY = {ROOT / "dockerproto", ROOT / "transports"}
SECRET = "hunter2"
LIMITS = {"asyncio": 1, "trio": 1, "httpx": 4}
"""Number of frames of the library at most; a blocking call has those that run its coroutine."""


def internal(error: BaseException) -> list[str]:
    """Return the functions of the library in the traceback of an exception."""
    frames = traceback.extract_tb(error.__traceback__)
    return [each.name for each in frames if LIBRARY & {*Path(each.filename).parents}]


async def failing(docker: Any, *, stream: bool) -> DockerStreamError:
    with pytest.raises(DockerStreamError) as raised:
        if stream:
            async for _ in docker.images.build(fileobj=b"tar", stream=True):
                pass
        else:
            await docker.images.build(fileobj=b"tar")
    return raised.value


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("builder", ["classic", "buildkit"])
async def test_the_note_has_the_step_and_its_output(
    scripted: ScriptedEngine, connect: Connect, transport: Transport, builder: str, stream: bool
) -> None:
    scripted.script("POST", "/build", recorded(f"docker-20.10/build-{builder}-failing-step"))
    async with connect(scripted.url) as docker:
        error = await failing(docker, stream=stream)
    assert isinstance(error, StepFailed)
    (note,) = error.__notes__
    title, *lines = note.splitlines()
    assert title.startswith("failed step: [2/2] RUN echo out; echo err >&2; exit 3 (exit code 3)")
    assert lines == ["  out", "  err"]
    assert note in "".join(traceback.format_exception(error))
    assert pickle.loads(pickle.dumps(error)).__notes__ == [note]
    assert len(internal(error)) <= LIMITS[transport], internal(error)


@pytest.mark.parametrize("stream", [True, False])
async def test_the_note_has_nothing_but_the_engines_words(
    scripted: ScriptedEngine, connect: Connect, stream: bool
) -> None:
    lines = ["Step 1/1 : RUN deploy", "\n", "failed\n"]
    error = {"errorDetail": {"code": 1, "message": "The command 'deploy' returned a non-zero code: 1"}}
    messages = [*({"stream": line} for line in lines), error]
    scripted.script("POST", "/build", chunked(*(json.dumps(each).encode() + b"\r\n" for each in messages)))
    arguments: dict[str, Any] = {"fileobj": b"tar", "buildargs": {"TOKEN": SECRET}, "stream": stream}
    async with connect(scripted.url) as docker:
        with pytest.raises(StepFailed) as raised:
            build = docker.images.build(**arguments)
            await (build.rest() if stream else build)
    assert raised.value.__notes__ == [
        "failed step: [1/1] RUN deploy (exit code 1), whose last lines are\n  failed"
    ]
    assert SECRET not in "".join(traceback.format_exception(raised.value))


async def test_an_error_without_a_step_has_no_note(
    scripted: ScriptedEngine, connect: Connect, transport: Transport
) -> None:
    scripted.script("POST", "/images/create", recorded("docker-20.10/pull-mid-stream-error"))
    async with connect(scripted.url) as docker:
        with pytest.raises(DockerStreamError) as raised:
            await docker.images.pull("busybox")
    assert not hasattr(raised.value, "__notes__")
    assert len(internal(raised.value)) <= LIMITS[transport], internal(raised.value)


async def test_other_errors_keep_their_frames(scripted: ScriptedEngine, connect: Connect) -> None:
    scripted.script("POST", "/build", [stream_head(), Close()])
    async with connect(scripted.url) as docker:
        with pytest.raises(dockerproto.ConnectionFailed) as raised:
            await docker.images.build(fileobj=b"tar")
    assert "receive" in internal(raised.value)
