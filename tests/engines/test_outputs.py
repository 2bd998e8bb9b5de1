"""Contexts and outputs through a real engine: what is copied comes back as it was."""

from __future__ import annotations

import os
import re
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dockerproto import (
    BuildResult,
    DockerStreamError,
    NotFound,
    OutputFailed,
    UnsupportedEngine,
    UploadFailed,
)
from dockerproto.request.attachments import Tar
from dockerproto_local.directory import Directory
from tests.conftest import Connect
from tests.engines.differences import Difference
from tests.support.filesync import listing, seen
from tests.testbed.private import PrivateEngine

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.engine,
    pytest.mark.differs(Difference.NO_BUILDKIT, raises=UnsupportedEngine),
]

NS = 1_700_000_000_123_456_789
BAD = os.fsdecode(b"bad\xff")
"""A file name that is not UTF-8."""
COPY_ALL = "FROM scratch\nCOPY . /\n"


@pytest.fixture
async def docker(engine: PrivateEngine, connect: Connect) -> Any:
    async with connect(engine.url) as docker:
        yield docker


@pytest.fixture
def context(tmp_path: Path, engine: PrivateEngine) -> Path:
    """A context of all that there may be in one."""
    root = tmp_path / "context"
    (root / "real/deep").mkdir(parents=True, mode=0o755)
    (root / "real/deep").chmod(0o1777)
    (root / "real/run.sh").write_text("#!/bin/sh\n")
    (root / "real/run.sh").chmod(0o4751)
    (root / "real/deep/large").write_bytes(os.urandom(3 * 2**20 + 1))
    (root / "real/again").hardlink_to(root / "real/run.sh")
    (root / "link").symlink_to("real")
    (root / "real/deep/dangling").symlink_to("/nowhere")
    (root / "empty").touch()
    (root / "none").mkdir()
    (root / "\u00e4 b").write_text("umlaut")
    if not Difference.NAMES_IN_UTF8.on(engine):
        (root / BAD).write_text("no text")
    (root / "Dockerfile").write_text(COPY_ALL)
    for path in ("real/run.sh", "real/deep/large", "empty"):
        os.utime(root / path, ns=(NS, NS))
    return root


def build(docker: Any, context: Path, output: Any, dockerfile: str = COPY_ALL, **options: Any) -> Any:
    (context / "Dockerfile").write_text(dockerfile)
    return docker.images.build(path=str(context), output=output, network_mode="none", **options)


async def test_a_context_comes_back_as_an_output(docker: Any, context: Path, tmp_path: Path) -> None:
    stream = build(docker, context, str(tmp_path / "dist"), stream=True)
    await stream.rest()
    assert stream.result == BuildResult(None)
    with pytest.raises(NotFound, match="reported no image"):
        _ = stream.result.image_id
    assert seen(tmp_path / "dist") == seen(context)
    for path in ("real/run.sh", "real/deep/large", "empty"):
        assert (tmp_path / "dist" / path).stat().st_mtime_ns == NS


async def test_a_tar_comes_back_as_an_output(docker: Any, context: Path, tmp_path: Path) -> None:
    (context / BAD).unlink(missing_ok=True)  # that, tars have in more than one way
    with tarfile.open(tmp_path / "context.tar.gz", "w:gz") as tar:
        tar.add(context, ".")
    with (tmp_path / "context.tar.gz").open("rb") as file:
        await docker.images.build(fileobj=file, output=tmp_path / "dist", network_mode="none")
    assert seen(tmp_path / "dist") == seen(context)


def link_to_bad(path: Path) -> None:
    (path / "link").symlink_to(BAD)


def bad_file(path: Path) -> None:
    (path / BAD).write_text("no text")


NAMES_THAT_ARE_NOT_UTF8: dict[str, tuple[Callable[[Path], None], str]] = {
    "a file": (bad_file, BAD),
    "the target of a symlink": (link_to_bad, "link"),
}


@pytest.mark.parametrize("packed", [False, True], ids=["directory", "tar"])
@pytest.mark.parametrize("name", NAMES_THAT_ARE_NOT_UTF8)
async def test_a_name_that_is_not_utf8(
    docker: Any, engine: PrivateEngine, tmp_path: Path, name: str, packed: bool
) -> None:
    create, told = NAMES_THAT_ARE_NOT_UTF8[name]
    context = tmp_path / "context"
    context.mkdir()
    create(context)
    (context / "Dockerfile").write_text(COPY_ALL)
    with tarfile.open(tmp_path / "context.tar", "w") as tar:
        tar.add(context, ".")
    source = {"fileobj": tmp_path / "context.tar"} if packed else {"path": context}
    building = docker.images.build(**source, output=tmp_path / "dist", network_mode="none")
    if Difference.NAMES_IN_UTF8.on(engine):
        with pytest.raises(DockerStreamError, match=f"cannot send {re.escape(repr(told))}") as raised:
            await building
        assert isinstance(raised.value.__cause__, UploadFailed)
    else:
        await building
        assert seen(tmp_path / "dist") == seen(context)


OUTPUTS_THAT_ARE_NOT_UTF8 = {
    "a file": "touch /made/$(printf 'bad\\377')",
    "the target of a symlink": "ln -s $(printf 'bad\\377') /made/link",
}


