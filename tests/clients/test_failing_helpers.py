"""A credential helper that fails does not end a call, but explains why a registry refuses it."""

from __future__ import annotations

import base64
import json
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from dockerproto import (
    CredentialsError,
    DockerError,
    NotFound,
    NotFoundOrUnauthorized,
    ServerError,
    TooManyRequests,
    Unauthorized,
)
from dockerproto.buildkit.rpc.handler import OK
from dockerproto.buildkit.session.messages import CredentialsRequest, CredentialsResponse
from dockerproto_local import StoredCredentials
from dockerproto_local.programs import OUTPUT_LIMIT
from tests.buildkit.session.test_session import AUTH
from tests.conftest import Connect
from tests.support.calling import Speak, Speaking
from tests.support.stored import (
    ENTRY,
    ME,
    NOT_FOUND,
    OTHER,
    PASSWORD,
    PULL,
    PUSH,
    USER,
    Machine,
    rendered,
    sent,
)
from tests.testbed.base_image import context
from tests.testbed.scripted import (
    LAST_CHUNK,
    ScriptedEngine,
    UntilClosed,
    WaitFor,
    chunk,
    chunked,
    json_response,
    stream_head,
)

pytestmark = pytest.mark.anyio

NAME = f"{OTHER}/a"
STORE: dict[str, Any] = {"auths": {}, "credsStore": "keys"}
FAILURES: dict[str, tuple[Any, str | None, str]] = {
    "missing": (STORE, None, "docker-credential-keys, for r.example:5000: no such program on the PATH"),
    "missing, the registry's own": (
        {"credHelpers": {OTHER: "own"}, "credsStore": "keys"},
        'print("{}")',
        "docker-credential-own, for r.example:5000: no such program on the PATH",
    ),
    "fails": (STORE, "sys.exit(3)", "docker-credential-keys, for r.example:5000: it failed with status 3"),
    "says in other words that it has none": (
        STORE,
        'print("The specified item could not be found in the keychain."); sys.exit(1)',
        "status 1: The specified item could not be found in the keychain.",
    ),
    "says nothing": (STORE, "", "docker-credential-keys, for r.example:5000: its output is not credentials"),
    "prints without end": (
        STORE,
        f"print({json.dumps(ME)!r})\nwhile True: print('y' * 2**16)",
        f"docker-credential-keys, for r.example:5000: it printed more than {OUTPUT_LIMIT} bytes",
    ),
    "complains without end": (
        STORE,
        "for _ in range(64): print('y' * 2**20, file=sys.stderr)\nsys.exit(3)",
        "docker-credential-keys, for r.example:5000: it failed with status 3",
    ),
    "says no JSON": (STORE, 'print("hello")', "its output is not credentials"),
    "is a path": ({"credsStore": "../keys"}, None, "the helper of r.example:5000 must be a name, not a path"),
    "is not a string": ({"credsStore": 5}, None, "credsStore must be a string, not a number"),
    "is not in an object": ({"credHelpers": "keys"}, None, "credHelpers must be an object, not a string"),
}
of_each_failure = pytest.mark.parametrize("failure", FAILURES)

SEARCH, DISTRIBUTION = ("GET", "/images/search"), ("GET", f"/distribution/{OTHER}/a/json")
DONE = chunked(b'{"status":"done"}\n')
REFUSALS: dict[str, tuple[str, type[DockerError]]] = {
    "unauthorized": ("unauthorized: authentication required", Unauthorized),
    "denied": (
        "pull access denied for a, repository does not exist or may require 'docker login'",
        NotFoundOrUnauthorized,
    ),
    "limited": ("toomanyrequests: You have reached your unauthenticated pull rate limit.", TooManyRequests),
}


def set_up(machine: Machine, failure: str, **more: Any) -> str:
    """Write a config.json and a helper that fails; return what is told of it."""
    document, program, problem = FAILURES[failure]
    machine.write({**document, **more})
    if program is not None:
        machine.helper("keys", program)
    return problem


def told(error: DockerError) -> str:
    """Return the note of an error, which has a cause that says the same."""
    (note,) = error.__notes__
    assert isinstance(error.__cause__, CredentialsError)
    assert note == f"the credential helper failed: {error.__cause__.message}"
    assert note in "".join(traceback.format_exception(error))
    return str(note)


@of_each_failure
async def test_a_public_image_is_pulled_and_pushed(
    scripted: ScriptedEngine, connect: Connect, machine: Machine, failure: str
) -> None:
    set_up(machine, failure)
    for request in (PULL, PUSH):
        scripted.script(*request, DONE)
    async with connect(scripted.url) as docker:
        await docker.images.pull(NAME)
        assert sent(scripted) is None
        async with docker.images.push(NAME, stream=True) as stream:
            await stream.rest()
        assert sent(scripted) == {}


