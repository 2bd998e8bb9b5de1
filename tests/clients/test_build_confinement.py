"""Build contexts that somebody else may write: no file from outside is read, and nothing is read forever."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dockerproto import DockerError, UploadFailed
from dockerproto.buildkit.files.selection import Selection, select
from dockerproto_local.directory import Directory
from dockerproto_local.pack import pack
from dockerproto_local.small_files import READ_LIMIT
from dockerproto_local.walk import walk
from tests.conftest import Connect
from tests.support.special_files import fifo, link, sparse
from tests.testbed.scripted import ScriptedEngine, chunked

SECRET = "FROM r.example/top-secret\n"
ROUNDS = 300
LINKED_OUT = "it is a symlink out of the build context"
NOT_A_FILE = "Not a regular file"
TOO_LARGE = f"Larger than {READ_LIMIT} bytes"


def at(name: str, make: Callable[[Path], None]) -> Callable[[Path], None]:
    return lambda root: make(root / name)


CASES: dict[str, tuple[Callable[[Path], None], str | None, str, str]] = {
    # what is made of the context, path_dockerfile, the file that is named, why it is not read
    "a linked Dockerfile": (at("Dockerfile", link("../secret")), None, "Dockerfile", LINKED_OUT),
    "an absolute link": (at("Dockerfile", link("/etc/passwd")), None, "Dockerfile", LINKED_OUT),
    "a named Dockerfile": (at("other", link("../secret")), "other", "other", LINKED_OUT),
    "a name with dots": (at("other", link("../secret")), "d/../other", "d/../other", LINKED_OUT),
    "a linked directory": (at("e", link("..")), "e/secret", "e/secret", LINKED_OUT),
    "an ignore file": (at(".dockerignore", link("../secret")), None, ".dockerignore", LINKED_OUT),
    "an ignore file of its own": (
        at("Dockerfile.dockerignore", link("../secret")),
        None,
        "Dockerfile.dockerignore",
        LINKED_OUT,
    ),
    "a pipe": (at("Dockerfile", fifo), None, "Dockerfile", NOT_A_FILE),
    "a pipe of ignored files": (at(".dockerignore", fifo), None, ".dockerignore", NOT_A_FILE),
    "a device": (at("x", link("x")), "/dev/zero", "/dev/zero", TOO_LARGE),
    "a sparse file": (at("Dockerfile", sparse), None, "Dockerfile", TOO_LARGE),
    "a sparse ignore file": (at(".dockerignore", sparse), None, ".dockerignore", TOO_LARGE),
    "a link to itself": (at("Dockerfile", link("Dockerfile")), None, "Dockerfile", "Too many levels"),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "d").mkdir(parents=True)
    (root / "Dockerfile").write_text("FROM busybox\n")
    (root / "d" / "Dockerfile").write_text("FROM busybox\n")
    (tmp_path / "secret").write_text(SECRET)
    return root


@pytest.mark.anyio
@pytest.mark.parametrize("builder", ["classic", "buildkit"])
@pytest.mark.parametrize("case", CASES)
async def test_files_that_must_not_be_read(
    case: str, builder: Any, root: Path, scripted: ScriptedEngine, connect: Connect
) -> None:
    make, dockerfile, name, reason = CASES[case]
    make(root)
    async with connect(scripted.url) as docker:
        with pytest.raises(UploadFailed) as raised:
            await docker.images.build(path=root, path_dockerfile=dockerfile, builder=builder)
    path = name if name.startswith("/") else f"{root}/{name}"
    assert raised.value.message.startswith(f"cannot read {path}: {reason}")
    assert [each.path for each in scripted.requests if each.path in ("/build", "/session")] == []


@pytest.mark.anyio
async def test_places_that_the_arguments_name(
    root: Path, tmp_path: Path, scripted: ScriptedEngine, connect: Connect
) -> None:
    scripted.script("POST", "/build", chunked(b'{"stream":"done"}'))
    (tmp_path / "link").symlink_to("secret")
    (tmp_path / "context").symlink_to("root")
    (root / "inside").symlink_to(root / "d" / "Dockerfile")
    named: list[Any] = ["../secret", tmp_path / "link", "inside", root / "d" / "Dockerfile"]
    async with connect(scripted.url) as docker:
        for path in (root, tmp_path / "context"):
            for dockerfile in named:
                await docker.images.build(path=path, path_dockerfile=dockerfile, builder="classic")
    dockerfiles = [each.query["dockerfile"][0] for each in scripted.requests if each.path == "/build"]
    generated = [name for name in dockerfiles if name.startswith(".dockerfile.")]
    assert len(generated) == len(set(dockerfiles) - {"d/Dockerfile"}) * 4 == 4
    assert dockerfiles.count("d/Dockerfile") == 4


@pytest.mark.anyio
async def test_a_dockerfile_from_a_pipe_of_the_program(
    root: Path, scripted: ScriptedEngine, connect: Connect
) -> None:
    scripted.script("POST", "/build", chunked(b'{"stream":"done"}'))
    reader, writer = os.pipe()
    os.write(writer, SECRET.encode())
    os.close(writer)
    async with connect(scripted.url) as docker:
        await docker.images.build(path=root, path_dockerfile=f"/dev/fd/{reader}", builder="classic")
    os.close(reader)
    assert SECRET.encode() in scripted.requests[-1].body


def race(root: Path, send: Callable[[], bytes]) -> int:
    """Send while a directory is swapped for a symlink and back; return how often it was sent whole."""
    stop, complete = threading.Event(), 0
    away, outside = root.parent / "away", root.parent / "outside"
    outside.mkdir()
    for index in range(20):
        (root / "d" / f"f{index:02}").write_text("content")
        (outside / f"f{index:02}").write_text(SECRET)
    (root.parent / "link").symlink_to(outside)

    def swap() -> None:
        while not stop.is_set():
            (root / "d").rename(away)
            (root.parent / "link").rename(root / "d")
            (root / "d").rename(root.parent / "link")
            away.rename(root / "d")

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        for _ in range(ROUNDS):
            try:
                sent = send()
                complete += 1
            except (DockerError, OSError):
                continue
            assert SECRET.encode() not in sent
    finally:
        stop.set()
        swapping.join()
    return complete


def test_the_classic_builder_gets_nothing_from_outside(root: Path) -> None:
    race(root, lambda: b"".join(pack(str(root), walk(root))))


def test_buildkit_gets_nothing_from_outside(root: Path) -> None:
    def send() -> bytes:
        files, sent = Directory(root), b""
        try:
            for entry in select(files, Selection()):
                if entry is not None and entry.size:
                    with files.open(entry.path) as file:
                        sent += file.read(1000)
        finally:
            files.close()
        return sent

    race(root, send)