@pytest.mark.parametrize("name", OUTPUTS_THAT_ARE_NOT_UTF8)
async def test_an_output_with_a_name_that_is_not_utf8(
    docker: Any, engine: PrivateEngine, tmp_path: Path, name: str
) -> None:
    run = f"RUN mkdir /made && {OUTPUTS_THAT_ARE_NOT_UTF8[name]}\n"
    options = {"dockerfile": f"FROM busybox AS a\n{run}FROM scratch\nCOPY --from=a /made /\n"}
    options |= {"network_mode": "none"}
    await docker.images.build(**options, output=Tar(tmp_path / "out.tar"))
    with tarfile.open(tmp_path / "out.tar") as tar:
        (member,) = tar
    assert BAD in (member.name, member.linkname)
    building = docker.images.build(**options, output=tmp_path / "dist")
    if Difference.NAMES_IN_UTF8.on(engine):
        with pytest.raises(DockerStreamError, match="invalid UTF-8") as raised:
            await building
        assert raised.value.hint.endswith("a tar may contain any name: output=Tar(...)")
    else:
        await building
        (entry,) = seen(tmp_path / "dist")
        assert BAD in (entry.path, entry.content)


async def test_an_output_that_is_a_tar(docker: Any, context: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    await build(docker, context, Tar(tmp_path / "out/out.tar"))
    assert listing(tmp_path / "out") == ["out.tar"]
    with tarfile.open(tmp_path / "out/out.tar") as tar:
        modes = {member.name.rstrip("/"): member.mode for member in tar}
    assert modes["real/run.sh"] == 0o4751
    assert modes.keys() == {each.path for each in seen(context)}


async def test_an_output_is_merged_into_what_is_there(docker: Any, context: Path, tmp_path: Path) -> None:
    dist = tmp_path / "dist"
    (dist / "real").mkdir(parents=True)
    (dist / "real/kept").write_text("kept")
    (dist / "empty").symlink_to(tmp_path / "outside")
    (tmp_path / "outside").write_text("outside")
    await build(docker, context, dist)
    await build(docker, context, dist)
    merged = {each.path: each for each in seen(dist)}
    assert merged.pop("real/kept").content == b"kept"
    assert list(merged.values()) == seen(context)
    assert (tmp_path / "outside").read_text() == "outside"


SOURCES: dict[str, tuple[str, list[str]]] = {
    "a file": ("COPY empty /", ["empty"]),
    "through a symlink": ("COPY link/deep/large /", ["large"]),
    "a wildcard": ("COPY real/r*.sh link/ag* /", ["again", "run.sh"]),
    "a directory": ("COPY none /none", ["none"]),
    "what is ignored": ("COPY . /", ["Dockerfile", "none", "real", "real/deep", "real/deep/large"]),
}


@pytest.mark.parametrize("source", SOURCES)
async def test_what_is_copied_of_a_context(docker: Any, context: Path, tmp_path: Path, source: str) -> None:
    instruction, expected = SOURCES[source]
    if source == "what is ignored":
        (context / ".dockerignore").write_text("*\n!none\n!real/deep/l*\n!Dockerfile\n")
    await build(docker, context, tmp_path / "dist", f"FROM scratch\n{instruction}\n")
    assert [each.path for each in seen(tmp_path / "dist")] == expected


async def test_many_files(docker: Any, tmp_path: Path) -> None:
    context = tmp_path / "many"
    for number in range(3000):
        (context / f"{number % 10}").mkdir(parents=True, exist_ok=True)
        (context / f"{number % 10}/{number}").write_text(str(number))
    await build(docker, context, tmp_path / "dist")
    assert seen(tmp_path / "dist") == seen(context)


def empty(path: Path) -> None:
    path.write_text("")


CHANGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "vanishes": (Path.unlink, "No such file or directory"),
    "shrinks": (empty, "'changing' became shorter while it was sent: 0 instead of 6 bytes"),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_file_that_changes_fails_the_build(
    docker: Any, context: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    happens, message = CHANGES[change]
    (context / "changing").write_text("before")
    open_file = Directory.open

    def changed(files: Directory, path: str, /) -> Any:
        if path == "changing":
            happens(context / path)
        return open_file(files, path)

    monkeypatch.setattr(Directory, "open", changed)
    with pytest.raises(DockerStreamError, match=message) as raised:
        await build(docker, context, tmp_path / "dist")
    assert isinstance(raised.value.__cause__, UploadFailed)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a megabyte."""
    path = tmp_path / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path], check=True)
    yield path
    subprocess.run(["umount", path], check=True)


@pytest.mark.parametrize("name", ["out.tar", "dist"])
async def test_an_output_on_a_full_disk_says_so(
    docker: Any, context: Path, full_disk: Path, name: str
) -> None:
    output = Tar(full_disk / name) if name == "out.tar" else full_disk / name
    with pytest.raises(OutputFailed) as raised:
        await build(docker, context, output)
    named = "out.tar" if name == "out.tar" else "large"
    assert raised.value.message == (
        f"cannot write the build output: [Errno 28] No space left on device: {named!r}"
    )
    assert isinstance(raised.value, DockerStreamError)


async def test_an_output_that_cannot_be_written_fails_the_build(
    docker: Any, context: Path, tmp_path: Path
) -> None:
    (tmp_path / "dist/empty/kept").mkdir(parents=True)
    with pytest.raises(DockerStreamError) as raised:
        await build(docker, context, tmp_path / "dist")
    # The engine may say no more than "EOF", if it was sending.
    assert isinstance(raised.value, OutputFailed)
    assert isinstance(raised.value.__cause__, OutputFailed)
    assert raised.value.message.endswith("a directory that is not empty is in the way: 'empty'")
    assert not [name for name in listing(tmp_path / "dist") if name.startswith(".dockerproto-")]
