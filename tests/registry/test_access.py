"""Access to a registry: challenges, tokens, and the state machine that joins them."""

from __future__ import annotations

import json
from base64 import b64encode
from urllib.parse import parse_qs, urlsplit

import pytest

from dockerproto import Credentials, CredentialsError, DockerError, ProtocolViolated, Unauthorized
from dockerproto.redacted import RedactedBytes, RedactedText
from dockerproto.registry.access import TOKENS, Access
from dockerproto.registry.challenges import Basic, Realm, choose_scheme, parse_challenges
from dockerproto.registry.origins import origin_of
from dockerproto.registry.tokens import Token, parse_token, token_request

ORIGIN = origin_of("r.example", None)
BEARER = 'Bearer realm="https://auth.example/token",service="r.example"'
ME = Credentials(username="anna", password="s3cret")
IDENTITY = Credentials(identitytoken="s3cret")
GIVEN = Credentials(registrytoken="s3cret")
PULL = ("repository:a/b:pull",)
PUSH = ("repository:a/b:pull,push",)


HEADERS: list[tuple[str, list[tuple[str, dict[str, str]]]]] = [
    ("", []),
    ("Basic", [("basic", {})]),
    ('Basic realm="x"', [("basic", {"realm": "x"})]),
    ("BEARER realm=x,Service=y", [("bearer", {"realm": "x", "service": "y"})]),
    (
        'Bearer realm="a\\"b\\\\", scope="repository:a:pull,push" , Basic realm=x',
        [("bearer", {"realm": 'a"b\\', "scope": "repository:a:pull,push"}), ("basic", {"realm": "x"})],
    ),
    ('Negotiate, Basic realm=""', [("negotiate", {}), ("basic", {"realm": ""})]),
    ("Bearer realm=first, realm=second", [("bearer", {"realm": "first"})]),
    ("realm=x, Basic", [("basic", {})]),
    ('Basic realm="unterminated', [("basic", {}), ("realm", {})]),
    ("Basic \x00", [("basic", {})]),
    ("x" * 10_000, []),
]


@pytest.mark.parametrize(("header", "expected"), HEADERS, ids=[header[:20] for header, _ in HEADERS])
def test_a_header_is_parsed(header: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    assert [(each.scheme, each.parameters) for each in parse_challenges(header)] == expected


@pytest.mark.parametrize("header", [f"Basic realm=x, {BEARER}", f"{BEARER}, Basic realm=x", BEARER])
def test_tokens_precede(header: str) -> None:
    scheme = choose_scheme(header, ORIGIN)
    assert isinstance(scheme, Realm)
    assert (str(scheme.location.origin), scheme.service) == ("https://auth.example", "r.example")


def test_basic_authentication_is_known() -> None:
    assert choose_scheme('Basic realm="x"', ORIGIN) == Basic()


@pytest.mark.parametrize(
    ("header", "error", "message"),
    [
        ("", Unauthorized, "supports neither bearer tokens nor basic authentication, but none"),
        ("Digest x=y, Negotiate", Unauthorized, "but digest, negotiate"),
        ("Bearer service=x", ProtocolViolated, "names no valid server of tokens"),
        ('Bearer realm="/token"', ProtocolViolated, "names no valid server of tokens"),
        (
            'Bearer realm="http://auth.example/token"',
            CredentialsError,
            "auth.example, which is not encrypted",
        ),
        (
            'Bearer realm="http://127.0.0.1:8080/admin"',
            CredentialsError,
            "127.0.0.1:8080, which is not encrypted",
        ),
        ('Bearer realm="http://r.example/token"', CredentialsError, "r.example, which is not encrypted"),
    ],
)
def test_a_challenge_is_refused(header: str, error: type[DockerError], message: str) -> None:
    with pytest.raises(error, match=message):
        choose_scheme(header, ORIGIN)


@pytest.mark.parametrize(
    ("registry", "realm", "is_allowed"),
    [
        ("localhost:5000", "http://127.0.0.1:5001/token", True),
        ("localhost:5000", "http://auth.example/token", False),
        ("r.example", "http://r.example:81/token", True),
        ("r.example", "http://auth.example/token", False),
        ("r.example", "http://localhost/token", False),
        ("r.example", "https://auth.example/token", True),
    ],
)
def test_without_tls_tokens_come_from_the_same_host(registry: str, realm: str, is_allowed: bool) -> None:
    origin = origin_of(registry, [registry])
    if is_allowed:
        assert isinstance(choose_scheme(f'Bearer realm="{realm}"', origin), Realm)
    else:
        with pytest.raises(CredentialsError):
            choose_scheme(f'Bearer realm="{realm}"', origin)


def realm(url: str = "https://auth.example/token", service: str = "r.example") -> Realm:
    scheme = choose_scheme(f'Bearer realm="{url}",service="{service}"', ORIGIN)
    assert isinstance(scheme, Realm)
    return scheme


class TestTokens:
    def test_a_user_asks_with_basic_authentication(self) -> None:
        request = token_request(realm(), ME, PULL)
        assert (request.method, str(request.origin)) == ("GET", "https://auth.example")
        query = parse_qs(urlsplit(str(request.target)).query)
        assert query == {"service": ["r.example"], "scope": [*PULL], "account": ["anna"]}
        assert dict(request.headers) == {"Authorization": f"Basic {b64encode(b'anna:s3cret').decode()}"}

    def test_nobody_asks_without_credentials(self) -> None:
        request = token_request(realm("https://auth.example/t?a=b"), None, (*PULL, "second"))
        assert str(request.target) == (
            "/t?a=b&service=r.example&scope=repository%3Aa%2Fb%3Apull&scope=second"
        )
        assert request.headers == ()
        assert str(token_request(realm(service=""), None, ()).target) == "/token"

    def test_an_identity_token_goes_in_a_form(self) -> None:
        request = token_request(realm(), IDENTITY, (*PULL, "second"))
        assert (request.method, str(request.target)) == ("POST", "/token")
        assert parse_qs((request.body or b"").decode()) == {
            "grant_type": ["refresh_token"],
            "service": ["r.example"],
            "client_id": ["dockerproto"],
            "scope": ["repository:a/b:pull second"],
            "refresh_token": ["s3cret"],
        }

    @pytest.mark.parametrize("credentials", [ME, IDENTITY])
    def test_no_repr_shows_a_secret(self, credentials: Credentials) -> None:
        request = token_request(realm(), credentials, PULL)
        assert "s3cret" not in repr(request)
        assert b64encode(b"anna:s3cret").decode() not in f"{request!r}{request.headers!r}{request.body!r}"

    @pytest.mark.parametrize(
        ("document", "text", "ends"),
        [
            ({"token": "a"}, "a", 150),
            ({"access_token": "b"}, "b", 150),
            ({"token": "", "access_token": "b"}, "b", 150),
            ({"token": "a", "access_token": "b", "expires_in": 300}, "a", 390),
            ({"token": "a", "expires_in": 10}, "a", 105),
            ({"token": "a", "expires_in": 0}, "a", 150),
            ({"token": "a", "expires_in": -5}, "a", 150),
            ({"token": "a", "expires_in": 1e300}, "a", 3690),
        ],
    )
    def test_a_token_is_parsed(self, document: object, text: str, ends: float) -> None:
        token = parse_token(RedactedBytes(json.dumps(document).encode()), 100, "auth.example")
        assert (str(token.text), token.ends) == (text, ends)
        assert repr(token) == f"Token(ends={token.ends!r})"

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"{",
            b"[]",
            b"{}",
            b'{"token": 5}',
            b'{"token": "a b"}',
            b'{"token": "a\\r\\nX: y"}',
            b"\xff",
            b"[" * 5000,
        ],
        ids=lambda data: repr(data[:20]),
    )
    def test_a_malformed_response_is_refused(self, data: bytes) -> None:
        with pytest.raises(
            ProtocolViolated, match=r"the response of auth\.example has no valid token"
        ) as raised:
            parse_token(RedactedBytes(data), 100, "auth.example")
        assert raised.value.__cause__ is None


