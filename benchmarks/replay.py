"""The replay engine: `engine.c`, compiled, with the answers of one workload."""

from __future__ import annotations

import json
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("engine.c")
JSON = b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Type: application/json\r\n"
STREAM = JSON + b"Transfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
IMAGE = {
    "Id": "sha256:" + "5f" * 32,
    "RepoTags": ["bench:latest"],
    "RepoDigests": ["bench@sha256:" + "7c" * 32],
    "Parent": "",
    "Comment": "",
    "Created": "2024-05-14T10:15:00.123456789Z",
    "Architecture": "amd64",
    "Os": "linux",
    "Size": 4261550,
    "GraphDriver": {"Data": {"MergedDir": "/var/lib/docker/overlay2/" + "a1" * 32}, "Name": "overlay2"},
    "RootFS": {"Type": "layers", "Layers": ["sha256:" + "9b" * 32]},
    "Config": {"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], "Cmd": ["sh"]},
    "Metadata": {"LastTagTime": "2024-05-14T10:15:00.123456789Z"},
}


@dataclass(frozen=True)
class Answer:
    """A reply: a head, a block that is repeated, and a tail."""

    head: bytes
    block: bytes = b""
    times: int = 0
    tail: bytes = b""


def chunk(data: bytes) -> bytes:
    """Make one chunk."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def document(value: Any) -> Answer:
    """Make an answer of one JSON document, framed as an engine does it: in chunks unless it is small."""
    body = json.dumps(value, separators=(",", ":")).encode() + b"\n"
    if len(body) <= 2048:
        return Answer(JSON + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    return Answer(STREAM + b"".join(chunk(body[at : at + 4096]) for at in range(0, len(body), 4096)) + END)


def archive(size: int) -> Answer:
    """Make an archive in chunks of 32 KiB, as engines send it."""
    block = chunk(bytes(32768)) * 32
    return Answer(STREAM.replace(b"application/json", b"application/x-tar"), block, size // 2**20, END)


def progress(messages: int, piece: int | None = None, length: int | None = None) -> Answer:
    """Make messages, a chunk each as engines send them; or in pieces of some bytes, or all of a length."""
    lines = [_message(number, length) for number in range(min(messages, 1000))]
    block = b"".join(lines)
    if piece is None:
        block = b"".join(map(chunk, lines))
    else:
        block = b"".join(chunk(block[at : at + piece]) for at in range(0, len(block), piece))
    return Answer(STREAM, block, messages // len(lines), END)


def _message(number: int, length: int | None) -> bytes:
    detail = {"current": number * 65536, "total": 65_536_000}
    bar = "[" + "=" * (number // 25) + ">" + " " * (50 - number // 25) + "]"
    message = {"status": "Downloading", "progressDetail": detail, "progress": bar, "id": "5f70bf18a086"}
    line = json.dumps(message, separators=(",", ":")).encode()
    if length is not None:
        line = b'{"stream":"%s"}' % (b"x" * (length - 15))
    return line + b"\r\n"


def images(count: int) -> list[dict[str, Any]]:
    """Make the entries of a list of images."""
    return [
        {
            "Containers": -1,
            "Created": 1_715_681_700 + number,
            "Id": f"sha256:{number:064x}",
            "Labels": {"org.opencontainers.image.version": "1.0", "maintainer": "someone@example.com"},
            "ParentId": "",
            "RepoDigests": [f"registry.example/team/app-{number}@sha256:{number + 1:064x}"],
            "RepoTags": [
                f"registry.example/team/app-{number}:latest",
                f"registry.example/team/app-{number}:1.0",
            ],
            "SharedSize": -1,
            "Size": 4261550 + number,
        }
        for number in range(count)
    ]


COMMON = {
    "GET /_ping": Answer(JSON + b"Content-Length: 2\r\n\r\nOK"),
    "GET /version": document({"ApiVersion": "1.41", "MinAPIVersion": "1.12", "Version": "20.10.24"}),
    "GET /images/bench/json": document(IMAGE),
    "POST /images/load": Answer(STREAM + chunk(b'{"stream":"Loaded image: bench:latest\\n"}\r\n') + END),
}


def compiled() -> Path:
    """Compile the engine, if that has not been done, and return its path."""
    program = Path(tempfile.gettempdir(), f"dockerproto-replay-{SOURCE.stat().st_mtime_ns}")
    if not program.exists():
        compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
        subprocess.run([compiler, "-O2", "-pthread", "-o", program, SOURCE], check=True)
    return program


@contextmanager
def replaying(answers: dict[str, Answer]) -> Generator[str]:
    """Run an engine with these answers beside the common ones; return its URL."""
    with tempfile.TemporaryDirectory() as directory:
        routes = Path(directory, "routes")
        routes.write_text("".join(_route(Path(directory), *each) for each in (COMMON | answers).items()))
        socket = Path(directory, "engine.sock")
        program = subprocess.Popen([compiled(), socket, routes])
        try:
            while not socket.exists():
                time.sleep(0.01)
            yield f"unix://{socket}"
        finally:
            program.kill()
            program.wait()


def _route(directory: Path, request: str, answer: Answer) -> str:
    names: list[Path] = []
    for part in (answer.head, answer.block, answer.tail):
        names.append(directory / f"{abs(hash((request, part)))}-{len(names)}")
        names[-1].write_bytes(part)
    head, block, tail = names
    return f"{request} {head} {block} {answer.times} {tail}\n"
