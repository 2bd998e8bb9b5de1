"""An engine that answers at once, for thousands of interrupted calls, and counts of what each has left."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import Any

from dockerproto.client import Client
from tests.support.calling import Speak
from tests.support.controlling import Native, building_or_replying
from tests.testbed.scripted import (
    Reply,
    ScriptedEngine,
    UntilClosed,
    chunk,
    chunked,
    json_response,
    stream_head,
)

REPLIES: dict[tuple[str, str], Reply] = {
    ("GET", "/images/busybox/json"): json_response({"Id": "sha256:0"}),
    ("GET", "/images/busybox/get"): chunked(bytes(1024)),
    ("GET", "/images/endless/get"): (stream_head(), chunk(bytes(1024)), UntilClosed()),
    ("POST", "/images/create"): chunked(b'{"status":"a"}\n', b'{"status":"b"}\n'),
    ("POST", "/images/load"): chunked(b'{"stream":"Loaded image: a"}\n'),
    ("POST", "/auth"): json_response({"Status": "Login Succeeded"}),
    ("POST", "/session"): (Speak(), UntilClosed()),
    ("POST", "/grpc"): (building_or_replying(), UntilClosed()),
    ("PRI", "*"): (Native(building_or_replying()), UntilClosed()),
    ("POST", "/build"): chunked(b'{"stream":"done"}\n'),
}


def ready_engine(scripted: ScriptedEngine) -> ScriptedEngine:
    """Return an engine with the image busybox, and one whose export never ends."""
    scripted.api_version = "1.47"
    for endpoint, reply in REPLIES.items():
        scripted.script(*endpoint, reply)
    return scripted


def build_context(tmp_path: Path) -> Path:
    """Return a directory with a Dockerfile, a file in a directory, and an archive."""
    directory = tmp_path / "context"
    (directory / "a" / "b").mkdir(parents=True)
    (directory / "Dockerfile").write_text("FROM scratch\n")
    (directory / ".dockerignore").write_text("export\n")
    (directory / "a" / "b" / "file").write_text("content")
    with tarfile.open(directory / "archive.tar.gz", "w:gz") as archive:
        archive.add(directory / "Dockerfile", "Dockerfile")
    return directory


def descriptors() -> int:
    """Count the descriptors that this process has open."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # thousands of times


def connections(client: Client) -> tuple[int, int]:
    """Count the connections of a client, and the idle ones."""
    engine: Any = vars(client)["engine"]
    sender: Any = engine._sender
    carriers = (
        getattr(getattr(sender, "_transport", None), "_connections", sender),
        engine.connections,
    )
    own: dict[int, Any] = {id(each): each for each in carriers}
    pools = [pool for each in own.values() for pool in each._pools.values()]
    return sum(len(pool._known) for pool in pools), sum(len(pool._idle) for pool in pools)