class TestAccess:
    def test_nothing_is_sent_before_a_challenge(self) -> None:
        access = Access(ORIGIN)
        assert access.token_request(PULL, 0) is None
        assert access.authorization(PULL) is None

    def test_basic_authentication(self) -> None:
        access = Access(ORIGIN)
        access.challenge("Basic realm=x", ME, PULL)
        assert access.token_request(PULL, 0) is None
        assert access.authorization(PUSH) == f"Basic {b64encode(b'anna:s3cret').decode()}"

    @pytest.mark.parametrize("credentials", [None, IDENTITY, GIVEN])
    def test_basic_authentication_needs_a_user(self, credentials: Credentials | None) -> None:
        access = Access(ORIGIN)
        with pytest.raises(Unauthorized, match=r"https://r\.example requires a user name and a password"):
            access.challenge("Basic realm=x", credentials, PULL)
        assert access.authorization(PULL) is None

    def test_a_token_serves_its_scopes_until_it_ends(self) -> None:
        access = Access(ORIGIN)
        access.challenge(BEARER, ME, PULL)
        assert access.authorization(PULL) is None
        assert access.token_request(PULL, 0) is not None
        assert access.keep(PULL, Token(RedactedText("t"), 50)) == "Bearer t"
        assert access.authorization(PULL) == "Bearer t"
        assert access.token_request(PULL, 49) is None
        assert access.token_request(PULL, 50) is not None
        assert access.token_request(PUSH, 0) is not None
        assert access.authorization(PUSH) is None

    def test_a_rejected_token_is_replaced(self) -> None:
        access = Access(ORIGIN)
        access.challenge(BEARER, ME, PULL)
        access.keep(PULL, Token(RedactedText("t"), 50))
        access.challenge(BEARER, ME, PULL)
        assert access.token_request(PULL, 0) is not None

    def test_a_given_token_is_used(self) -> None:
        access = Access(ORIGIN)
        access.challenge(BEARER, GIVEN, PULL)
        assert access.token_request(PULL, 0) is None
        assert access.authorization(PULL) == "Bearer s3cret"
        assert "s3cret" not in repr(access.authorization(PULL))

    def test_tokens_are_bounded(self) -> None:
        access = Access(ORIGIN)
        access.challenge(BEARER, ME, PULL)
        for number in range(TOKENS + 1):
            access.keep((str(number),), Token(RedactedText("t"), 50))
        assert access.token_request(("0",), 0) is not None
        assert access.token_request((str(TOKENS),), 0) is None
