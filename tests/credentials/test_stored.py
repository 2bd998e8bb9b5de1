"""config.json: which credentials it has for a registry, which helper, and what a login writes."""

from __future__ import annotations

import base64
import json
import traceback
from functools import partial
from typing import Any

import pytest

from dockerproto import Credentials, CredentialsError
from dockerproto.config.config_file import ConfigFile, parse_config_file
from dockerproto.credentials.credentials import HUB_SERVER
from dockerproto.credentials.helper import CredentialHelper
from dockerproto.credentials.stored import may_have_credentials, with_credentials
from tests.support.config_files import look_up

SECRET = "hunter2/+?"
WHERE = "/home/anna/.docker/config.json"
HUB, OTHER = "docker.io", "r.example:5000"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def config_of(document: object) -> ConfigFile:
    return parse_config_file(json.dumps(document).encode(), WHERE)


ENTRY = {"auth": b64(f"anna:{SECRET}")}
ANNA = Credentials(username="anna", password=SECRET)

# What auths has, for which registry, and what is found.
FOUND: dict[str, tuple[object, str, Credentials | None]] = {
    "host": ({OTHER: ENTRY}, OTHER, ANNA),
    "hub": ({HUB_SERVER: ENTRY}, HUB, ANNA),
    "hub by its other names": ({"index.docker.io": ENTRY}, HUB, ANNA),
    "hub by its short name": ({"docker.io": ENTRY}, HUB, ANNA),
    "hub without a slash": ({"https://index.docker.io/v1": ENTRY}, HUB, ANNA),
    "scheme": ({f"https://{OTHER}": ENTRY}, OTHER, ANNA),
    "plain scheme": ({f"http://{OTHER}/": ENTRY}, OTHER, ANNA),
    "scheme and path": ({f"https://{OTHER}/v1/": ENTRY}, OTHER, ANNA),
    "path": ({f"{OTHER}/v2/": ENTRY}, OTHER, ANNA),
    "the exact one first": ({f"https://{OTHER}": {"auth": b64("old:old")}, OTHER: ENTRY}, OTHER, ANNA),
    "another port": ({"r.example": ENTRY}, OTHER, None),
    "another host": ({"x.r.example:5000": ENTRY}, OTHER, None),
    "Docker Hub is another registry": ({HUB_SERVER: ENTRY}, OTHER, None),
    "nothing": ({}, OTHER, None),
    "null": (None, OTHER, None),
    "null entry": ({OTHER: None}, OTHER, None),
    "empty entry": ({OTHER: {}}, OTHER, None),
    "empty auth": ({OTHER: {"auth": ""}}, OTHER, None),
    "nothing known": ({OTHER: {"email": "a@b.example"}}, OTHER, None),
    "name and password": ({OTHER: {"username": "anna", "password": SECRET}}, OTHER, ANNA),
    "password alone": ({OTHER: {"password": SECRET}}, OTHER, Credentials(password=SECRET)),
    "auth first": ({OTHER: {**ENTRY, "username": "x", "password": "y"}}, OTHER, ANNA),
    "email": ({OTHER: {**ENTRY, "email": "a@b.example", "new": [1]}}, OTHER, ANNA),
    "line ends": ({OTHER: {"auth": f"{ENTRY['auth'][:8]}\r\n{ENTRY['auth'][8:]}\n"}}, OTHER, ANNA),
    "padding of zeros": ({OTHER: {"auth": b64(f"anna:{SECRET}\0\0")}}, OTHER, ANNA),
    "another case": ({OTHER: {"Auth": ENTRY["auth"]}}, OTHER, ANNA),
    "identity token": (
        {OTHER: {"auth": b64("anna:"), "identitytoken": SECRET}},
        OTHER,
        Credentials(username="anna", identitytoken=SECRET),
    ),
    "identity token alone": ({OTHER: {"identitytoken": SECRET}}, OTHER, Credentials(identitytoken=SECRET)),
    "token user": ({OTHER: {"auth": b64(f"<token>:{SECRET}")}}, OTHER, Credentials(identitytoken=SECRET)),
    "registry token": ({OTHER: {"registrytoken": SECRET}}, OTHER, Credentials(registrytoken=SECRET)),
    "its neighbour is broken": ({"a.example": 5, "b.example": {"auth": "?"}, OTHER: ENTRY}, OTHER, ANNA),
}


