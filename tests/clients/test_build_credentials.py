"""Credentials that a build sends: for the registries that its Dockerfile names, and those given to it."""

from __future__ import annotations

import gzip
import io
import json
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from dockerproto import ANONYMOUS, CredentialsError, UploadFailed
from dockerproto.credentials.credentials import HUB_SERVER
from tests.conftest import Connect
from tests.support.facade import Transport
from tests.support.stored import ENTRY, ME, NOT_FOUND, OTHER, PASSWORD, USER, Machine, sent
from tests.testbed.base_image import context
from tests.testbed.scripted import ScriptedEngine, chunked, json_response

pytestmark = pytest.mark.anyio

TAR = context(f"ARG TAG=1\nFROM {OTHER}/a:$TAG AS one\nCOPY --from={OTHER}/b / /\nFROM one\n")
MINE = {OTHER: {**ME, "serveraddress": OTHER}}
HUB = {HUB_SERVER: {**ME, "serveraddress": HUB_SERVER}}


@pytest.fixture
def built(scripted: ScriptedEngine, connect: Connect) -> Any:
    """Build on a scripted engine, and return the credentials that it was sent."""
    scripted.script("POST", "/build", chunked(b'{"stream":"done"}\n'))

    async def build(fileobj: Any = TAR, *, options: Any = None, **arguments: Any) -> Any:
        async with connect(scripted.url, **(options or {})) as docker:
            await docker.images.build(fileobj=fileobj, **arguments)
        return sent(scripted, "x-registry-config")

    return build


class TestWhich:
    async def test_those_of_the_registries_that_are_named(self, built: Any, machine: Machine) -> None:
        machine.write({"credsStore": "keys"})
        machine.helper("keys", Username=USER, Secret=PASSWORD)
        assert await built() == MINE
        assert machine.asked == [f"get {OTHER}"]
        assert await built(context(f"FROM a\nFROM {OTHER}/b\nFROM b\n")) == {**HUB, **MINE}
        assert machine.asked[1:] == [f"get {HUB_SERVER}", f"get {OTHER}"]
        assert await built(context("FROM scratch\n")) is None
        assert len(machine.asked) == 3

    async def test_no_others_are_asked_for(self, built: Any, machine: Machine) -> None:
        machine.write(
            {"credHelpers": {OTHER: "keys", "else.example": "broken"}, "auths": {HUB_SERVER: ENTRY}}
        )
        machine.helper("keys", NOT_FOUND)
        assert await built(context("FROM a\n")) == HUB
        assert machine.asked == []
        assert await built() is None
        assert machine.asked == [f"get {OTHER}"]
        assert await built(context("FROM a\nFROM else.example/a\n")) == HUB

    async def test_those_that_are_given_come_first(self, built: Any, machine: Machine) -> None:
        machine.write({"credsStore": "keys"})
        machine.helper("keys", Username=USER, Secret=PASSWORD)
        other = {"username": "x", "password": "y"}
        both = context(f"FROM a\nFROM {OTHER}/b\n")
        assert await built(both, auth={f"https://{OTHER}/": other}) == {
            OTHER: {**other, "serveraddress": OTHER},
            **HUB,
        }
        assert await built(both, auth={OTHER: ANONYMOUS}) == HUB
        assert machine.asked == [f"get {HUB_SERVER}"] * 2
        assert await built(auth={"docker.io": other, OTHER: ANONYMOUS}) == {
            HUB_SERVER: {**other, "serveraddress": HUB_SERVER}
        }
        assert await built(auth=ANONYMOUS) is None
        assert len(machine.asked) == 2
        assert await built(auth={}) == MINE

    async def test_those_of_a_login(self, scripted: ScriptedEngine, connect: Connect, built: Any) -> None:
        scripted.script("POST", "/auth", json_response({"Status": "Login Succeeded"}))
        async with connect(scripted.url, credentials=None) as docker:
            await docker.images.build(fileobj=TAR)
            assert sent(scripted, "x-registry-config") is None
            await docker.login(OTHER, USER, PASSWORD)
            await docker.images.build(fileobj=TAR)
            assert sent(scripted, "x-registry-config") == MINE

    async def test_those_that_are_given_without_a_dockerfile(
        self, scripted: ScriptedEngine, connect: Connect, built: Any, machine: Machine
    ) -> None:
        machine.write({"auths": {OTHER: ENTRY}})
        assert await built(b"no tar", auth={"docker.io": ME}) == HUB
        assert await built(b"no tar") is None
        async with connect(scripted.url) as docker:
            await docker.images.build(remote="https://r.example/a.git", auth={OTHER: ME})
            assert sent(scripted, "x-registry-config") == MINE
            await docker.images.build(remote="https://r.example/a.git")
            assert sent(scripted, "x-registry-config") is None

    async def test_arguments_and_another_path(self, built: Any, machine: Machine) -> None:
        machine.write({"auths": {OTHER: ENTRY, HUB_SERVER: ENTRY}})
        tar = context("FROM a\n", **{"b/c": b"ARG HOST=else.example\nFROM $HOST/a\n", "d": b""})
        assert await built(tar, path_dockerfile="./b//c", buildargs={"HOST": OTHER}) == MINE
        assert await built(tar, path_dockerfile="b/c", buildargs={"HOST": None}) is None
        assert await built(tar, path_dockerfile="nothing") is None

    async def test_a_dockerfile_in_lower_case(self, built: Any, machine: Machine) -> None:
        machine.write({"auths": {OTHER: ENTRY}})
        tar = context("FROM a\n", **{"./dockerfile": f"FROM {OTHER}/a\n".encode()})
        assert await built(tar) is None
        assert await built(tar[1024:]) == MINE
        assert await built(tar[1024:], path_dockerfile="Dockerfile") == MINE
        assert await built(tar[1024:], path_dockerfile="DOCKERFILE") is None


