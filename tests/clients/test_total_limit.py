"""The total limit of a call covers its work on this machine: credentials, secrets, contexts, uploads."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from functools import partial
from inspect import CORO_CLOSED, getcoroutinestate
from pathlib import Path
from typing import Any, Final

import anyio
import pytest

from dockerproto import Secret, TimedOut
from dockerproto.buildkit.session.messages import CredentialsRequest, GetSecretRequest, GetSecretResponse
from dockerproto_local import build_context
from tests.buildkit.session.test_session import AUTH
from tests.buildkit.session.test_session import SECRET as GET_SECRET
from tests.conftest import Connect
from tests.support.calling import Speak, Speaking
from tests.support.stored import OTHER, PASSWORD, USER, Machine
from tests.support.waiting import until
from tests.testbed.base_image import context
from tests.testbed.scripted import ScriptedEngine, UntilClosed, WaitFor, chunked, json_response

pytestmark = pytest.mark.anyio

LIMIT: Final = 0.125
"""Time of each call, which begins after the ping."""
OVER: Final = rf"^not finished within {LIMIT} s \(total\)$"
NAME: Final = f"{OTHER}/a"
TAR: Final = context(f"FROM {NAME}\n")
FROM: Final = f"FROM {NAME}\n"
Operation = Callable[[Any], Any]

LOOKUPS: dict[str, Operation] = {
    "pull": lambda docker: docker.images.pull(NAME, timeout=LIMIT),
    "push": lambda docker: docker.images.push(NAME, timeout=LIMIT),
    "distribution": lambda docker: docker.images.distribution(NAME, timeout=LIMIT),
    "search": lambda docker: docker.images.search(f"{OTHER}/a", timeout=LIMIT),
    "build of a tar": lambda docker: docker.images.build(fileobj=TAR, timeout=LIMIT),
    "build of a Dockerfile": lambda docker: docker.images.build(dockerfile=FROM, timeout=LIMIT),
    "build in a session": lambda docker: docker.images.build(
        remote="https://r.example/a.git", builder="buildkit", timeout=LIMIT
    ),
    "login": lambda docker: docker.login(OTHER, USER, PASSWORD, store=True, timeout=LIMIT),
}
ALONE: Final = {"login", "build in a session"}
"""Those that go on after a lookup, or send something before it."""
of_each_lookup = pytest.mark.parametrize("operation", LOOKUPS.values(), ids=LOOKUPS)
of_event_loops = pytest.mark.parametrize("transport", ["asyncio", "trio"])


def _ask(speaking: Speaking) -> None:
    speaking.ask(AUTH, CredentialsRequest(OTHER).encode())


@pytest.fixture
def engine(scripted: ScriptedEngine) -> ScriptedEngine:
    """Return an engine that verifies logins, and asks in a session for credentials."""
    scripted.script("POST", "/auth", json_response({"Status": "done"}))
    scripted.script("POST", "/session", (Speak(_ask), UntilClosed()))
    scripted.script("POST", "/build", UntilClosed())
    return scripted


def _is_gone(file: Path) -> bool:
    """Return True if the process whose id is in a file does not exist; it may be killed as it writes it."""
    pid = file.read_text().strip()
    return not pid or not Path("/proc", pid).exists()


@of_each_lookup
async def test_a_helper_gets_the_rest(
    engine: ScriptedEngine, connect: Connect, machine: Machine, operation: Operation
) -> None:
    pid = machine.directory / "pid"
    machine.write({"credsStore": "keys"})
    machine.shell_helper("keys", f"echo $$ > '{pid}'; exec /bin/sleep 600")
    async with connect(engine.url) as docker:
        await docker.ping()
        with pytest.raises(TimedOut, match=OVER):
            await operation(docker)
        if pid.exists():  # otherwise the machine was too slow to run it
            await until(partial(_is_gone, pid))


@dataclass
class Endless:
    """Sources of credentials and data that never end."""

    begun: threading.Event = field(default_factory=threading.Event)
    release: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    cancelled: bool = False
    late: Coroutine[Any, Any, None] | None = None

    def block(self) -> None:
        self.begun.set()
        self.release.wait()
        self.ended.set()

    async def wait(self) -> None:
        self.begun.set()
        try:
            await anyio.sleep_forever()
        finally:
            self.cancelled = True

    def find(self, _: str) -> None:
        self.block()

    async def find_async(self, _: str) -> None:
        await self.wait()

    def find_later(self, _: str) -> Any:
        return self.wait()

    def find_too_late(self, _: str) -> Any:
        self.late = self.wait()
        self.block()
        return self.late

    def chunks(self) -> Iterator[bytes]:
        self.block()
        yield TAR

    async def chunks_async(self) -> AsyncIterator[bytes]:
        await self.wait()
        yield TAR

    def check_cancelled(self) -> None:
        """Check that the coroutine was cancelled, unless the machine was too slow to begin it."""
        assert self.cancelled == self.begun.is_set()

    async def end(self) -> None:
        """Let the thread that was abandoned end: asyncio waits for it at its end."""
        assert not self.ended.is_set()
        self.release.set()
        if self.begun.is_set():
            await until(self.ended.is_set)


@pytest.fixture
def endless() -> Endless:
    return Endless()


@of_event_loops
@pytest.mark.parametrize("name", [each for each in LOOKUPS if each != "login"])
class TestSourcesOfAnEventLoop:
    @pytest.fixture
    def time_out(
        self, engine: ScriptedEngine, connect: Connect, name: str
    ) -> Callable[[Any], Awaitable[None]]:
        async def time_out(source: Any) -> None:
            async with connect(engine.url, credentials=source) as docker:
                await docker.ping()
                with pytest.raises(TimedOut, match=OVER):
                    await LOOKUPS[name](docker)

        return time_out

    async def test_a_function_that_blocks_is_abandoned(self, time_out: Any, endless: Endless) -> None:
        await time_out(endless.find)
        await endless.end()

    @pytest.mark.parametrize("kind", ["find_async", "find_later"])
    async def test_a_coroutine_is_cancelled(self, time_out: Any, endless: Endless, kind: str) -> None:
        await time_out(getattr(endless, kind))
        endless.check_cancelled()

    async def test_a_coroutine_that_comes_too_late_is_closed(self, time_out: Any, endless: Endless) -> None:
        await time_out(endless.find_too_late)
        await endless.end()
        await until(lambda: endless.late is None or getcoroutinestate(endless.late) == CORO_CLOSED)


SECRET: dict[str, Any] = {"remote": "https://r.example/a.git", "builder": "buildkit", "timeout": LIMIT}
UPLOADS: dict[str, Callable[[Any, Any], Any]] = {
    "load": lambda docker, data: docker.images.import_image(data, timeout=LIMIT),
    "classic": lambda docker, data: docker.images.build(fileobj=data, timeout=LIMIT),
    "buildkit": lambda docker, data: docker.images.build(fileobj=data, builder="buildkit", timeout=LIMIT),
}
of_each_upload = pytest.mark.parametrize("upload", UPLOADS.values(), ids=UPLOADS)


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """Return a pipe without a writer."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def _has_reader(pipe: Path) -> bool:
    try:
        os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


