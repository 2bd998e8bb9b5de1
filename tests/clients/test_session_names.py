"""Names and times of files that BuildKit cannot receive: names are reported, times are adjusted."""

from __future__ import annotations

import json
import os
import tarfile
import threading
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from dockerproto import DockerStreamError, UploadFailed
from dockerproto.buildkit.files.fsutil import Packet, PacketType
from tests.buildkit.files.test_sender import METHOD
from tests.conftest import Connect
from tests.support.calling import Speak, Speaking
from tests.support.filesync import FIN
from tests.testbed.scripted import (
    LAST_CHUNK,
    ScriptedEngine,
    UntilClosed,
    WaitFor,
    chunk,
    chunked,
    response,
    stream_head,
)

pytestmark = pytest.mark.anyio

BAD = os.fsdecode(b"caf\xe9")
FAILED = b'{"errorDetail":{"message":"failed to solve: EOF"}}'
STRICT = {"Api-Version": "1.51", "Server": "Docker/28.5.2 (linux)"}
LENIENT = {"Api-Version": "1.47", "Server": "Docker/27.3.1 (linux)"}
LATE = 10_413_792_000
"""A time in the year 2300, in seconds."""


class Receiving:
    """A step of a scripted engine that takes the entries of the build context.

    As engines do, it breaks the call off once it is told of a failure.
    """

    def __init__(self, engine: ScriptedEngine, ping: dict[str, str], build: bytes) -> None:
        self.packets: list[Packet] = []
        self.received = threading.Event()
        engine.script("GET", "/_ping", response(200, b"OK", ping))
        engine.script("POST", "/session", (Speak(self.receive), UntilClosed()))
        engine.script("POST", "/build", (stream_head(), WaitFor(self.received), chunk(build), LAST_CHUNK))

    def receive(self, speaking: Speaking) -> None:
        stream = speaking.begin(METHOD, FIN.encode(), metadata=[("dir-name", "context")])
        while not (stream in speaking.statuses or self.failures):
            speaking.hear()
            self.packets = [Packet.decode(each) for each in speaking.messages[stream]]
        if self.failures:
            speaking.cancel(stream)
        self.received.set()

    @property
    def failures(self) -> list[str]:
        """Failures that the engine was told of."""
        return [each.data.decode() for each in self.packets if each.type == PacketType.ERR]


def directory(root: Path, name: str) -> dict[str, Any]:
    (root / "Dockerfile").write_text("FROM busybox\nCOPY . /\n")
    (root / name).write_text("")
    os.utime(root / name, (LATE, LATE))
    return {"path": root}


def archive(_: Path, name: str) -> dict[str, Any]:
    file = BytesIO()
    with tarfile.open(fileobj=file, mode="w", errors="surrogateescape") as tar:
        for path in ("Dockerfile", name):
            member = tarfile.TarInfo(path)
            member.mtime = LATE
            tar.addfile(member)
    return {"fileobj": file.getvalue()}


CONTEXTS = pytest.mark.parametrize("context", [directory, archive])


@CONTEXTS
async def test_a_name_that_is_not_utf8_is_reported(
    context: Any, scripted: ScriptedEngine, connect: Connect, tmp_path: Path
) -> None:
    receiving = Receiving(scripted, STRICT, FAILED)
    async with connect(scripted.url) as docker:
        with pytest.raises(DockerStreamError, match="failed to solve") as raised:
            await docker.images.build(**context(tmp_path, BAD), builder="buildkit")
    cause = raised.value.__cause__
    assert isinstance(cause, UploadFailed)
    assert cause.message == (
        r"cannot send 'caf\udce9': BuildKit of Docker 27.4 and later requires file names and symlink targets "
        "in UTF-8; rename it, exclude it in .dockerignore, or use builder='classic'"
    )
    assert receiving.failures == [cause.message]
    assert not [each for each in receiving.packets if each.stat is not None]


UNNAMED = (
    "failed to send stat link: rpc error: grpc: error while marshaling: string field contains invalid UTF-8"
)
OUTPUTS = {
    "directory": ("dist", "a tar may contain any name: output=Tar(...)"),
    "none": (None, ""),
}


@pytest.mark.parametrize("output", OUTPUTS)
async def test_an_output_that_the_engine_cannot_name_has_a_hint(
    output: str, scripted: ScriptedEngine, connect: Connect, tmp_path: Path
) -> None:
    name, hint = OUTPUTS[output]
    Receiving(scripted, STRICT, json.dumps({"errorDetail": {"message": UNNAMED}}).encode())
    options = {**directory(tmp_path, "ok"), "output": name and tmp_path / name}
    async with connect(scripted.url) as docker:
        with pytest.raises(DockerStreamError) as raised:
            await docker.images.build(**options, builder="buildkit")
    assert raised.value.message == UNNAMED
    assert raised.value.hint.endswith(hint)
    assert bool(raised.value.hint) == bool(hint)


@CONTEXTS
@pytest.mark.parametrize("accepted", [(BAD, LENIENT), ("café", STRICT)], ids=["lenient", "strict"])
async def test_names_that_the_engine_accepts_are_sent(
    context: Any, accepted: Any, scripted: ScriptedEngine, connect: Connect, tmp_path: Path
) -> None:
    name, ping = accepted
    receiving = Receiving(scripted, ping, b'{"stream":"done"}')
    async with connect(scripted.url, api_version="1.41") as docker:
        await docker.images.build(**context(tmp_path, name), builder="buildkit")
    entries = [each.stat for each in receiving.packets if each.stat is not None]
    assert [each.path for each in entries] == ["Dockerfile", name]
    assert entries[-1].mod_time == 2**63 - 1


async def test_the_classic_builder_accepts_any_name(
    scripted: ScriptedEngine, connect: Connect, tmp_path: Path
) -> None:
    scripted.script("GET", "/_ping", response(200, b"OK", STRICT))
    scripted.script("POST", "/build", chunked(b'{"stream":"done"}'))
    async with connect(scripted.url) as docker:
        await docker.images.build(**directory(tmp_path, BAD), builder="classic")
    with tarfile.open(fileobj=BytesIO(scripted.requests[-1].body)) as tar:
        assert [(each.name, each.mtime) for each in tar][1] == (BAD, LATE)
