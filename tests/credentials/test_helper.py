"""Credential helpers: what one is told, how its answer is read, and that no error shows a secret."""

from __future__ import annotations

import json

import pytest

from dockerproto import Credentials, CredentialsError
from dockerproto.credentials import helper
from dockerproto.credentials.credentials import HUB_SERVER
from dockerproto.credentials.helper import CredentialHelper

SECRET = "hunter2/+?"
HELPER = CredentialHelper("pass", "r.example:5000")
ANNA = Credentials(username="anna", password=SECRET, serveraddress="r.example:5000")
TOKEN = Credentials(identitytoken=SECRET, serveraddress="r.example:5000")


@pytest.mark.parametrize(
    ("registry", "told"), [("docker.io", HUB_SERVER), ("r.example:5000", "r.example:5000")]
)
def test_what_it_is_told(registry: str, told: str) -> None:
    helper = CredentialHelper("ecr-login", registry)
    assert helper.program == "docker-credential-ecr-login"
    assert helper.get_input() == told.encode()
    assert json.loads(helper.store_input(ANNA)) == {"ServerURL": told, "Username": "anna", "Secret": SECRET}
    assert json.loads(helper.store_input(TOKEN)) == {
        "ServerURL": told,
        "Username": "<token>",
        "Secret": SECRET,
    }


ANSWERS: dict[str, tuple[int, str, Credentials | None]] = {
    "password": (0, '{"ServerURL":"x","Username":"anna","Secret":"hunter2/+?"}\n', ANNA),
    "no address": (0, '{"Username":"anna","Secret":"hunter2/+?"}', ANNA),
    "more": (0, '{"Username":"anna","Secret":"hunter2/+?","Expiry":5}', ANNA),
    "token": (0, '{"Username":"<token>","Secret":"hunter2/+?"}', TOKEN),
    "any case": (0, '{"USERNAME":"anna","secret":"hunter2/+?","serverurl":"x"}', ANNA),
    "the last of equal names": (0, '{"Username":"x","Secret":"hunter2/+?","username":"anna"}', ANNA),
    "more text": (0, ' {"Username":"anna","Secret":"hunter2/+?"} done.\n', ANNA),
    "another object": (0, '{"Username":"anna","Secret":"hunter2/+?"}{"Secret":"x"}', ANNA),
    "a name only": (0, '{"Username":"anna"}', Credentials(username="anna", serveraddress="r.example:5000")),
    "null": (0, "null", None),
    "null values": (0, '{"Username":null,"Secret":null}', None),
    "an empty object": (0, "{}", None),
    "empty texts": (0, '{"ServerURL":"","Username":"","Secret":""}', None),
    "not found": (1, "credentials not found in native keychain\n", None),
    "not found, another status": (2, " credentials not found in native keychain ", None),
}


@pytest.mark.parametrize(("status", "output", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_answers(status: int, output: str, expected: Credentials | None) -> None:
    assert HELPER.parse_output(status, output.encode()) == expected


FAILURES: dict[str, tuple[int, bytes, str]] = {
    "its words": (1, b" the keychain is locked \n", "it failed with status 1: the keychain is locked"),
    "no words": (127, b"", "it failed with status 127"),
    "odd bytes": (1, b"\xff", "it failed with status 1: \ufffd"),
    "long": (1, b"x" * 1000, "it failed with status 1: " + "x" * 300),
    "killed": (-9, b"", "it failed with status -9"),
    "credentials": (1, b'{"Username":"anna","Secret":"hunter2/+?"}', "it failed with status 1"),
    "no JSON": (0, b"hunter2/+?", "its output is not credentials"),
    "nothing": (0, b"", "its output is not credentials"),
    "no object": (0, b'["hunter2/+?"]', "its output is not credentials"),
    "no text": (
        0,
        b'{"Username":"anna","Secret":["hunter2/+?"]}',
        "its output is not credentials",
    ),
    "a number": (0, b'{"Username":"anna","Secret":5}', "its output is not credentials"),
    "cut": (0, b'{"Username":"anna","Secret":"hunter2/+?"', "its output is not credentials"),
}


@pytest.mark.parametrize(("status", "output", "problem"), FAILURES.values(), ids=FAILURES)
def test_failures(status: int, output: bytes, problem: str) -> None:
    with pytest.raises(CredentialsError) as raised:
        HELPER.parse_output(status, output)
    assert raised.value.message == f"docker-credential-pass, for r.example:5000: {problem}"
    assert raised.value.__cause__ is raised.value.__context__ is None


@pytest.mark.parametrize("credentials", [ANNA, TOKEN])
def test_what_cannot_be_stored(credentials: Credentials) -> None:
    HELPER.check_stored(0, b"anything", credentials)
    for output, said in ((b"locked", ": locked"), (b"cannot store hunter2/+?", ""), (b"", "")):
        with pytest.raises(CredentialsError) as raised:
            HELPER.check_stored(1, output, credentials)
        assert (
            raised.value.message
            == f"docker-credential-pass, for r.example:5000: it failed with status 1{said}"
        )


def test_no_repr_shows_a_secret() -> None:
    assert repr(helper._Entry(Secret=SECRET)) == "<credentials>"  # pyright: ignore[reportPrivateUsage]
    assert repr(HELPER) == "CredentialHelper(name='pass', registry='r.example:5000')"