class TestPipes:
    async def test_a_secret(self, engine: ScriptedEngine, connect: Connect, pipe: Path) -> None:
        async with connect(engine.url, credentials=None) as docker:
            await docker.ping()
            with pytest.raises(TimedOut, match=OVER):
                await docker.images.build(secrets={"token": Secret.from_file(pipe)}, **SECRET)
        await until(lambda: not _has_reader(pipe))

    @of_each_upload
    async def test_an_upload(
        self, engine: ScriptedEngine, connect: Connect, pipe: Path, upload: Callable[[Any, Any], Any]
    ) -> None:
        async with connect(engine.url, credentials=None) as docker:
            await docker.ping()
            with pytest.raises(TimedOut, match=OVER):
                await upload(docker, pipe)
        await until(lambda: not _has_reader(pipe))

    async def test_a_late_writer_is_waited_for(
        self, engine: ScriptedEngine, connect: Connect, pipe: Path
    ) -> None:
        def write() -> None:
            with pipe.open("wb") as file:  # which waits for the reader
                file.write(PASSWORD.encode())

        told: list[list[bytes]] = []

        def speak(speaking: Speaking) -> None:
            told.append(speaking.ask(GET_SECRET, GetSecretRequest("token").encode())[0])
            over.set()

        over = threading.Event()
        engine.script("POST", "/session", (Speak(speak), UntilClosed()))
        engine.script("POST", "/build", (WaitFor(over), chunked(b"{}")))
        writer = threading.Thread(target=write)
        writer.start()
        async with connect(engine.url, credentials=None) as docker:
            await docker.images.build(
                secrets={"token": Secret.from_file(pipe)}, remote=SECRET["remote"], builder="buildkit"
            )
        writer.join()
        assert told == [[GetSecretResponse(PASSWORD.encode()).encode()]]


