"""Which credentials a client sends: where they are looked up, when, and that none of them shows."""

from __future__ import annotations

import base64
import gc
import io
import json
import stat
import sys
import tarfile
import threading
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from dockerproto import ANONYMOUS, DEFAULT, Credentials, CredentialsError, DockerError, Unauthorized
from dockerproto.auth import HUB_SERVER
from dockerproto_local import StoredCredentials, configure
from tests.bench.dockerd import Dockerd
from tests.bench.processes import free_port
from tests.bench.registry import Registry
from tests.bench.scripted import Close, Reply, ScriptedEngine, chunked, json_response, stream_head
from tests.bench.unix_http import ask
from tests.conftest import PASSWORD, USER, Connect
from tests.facade import Transport

pytestmark = pytest.mark.anyio

OTHER = "r.example:5000"
ENTRY = {"auth": base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}
ME = {"username": USER, "password": PASSWORD}
PULL, PUSH = ("POST", "/images/create"), ("POST", f"/images/{OTHER}/a/push")

HELPER = """#!{python}
import sys, time
from pathlib import Path
told = sys.stdin.read()
with Path({log!r}).open("a") as log:
    log.write(f"{{sys.argv[1]}} {{told}}\\n")
print({secret!r}, file=sys.stderr)
{does}
"""
NOT_FOUND = 'print("credentials not found in native keychain"); sys.exit(1)'


