"""Credentials that a client sends: their sources, and the time of the lookup."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Mapping
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from dockerproto import ANONYMOUS, DEFAULT, Credentials, CredentialsError
from dockerproto.credentials.credentials import HUB_SERVER
from tests.conftest import Connect
from tests.support.facade import Transport
from tests.support.stored import ENTRY, ME, NOT_FOUND, OTHER, PASSWORD, PULL, PUSH, USER, Machine, sent
from tests.testbed.scripted import ScriptedEngine, chunked, json_response

pytestmark = pytest.mark.anyio


@pytest.fixture
def pulled(scripted: ScriptedEngine, connect: Connect) -> Any:
    """Pull from a scripted engine, and return the credentials that it was sent."""
    scripted.script(*PULL, chunked(b'{"status":"done"}\n'))

    async def pull(name: str = f"{OTHER}/a", auth: Any = None, **options: Any) -> Any:
        async with connect(scripted.url, **options) as docker:
            await docker.images.pull(name, auth=auth)
        return sent(scripted)

    return pull


class TestSent:
    """The credentials that are sent, and their source."""

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
        with pytest.warns(UserWarning, match="was ignored"):
            connecting = connect(scripted.url)
        async with connecting as docker:
            assert await docker.images.list() == []
            with pytest.raises(CredentialsError, match=r"config\.json: it is not valid JSON"):
                await docker.images.pull("busybox")
            with pytest.raises(CredentialsError, match=r"config\.json: it is not valid JSON"):
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


class Vault:
    """A custom source that also stores."""

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
    """Return something other than credentials."""
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
        with pytest.raises(TypeError, match="auth must be a mapping"):
            await pulled(credentials=of_any)
        with pytest.raises(TypeError, match="credentials must be a mapping"):
            await pulled(credentials=5)