@of_event_loops
@of_each_upload
class TestUploadsOfAnEventLoop:
    async def test_an_iterable_that_blocks_is_abandoned(
        self,
        engine: ScriptedEngine,
        connect: Connect,
        endless: Endless,
        upload: Callable[[Any, Any], Any],
    ) -> None:
        async with connect(engine.url, credentials=None) as docker:
            await docker.ping()
            with pytest.raises(TimedOut, match=OVER):
                await upload(docker, endless.chunks())
        await endless.end()

    async def test_an_async_iterable_is_cancelled(
        self,
        engine: ScriptedEngine,
        connect: Connect,
        endless: Endless,
        upload: Callable[[Any, Any], Any],
    ) -> None:
        async with connect(engine.url, credentials=None) as docker:
            await docker.ping()
            with pytest.raises(TimedOut, match=OVER):
                await upload(docker, endless.chunks_async())
        endless.check_cancelled()


class Clock:
    """A clock of a client that stands still unless its program takes time."""

    now = 1000.0

    def set(self, docker: Any) -> Clock:
        docker.client.transport.now = lambda: self.now
        return self

    def pass_limit(self) -> None:
        self.now += LIMIT

    def find(self, _: str) -> dict[str, str]:
        self.pass_limit()
        return {"username": USER, "password": PASSWORD}

    def chunks(self) -> Iterator[bytes]:
        self.pass_limit()
        yield TAR


@pytest.mark.parametrize("transport", ["httpx"])
class TestBlockingProgram:
    """The calling thread is not interrupted, but the call does not go on."""

    @pytest.mark.parametrize("name", [each for each in LOOKUPS if each not in ALONE])
    async def test_a_function(self, engine: ScriptedEngine, connect: Connect, name: str) -> None:
        clock = Clock()
        async with connect(engine.url, credentials=clock.find) as docker:
            await docker.ping()
            clock.set(docker)
            with pytest.raises(TimedOut, match=OVER):
                await LOOKUPS[name](docker)
        assert {request.path for request in engine.requests} == {"/_ping"}

    @of_each_upload
    async def test_an_iterable(
        self, engine: ScriptedEngine, connect: Connect, upload: Callable[[Any, Any], Any]
    ) -> None:
        async with connect(engine.url, credentials=None) as docker:
            await docker.ping()
            with pytest.raises(TimedOut, match=OVER):
                await upload(docker, Clock().set(docker).chunks())
        assert {request.path for request in engine.requests} == {"/_ping"}

    async def test_a_source_that_has_no_limit_of_its_own(
        self, engine: ScriptedEngine, connect: Connect
    ) -> None:
        clock = Clock()

        class Store:
            get = clock.find

            def store(self, *_: object) -> None:
                clock.pass_limit()

        async with connect(engine.url, credentials=Store()) as docker:
            clock.set(docker)
            with pytest.raises(TimedOut, match=OVER):
                await LOOKUPS["login"](docker)


@pytest.mark.parametrize("builder", ["classic", "buildkit"])
async def test_a_directory(engine: ScriptedEngine, connect: Connect, tmp_path: Path, builder: str) -> None:
    """A Dockerfile takes longer to read than the build may take."""
    (tmp_path / "Dockerfile").write_text(FROM)
    async with connect(engine.url, credentials=None) as docker:
        await docker.ping()
        clock = Clock().set(docker)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("dockerproto_local.build_context._look_up", _late(clock))
            with pytest.raises(TimedOut, match=OVER):
                await docker.images.build(path=tmp_path, builder=builder, timeout=LIMIT)
    assert {request.path for request in engine.requests} <= {"/_ping"}


def _late(clock: Clock) -> Callable[..., Any]:
    def look_up(*arguments: Any) -> Any:
        clock.pass_limit()
        return real(*arguments)

    real = build_context._look_up  # pyright: ignore[reportPrivateUsage]
    return look_up


async def test_an_agent(engine: ScriptedEngine, connect: Connect, tmp_path: Path) -> None:
    """A full queue: the agent accepts nobody."""
    path = str(tmp_path / "agent")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(path)
        listener.listen(0)
        first.connect(path)
        async with connect(engine.url, credentials=None) as docker:
            await docker.ping()
            with pytest.raises(TimedOut, match=OVER):
                await docker.images.build(ssh={"default": path}, **SECRET)
