"""Credentials: every form that is in use, the header, and that no secret is shown."""

from __future__ import annotations

import base64
import json
import traceback
from collections import UserDict
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dockerproto.credentials.credentials import ANONYMOUS, HUB_SERVER, AuthLike, Credentials, read_auth
from dockerproto.request.request import Request

SECRET = "hunter2-\u00fc"

PAIRS = [
    ("me", "secret"),
    ("me", ""),
    ("me", "with:colons::in:it"),
    ("me", ":"),
    ("me", "sp ace\tand\nline"),
    ("\u00fcser", "p\u00e4ssw\u00f6rd \u2603"),
    ("me", "~~~???>>>"),
    ("m", "a?b>c~d"),
    ("user@example.com", "\x00\x7f"),
    ("x" * 200, "y" * 1000),
]


def encoded(username: str, password: str, *, urlsafe: bool, padded: bool) -> str:
    raw = f"{username}:{password}".encode()
    text = (base64.urlsafe_b64encode if urlsafe else base64.b64encode)(raw).decode()
    return text if padded else text.rstrip("=")


@pytest.mark.parametrize("padded", [True, False], ids=["padded", "unpadded"])
@pytest.mark.parametrize("urlsafe", [True, False], ids=["urlsafe", "standard"])
@pytest.mark.parametrize(("username", "password"), PAIRS, ids=ascii)
def test_base64(username: str, password: str, urlsafe: bool, padded: bool) -> None:
    text = encoded(username, password, urlsafe=urlsafe, padded=padded)
    expected = Credentials(username=username, password=password)
    forms: list[AuthLike] = [text, text.encode(), {"auth": text}, {"auth": text, "email": "me@example.com"}]
    assert [read_auth(form) for form in forms] == [expected] * 4


def test_the_pairs_need_both_alphabets_and_padding() -> None:
    texts = [encoded(*pair, urlsafe=False, padded=True) for pair in PAIRS]
    assert any("+" in text for text in texts)
    assert any("/" in text for text in texts)
    assert {len(text) - len(text.rstrip("=")) for text in texts} == {0, 1, 2}


@settings(deadline=None)
@given(
    username=st.text(min_size=1).filter(lambda text: ":" not in text and text[0] != "{"),
    password=st.text(),
    urlsafe=st.booleans(),
    padded=st.booleans(),
)
def test_any_base64(username: str, password: str, urlsafe: bool, padded: bool) -> None:
    text = encoded(username, password, urlsafe=urlsafe, padded=padded)
    assert read_auth(text) == Credentials(username=username, password=password)


def test_a_ready_made_header_is_refused() -> None:
    header = Credentials(username="me", password="s3cret").header()
    with pytest.raises(ValueError, match="must be the base64 of user:password") as caught:
        read_auth(header)
    assert "s3cret" not in str(caught.value)


MAPPINGS: list[tuple[dict[str, str], Credentials]] = [
    ({"username": "me", "password": "secret"}, Credentials(username="me", password="secret")),
    ({"username": "me"}, Credentials(username="me")),
    ({"username": "me", "password": "secret", "email": "x"}, Credentials(username="me", password="secret")),
    ({"identitytoken": "refresh"}, Credentials(identitytoken="refresh")),
    ({"registrytoken": "bearer"}, Credentials(registrytoken="bearer")),
    (
        {"username": "me", "password": "secret", "serveraddress": "r.example"},
        Credentials(username="me", password="secret", serveraddress="r.example"),
    ),
    (
        {"username": "<token>", "identitytoken": "refresh"},
        Credentials(username="<token>", identitytoken="refresh"),
    ),
    ({"auth": "bWU6c2VjcmV0"}, Credentials(username="me", password="secret")),
    (
        {"auth": "bWU6c2VjcmV0", "serveraddress": "r.example"},
        Credentials(username="me", password="secret", serveraddress="r.example"),
    ),
    ({"auth": "bWU6c2VjcmV0", "username": "you"}, Credentials(username="you", password="secret")),
    ({"auth": "", "username": "me", "password": "secret"}, Credentials(username="me", password="secret")),
    (
        {"auth": "bWU6c2VjcmV0", "identitytoken": "t"},
        Credentials(username="me", password="secret", identitytoken="t"),
    ),
]


@pytest.mark.parametrize(("auth", "expected"), MAPPINGS, ids=[",".join(auth) for auth, _ in MAPPINGS])
def test_mappings(auth: dict[str, str], expected: Credentials) -> None:
    assert read_auth(auth) == expected
    assert read_auth(MappingProxyType(auth)) == expected
    assert read_auth(UserDict(auth)) == expected


def test_credentials_are_what_they_are() -> None:
    credentials = Credentials(username="me", password="secret")
    assert read_auth(credentials) is credentials


@pytest.mark.parametrize(
    "auth", [None, 5, 1.5, ("me", "secret"), ["me"], bytearray(b"bWU6c2VjcmV0"), object()]
)
def test_what_is_of_no_type_for_credentials(auth: Any) -> None:
    with pytest.raises(TypeError, match=f"^auth must be a mapping, str or bytes, not {type(auth).__name__}$"):
        read_auth(auth)


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


