"""No secret is in a repr, a message, the log or a warning."""

from __future__ import annotations

import base64
import gc
import json
import logging
import threading
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import quote, unquote

import pytest

from dockerproto import DockerError
from dockerproto.buildkit.session.messages import CredentialsRequest, GetSecretRequest
from dockerproto_local import configure
from tests.buildkit.session.test_session import AUTH as CREDENTIALS
from tests.buildkit.session.test_session import SECRET
from tests.conftest import Connect
from tests.support.calling import Speak, Speaking
from tests.support.stored import ENTRY, ME, OTHER, PASSWORD, PUSH, USER, Machine, rendered
from tests.testbed.base_image import context
from tests.testbed.scripted import (
    LAST_CHUNK,
    Close,
    Recorded,
    Reply,
    ScriptedEngine,
    UntilClosed,
    WaitFor,
    chunk,
    chunked,
    json_response,
    stream_head,
)


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


HUSH = "h@sh/+:%"
"""A secret that is escaped in different ways in headers, queries and JSON."""
QUOTED = quote(HUSH, "")
SPELLED = {HUSH, QUOTED, quote(HUSH), quote(QUOTED), base64.b64encode(f"{USER}:{HUSH}".encode()).decode()}
URL = f"https://{USER}:{QUOTED}@files.example/a.tar"
AUTH: dict[str, Any] = {"username": USER, "password": HUSH}


def _hushed_calls(docker: Any) -> dict[str, Callable[[], Any]]:
    """Return calls that send secrets, by the path of each."""
    images = docker.images
    return {
        "/auth": partial(docker.login, OTHER, USER, HUSH),
        PUSH[1]: partial(images.push, f"{OTHER}/a", auth=AUTH),
        f"/distribution/{OTHER}/a/json": partial(images.distribution, f"{OTHER}/a", auth=AUTH),
        "/images/create": partial(images.import_filesystem, URL, changes=f"ENV TOKEN={HUSH}"),
        "/build": partial(images.build, fileobj=TAR, auth={OTHER: AUTH}, buildargs={HUSH: HUSH}),
    }


def _sends_secret(request: Recorded) -> bool:
    values = [request.headers.get(name, "") for name in ("x-registry-auth", "x-registry-config")]
    text = f"{request.target} {request.body!r} {[base64.urlsafe_b64decode(value) for value in values]}"
    return HUSH in unquote(unquote(text))


def _assert_hushed(log: pytest.LogCaptureFixture) -> None:
    assert log.messages
    assert not [line for line in log.messages if any(each in line for each in SPELLED)]


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(json_response({"IdentityToken": HUSH, "stream": HUSH}), id="success"),
        pytest.param(json_response({"message": f"denied: {HUSH}"}, 401), id="failure"),
        pytest.param(Close(), id="a connection that breaks"),
    ],
)
@pytest.mark.anyio
async def test_no_secret_is_logged(
    scripted: ScriptedEngine, connect: Connect, caplog: pytest.LogCaptureFixture, reply: Reply
) -> None:
    caplog.set_level(logging.DEBUG, logger="dockerproto")
    hidden = {"headers": {"Proxy-Authorization": HUSH}, "proxies": {"HTTPS_PROXY": URL}}
    async with connect(scripted.url, credentials=None, **hidden) as docker:
        for path, call in _hushed_calls(docker).items():
            method = "GET" if path.endswith("/json") else "POST"
            scripted.script(method, path, reply)
            await _outcome(call)
            assert f"{method} /v1.41{path}" in caplog.messages[-1]
            assert scripted.requests[-1].headers["proxy-authorization"] == HUSH
            assert _sends_secret(scripted.requests[-1])
    _assert_hushed(caplog)


@pytest.mark.anyio
async def test_no_secret_of_a_session_is_logged(
    scripted: ScriptedEngine, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="dockerproto")
    told: list[bytes] = []
    over = threading.Event()

    def speak(speaking: Speaking) -> None:
        told.extend(speaking.ask(SECRET, GetSecretRequest("token").encode())[0])
        told.extend(speaking.ask(CREDENTIALS, CredentialsRequest(OTHER).encode())[0])
        over.set()

    scripted.script("POST", "/session", (Speak(speak), UntilClosed()))
    scripted.script("POST", "/build", (WaitFor(over), stream_head(), chunk(b"{}"), LAST_CHUNK))
    options: dict[str, Any] = {"builder": "buildkit", "buildargs": {"A": HUSH}, "auth": {OTHER: AUTH}}
    async with connect(scripted.url) as docker:
        await docker.images.build(remote=URL, secrets={"token": HUSH.encode()}, **options)
    assert [HUSH.encode() in message for message in told] == [True, True]
    calls = [line for line in caplog.messages if line.startswith("session: ")]
    assert calls == [f"session: {call}: gRPC status 0" for call in (SECRET, CREDENTIALS)]
    _assert_hushed(caplog)


def test_a_configuration_does_not_show_its_source() -> None:
    configuration = configure("unix:///x", credentials={OTHER: ME})
    assert configuration.credentials == {OTHER: ME}
    assert PASSWORD not in repr(configuration)
    assert USER not in repr(configuration)