class Machine:
    """What docker login has left: a config.json, and helpers on the PATH."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = directory / "asked"

    def write(self, document: object) -> None:
        text = document if isinstance(document, str) else json.dumps(document)
        (self.directory / "config.json").write_text(text)

    def read(self) -> Any:
        return json.loads((self.directory / "config.json").read_text())

    def helper(self, name: str, does: str = "", **answer: str) -> None:
        """Put a helper on the PATH, that prints an answer or does what a program says."""
        program = self.directory / f"docker-credential-{name}"
        does = f"{does}\nprint({json.dumps(answer)!r})" if answer else does
        text = HELPER.format(python=sys.executable, log=str(self.log), secret=PASSWORD, does=does)
        program.write_text(text)
        program.chmod(0o755)

    @property
    def asked(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    directory = tmp_path / "docker"
    directory.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(directory))
    monkeypatch.setenv("PATH", str(directory))
    return Machine(directory)


@pytest.fixture
def repository(engine: Dockerd, closed_registry: Registry) -> Any:
    """A name in a registry that wants credentials, for busybox."""
    name = f"{closed_registry.host}/team/private"
    assert ask(engine.socket, "POST", f"/images/busybox/tag?repo={name}&tag=latest").status == 201
    yield name
    ask(engine.socket, "DELETE", f"/images/{name}?force=1")


def sent(scripted: ScriptedEngine, header: str = "x-registry-auth") -> Any:
    """Return the credentials of the last request, None if it has no header for them."""
    value = scripted.requests[-1].headers.get(header)
    return None if value is None else json.loads(base64.urlsafe_b64decode(value))


@pytest.fixture
def pulled(scripted: ScriptedEngine, connect: Connect) -> Any:
    """Pull from a scripted engine, and return the credentials that it was sent."""
    scripted.script(*PULL, chunked(b'{"status":"done"}\n'))

    async def pull(name: str = f"{OTHER}/a", auth: Any = None, **options: Any) -> Any:
        async with connect(scripted.url, **options) as docker:
            await docker.images.pull(name, auth=auth)
        return sent(scripted)

    return pull


class TestRegistry:
    """With a registry that wants credentials."""

    async def use(self, connect: Connect, engine: Dockerd, repository: str, **options: Any) -> None:
        async with connect(engine.url, **options) as docker:
            await docker.images.push(repository)
            await docker.images.pull(repository)
            assert (await docker.images.distribution(repository))["Descriptor"]["size"] > 0

    async def test_of_the_file(
        self, connect: Connect, engine: Dockerd, repository: str, machine: Machine
    ) -> None:
        machine.write({"auths": {repository.partition("/")[0]: ENTRY}})
        await self.use(connect, engine, repository)

    async def test_of_the_environment(
        self, connect: Connect, engine: Dockerd, repository: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        auths = {"auths": {f"http://{repository.partition('/')[0]}/v2/": ENTRY}}
        monkeypatch.setenv("DOCKER_AUTH_CONFIG", json.dumps(auths))
        await self.use(connect, engine, repository)

    async def test_of_a_helper(
        self, connect: Connect, engine: Dockerd, repository: str, machine: Machine
    ) -> None:
        machine.write({"credsStore": "keys"})
        machine.helper("keys", Username=USER, Secret=PASSWORD)
        await self.use(connect, engine, repository)
        assert machine.asked == [f"get {repository.partition('/')[0]}"] * 3

    async def test_of_a_login(self, connect: Connect, engine: Dockerd, repository: str) -> None:
        host = repository.partition("/")[0]
        async with connect(engine.url, credentials=None) as docker:
            with pytest.raises(Unauthorized):
                await docker.images.push(repository)
            for wrong in ((USER, "wrong"), ("nobody", PASSWORD)):
                with pytest.raises(Unauthorized):
                    await docker.login(host, *wrong)
                with pytest.raises(Unauthorized):
                    await docker.images.push(repository)
            assert await docker.login(host, USER, PASSWORD) == "Login Succeeded"
            await docker.images.push(repository)
            with pytest.raises(Unauthorized):
                await docker.images.push(repository, auth=ANONYMOUS)

    async def test_a_login_at_no_registry(self, connect: Connect, engine: Dockerd) -> None:
        async with connect(engine.url) as docker:
            with pytest.raises(DockerError):
                await docker.login(f"127.0.0.1:{free_port()}", USER, PASSWORD)
            with pytest.raises(ValueError, match="not the address of a registry") as raised:
                await docker.login(f"{USER}:{PASSWORD}@r.example", USER, PASSWORD)
            assert PASSWORD not in str(raised.value)

    async def test_of_a_build(self, connect: Connect, engine: Dockerd, repository: str) -> None:
        host = repository.partition("/")[0]
        async with connect(engine.url) as docker:
            await docker.images.push(repository, auth=ME)
            await docker.images.delete(repository)
            context = tar_of(f"FROM {repository}\n")
            with pytest.raises(DockerError):
                await docker.images.build(fileobj=context)
            await docker.images.build(fileobj=context, auth={host: ME, "docker.io": ME}, tag=repository)


def tar_of(dockerfile: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo("Dockerfile")
        info.size = len(dockerfile)
        archive.addfile(info, io.BytesIO(dockerfile.encode()))
    return file.getvalue()


class TestSent:
    """What is sent, and who is asked for it."""

    @pytest.mark.parametrize(
        "name", ["busybox", "anna/app", "docker.io/anna/app", "index.docker.io/anna/app"]
    )
    async def test_names_of_docker_hub(self, pulled: Any, machine: Machine, name: str) -> None:
        machine.write({"auths": {HUB_SERVER: ENTRY}})
        assert await pulled(name) == {**ME, "serveraddress": HUB_SERVER}
        assert await pulled(f"{OTHER}/a") is None

    async def test_an_identity_token(self, pulled: Any, machine: Machine) -> None:
        machine.write({"credHelpers": {OTHER: "keys"}, "auths": {HUB_SERVER: {"identitytoken": PASSWORD}}})
        machine.helper("keys", Username="<token>", Secret=PASSWORD)
        assert await pulled() == {"identitytoken": PASSWORD, "serveraddress": OTHER}
        assert await pulled("busybox") == {"identitytoken": PASSWORD, "serveraddress": HUB_SERVER}

    async def test_the_environment_comes_first(
        self, pulled: Any, machine: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        machine.write({"credHelpers": {OTHER: "keys"}, "auths": {HUB_SERVER: ENTRY}})
        machine.helper("keys", NOT_FOUND)
        entry = {"auth": base64.b64encode(b"env:x").decode()}
        monkeypatch.setenv("DOCKER_AUTH_CONFIG", json.dumps({"auths": {OTHER: entry}}))
        assert (await pulled())["username"] == "env"
        assert machine.asked == []
        assert (await pulled("busybox"))["username"] == USER

    async def test_only_who_is_needed_is_asked(self, pulled: Any, machine: Machine) -> None:
        machine.write({"credHelpers": {OTHER: "keys", "slow.example": "absent"}, "credsStore": "default"})
        machine.helper("keys", Username=USER, Secret=PASSWORD)
        machine.helper("default", NOT_FOUND)
        assert machine.asked == []
        assert await pulled() == {**ME, "serveraddress": OTHER}
        assert await pulled("busybox") is None
        assert machine.asked == [f"get {OTHER}", f"get {HUB_SERVER}"]

    @pytest.mark.parametrize("auth", [ME, ANONYMOUS], ids=["credentials", "anonymous"])
    async def test_nobody_is_asked_if_credentials_are_given(
        self, pulled: Any, machine: Machine, auth: Any
    ) -> None:
        machine.write({"credsStore": "keys"})
        machine.helper("keys", Username="x", Secret="y")
        expected = {} if auth is ANONYMOUS else {**ME, "serveraddress": OTHER}
        assert await pulled(auth=auth) == expected
        assert await pulled(auth=auth, credentials=None) == expected
        assert await pulled(credentials=None) is None
        assert machine.asked == []

    async def test_nobody_is_asked_for_what_needs_none(
        self, scripted: ScriptedEngine, connect: Connect, machine: Machine
    ) -> None:
        machine.write("no JSON")
        scripted.script("GET", "/images/json", json_response([]))
        async with connect(scripted.url) as docker:
            assert await docker.images.list() == []
            with pytest.raises(CredentialsError, match=r"config\.json is no JSON"):
                await docker.images.pull("busybox")
            with pytest.raises(CredentialsError, match=r"config\.json is no JSON"):
                async with docker.images.push("busybox", stream=True):
                    pass

    async def test_every_operation_that_talks_to_a_registry(
        self, scripted: ScriptedEngine, connect: Connect, machine: Machine
    ) -> None:
        machine.write({"auths": {OTHER: ENTRY}})
        scripted.script(*PULL, chunked(b'{"status":"done"}\n'))
        scripted.script(*PUSH, chunked(b'{"status":"done"}\n'))
        scripted.script("GET", "/images/search", json_response([]))
        scripted.script("GET", f"/distribution/{OTHER}/a/json", json_response({}))
        async with connect(scripted.url) as docker:
            images = docker.images
            for call in (images.pull, images.push, images.search, images.distribution):
                await call(f"{OTHER}/a")
                assert sent(scripted) == {**ME, "serveraddress": OTHER}

    async def test_a_push_always_says_something(
        self, scripted: ScriptedEngine, connect: Connect, machine: Machine
    ) -> None:
        scripted.script(*PUSH, chunked(b'{"status":"done"}\n'))
        for options in ({}, {"credentials": None}, {"credentials": {"docker.io": ME}}):
            async with connect(scripted.url, **options) as docker:
                for auth in (None, ANONYMOUS):
                    await docker.images.push(f"{OTHER}/a", auth=auth)
                    assert scripted.requests[-1].headers["x-registry-auth"] == "e30="

    async def test_a_build_has_what_it_is_given(
        self, scripted: ScriptedEngine, connect: Connect, machine: Machine
    ) -> None:
        machine.write({"auths": {OTHER: ENTRY}})
        scripted.script("POST", "/build", chunked(b'{"stream":"done"}\n'))
        async with connect(scripted.url) as docker:
            await docker.images.build(
                fileobj=b"x", auth={"docker.io": ENTRY["auth"], f"https://{OTHER}/": ME}
            )
            assert sent(scripted, "x-registry-config") == {
                HUB_SERVER: {**ME, "serveraddress": HUB_SERVER},
                OTHER: {**ME, "serveraddress": OTHER},
            }
            await docker.images.build(fileobj=b"x")
            assert sent(scripted, "x-registry-config") is None


class Vault:
    """A source of one's own, that stores."""

    def __init__(self) -> None:
        self.kept: dict[str, Credentials] = {}
        self.asked: list[str] = []

    def get(self, registry: str, /) -> Credentials | None:
        self.asked.append(registry)
        return self.kept.get(registry)

    def store(self, registry: str, credentials: Credentials, /) -> None:
        self.kept[registry] = credentials