@pytest.mark.parametrize(("auths", "registry", "expected"), FOUND.values(), ids=FOUND)
def test_what_is_found_in_the_file(auths: object, registry: str, expected: Credentials | None) -> None:
    found = look_up(config_of({"auths": auths}), registry)
    assert found == (None if expected is None else expected.for_registry(registry))


HELPERS: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "default": ({"credsStore": "pass"}, OTHER, "pass"),
    "default for hub": ({"credsStore": "pass"}, HUB, "pass"),
    "default in another case": ({"CredsStore": "pass"}, HUB, "pass"),
    "own": ({"credHelpers": {OTHER: "ecr-login"}, "credsStore": "pass"}, OTHER, "ecr-login"),
    "of hub": ({"credHelpers": {HUB_SERVER: "desktop"}}, HUB, "desktop"),
    "of another": ({"credHelpers": {"r.example": "ecr-login"}, "credsStore": "pass"}, OTHER, "pass"),
    "of another only": ({"credHelpers": {"r.example": "ecr-login"}}, OTHER, None),
    "own is the file": ({"credHelpers": {OTHER: ""}, "credsStore": "pass"}, OTHER, None),
    "none": ({"credsStore": ""}, OTHER, None),
    "null": ({"credsStore": None, "credHelpers": None}, OTHER, None),
    "broken neighbour": ({"credHelpers": {"a.example": 5, OTHER: "pass"}}, OTHER, "pass"),
}


@pytest.mark.parametrize(("document", "registry", "helper"), HELPERS.values(), ids=HELPERS)
def test_a_helper_comes_before_the_file(document: dict[str, Any], registry: str, helper: str | None) -> None:
    config = config_of({"auths": {OTHER: ENTRY, HUB_SERVER: ENTRY}, **document})
    expected = ANNA.for_registry(registry) if helper is None else CredentialHelper(helper, registry)
    assert look_up(config, registry) == expected


BROKEN: dict[str, tuple[object, str]] = {
    "auths": ({"auths": [SECRET]}, "auths must be an object, not an array"),
    "entry": ({"auths": {OTHER: SECRET}}, "an entry of auths must be an object, not a string"),
    "auth of no text": ({"auths": {OTHER: {"auth": [SECRET]}}}, "auth must be a string, not an array"),
    "auth of no base64": ({"auths": {OTHER: {"auth": SECRET}}}, "auth must be the base64 of user:password"),
    "auth without a colon": (
        {"auths": {OTHER: {"auth": b64(SECRET)}}},
        "must be the base64 of user:password",
    ),
    "helpers": ({"credHelpers": [SECRET]}, "credHelpers must be an object, not an array"),
    "helper": ({"credHelpers": {OTHER: [SECRET]}}, "an entry of credHelpers must be a string, not an array"),
    "helper with a path": (
        {"credsStore": f"../{SECRET}"},
        "the helper of r.example:5000 must be a name, not a path",
    ),
}


