"""Credentials of registries, and the headers that carry them.

The engine expects base64url with padding, and silently ignores a header that it cannot decode. No repr()
shows a secret.
Documented at https://docs.docker.com/reference/api/engine/#section/Authentication.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Final, TypeAlias

import msgspec
from msgspec.structs import replace

from dockerproto.redacted import Redacted, RedactedBytes, hides_frames
from dockerproto.references import HUB, parse_registry

HUB_SERVER: Final = "https://index.docker.io/v1/"
"""The server address of Docker Hub's credentials."""
TOKEN_USER: Final = "<token>"  # noqa: S105  # a name
"""Username that marks the password as an identity token, in places that only have these two."""


class Credentials(Redacted, frozen=True, kw_only=True):
    """Credentials of a registry; the repr() shows only its address."""

    _hidden = ("username", "password", "identitytoken", "registrytoken")

    username: str = ""
    """Name of the user."""
    password: str = ""
    """Password or access token of the user."""
    identitytoken: str = ""
    """Refresh token of an OAuth login, instead of the password."""
    registrytoken: str = ""
    """Bearer token, passed to the registry unchanged."""
    serveraddress: str = ""
    """``host[:port]`` of the registry, or `HUB_SERVER` for Docker Hub."""

    def for_registry(self, registry: str) -> Credentials:
        """Return them with the address of a registry, unless they have one or are `ANONYMOUS`."""
        if self.serveraddress or self == ANONYMOUS:
            return self
        return replace(self, serveraddress=server_of(registry))

    def occur_in(self, text: str) -> bool:
        """Return True if a text contains the password or the token."""
        return any(each and each in text for each in (self.password, self.identitytoken))

    @hides_frames
    def header(self) -> str:
        """Return the value of ``X-Registry-Auth``.

        >>> Credentials(username="me", password="secret", serveraddress="r.example").header()
        'eyJ1c2VybmFtZSI6Im1lIiwicGFzc3dvcmQiOiJzZWNyZXQiLCJzZXJ2ZXJhZGRyZXNzIjoici5leGFtcGxlIn0='
        """
        return _header(_known(self))

    @hides_frames
    def document(self) -> bytes:
        """Return them as JSON."""
        return RedactedBytes(msgspec.json.encode(_known(self)))


_NAMES: Final = Credentials.__struct_fields__
_IGNORED: Final = frozenset({"email", "auth"})

AuthLike: TypeAlias = Credentials | Mapping[str, str] | str | bytes
"""Credentials in any form that `read_auth` accepts."""

ANONYMOUS: Final = Credentials()
"""No credentials: as ``auth`` of an operation, it also prevents a lookup."""

AuthsLike: TypeAlias = Mapping[str, AuthLike] | Credentials
"""Credentials by registry, each in any form that `read_auth` accepts; or `ANONYMOUS`."""


def server_of(registry: str) -> str:
    """Return the address that stands for a registry in stored credentials, and in requests."""
    return HUB_SERVER if registry == HUB else registry


@hides_frames
def registry_config(auths: Mapping[str, Credentials]) -> str:
    """Return the value of ``X-Registry-Config`` for credentials by registry; "" for no credentials.

    >>> registry_config({"docker.io": Credentials(identitytoken="t")})
    'eyJodHRwczovL2luZGV4LmRvY2tlci5pby92MS8iOnsiaWRlbnRpdHl0b2tlbiI6InQifX0='
    """
    known = {server_of(registry): _known(each) for registry, each in auths.items() if each != ANONYMOUS}
    return _header(known) if known else ""


@hides_frames
def read_auths(auths: AuthsLike) -> dict[str, Credentials]:
    """Parse credentials by registry; a key may be the registry's name or address.

    Raises:
        TypeError: The argument is not a mapping, or a value has a wrong type.
        ValueError: A key is not a registry, or a value is malformed.
    """
    if not isinstance(auths, Mapping):
        raise TypeError(f"auth must be a mapping from registries to credentials, not {type(auths).__name__}")
    named = ((parse_registry(address), auth) for address, auth in auths.items())
    return {registry: read_auth(auth).for_registry(registry) for registry, auth in named}


@hides_frames
def read_auth(auth: AuthLike) -> Credentials:
    """Parse credentials in any common form.

    The forms are `Credentials`; a mapping with ``username`` and ``password``, with ``identitytoken``, with
    ``registrytoken``, or with ``auth``, the base64 of "user:password"; and that base64 as str or bytes.

    >>> read_auth({"auth": "bWU6c2VjcmV0"}) == Credentials(username="me", password="secret")
    True

    Raises:
        TypeError: The argument has a wrong type.
        ValueError: It is malformed; the message quotes only names of keys.
    """
    if isinstance(auth, Credentials):
        return auth
    if isinstance(auth, str | bytes):
        return _decode(auth)
    if not isinstance(auth, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError(f"auth must be a mapping, str or bytes, not {type(auth).__name__}")
    return _from_mapping(auth)


def _known(credentials: Credentials) -> dict[str, str]:
    return {name: value for name in _NAMES if (value := getattr(credentials, name))}


def _header(value: object) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).decode("ascii")


def _from_mapping(auth: Mapping[str, str]) -> Credentials:
    unknown = sorted(map(str, set(auth) - set(_NAMES) - _IGNORED))
    if unknown:
        raise ValueError(f"unknown keys in auth: {', '.join(unknown)}")
    if any(not isinstance(value, str) for value in auth.values()):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError("the values of auth must be str")
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
        raise ValueError("auth must be the base64 of user:password") from None
    username, colon, password = decoded.partition(":")
    if not colon or not username or username.startswith("{"):  # JSON would be the header itself
        raise ValueError("auth must be the base64 of user:password")
    return Credentials(username=username, password=password)