WRONG: dict[str, tuple[Any, type[Exception]]] = {
    "empty": ("", ValueError),
    "plain": (f"me:{SECRET}", ValueError),
    "plain bytes": (f"me:{SECRET}".encode(), ValueError),
    "no colon": (_b64(SECRET), ValueError),
    "no user": (_b64(f":{SECRET}"), ValueError),
    "not utf-8": (base64.b64encode(b"me:" + SECRET.encode("latin-1")).decode(), ValueError),
    "inner padding": (_b64("me:") + "=" + _b64(SECRET), ValueError),
    "too much padding": (_b64(f"me:{SECRET}") + "====", ValueError),
    "one too many": (_b64("me:sec") + "A", ValueError),
    "with line ends": (_b64(f"me:{SECRET}") + "\n", ValueError),
    "with spaces": (" " + _b64(f"me:{SECRET}"), ValueError),
    "not ascii": ("\u00fc" + _b64(f"me:{SECRET}"), ValueError),
    "empty mapping": ({}, ValueError),
    "password alone": ({"password": SECRET}, ValueError),
    "empty user": ({"username": "", "password": SECRET}, ValueError),
    "unknown key": ({"username": "me", "pass": SECRET}, ValueError),
    "other case": ({"Username": "me", "Password": SECRET}, ValueError),
    "map of registries": ({"r.example": {"username": "me", "password": SECRET}}, ValueError),
    "mapping of bytes": ({"username": "me", "password": SECRET.encode()}, TypeError),
    "mapping of none": ({"username": "me", "password": None, "identitytoken": SECRET}, TypeError),
    "auth of bytes": ({"auth": _b64(f"me:{SECRET}").encode()}, TypeError),
    "auth no base64": ({"auth": f"me:{SECRET}"}, ValueError),
    "auth without colon": ({"auth": _b64(SECRET)}, ValueError),
}


@pytest.mark.parametrize(("auth", "error"), WRONG.values(), ids=WRONG)
def test_what_is_no_form_of_credentials_is_not_quoted(auth: Any, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        read_auth(auth)
    shown = [str(caught.value), repr(caught.value), *traceback.format_exception(caught.value)]
    hidden = [SECRET, _b64(SECRET), _b64(f"me:{SECRET}"), _b64(f":{SECRET}"), ascii(SECRET)[1:-1]]
    assert not [(text, secret) for text in shown for secret in hidden if secret in text]
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_unknown_keys_are_named() -> None:
    with pytest.raises(ValueError, match=r"^unknown keys in auth: pass, user$"):
        read_auth({"user": "me", "pass": SECRET})


@pytest.mark.parametrize(
    "credentials",
    [
        Credentials(username="the-user", password=SECRET),
        Credentials(identitytoken=SECRET),
        Credentials(registrytoken=SECRET, serveraddress="r.example"),
    ],
    ids=["password", "identitytoken", "registrytoken"],
)
def test_a_repr_shows_no_secret(credentials: Credentials) -> None:
    request = Request(method="POST", path="/x", auth=credentials)
    assert repr(credentials) == f"Credentials(serveraddress={credentials.serveraddress!r})"
    for text in (repr(credentials), str(credentials), f"{credentials}", repr(request), str(request)):
        assert SECRET not in text
        assert ascii(SECRET)[1:-1] not in text
        assert "the-user" not in text
        assert credentials.header() not in text


@pytest.mark.parametrize(
    ("address", "registry", "expected"),
    [
        ("", "docker.io", HUB_SERVER),
        ("", "r.example:5000", "r.example:5000"),
        ("other.example", "docker.io", "other.example"),
        ("other.example", "r.example", "other.example"),
    ],
)
def test_the_address_of_the_registry(address: str, registry: str, expected: str) -> None:
    credentials = Credentials(username="me", password="secret", serveraddress=address)
    addressed = credentials.for_registry(registry)
    assert addressed == Credentials(username="me", password="secret", serveraddress=expected)
    assert HUB_SERVER == "https://index.docker.io/v1/"


@pytest.mark.parametrize(
    ("credentials", "header"),
    [
        (ANONYMOUS, "e30="),
        (Credentials(registrytoken="t"), "eyJyZWdpc3RyeXRva2VuIjoidCJ9"),
        (
            Credentials(username="me", password="??>>~~"),
            "eyJ1c2VybmFtZSI6Im1lIiwicGFzc3dvcmQiOiI_Pz4-fn4ifQ==",
        ),
        (Credentials(username="m\u00fc"), "eyJ1c2VybmFtZSI6Im3DvCJ9"),
        (
            Credentials(identitytoken="r", serveraddress="r.example:5000"),
            "eyJpZGVudGl0eXRva2VuIjoiciIsInNlcnZlcmFkZHJlc3MiOiJyLmV4YW1wbGU6NTAwMCJ9",
        ),
    ],
    ids=["anonymous", "bearer", "alphabet", "non-ascii", "address"],
)
def test_headers(credentials: Credentials, header: str) -> None:
    assert credentials.header() == header


FIELDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@settings(deadline=None)
@given(username=FIELDS, password=FIELDS, token=FIELDS, address=FIELDS)
def test_any_header(username: str, password: str, token: str, address: str) -> None:
    header = Credentials(
        username=username, password=password, identitytoken=token, serveraddress=address
    ).header()
    assert len(header) % 4 == 0
    assert not set(header) & set("+/\n")
    given_values = {
        "username": username,
        "password": password,
        "identitytoken": token,
        "serveraddress": address,
    }
    assert json.loads(base64.urlsafe_b64decode(header)) == {k: v for k, v in given_values.items() if v}