class AsyncVault:
    """The same with coroutines."""

    def __init__(self) -> None:
        self.vault = Vault()
        self.kept, self.asked = self.vault.kept, self.vault.asked

    async def get(self, registry: str, /) -> Credentials | None:
        await anyio.lowlevel.checkpoint()
        return self.vault.get(registry)

    async def store(self, registry: str, credentials: Credentials, /) -> None:
        await anyio.lowlevel.checkpoint()
        self.vault.store(registry, credentials)


def of_other(registry: str) -> Any:
    """Return the credentials of one registry."""
    return ME if registry == OTHER else None


def of_any(_: str) -> Any:
    """Return what is no credentials."""
    return 5


class TestSources:
    SOURCES: Mapping[str, Any] = {
        "mapping": {f"https://{OTHER}/": ME},
        "function": of_other,
        "base64": {OTHER: ENTRY["auth"]},
        "default": DEFAULT,
    }

    @pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
    async def test_what_may_be_one(self, pulled: Any, machine: Machine, source: Any) -> None:
        machine.write({"auths": {OTHER: ENTRY}})
        assert await pulled(credentials=source) == {**ME, "serveraddress": OTHER}
        assert await pulled("busybox", credentials=source) is None

    @pytest.mark.parametrize("kind", [Vault, AsyncVault])
    async def test_an_object(
        self,
        scripted: ScriptedEngine,
        connect: Connect,
        transport: Transport,
        pulled: Any,
        kind: type[Vault | AsyncVault],
    ) -> None:
        scripted.script("POST", "/auth", json_response({"Status": "Login Succeeded"}))
        vault = kind()
        if transport == "httpx" and kind is AsyncVault:
            with pytest.raises(TypeError, match="coroutine function"):
                connect(scripted.url, credentials=vault)
            return
        async with connect(scripted.url, credentials=vault) as docker:
            await docker.login("docker.io", USER, PASSWORD, store=True)
        assert vault.kept == {"docker.io": Credentials(**ME, serveraddress=HUB_SERVER)}
        assert (await pulled(credentials=vault), vault.asked) == (None, [OTHER])
        assert await pulled("busybox", credentials=vault) == {**ME, "serveraddress": HUB_SERVER}

    async def test_a_function_that_returns_an_awaitable(self, transport: Transport, pulled: Any) -> None:
        async def find(registry: str) -> Any:
            if transport != "httpx":
                await anyio.lowlevel.checkpoint()
            return ME

        def begin(registry: str) -> Any:
            return find(registry)

        assert await pulled(credentials=begin) == {**ME, "serveraddress": OTHER}

    async def test_what_blocks_does_not_stall_the_event_loop(self, pulled: Any) -> None:
        asked, answer = threading.Event(), threading.Event()

        def block(_: str) -> Any:
            asked.set()
            return ME if answer.wait(20) else None

        async def let_go() -> None:
            while not asked.is_set():  # noqa: ASYNC110  # it is set in a thread
                await anyio.sleep(0.01)
            answer.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(let_go)
            assert await pulled(credentials=block) == {**ME, "serveraddress": OTHER}

    async def test_its_exceptions_come_out(self, pulled: Any) -> None:
        def fail(registry: str) -> Any:
            raise LookupError(registry)

        with pytest.raises(LookupError, match=OTHER):
            await pulled(credentials=fail)
        with pytest.raises(TypeError, match="auth is a mapping"):
            await pulled(credentials=of_any)
        with pytest.raises(TypeError, match="credentials are a mapping"):
            await pulled(credentials=5)


