"""Credential helpers, working and broken, are used as the Docker CLI uses them."""

from __future__ import annotations

import base64
import json
import subprocess
from typing import Any

import pytest

import dockerproto_httpx
from tests.support.stored import ENTRY, NOT_FOUND, OTHER, PULL, Machine
from tests.testbed.scripted import ScriptedEngine, chunked, json_response

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("docker_command")]

STORE: dict[str, Any] = {"credsStore": "keys"}
FULL = '{"Username":"bert","Secret":"other"}'


def prints(text: str, status: int = 0) -> str:
    return f"sys.stdout.write({text!r}); sys.exit({status})"


HELPERS: dict[str, tuple[dict[str, Any], str | None]] = {
    "works": (STORE, prints(FULL)),
    "of the registry": ({"credHelpers": {OTHER: "keys"}, "credsStore": "gone"}, prints(FULL)),
    "of another registry": ({"credHelpers": {"x.example": "gone"}}, None),
    "of the registry, no name": ({"credHelpers": {OTHER: ""}, "credsStore": "keys"}, prints(FULL)),
    "token": (STORE, prints('{"Username":"<token>","Secret":"t"}')),
    "any case": (STORE, prints('{"USERNAME":"bert","secret":"other","serverURL":"x"}')),
    "equal names": (STORE, prints('{"Username":"x","Secret":"other","username":"bert"}')),
    "null values": (STORE, prints('{"Username":"bert","Secret":"other","secret":null}')),
    "text after": (STORE, prints(f"{FULL}\nwarning: it will expire")),
    "text before": (STORE, prints(f"warning: it will expire\n{FULL}")),
    "another object after": (STORE, prints(FULL + FULL.replace("bert", "x"))),
    "space around": (STORE, prints(f" \n\t{FULL}\r\n")),
    "more members": (STORE, prints('{"Username":"bert","Secret":"other","Expiry":[5]}')),
    "name only": (STORE, prints('{"Username":"bert"}')),
    "secret only": (STORE, prints('{"Secret":"other"}')),
    "empty strings": (STORE, prints('{"ServerURL":"","Username":"","Secret":""}')),
    "empty object": (STORE, prints("{}")),
    "null": (STORE, prints("null")),
    "nothing": (STORE, prints("")),
    "array": (STORE, prints(f"[{FULL}]")),
    "string": (STORE, prints('"bert"')),
    "number for a string": (STORE, prints('{"Username":"bert","Secret":5}')),
    "cut": (STORE, prints(FULL[:-2])),
    "not UTF-8": (STORE, 'sys.stdout.buffer.write(b\'{"Username":"bert","Secret":"\\xe2\\x82\\xff"}\')'),
    "has none": (STORE, NOT_FOUND),
    "has none, with space": (STORE, prints("  credentials not found in native keychain\n\n", 1)),
    "has none, but no failure": (STORE, prints("credentials not found in native keychain")),
    "has none, in other words": (STORE, prints("The specified item could not be found in the keychain.", 1)),
    "has none, in capitals": (STORE, prints("Credentials not found in native keychain", 1)),
    "fails with its credentials": (STORE, prints(FULL, 1)),
    "fails": (STORE, prints("", 127)),
    "is killed": (STORE, "import os; os.kill(os.getpid(), 9)"),
    "is missing": (STORE, None),
    "is a path": ({"credsStore": "./keys"}, prints(FULL)),
    "is not a string": ({"credsStore": 5}, prints(FULL)),
    "is empty": ({"credsStore": ""}, prints(FULL)),
}


def sent(engine: ScriptedEngine) -> Any:
    """Return the credentials of the last pull, without the address of the registry."""
    header = [each for each in engine.requests if each.path == PULL[1]][-1].headers.get(
        "x-registry-auth", "e30="
    )
    auth = json.loads(base64.urlsafe_b64decode(header))
    auth.pop("serveraddress", None)
    return auth


@pytest.mark.parametrize("with_entry", [False, True], ids=["alone", "with an entry in the file"])
@pytest.mark.parametrize("helper", HELPERS)
def test_the_docker_cli_sends_the_same(
    helper: str, with_entry: bool, scripted: ScriptedEngine, machine: Machine
) -> None:
    document, program = HELPERS[helper]
    # The Docker CLI does not decode "auth" in a file with a value of a wrong type.
    entry = {"username": "anna", "password": "s3cret"} if helper == "is not a string" else ENTRY
    machine.write({**document, "auths": {OTHER: entry}} if with_entry else document)
    if program is not None:
        machine.helper("keys", program)
    scripted.script(*PULL, chunked(b'{"status":"done"}\n'))
    scripted.script("GET", "/info", json_response({}))
    path = f"{machine.directory}:/usr/local/bin:/usr/bin:/bin"
    environment = {"PATH": path, "DOCKER_CONFIG": str(machine.directory), "DOCKER_HOST": scripted.url}
    command = ["docker", "pull", "--quiet", f"{OTHER}/a"]
    subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60)
    expected = sent(scripted)
    with dockerproto_httpx.Docker(scripted.url) as docker:
        docker.images.pull(f"{OTHER}/a")
    assert sent(scripted) == expected