class Unread(io.BytesIO):
    """A file that is read once, and never goes back."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        raise AssertionError


class Sparse:
    """A source that says that it has nothing, or not."""

    def __init__(self, configured: object) -> None:
        self.answer = configured

    def configured(self) -> Any:
        return self.answer

    def get(self, registry: str, /) -> Any:
        return ME if registry == OTHER else None


class TestLookingFor:
    """The search for the Dockerfile."""

    @pytest.mark.parametrize(
        "options",
        [{"credentials": None}, {"credentials": {}}, {"credentials": Sparse(False)}, {}],
        ids=["none", "empty", "sparse", "default"],
    )
    @pytest.mark.parametrize("document", [{}, {"auths": {}, "psFormat": "x"}, None], ids=str)
    async def test_not_if_there_are_no_credentials(
        self, built: Any, machine: Machine, options: Any, document: Any
    ) -> None:
        if document is not None:
            machine.write(document)
        assert await built(Unread(TAR), options=options) is None

    async def test_if_there_may_be_some(
        self, built: Any, machine: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert await built(options={"credentials": Sparse(True)}) == MINE
        machine.write("broken")
        with pytest.warns(UserWarning, match="was ignored"):
            assert await built(context("FROM scratch\n")) is None
        with (
            pytest.warns(UserWarning, match="was ignored"),
            pytest.raises(CredentialsError, match="is not valid JSON"),
        ):
            await built()
        machine.write({})
        monkeypatch.setenv("DOCKER_AUTH_CONFIG", json.dumps({"auths": {OTHER: ENTRY}}))
        assert await built() == MINE

    SOURCES: Mapping[str, Callable[[Path], Any]] = {
        "bytes": lambda _: TAR,
        "bytearray": lambda _: bytearray(TAR),
        "memoryview": lambda _: memoryview(TAR),
        "path": lambda path: path,
        "str": str,
        "file": lambda path: path.open("rb"),
        "gzip": lambda _: gzip.compress(TAR),
        "gzip in a file": lambda _: io.BytesIO(gzip.compress(TAR)),
    }

    @pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
    async def test_what_can_be_read_twice(
        self,
        scripted: ScriptedEngine,
        built: Any,
        machine: Machine,
        tmp_path: Path,
        source: Callable[[Path], Any],
    ) -> None:
        machine.write({"auths": {OTHER: ENTRY}})
        path = tmp_path / "context.tar"
        path.write_bytes(TAR)
        fileobj = source(path)
        assert await built(fileobj) == MINE
        body = scripted.requests[-1].body
        assert (gzip.decompress(body) if body[:1] == b"\x1f" else body) == TAR
        if hasattr(fileobj, "close"):
            assert not fileobj.closed
            fileobj.close()

    async def test_a_file_is_read_from_where_it_is(
        self, scripted: ScriptedEngine, built: Any, machine: Machine
    ) -> None:
        machine.write({"auths": {OTHER: ENTRY}})
        file = io.BytesIO(context("FROM else.example/a\n") + TAR)
        file.seek(-len(TAR), os.SEEK_END)
        assert await built(file) == MINE
        assert scripted.requests[-1].body == TAR

    async def test_what_can_be_read_once_is_not_touched(
        self, scripted: ScriptedEngine, built: Any, machine: Machine, transport: Transport, tmp_path: Path
    ) -> None:
        async def pieces() -> AsyncIterator[bytes]:
            await anyio.lowlevel.checkpoint()
            yield TAR

        machine.write({"auths": {OTHER: ENTRY}})
        for once in (iter([TAR]), [TAR[:9], TAR[9:]], *([pieces()] if transport != "httpx" else [])):
            assert await built(once) is None
            assert scripted.requests[-1].body == TAR
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        writer = threading.Thread(target=pipe.write_bytes, args=(TAR,))
        writer.start()
        assert await built(pipe) is None
        assert scripted.requests[-1].body == TAR
        writer.join()

    async def test_a_context_that_knows(
        self, scripted: ScriptedEngine, built: Any, machine: Machine, transport: Transport
    ) -> None:
        class Context:
            def __init__(self, content: bytes | None) -> None:
                self.content = content
                self.asked: list[str] = []

            def dockerfile(self, path: str, /) -> bytes | None:
                self.asked.append(path)
                return self.content

            def __iter__(self) -> Iterator[bytes]:
                yield b"tar"

        class AsyncContext(Context):
            async def __aiter__(self) -> AsyncIterator[bytes]:
                await anyio.lowlevel.checkpoint()
                yield b"tar"

        class BrokenContext(Context):
            def dockerfile(self, path: str, /) -> bytes | None:
                raise OSError("disk on fire")

        machine.write({"auths": {OTHER: ENTRY}})
        for kind in (Context, AsyncContext)[: 1 + (transport != "httpx")]:
            knows = kind(f"FROM {OTHER}/a\n".encode())
            assert (await built(knows), knows.asked) == (MINE, ["Dockerfile"])
            assert scripted.requests[-1].body == b"tar"
        empty = Context(None)
        assert (await built(empty), empty.asked) == (None, ["Dockerfile", "dockerfile"])
        assert (await built(empty, path_dockerfile="a"), empty.asked[2:]) == (None, ["a"])
        assert (await built(empty, auth=ANONYMOUS), empty.asked[3:]) == (None, [])
        with pytest.raises(UploadFailed, match="disk on fire"):
            await built(BrokenContext(None))

    async def test_what_cannot_be_read(
        self, scripted: ScriptedEngine, built: Any, machine: Machine, tmp_path: Path
    ) -> None:
        class Stuck(io.BytesIO):
            def seek(self, offset: int, whence: int = 0, /) -> int:
                if whence == 0 and offset == 0 and self.tell():
                    raise OSError("it does not rewind")
                return super().seek(offset, whence)

        machine.write({"auths": {OTHER: ENTRY}})
        with pytest.raises(UploadFailed, match="nothing"):
            await built(tmp_path / "nothing")
        with pytest.raises(UploadFailed, match="it does not rewind"):
            await built(Stuck(TAR))
        with pytest.raises(TypeError, match="must yield bytes, not str"):
            await built(iter(["FROM a\n"]))
        assert not [each for each in scripted.requests if each.path.endswith("/build")]

    async def test_it_does_not_stall_the_event_loop(self, built: Any, machine: Machine) -> None:
        read, go = threading.Event(), threading.Event()

        class Slow(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                read.set()
                assert go.wait(20)
                return super().read(size)

        async def let_go() -> None:
            while not read.is_set():  # noqa: ASYNC110  # it is set in a thread
                await anyio.sleep(0.01)
            go.set()

        machine.write({"auths": {OTHER: ENTRY}})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(let_go)
            assert await built(Slow(TAR)) == MINE