class TestLogin:
    @pytest.fixture(autouse=True)
    def says(self, scripted: ScriptedEngine) -> None:
        scripted.script("POST", "/auth", json_response({"IdentityToken": "", "Status": "Login Succeeded"}))
        scripted.script(*PULL, chunked(b'{"status":"done"}\n'))

    async def test_what_is_sent(self, scripted: ScriptedEngine, connect: Connect) -> None:
        async with connect(scripted.url) as docker:
            for registry, address in (("docker.io", HUB_SERVER), (f"https://{OTHER}/v2/", OTHER)):
                assert await docker.login(registry, USER, PASSWORD) == "Login Succeeded"
                request = scripted.requests[-1]
                assert json.loads(request.body) == {**ME, "serveraddress": address}
                assert request.headers["content-type"] == "application/json"
            await docker.images.pull("busybox")
            assert sent(scripted) == {**ME, "serveraddress": HUB_SERVER}
        async with connect(scripted.url) as docker:
            await docker.images.pull("busybox")
            assert sent(scripted) is None

    async def test_a_token_takes_the_place_of_the_password(
        self, scripted: ScriptedEngine, connect: Connect, machine: Machine
    ) -> None:
        scripted.script("POST", "/auth", json_response({"IdentityToken": "t0ken", "Status": "ok"}))
        async with connect(scripted.url) as docker:
            assert await docker.login(OTHER, USER, PASSWORD, store=True) == "ok"
            await docker.images.pull(f"{OTHER}/a")
        assert sent(scripted) == {"username": USER, "identitytoken": "t0ken", "serveraddress": OTHER}
        assert PASSWORD not in str(machine.read())
        assert machine.read()["auths"][OTHER]["identitytoken"] == "t0ken"

    async def test_a_login_comes_before_the_source(
        self, scripted: ScriptedEngine, connect: Connect, machine: Machine
    ) -> None:
        machine.write({"auths": {OTHER: {"auth": base64.b64encode(b"x:y").decode()}}})
        async with connect(scripted.url) as docker:
            await docker.login(OTHER, USER, PASSWORD)
            await docker.images.pull(f"{OTHER}/a")
        assert sent(scripted) == {**ME, "serveraddress": OTHER}

    async def test_storing_in_the_file(
        self, scripted: ScriptedEngine, connect: Connect, machine: Machine
    ) -> None:
        real = machine.directory / "real.json"
        real.write_text('{"psFormat": "x", "auths": {"a.example": {"auth": "?"}}, "z": 1}')
        real.chmod(0o644)
        (machine.directory / "config.json").symlink_to("real.json")
        async with connect(scripted.url) as docker:
            await docker.login("docker.io", USER, PASSWORD, store=True)
            await docker.login(OTHER, USER, PASSWORD)
        assert machine.read() == {
            "psFormat": "x",
            "auths": {"a.example": {"auth": "?"}, HUB_SERVER: ENTRY},
            "z": 1,
        }
        assert (machine.directory / "config.json").is_symlink()
        assert stat.S_IMODE(real.stat().st_mode) == 0o600
        assert sorted(each.name for each in machine.directory.iterdir()) == ["config.json", "real.json"]

    async def test_storing_with_a_helper(
        self, scripted: ScriptedEngine, connect: Connect, machine: Machine
    ) -> None:
        machine.write({"credsStore": "keys", "auths": {OTHER: ENTRY}})
        machine.helper("keys")
        async with connect(scripted.url) as docker:
            await docker.login(OTHER, USER, PASSWORD, store=True)
        (order,) = machine.asked
        kept = {"Username": USER, "Secret": PASSWORD, "ServerURL": OTHER}
        assert json.loads(order.removeprefix("store ")) == kept
        assert machine.read() == {"credsStore": "keys", "auths": {OTHER: {}}}

    async def test_what_cannot_be_stored(
        self, scripted: ScriptedEngine, connect: Connect, machine: Machine
    ) -> None:
        for source in (None, {OTHER: ME}):
            async with connect(scripted.url, credentials=source) as docker:
                with pytest.raises(ValueError, match="cannot store"):
                    await docker.login(OTHER, USER, PASSWORD, store=True)
        assert scripted.requests == []
        machine.write({"credsStore": "keys"})
        machine.helper("keys", 'print("it is locked"); sys.exit(1)')
        async with connect(scripted.url) as docker:
            with pytest.raises(CredentialsError, match="it is locked"):
                await docker.login(OTHER, USER, PASSWORD, store=True)
            await docker.images.pull(f"{OTHER}/a")
        assert sent(scripted) == {**ME, "serveraddress": OTHER}
        assert machine.read() == {"credsStore": "keys"}