@of_each_failure
async def test_the_entry_in_the_file_is_used(
    scripted: ScriptedEngine, connect: Connect, machine: Machine, failure: str
) -> None:
    set_up(machine, failure, auths={OTHER: ENTRY})
    scripted.script(*PULL, DONE)
    scripted.script("POST", "/build", chunked(b"{}"))
    async with connect(scripted.url) as docker:
        await docker.images.pull(NAME)
        assert sent(scripted) == {**ME, "serveraddress": OTHER}
        await docker.images.build(fileobj=context(f"FROM {NAME}\n"))
        assert sent(scripted, "x-registry-config") == {OTHER: {**ME, "serveraddress": OTHER}}


@of_each_failure
async def test_a_refusal_tells_of_it(
    scripted: ScriptedEngine, connect: Connect, machine: Machine, failure: str
) -> None:
    problem = set_up(machine, failure)
    scripted.script(*PULL, chunked(json.dumps({"error": "unauthorized: authentication required"}).encode()))
    async with connect(scripted.url) as docker:
        with pytest.raises(Unauthorized, match="authentication required") as raised:
            await docker.images.pull(NAME)
    assert problem in told(raised.value)


@pytest.mark.parametrize(("text", "kind"), REFUSALS.values(), ids=REFUSALS)
async def test_every_operation_and_every_refusal(
    scripted: ScriptedEngine, connect: Connect, machine: Machine, text: str, kind: type[DockerError]
) -> None:
    problem = set_up(machine, "missing")
    in_stream, in_body = chunked(json.dumps({"error": text}).encode()), json_response({"message": text}, 500)
    async with connect(scripted.url) as docker:
        images = docker.images
        streamed: list[Callable[[], Any]] = [
            partial(images.pull, NAME),
            partial(images.push, NAME),
            partial(images.build, fileobj=context(f"FROM {NAME}\n")),
        ]
        whole: list[Callable[[], Any]] = [partial(images.search, NAME), partial(images.distribution, NAME)]
        for refusal, calls in ((in_stream, streamed), (in_body, streamed), (in_body, whole)):
            for request in (PULL, PUSH, ("POST", "/build"), SEARCH, DISTRIBUTION):
                scripted.script(*request, refusal)
            for call in calls:
                with pytest.raises(kind) as raised:
                    await call()
                assert problem in told(raised.value)
        with pytest.raises(kind) as raised:
            async with images.pull(NAME, stream=True) as stream:
                await stream.rest()
        assert problem in told(raised.value)


@pytest.mark.parametrize("with_entry", [False, True], ids=["anonymous", "of the file"])
async def test_a_build_in_a_session_goes_on(
    scripted: ScriptedEngine, connect: Connect, machine: Machine, with_entry: bool
) -> None:
    problem = set_up(machine, "missing", auths={OTHER: ENTRY} if with_entry else {})
    over = threading.Event()
    responses: list[object] = []

    def speak(speaking: Speaking) -> None:
        responses.append(speaking.ask(AUTH, CredentialsRequest(OTHER).encode()))
        over.set()

    line = json.dumps({"error": "unauthorized: authentication required"}).encode()
    scripted.script("POST", "/session", (Speak(speak), UntilClosed()))
    scripted.script("POST", "/build", (WaitFor(over), stream_head(), chunk(line), LAST_CHUNK))
    async with connect(scripted.url) as docker:
        with pytest.raises(Unauthorized) as raised:
            await docker.images.build(remote="https://example.com/a.git", builder="buildkit")
    assert problem in told(raised.value)
    expected = CredentialsResponse(USER, PASSWORD) if with_entry else CredentialsResponse()
    assert responses == [([expected.encode()], OK)]


async def test_what_a_helper_leaves_behind_keeps_nobody_waiting(
    scripted: ScriptedEngine, connect: Connect, machine: Machine
) -> None:
    machine.write(STORE)
    answer, pid = json.dumps({"Username": USER, "Secret": PASSWORD}), machine.directory / "pid"
    machine.helper(
        "keys",
        f"import os; child = os.fork()\nif not child: time.sleep(60); os._exit(0)\n"
        f"Path({str(pid)!r}).write_text(str(child)); print({answer!r})",
    )
    scripted.script(*PULL, DONE)
    async with connect(scripted.url) as docker:
        await docker.images.pull(NAME)
    assert sent(scripted) == {**ME, "serveraddress": OTHER}
    os.kill(int(pid.read_text()), signal.SIGKILL)


