"""No secret is in a variable of a frame that a traceback shows, however a call fails."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import partial
from typing import Any, Final
from urllib.parse import quote

import pytest

from dockerproto import DockerError, Secret, TimedOut, Timeout, TimeoutLike
from dockerproto.buildkit.session.messages import CredentialsRequest, GetSecretRequest
from tests.buildkit.session.test_session import AUTH
from tests.buildkit.session.test_session import SECRET as GET_SECRET
from tests.conftest import Connect
from tests.support.calling import Speak, Speaking
from tests.support.stored import ENTRY, OTHER, PASSWORD, USER, Machine
from tests.support.tracebacks import leaks
from tests.testbed.base_image import context
from tests.testbed.scripted import (
    Close,
    DontReadBody,
    ReadSome,
    Reply,
    Reset,
    ScriptedEngine,
    UntilClosed,
    chunk,
    json_response,
    stream_head,
)

pytestmark = pytest.mark.anyio

NAME: Final = f"{OTHER}/a"
TAR: Final = context(f"FROM {NAME}\n", big=bytes(2**22))
BEARER: Final = "Bearer hunter-2-and-3"
PROXY: Final = "http://joe:pr0xy-pass@proxy.example:3128"
TOKEN: Final = "t0ken-of-a-build"
IDENTITY: Final = "identity-of-a-login"
ME: Final = {"username": USER, "password": PASSWORD}
SILENCE: Final = Timeout(response=0.1)
"""Limits of a call to an engine that does not reply."""
HANG: Final = 120
"""Limit of a call that must fail without one."""
OPTIONS: Final[dict[str, Any]] = {
    "headers": {"Authorization": BEARER},
    "proxies": {"HTTPS_PROXY": PROXY},
}


def _spellings() -> list[str]:
    pair = f"{USER}:{PASSWORD}".encode()
    document = json.dumps({**ME, "serveraddress": OTHER}, separators=(",", ":")).encode()
    texts = [PASSWORD, BEARER, PROXY, TOKEN, "pr0xy-pass", quote(PASSWORD, "")]
    encoded = [
        each(data)[:-4].decode()
        for each in (base64.b64encode, base64.urlsafe_b64encode)
        for data in (pair, document)
    ]
    return [*texts, *encoded]


SECRETS: Final = _spellings()
OPERATIONS: dict[str, tuple[tuple[str, str], Callable[[Any, Any], Any]]] = {
    "pull": (
        ("POST", "/images/create"),
        lambda docker, limit: docker.images.pull(NAME, auth=ME, timeout=limit),
    ),
    "pull, stored": (
        ("POST", "/images/create"),
        lambda docker, limit: docker.images.pull(NAME, timeout=limit),
    ),
    "push": (
        ("POST", f"/images/{NAME}/push"),
        lambda docker, limit: docker.images.push(NAME, auth=ME, timeout=limit),
    ),
    "distribution": (
        ("GET", f"/distribution/{NAME}/json"),
        lambda docker, limit: docker.images.distribution(NAME, auth=ME, timeout=limit),
    ),
    "login": (
        ("POST", "/auth"),
        lambda docker, limit: docker.login(OTHER, USER, PASSWORD, store=True, timeout=limit),
    ),
    "import": (
        ("POST", "/images/create"),
        lambda docker, limit: docker.images.import_filesystem(
            f"https://{USER}:{quote(PASSWORD, '')}@files.example/a",
            changes=f"ENV TOKEN={TOKEN}",
            timeout=limit,
        ),
    ),
    "build": (
        ("POST", "/build"),
        lambda docker, limit: docker.images.build(
            fileobj=TAR, auth={OTHER: ME}, buildargs={"A": TOKEN}, timeout=limit
        ),
    ),
    "build, stored": (
        ("POST", "/build"),
        lambda docker, limit: docker.images.build(fileobj=TAR, timeout=limit),
    ),
    "session": (
        ("POST", "/build"),
        lambda docker, limit: docker.images.build(
            remote=f"https://{USER}:{quote(PASSWORD, '')}@files.example/a.git",
            builder="buildkit",
            secrets={"token": TOKEN.encode()},
            auth={OTHER: ME},
            timeout=limit,
        ),
    ),
}
FAILURES: dict[str, Reply] = {
    "unauthorized": json_response({"message": "unauthorized: no"}, 401),
    "server error": json_response({"message": "no"}, 500),
    "broken": Close(),
    "reset while it is sent": (ReadSome(1), Reset()),
    "early refusal": (DontReadBody(), json_response({"message": "no"}, 413), Close()),
    "truncated": (stream_head(), chunk(json.dumps({"IdentityToken": IDENTITY}).encode()), Close()),
    "truncated JSON": (stream_head(), chunk(b'{"IdentityToken": "' + IDENTITY.encode()), Close()),
    "invalid": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + IDENTITY.encode(), Close()),
    "not HTTP": (b"SSH-2.0\r\n", Close()),
    "silent": UntilClosed(),
}


def _attempt(speaking: Speaking) -> None:
    speaking.ask(GET_SECRET, GetSecretRequest("token").encode())
    speaking.ask(AUTH, CredentialsRequest(OTHER).encode())


def _malformed(speaking: Speaking) -> None:
    _attempt(speaking)
    speaking.ask(GET_SECRET, b"\xff\xff")


async def _fails(call: Callable[[], Any]) -> BaseException:
    try:
        await call()
    except Exception as error:  # noqa: BLE001  # its traceback is what is tested
        return error
    raise AssertionError("it did not fail")


def assert_hidden(error: BaseException, *more: str) -> None:
    assert leaks(error, [*SECRETS, *more]) == []


@pytest.fixture
def logged_in(machine: Machine) -> Machine:
    machine.write({"auths": {OTHER: ENTRY}})
    return machine


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_call_that_fails_at_the_engine(
    scripted: ScriptedEngine, connect: Connect, logged_in: Machine, name: str, failure: str
) -> None:
    request, operation = OPERATIONS[name]
    scripted.script("POST", "/session", (Speak(_attempt), UntilClosed()))
    scripted.script(*request, FAILURES[failure])
    limit: TimeoutLike = SILENCE if failure == "silent" else HANG
    async with connect(scripted.url, **OPTIONS) as docker:
        await docker.ping()
        error = await _fails(partial(operation, docker, limit))
        assert isinstance(error, TimedOut) == (failure == "silent")
        assert_hidden(error, *((IDENTITY,) if name == "login" else ()))
        if name in {"pull", "push"}:
            error = await _fails(docker.images.pull(NAME, auth=ME, stream=True, timeout=limit).rest)
            assert_hidden(error)


@pytest.mark.parametrize("name", OPERATIONS)
async def test_an_engine_that_is_absent(connect: Connect, logged_in: Machine, name: str) -> None:
    async with connect("unix:///absent/docker.sock", **OPTIONS) as docker:
        assert_hidden(await _fails(partial(OPERATIONS[name][1], docker, HANG)))


@pytest.mark.parametrize("script", [_attempt, _malformed])
async def test_a_session_that_breaks(
    scripted: ScriptedEngine, connect: Connect, logged_in: Machine, script: Callable[[Speaking], None]
) -> None:
    scripted.script("POST", "/session", (Speak(script), Reset()))
    scripted.script("POST", "/build", UntilClosed())
    async with connect(scripted.url, **OPTIONS) as docker:
        assert_hidden(await _fails(partial(OPERATIONS["session"][1], docker, HANG)))


@pytest.mark.parametrize(
    "does",
    [
        f"print({json.dumps({'Username': USER, 'Secret': PASSWORD})!r}); sys.exit(1)",
        f"print({json.dumps({'Username': USER, 'Secret': PASSWORD})!r} + '!' * 2**21)",
        None,
    ],
)
async def test_a_helper_that_fails(
    scripted: ScriptedEngine, connect: Connect, machine: Machine, does: str | None
) -> None:
    machine.write({"credsStore": "keys"})
    if does is not None:
        machine.helper("keys", does)
    scripted.script("POST", "/auth", json_response({"Status": "", "IdentityToken": IDENTITY}))
    scripted.script("POST", "/images/create", json_response({"message": "unauthorized: no"}, 401))
    async with connect(scripted.url, **OPTIONS) as docker:
        for name in ("login", "pull, stored"):
            assert_hidden(await _fails(partial(OPERATIONS[name][1], docker, HANG)), IDENTITY)


async def test_a_helper_that_hangs(scripted: ScriptedEngine, connect: Connect, machine: Machine) -> None:
    """It has printed the password long before the limit."""
    machine.write({"credsStore": "keys"})
    machine.shell_helper("keys", f"echo '{PASSWORD}'; exec /bin/sleep 600")
    scripted.script("POST", "/auth", json_response({"Status": "", "IdentityToken": IDENTITY}))
    async with connect(scripted.url, **OPTIONS) as docker:
        await docker.ping()
        for name in ("login", "pull, stored"):
            assert_hidden(await _fails(partial(OPERATIONS[name][1], docker, 0.25)), IDENTITY)


async def test_a_configuration_file_that_cannot_be_written(
    scripted: ScriptedEngine, connect: Connect, logged_in: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    scripted.script("POST", "/auth", json_response({"Status": "", "IdentityToken": IDENTITY}))
    async with connect(scripted.url, **OPTIONS) as docker:
        assert_hidden(await _fails(partial(OPERATIONS["login"][1], docker, HANG)), IDENTITY)


def _find_nonsense(_: str) -> dict[str, str]:
    return {**ME, "nonsense": "1"}


def _find_text(_: str) -> str:
    return PASSWORD


SOURCES: dict[str, Any] = {
    "a malformed mapping": {OTHER: {**ME, "nonsense": "1"}},
    "a mapping with a bad key": {"no registry/": ME, OTHER: ME},
    "a function": _find_nonsense,
    "base64": _find_text,
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
async def test_credentials_that_are_malformed(
    scripted: ScriptedEngine, connect: Connect, source: Any
) -> None:
    async with connect(scripted.url, credentials=source, **OPTIONS) as docker:
        assert_hidden(await _fails(partial(OPERATIONS["pull, stored"][1], docker, HANG)))


ARGUMENTS: dict[str, Callable[[Any], Any]] = {
    "auth": lambda docker: docker.images.pull(NAME, auth={**ME, "nonsense": "1"}),
    "name": lambda docker: docker.images.pull("UPPER CASE", auth=ME),
    "login": lambda docker: docker.login("no registry/", USER, PASSWORD),
    "auth of a build": lambda docker: docker.images.build(fileobj=TAR, auth=ME),
    "buildargs": lambda docker: docker.images.build(fileobj=TAR, buildargs={"A": TOKEN, "B": 5}),
    "a long secret": lambda docker: docker.images.build(
        remote="x", builder="buildkit", secrets={"a": TOKEN.encode() * 2**16}
    ),
    "a secret that is a str": lambda docker: docker.images.build(remote="x", secrets={"a": TOKEN}),
}


@pytest.mark.parametrize("operation", ARGUMENTS.values(), ids=ARGUMENTS)
async def test_arguments_that_are_refused(
    scripted: ScriptedEngine, connect: Connect, operation: Callable[[Any], Any]
) -> None:
    async with connect(scripted.url) as docker:

        async def call() -> None:
            await operation(docker)

        assert_hidden(await _fails(call))


async def test_a_long_secret_of_the_environment(
    scripted: ScriptedEngine, connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("BUILD_TOKEN", TOKEN * 2**12 * 8)
    path = tmp_path / "secret"
    path.write_text(TOKEN * 2**16)
    async with connect(scripted.url) as docker:
        for secret in (Secret.from_env("BUILD_TOKEN"), Secret.from_file(path)):
            call = partial(docker.images.build, remote="x", builder="buildkit", secrets={"a": secret})
            assert_hidden(await _fails(call))


CLIENTS: dict[str, dict[str, Any]] = {
    "address": {"url": "tcp://bad host", "proxy": PROXY},
    "proxy": {"url": "tcp://engine.example:2375", "proxy": f"{PROXY}999"},
    "header": {"headers": {"Authorization": BEARER, "bad name": "x"}},
    "version": {"api_version": "x", "credentials": {OTHER: ME}},
    "unknown": {"credentials": {OTHER: ME}, "nonsense": 1},
    "context": {"context": "absent"},
}


@pytest.mark.parametrize("options", CLIENTS.values(), ids=CLIENTS)
def test_clients_that_are_refused(
    connect: Connect, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment may hold more secrets than those of this library."""
    monkeypatch.setenv("OTHER_TOKEN", TOKEN)
    monkeypatch.setenv("DOCKER_AUTH_CONFIG", json.dumps({"auths": {OTHER: ENTRY}}))
    with pytest.raises((DockerError, ValueError, TypeError)) as raised:
        connect(**OPTIONS | options)
    assert_hidden(raised.value)
