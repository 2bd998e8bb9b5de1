"""Credentials of registries, and the headers that carry them.

The engine wants base64url with padding; it ignores what it cannot read without a word, so the
form matters. Secrets are never part of a repr.
Documented at https://docs.docker.com/reference/api/engine/#section/Authentication.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Final, TypeAlias

import msgspec

from dockerproto.reference import HUB

HUB_SERVER: Final = "https://index.docker.io/v1/"
"""The server address of Docker Hub's credentials."""

AuthLike: TypeAlias = "Credentials | Mapping[str, str] | str | bytes"
"""Credentials in any of the forms that `read_auth` takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a registry is told; only the server's address is shown in the repr."""

    username: str = field(default="", repr=False)
    """Name of the user."""
    password: str = field(default="", repr=False)
    """Password or access token that goes with the name."""
    identitytoken: str = field(default="", repr=False)
    """Refresh token of an OAuth login, instead of the password."""
    registrytoken: str = field(default="", repr=False)
    """Bearer token, passed to the registry unchanged."""
    serveraddress: str = ""
    """``host[:port]`` of the registry, or `HUB_SERVER` for Docker Hub."""

    def for_registry(self, registry: str) -> Credentials:
        """Return them with the address of a registry, unless they have an address."""
        if self.serveraddress:
            return self
        return replace(self, serveraddress=HUB_SERVER if registry == HUB else registry)

    def header(self) -> str:
        """Return the value of ``X-Registry-Auth``.

        >>> Credentials(username="me", password="secret", serveraddress="r.example").header()
        'eyJ1c2VybmFtZSI6Im1lIiwicGFzc3dvcmQiOiJzZWNyZXQiLCJzZXJ2ZXJhZGRyZXNzIjoici5leGFtcGxlIn0='
        """
        known = {name: value for name in _NAMES if (value := getattr(self, name))}
        return base64.urlsafe_b64encode(msgspec.json.encode(known)).decode("ascii")


_NAMES: Final = tuple(each.name for each in fields(Credentials))
_IGNORED: Final = frozenset({"email", "auth"})

ANONYMOUS: Final = Credentials()
"""No credentials, said in so many words: engines refuse a push that says nothing of them."""


def read_auth(auth: AuthLike) -> Credentials:
    """Read credentials in any of the forms that are in use.

    These are `Credentials`; a mapping with ``username`` and ``password``, with ``identitytoken``, with
    ``registrytoken``, or with ``auth``, the base64 of "user:password"; and that base64, str or bytes.

    >>> read_auth({"auth": "bWU6c2VjcmV0"}) == Credentials(username="me", password="secret")
    True

    Raises:
        TypeError: It is of no such type.
        ValueError: It is of no such form; the message quotes nothing of it but names of keys.
    """
    if isinstance(auth, Credentials):
        return auth
    if isinstance(auth, str | bytes):
        return _decode(auth)
    if not isinstance(auth, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError(f"auth is a mapping, a str or bytes, not {type(auth).__name__}")
    return _from_mapping(auth)


def _from_mapping(auth: Mapping[str, str]) -> Credentials:
    unknown = sorted(map(str, set(auth) - set(_NAMES) - _IGNORED))
    if unknown:
        raise ValueError(f"auth has keys that mean nothing: {', '.join(unknown)}")
    if any(not isinstance(value, str) for value in auth.values()):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError("the values of auth are str")
    base = _decode(auth["auth"]) if auth.get("auth") else ANONYMOUS
    credentials = replace(base, **{name: auth[name] for name in _NAMES if name in auth})
    if not (credentials.username or credentials.identitytoken or credentials.registrytoken):
        raise ValueError("auth needs username and password, identitytoken, registrytoken or auth")
    return credentials


def _decode(text: str | bytes) -> Credentials:
    raw = text.encode() if isinstance(text, str) else text
    try:
        standard = raw.translate(bytes.maketrans(b"-_", b"+/"))
        decoded = base64.b64decode(standard + b"=" * (-len(standard) % 4), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise ValueError("auth is not the base64 of user:password") from None
    username, colon, password = decoded.partition(":")
    if not colon or not username or username.startswith("{"):  # JSON would be the header itself
        raise ValueError("auth is not the base64 of user:password")
    return Credentials(username=username, password=password)