async def test_each_helper_of_a_build_is_told_of(
    scripted: ScriptedEngine, connect: Connect, machine: Machine
) -> None:
    machine.write({"credHelpers": {OTHER: "one", "s.example": "two", "t.example": "three"}})
    machine.helper("three", NOT_FOUND)
    scripted.script("POST", "/build", chunked(b'{"error":"unauthorized: authentication required"}'))
    async with connect(scripted.url) as docker:
        with pytest.raises(Unauthorized) as raised:
            await docker.images.build(
                fileobj=context(f"FROM {NAME} AS a\nFROM s.example/b AS b\nFROM t.example/c\n")
            )
    assert [note.partition("docker-credential-")[2].partition(",")[0] for note in raised.value.__notes__] == [
        "one",
        "two",
    ]
    assert str(raised.value.__cause__).startswith("docker-credential-one")


async def test_another_error_does_not_tell_of_it(
    scripted: ScriptedEngine, connect: Connect, machine: Machine
) -> None:
    set_up(machine, "missing")
    async with connect(scripted.url) as docker:
        for text, kind in (("manifest unknown", NotFound), ("no space left on device", DockerError)):
            scripted.script(*PULL, chunked(json.dumps({"error": text}).encode()))
            with pytest.raises(kind) as raised:
                await docker.images.pull(NAME)
            assert (raised.value.__cause__, getattr(raised.value, "__notes__", [])) == (None, [])
        scripted.script("GET", f"/distribution/{OTHER}/a/json", json_response({"message": "x"}, 500))
        with pytest.raises(ServerError) as raised:
            await docker.images.distribution(NAME)
        assert raised.value.__cause__ is None


async def test_a_refusal_without_a_failure_has_no_note(
    scripted: ScriptedEngine, connect: Connect, machine: Machine
) -> None:
    scripted.script(*PULL, chunked(b'{"error":"unauthorized: authentication required"}'))
    machine.write({"credHelpers": {"s.example": "missing", OTHER: "keys"}})
    machine.helper("keys", NOT_FOUND)
    async with connect(scripted.url) as docker:
        await _pull_in_vain(docker, "s.example/a", notes=1)
        await _pull_in_vain(docker, NAME, notes=0)
        await _pull_in_vain(docker, "s.example/a", notes=0, auth=ME)


async def _pull_in_vain(docker: Any, name: str, *, notes: int, **options: Any) -> None:
    with pytest.raises(Unauthorized) as raised:
        await docker.images.pull(name, **options)
    assert len(getattr(raised.value, "__notes__", [])) == notes


async def test_the_error_shows_no_secret_and_can_be_pickled(
    scripted: ScriptedEngine, connect: Connect, machine: Machine
) -> None:
    machine.write(STORE)
    answer = json.dumps({"Username": "anna", "Secret": PASSWORD})
    machine.helper("keys", f"print({answer!r}); sys.exit(1)")
    scripted.script(*PULL, chunked(b'{"error":"unauthorized: authentication required"}'))
    async with connect(scripted.url) as docker:
        with pytest.raises(Unauthorized) as raised:
            await docker.images.pull(NAME)
    assert told(raised.value).endswith("it failed with status 1")
    copy = pickle.loads(pickle.dumps(raised.value))
    assert (type(copy), copy.__notes__) == (type(raised.value), raised.value.__notes__)
    for text in (rendered(raised.value), *raised.value.__notes__):
        assert PASSWORD not in text
        assert base64.b64encode(PASSWORD.encode()).decode() not in text


class TestWhatStillRaises:
    async def test_a_source_of_the_program(
        self, scripted: ScriptedEngine, connect: Connect, machine: Machine
    ) -> None:
        set_up(machine, "missing")

        def find(registry: str) -> Any:
            return StoredCredentials({"DOCKER_CONFIG": str(machine.directory)}).get(registry)

        class Source:
            def get(self, registry: str, /) -> Any:
                return find(registry)

        for source in (find, Source()):
            async with connect(scripted.url, credentials=source) as docker:
                with pytest.raises(CredentialsError, match="no such program on the PATH"):
                    await docker.images.pull(NAME)
        assert not [each for each in scripted.requests if each.path == PULL[1]]

    async def test_an_entry_that_is_malformed(
        self, scripted: ScriptedEngine, connect: Connect, machine: Machine
    ) -> None:
        set_up(machine, "missing", auths={OTHER: {"auth": "?"}})
        scripted.script(*PULL, DONE)
        async with connect(scripted.url) as docker:
            with pytest.raises(CredentialsError, match="must be the base64"):
                await docker.images.pull(NAME)
            await docker.images.pull("busybox")