class TestThisMachine:
    """What is read and run here, without a client."""

    def test_where_the_file_is(self, tmp_path: Path) -> None:
        for environment, directory in (
            ({"HOME": str(tmp_path)}, ".docker"),
            ({"HOME": str(tmp_path), "DOCKER_CONFIG": ""}, ".docker"),
            ({"HOME": "/nowhere", "DOCKER_CONFIG": str(tmp_path / "a" / "b")}, "a/b"),
        ):
            source = StoredCredentials(environment)
            source.store(OTHER, Credentials(**ME))
            path = tmp_path / directory / "config.json"
            assert json.loads(path.read_text()) == {"auths": {OTHER: ENTRY}}
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
            assert source.get(OTHER) == Credentials(**ME, serveraddress=OTHER)
            assert str(tmp_path) not in repr(source)

    def test_a_symlink_to_nothing(self, machine: Machine) -> None:
        (machine.directory / "config.json").symlink_to("deep/real.json")
        source = StoredCredentials({"DOCKER_CONFIG": str(machine.directory)})
        assert source.get(OTHER) is None
        source.store(OTHER, Credentials(**ME))
        assert (machine.directory / "deep/real.json").is_file()
        assert source.get(OTHER) is not None

    def test_what_is_no_file(self, machine: Machine, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        assert StoredCredentials({"DOCKER_CONFIG": str(tmp_path / "file")}).get(OTHER) is None
        (machine.directory / "config.json").mkdir()
        source = StoredCredentials({"DOCKER_CONFIG": str(machine.directory)})
        with pytest.raises(CredentialsError, match=r"config\.json cannot be read: Is a directory"):
            source.get(OTHER)

    def test_what_cannot_be_written(self, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.fsync", fail)
        machine.write({"auths": {}})
        source = StoredCredentials({"DOCKER_CONFIG": str(machine.directory)})
        with pytest.raises(CredentialsError, match="cannot be written: No space left on device"):
            source.store(OTHER, Credentials(**ME))
        assert [each.name for each in machine.directory.iterdir()] == ["config.json"]
        assert machine.read() == {"auths": {}}

    FAILURES: Mapping[str, tuple[str, str]] = {
        "fails": ('print("it is locked"); sys.exit(3)', "it failed with status 3: it is locked"),
        "slow": (f"print({PASSWORD!r}, flush=True); time.sleep(60)", "it did not answer within 0.5 s"),
        "answers nothing": ("", "it answers something that is not credentials"),
        "is killed": ("import os; os.kill(os.getpid(), 9)", "it failed with status -9"),
    }

    @pytest.mark.parametrize(("does", "problem"), FAILURES.values(), ids=FAILURES)
    def test_helpers_that_fail(self, machine: Machine, does: str, problem: str) -> None:
        machine.write({"credsStore": "keys"})
        machine.helper("keys", does)
        environment = {"DOCKER_CONFIG": str(machine.directory), "PATH": str(machine.directory)}
        with pytest.raises(CredentialsError) as raised:
            StoredCredentials(environment, limit=0.5 if "slow" in problem or "sleep" in does else 30).get(
                OTHER
            )
        assert raised.value.message == f"docker-credential-keys, for {OTHER}: {problem}"
        assert PASSWORD not in _rendered(raised.value)

    def test_helpers_that_are_none(self, machine: Machine) -> None:
        machine.write({"credsStore": "keys"})
        source = StoredCredentials({"DOCKER_CONFIG": str(machine.directory), "PATH": str(machine.directory)})
        with pytest.raises(
            CredentialsError, match=f"keys, for {OTHER}: there is no such program on the PATH"
        ):
            source.get(OTHER)
        (machine.directory / "docker-credential-keys").write_text("#!/nowhere/python\n")
        (machine.directory / "docker-credential-keys").chmod(0o755)
        with pytest.raises(CredentialsError, match="it cannot be run: No such file"):
            source.get(OTHER)


def _fail_at_the_engine(machine: Machine) -> None:
    machine.write({"auths": {OTHER: ENTRY}})


def _wrong_entry(machine: Machine) -> None:
    machine.write({"auths": {OTHER: {"auth": PASSWORD}}})


def _broken_file(machine: Machine) -> None:
    machine.write(f'{{"auths": {{"{OTHER}": {{"auth": "{ENTRY["auth"]}"}} {PASSWORD}')


def _helper(does: str) -> Callable[[Machine], None]:
    def make(machine: Machine) -> None:
        machine.write({"credsStore": "keys", "auths": {OTHER: ENTRY}})
        machine.helper("keys", does)

    return make


ANSWER = json.dumps({"Username": USER, "Secret": PASSWORD})
SITUATIONS: dict[str, Callable[[Machine], None]] = {
    "the engine fails": _fail_at_the_engine,
    "a wrong entry": _wrong_entry,
    "a broken file": _broken_file,
    "a helper answers": _helper(f"print({ANSWER!r})"),
    "a helper fails": _helper("sys.exit(1)"),
    "a helper fails and answers": _helper(f"print({ANSWER!r}); sys.exit(1)"),
    "a helper answers no JSON": _helper(f"print({ANSWER!r} + '!')"),
    "a helper is absent": lambda machine: machine.write(
        {"credsStore": PASSWORD[:2], "auths": {OTHER: ENTRY}}
    ),
}


CUT: Reply = [stream_head(), b"cut", Close()]


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
async def test_no_secret_shows(  # noqa: PLR0917  # pytest passes them by name
    scripted: ScriptedEngine,
    connect: Connect,
    machine: Machine,
    situation: Callable[[Machine], None],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(0)
    situation(machine)
    shown: list[str] = []
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for reply, answer in (
            (chunked(b'{"status":"done"}\n'), json_response({"Status": "done"})),
            (chunked(b'{"error":"denied: no"}\n'), json_response({"IdentityToken": PASSWORD, "Status": ""})),
            (json_response({"message": "no"}, 500), json_response({"message": "unauthorized: no"}, 401)),
            (CUT, CUT),
        ):
            scripted.script(*PUSH, reply)
            scripted.script("POST", "/auth", answer)
            async with connect(scripted.url) as docker:
                stream = docker.images.push(f"{OTHER}/a", stream=True)
                shown += [repr(stream), repr(docker), await _outcome(stream.rest)]
                for store in (False, True):
                    shown.append(await _outcome(partial(docker.login, OTHER, USER, PASSWORD, store=store)))
                client: Any = getattr(docker, "blocking", docker)._client
                parts: list[Any] = [client, client.configuration, client.credentials, vars(client)]
                shown += map(repr, parts)
        gc.collect()
    shown += [caplog.text, *capfd.readouterr(), *(str(each.message) for each in warned)]
    assert scripted.requests
    headers = {request.headers.get("x-registry-auth", "e30=") for request in scripted.requests} - {"e30="}
    for secret in (PASSWORD, repr(PASSWORD)[1:-1], ENTRY["auth"], *headers):
        assert not [text for text in shown if secret in text]


async def _outcome(call: Callable[[], Any]) -> str:
    try:
        return repr(await call())
    except DockerError as error:
        return _rendered(error)


def _rendered(error: BaseException | None) -> str:
    text = ""
    while error is not None:
        text += f"{error!r} {error} {vars(error)}"
        error = error.__cause__ or error.__context__
    return text


def test_a_configuration_does_not_show_its_source() -> None:
    configuration = configure("unix:///x", {"credentials": {OTHER: ME}})
    assert configuration.credentials == {OTHER: ME}
    assert PASSWORD not in repr(configuration)
    assert USER not in repr(configuration)
