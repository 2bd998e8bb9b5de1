"""Bearer tokens: the requests for them, and the responses, without I/O.

A user's password goes in a GET with basic authentication, as the Docker Engine sends it; an identity token
goes in the form of OAuth 2. Without credentials, the server is asked for a token of anybody.
See https://distribution.github.io/distribution/spec/auth/token/ and .../spec/auth/oauth/.
"""

from __future__ import annotations

import re
from base64 import b64encode
from typing import Final
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from dockerproto.credentials.credentials import Credentials
from dockerproto.errors import ProtocolViolated
from dockerproto.redacted import Redacted, RedactedBytes, RedactedText, hides_frames
from dockerproto.registry.challenges import Realm
from dockerproto.registry.requests import RegistryRequest

TOKEN_LIMIT: Final = 64 * 2**10
"""Limit of the response of a server of tokens, in bytes."""
_CLIENT: Final = "dockerproto"
_LIFETIME: Final = 60
"""Seconds for which a token is valid if the server does not say it."""
_LONGEST_LIFETIME: Final = 3600
_MARGIN: Final = 10
"""Seconds before its end from which a token is not used."""
_VISIBLE: Final = re.compile(r"[!-~]++")


class Token(Redacted, frozen=True):
    """A bearer token."""

    _hidden = ("text",)

    text: RedactedText
    """The token."""
    ends: float
    """Time until which it is used, in seconds of the transport's clock."""


class _Document(Struct):
    token: str | None = None
    access_token: str | None = None
    expires_in: float | None = None


@hides_frames
def basic_authorization(credentials: Credentials) -> RedactedText:
    """Return the value of ``Authorization`` for a user name and a password."""
    pair = f"{credentials.username}:{credentials.password}".encode()
    return RedactedText(f"Basic {b64encode(pair).decode()}")


@hides_frames
def token_request(realm: Realm, credentials: Credentials | None, scopes: tuple[str, ...]) -> RegistryRequest:
    """Return the request for a token.

    Args:
        realm: The server, from a challenge.
        credentials: Credentials of the registry, None for none.
        scopes: Scopes of the token, such as ``repository:team/app:pull``.
    """
    if credentials is not None and credentials.identitytoken:
        return _refresh_request(realm, credentials, scopes)
    query = [("service", realm.service)] * bool(realm.service) + [("scope", each) for each in scopes]
    headers: tuple[tuple[str, str], ...] = ()
    if credentials is not None and credentials.username:
        query.append(("account", credentials.username))
        headers = (("Authorization", basic_authorization(credentials)),)
    target = str(realm.location.target)
    separator = "&" if "?" in target else "?"
    return RegistryRequest(
        method="GET",
        origin=realm.location.origin,
        target=RedactedText(f"{target}{separator}{urlencode(query)}" if query else target),
        headers=headers,
        subject=f"the server of tokens {realm.location.origin}",
    )


def _refresh_request(realm: Realm, credentials: Credentials, scopes: tuple[str, ...]) -> RegistryRequest:
    form = {
        "grant_type": "refresh_token",
        "service": realm.service,
        "client_id": _CLIENT,
        "scope": " ".join(scopes),
        "refresh_token": credentials.identitytoken,
    }
    return RegistryRequest(
        method="POST",
        origin=realm.location.origin,
        target=realm.location.target,
        headers=(("Content-Type", "application/x-www-form-urlencoded"),),
        body=RedactedBytes(urlencode(form).encode()),
        subject=f"the server of tokens {realm.location.origin}",
    )


def parse_token(data: RedactedBytes, now: float, server: object) -> Token:
    """Parse the response of a server of tokens, received at the time `now`.

    Raises:
        ProtocolViolated: It has no valid token.
    """
    document = _decode(data)
    text = RedactedText("" if document is None else document.token or document.access_token or "")
    if document is None or _VISIBLE.fullmatch(text) is None:
        raise ProtocolViolated(0, f"the response of {server} has no valid token")
    seconds = document.expires_in
    lifetime = _LIFETIME if seconds is None or not seconds > 0 else min(seconds, _LONGEST_LIFETIME)
    return Token(text, now + max(lifetime - _MARGIN, lifetime / 2))


@hides_frames
def _decode(data: bytes) -> _Document | None:
    try:
        return msgspec.json.decode(data, type=_Document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
