"""Logging in: what is verified, remembered and stored."""

from __future__ import annotations

import base64
import json
import stat

import pytest

from dockerproto import CredentialsError
from dockerproto.credentials.credentials import HUB_SERVER
from tests.conftest import Connect
from tests.support.stored import ENTRY, ME, OTHER, PASSWORD, PULL, USER, Machine, sent
from tests.testbed.scripted import ScriptedEngine, chunked, json_response

pytestmark = pytest.mark.anyio


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