@pytest.mark.parametrize(("document", "message"), BROKEN.values(), ids=BROKEN)
def test_what_is_broken_is_an_error_that_quotes_nothing(document: object, message: str) -> None:
    with pytest.raises(CredentialsError) as raised:
        look_up(config_of(document), OTHER)
    assert raised.value.message.startswith(f"{WHERE}: ")
    assert message in raised.value.message
    assert_hidden(raised.value)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b'{"auths": {"r": {"password": "hunter2/+?', "it is not valid JSON: "),
        (b'{"auths": "hunter2/+?"} hunter2/+?', "auths must be an object, not a string"),
        (b'{"auths": hunter2/+?}', "it is not valid JSON: "),
        (b'{"auths": "hunter2/+?\xff"}', "auths must be an object, not a string"),
        (b"[" * 100_000, "it is not valid JSON: "),
        (b'["hunter2/+?"]', "it must be an object, not an array"),
        (b'"hunter2/+?"', "it must be an object, not a string"),
    ],
)
def test_a_file_that_is_malformed(data: bytes, problem: str) -> None:
    config = parse_config_file(data, WHERE)
    assert may_have_credentials(config)
    for use in (look_up, partial(with_credentials, credentials=ANNA)):
        with pytest.raises(CredentialsError) as raised:
            use(config, registry=OTHER)
        assert raised.value.message.startswith(f"{WHERE}: {problem}")
        assert_hidden(raised.value)


def assert_hidden(error: BaseException) -> None:
    """Check that neither an exception nor what it comes from has the secret."""
    for each in (error, error.__cause__, error.__context__):
        text = "".join(traceback.format_exception(each)) if each is not None else ""
        assert not [secret for secret in (SECRET, b64(SECRET), b64(f"anna:{SECRET}")) if secret in text]
        assert not isinstance(each, UnicodeDecodeError)  # which has all of the text


@pytest.mark.parametrize("data", [b"", b" \n", b"null", b"{}", b'{"psFormat": "table"}', b'{"proxies": 5}'])
def test_an_empty_file_has_nothing(data: bytes) -> None:
    config = parse_config_file(data, WHERE)
    assert look_up(config, HUB) is None
    assert not may_have_credentials(config)
    assert look_up(ConfigFile(), HUB) is None


WRITTEN: dict[str, tuple[Credentials, dict[str, str]]] = {
    "password": (ANNA, ENTRY),
    "identity token": (
        Credentials(username="anna", identitytoken=SECRET),
        {"auth": b64("anna:"), "identitytoken": SECRET},
    ),
    "token alone": (Credentials(identitytoken=SECRET), {"identitytoken": SECRET}),
}


@pytest.mark.parametrize(("credentials", "entry"), WRITTEN.values(), ids=WRITTEN)
@pytest.mark.parametrize(("registry", "key"), [(HUB, HUB_SERVER), (OTHER, OTHER)])
def test_what_is_written_is_found(
    credentials: Credentials, entry: dict[str, str], registry: str, key: str
) -> None:
    text = with_credentials(ConfigFile(), registry, credentials)
    assert json.loads(text) == {"auths": {key: entry}}
    assert look_up(parse_config_file(text, WHERE), registry) == credentials.for_registry(registry)


def test_nothing_else_is_lost() -> None:
    before: dict[str, Any] = {
        "psFormat": "table {{.ID}}\t\u00fc<>&",
        "Auths": {"a.example": {"auth": "?", "x": 1}, f"https://{OTHER}/v1/": {}, "b.example": None},
        "credHelpers": {"c.example": "pass"},
        "plugins": {"big": 12345678901234567890123, "half": 0.5, "no": None, "yes": True},
    }
    text = with_credentials(config_of(before), OTHER, ANNA)
    after = json.loads(text)
    auths = before.pop("Auths")
    assert list(after) == ["psFormat", "Auths", "credHelpers", "plugins"]
    assert list(after["Auths"].items()) == [
        ("a.example", auths["a.example"]),
        (OTHER, ENTRY),
        ("b.example", None),
    ]
    assert {name: value for name, value in after.items() if name != "Auths"} == before
    assert text.startswith(b'{\n\t"psFormat": "table {{.ID}}\\t\xc3\xbc<>&",\n')


def test_what_a_helper_keeps_is_not_written() -> None:
    config = config_of({"auths": {OTHER: ENTRY}, "credsStore": "pass"})
    text = with_credentials(config, OTHER, ANNA, elsewhere=True)
    assert json.loads(text) == {"auths": {OTHER: {}}, "credsStore": "pass"}
