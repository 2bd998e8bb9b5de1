"""Builds whose arguments mean something else in docker-py raise before anything is built."""

from __future__ import annotations

import io
import os
import tempfile
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dockerproto import UploadFailed
from tests.conftest import Connect
from tests.support.facade import Transport
from tests.testbed.scripted import ScriptedEngine

DOCKERFILE = "FROM busybox\nRUN true\n"
TEXT_FILE = (
    r"^fileobj must read bytes, not text: open the file in mode 'rb', or use BytesIO; "
    r"for the text of a Dockerfile, use dockerfile$"
)
NOT_A_TAR = (
    r"^fileobj must be a tar of the build context, not a Dockerfile; "
    r"use dockerfile for the text of a Dockerfile, or path_dockerfile for its path$"
)
NOT_TEXT = r"^dockerfile must be the text of a Dockerfile, not '{}'; to name a file, use path_dockerfile$"

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("builder", [None, "classic", "buildkit"])]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "docker").mkdir()
    for name in ("Dockerfile", "docker/Dev.Dockerfile", "Copy of Dockerfile", "Run"):
        (tmp_path / name).write_text(DOCKERFILE)
    return tmp_path


def built(scripted: ScriptedEngine) -> list[str]:
    return [each.path for each in scripted.requests if each.path in ("/build", "/session")]


@pytest.mark.parametrize(
    "path", ["Dockerfile", "docker/Dev.Dockerfile", "docker/Gone", "Copy of Dockerfile", "Run", b"Dockerfile"]
)
async def test_a_path_as_dockerfile(
    path: Any, builder: Any, root: Path, scripted: ScriptedEngine, connect: Connect
) -> None:
    shown = path.decode() if isinstance(path, bytes) else path
    async with connect(scripted.url) as docker:
        with pytest.raises(ValueError, match=NOT_TEXT.format(shown)):
            await docker.images.build(path=root, dockerfile=path, builder=builder)
        with pytest.raises(ValueError, match=NOT_TEXT.format(f"{root}/{shown}")):
            await docker.images.build(path=root, dockerfile=f"{root}/{shown}", builder=builder)
    assert built(scripted) == []


async def test_a_path_object_as_dockerfile(
    builder: Any, root: Path, scripted: ScriptedEngine, connect: Connect
) -> None:
    async with connect(scripted.url) as docker:
        with pytest.raises(ValueError, match=NOT_TEXT.format("docker/Dev.Dockerfile")):
            await docker.images.build(path=root, dockerfile=Path("docker/Dev.Dockerfile"), builder=builder)
    assert scripted.requests == []


async def test_a_path_as_dockerfile_without_a_directory(
    builder: Any,
    root: Path,
    scripted: ScriptedEngine,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(root)
    async with connect(scripted.url) as docker:
        with pytest.raises(ValueError, match=NOT_TEXT.format("Copy of Dockerfile")):
            await docker.images.build(dockerfile="Copy of Dockerfile", builder=builder)
        with pytest.raises(ValueError, match=NOT_TEXT.format("Dockerfile")):
            await docker.images.build(fileobj=b"", dockerfile="Dockerfile", builder=builder)
    assert built(scripted) == []


async def test_a_dockerfile_as_fileobj(
    builder: Any, root: Path, scripted: ScriptedEngine, connect: Connect, transport: Transport
) -> None:
    data = DOCKERFILE.encode()

    async def chunks() -> AsyncIterator[bytes]:
        yield data

    sources: list[Any] = [data, bytearray(data), io.BytesIO(data), [data], iter([data]), root / "Dockerfile"]
    sources += [] if transport == "httpx" else [chunks()]
    async with connect(scripted.url) as docker:
        for source in sources:
            with pytest.raises(UploadFailed, match=NOT_A_TAR):
                await docker.images.build(fileobj=source, builder=builder)
        with (root / "Dockerfile").open("rb") as file, pytest.raises(UploadFailed, match=NOT_A_TAR):
            await docker.images.build(fileobj=file, builder=builder)
    assert built(scripted) == []


async def test_a_dockerfile_in_a_pipe_as_fileobj(
    builder: Any, root: Path, scripted: ScriptedEngine, connect: Connect
) -> None:
    os.mkfifo(root / "pipe")
    writer = threading.Thread(target=lambda: (root / "pipe").write_text(DOCKERFILE))
    writer.start()
    async with connect(scripted.url) as docker:
        with pytest.raises(UploadFailed, match=NOT_A_TAR):
            await docker.images.build(fileobj=root / "pipe", builder=builder)
    writer.join()
    assert built(scripted) == []


async def test_a_text_file_as_fileobj(
    builder: Any, root: Path, scripted: ScriptedEngine, connect: Connect
) -> None:
    async with connect(scripted.url) as docker:
        with (root / "Dockerfile").open() as file, pytest.raises(TypeError, match=TEXT_FILE):
            await docker.images.build(fileobj=file, builder=builder)
        with tempfile.NamedTemporaryFile("w+") as file, pytest.raises(TypeError, match=TEXT_FILE):
            await docker.images.build(fileobj=file, builder=builder)
        with pytest.raises(TypeError, match=TEXT_FILE):
            await docker.images.build(fileobj=io.StringIO(DOCKERFILE), builder=builder)
    assert scripted.requests == []


async def test_a_url_as_path(builder: Any, scripted: ScriptedEngine, connect: Connect) -> None:
    async with connect(scripted.url) as docker:
        for url in ("https://me:secret@h/a.git", "git@h:a.git"):
            with pytest.raises(ValueError, match=r"^path must be a directory, not a URL; .* use remote$"):
                await docker.images.build(path=url, builder=builder)
        assert scripted.requests == []
        message = r"^'github.com/a/b' is not a directory; to let the engine fetch a URL, use remote$"
        with pytest.raises(UploadFailed, match=message):
            await docker.images.build(path="github.com/a/b", builder=builder)
    assert built(scripted) == []


async def test_the_credentials_of_one_registry(
    builder: Any, scripted: ScriptedEngine, connect: Connect
) -> None:
    async with connect(scripted.url) as docker:
        for auth in ({"username": "me", "password": "secret"}, {"auth": "bWU6c2VjcmV0"}):
            with pytest.raises(
                ValueError, match=r"^auth of a build must be .*'registry.example': "
            ) as caught:
                await docker.images.build(path=".", auth=auth, builder=builder)
            assert "secret" not in str(caught.value)
    assert scripted.requests == []
