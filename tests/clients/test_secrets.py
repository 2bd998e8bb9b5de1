"""No secret shows, whatever happens to it."""

from __future__ import annotations

import gc
import json
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from dockerproto import DockerError
from dockerproto_local import configure
from tests.conftest import Connect
from tests.support.stored import ENTRY, ME, OTHER, PASSWORD, PUSH, USER, Machine, rendered
from tests.testbed.base_image import context
from tests.testbed.scripted import Close, Reply, ScriptedEngine, chunked, json_response, stream_head


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


TAR = context(f"FROM {OTHER}/a\n")
CUT: Reply = [stream_head(), b"cut", Close()]


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
@pytest.mark.anyio
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
            scripted.script("POST", "/build", reply)
            scripted.script("POST", "/auth", answer)
            async with connect(scripted.url) as docker:
                for stream in (
                    docker.images.push(f"{OTHER}/a", stream=True),
                    docker.images.build(fileobj=TAR, stream=True),
                ):
                    shown += [repr(stream), repr(docker), await _outcome(stream.rest)]
                for store in (False, True):
                    shown.append(await _outcome(partial(docker.login, OTHER, USER, PASSWORD, store=store)))
                client: Any = getattr(docker, "blocking", docker).client
                parts: list[Any] = [client, client.configuration, client.credentials, vars(client)]
                shown += map(repr, parts)
        gc.collect()
    shown += [caplog.text, *capfd.readouterr(), *(str(each.message) for each in warned)]
    assert scripted.requests
    names = ("x-registry-auth", "x-registry-config")
    headers = {request.headers.get(name, "e30=") for request in scripted.requests for name in names} - {
        "e30="
    }
    for secret in (PASSWORD, repr(PASSWORD)[1:-1], ENTRY["auth"], *headers):
        assert not [text for text in shown if secret in text]


async def _outcome(call: Callable[[], Any]) -> str:
    try:
        return repr(await call())
    except DockerError as error:
        return rendered(error)


def test_a_configuration_does_not_show_its_source() -> None:
    configuration = configure("unix:///x", {"credentials": {OTHER: ME}})
    assert configuration.credentials == {OTHER: ME}
    assert PASSWORD not in repr(configuration)
    assert USER not in repr(configuration)
