"""Access to one registry: a state machine without I/O.

::

    state       a 401 with a challenge              Authorization of a request
    UNKNOWN     -> Basic or Realm                   none
    Basic       refused, unless it just came        user name and password
    Realm       a new token, unless it just came    a token for the scopes of the request

So a public registry is never sent credentials, and a request is repeated once at most. Credentials are looked
up for each challenge, so those of a later login count.
"""

from __future__ import annotations

from typing import Final

from dockerproto.credentials.credentials import Credentials
from dockerproto.errors import Unauthorized
from dockerproto.redacted import RedactedText
from dockerproto.registry.challenges import Basic, Realm, Scheme, choose_scheme
from dockerproto.registry.origins import Origin
from dockerproto.registry.requests import RegistryRequest
from dockerproto.registry.tokens import Token, basic_authorization, token_request

TOKENS: Final = 1000
"""Number of tokens that are kept."""


class Access:
    """The access of a client to the registry at an origin."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._scheme: Scheme | None = None
        self._credentials: Credentials | None = None
        self._tokens: dict[tuple[str, ...], Token] = {}

    def challenge(self, header: str, credentials: Credentials | None, scopes: tuple[str, ...]) -> None:
        """Change the state after a 401.

        Args:
            header: Its ``WWW-Authenticate``.
            credentials: Credentials of the registry, None for none.
            scopes: Scopes of the request.

        Raises:
            CredentialsError: The registry asks to send credentials to where they would not be safe.
            ProtocolViolated: The challenge is malformed.
            Unauthorized: The registry wants credentials that are missing, or are of another kind.
        """
        scheme = choose_scheme(header, self._origin)
        if isinstance(scheme, Basic) and (credentials is None or not credentials.username):
            raise Unauthorized(401, f"{self._origin} requires a user name and a password")
        self._scheme, self._credentials = scheme, credentials
        self._tokens.pop(scopes, None)

    def token_request(self, scopes: tuple[str, ...], now: float) -> RegistryRequest | None:
        """Return the request for a token that a request with these scopes needs, None if it needs none."""
        if not isinstance(realm := self._scheme, Realm) or self._given is not None:
            return None
        if (token := self._tokens.get(scopes)) is not None and now < token.ends:
            return None
        return token_request(realm, self._credentials, scopes)

    def keep(self, scopes: tuple[str, ...], token: Token) -> RedactedText:
        """Keep the response to a token request, and return the value of ``Authorization``.

        Another thread may replace the token at any time, so it is not read again.
        """
        if len(self._tokens) >= TOKENS:
            self._tokens.clear()
        self._tokens[scopes] = token
        return _bearer(token.text)

    def authorization(self, scopes: tuple[str, ...]) -> RedactedText | None:
        """Return the value of ``Authorization`` for a request with these scopes, None for none."""
        if isinstance(self._scheme, Basic) and self._credentials is not None:
            return basic_authorization(self._credentials)
        if not isinstance(self._scheme, Realm):
            return None
        token = self._tokens.get(scopes)
        text = self._given if token is None else token.text
        return None if text is None else _bearer(text)

    @property
    def _given(self) -> RedactedText | None:
        """A token that the credentials themselves contain."""
        text = "" if self._credentials is None else self._credentials.registrytoken
        return RedactedText(text) if text else None


def _bearer(text: str) -> RedactedText:
    return RedactedText(f"Bearer {text}")
