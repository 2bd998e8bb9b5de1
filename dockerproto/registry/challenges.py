"""Challenges: the ``WWW-Authenticate`` header of a registry, and the way to get access that it names.

See RFC 9110, 11.6.1, and https://distribution.github.io/distribution/spec/auth/token/.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeAlias

from msgspec import Struct

from dockerproto.errors import CredentialsError, ProtocolViolated, Unauthorized
from dockerproto.registry.origins import Location, Origin, parse_url

_LONGEST: Final = 8 * 2**10
"""Limit of the header in characters."""
_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_ITEM: Final = re.compile(
    rf"[\s,]*+(?P<name>{_WORD})(?:[ \t]?=[ \t]?"
    r'(?:"(?P<quoted>[^"\\]*+(?:\\.[^"\\]*+)*+)"|(?P<value>[^\s,"]++)))?+'
)
"""A parameter, or the name of a scheme."""
_ESCAPED: Final = re.compile(r"\\(.)")


class Challenge(Struct, frozen=True):
    """One way to get access."""

    scheme: str
    """Scheme in lower case: ``basic``, ``bearer``."""
    parameters: Mapping[str, str]
    """Parameters by name in lower case; of several with one name, the first."""


class Basic(Struct, frozen=True):
    """Access with a user name and a password in every request."""


class Realm(Struct, frozen=True):
    """Access with tokens of a server."""

    location: Location
    """URL of the server."""
    service: str
    """Name of the registry there; may be empty."""


Scheme: TypeAlias = Basic | Realm
"""A way to get access that this library knows."""


def parse_challenges(header: str) -> list[Challenge]:
    """Parse the header; the part from a malformed place on is ignored, as is a header that is too long.

    >>> parse_challenges('Bearer realm="https://a.example/t", service=r')[0].parameters["service"]
    'r'
    """
    challenges: list[tuple[str, dict[str, str]]] = []
    at, end = 0, len(header) if len(header) <= _LONGEST else 0
    while at < end and (item := _ITEM.match(header, at)):
        at = item.end()
        name = item["name"].lower()
        value = item["value"] if item["quoted"] is None else _ESCAPED.sub(r"\1", item["quoted"])
        if value is None:
            challenges.append((name, {}))
        elif challenges:
            challenges[-1][1].setdefault(name, value)
    return [Challenge(scheme, parameters) for scheme, parameters in challenges]


def choose_scheme(header: str, origin: Origin) -> Scheme:
    """Return the way to get access to the registry at an origin that its challenges name; tokens precede.

    Raises:
        CredentialsError: The server of tokens is reached over ``http``, unless the registry is too, on the
            same host.
        ProtocolViolated: The URL of the server is malformed.
        Unauthorized: The registry names no way that this library knows.
    """
    challenges = parse_challenges(header)
    by_scheme = {each.scheme: each for each in reversed(challenges)}  # the first of each counts
    if "bearer" in by_scheme:
        return _realm(by_scheme["bearer"].parameters, origin)
    if "basic" in by_scheme:
        return Basic()
    names = ", ".join(each.scheme for each in challenges) or "none"
    message = f"{origin} supports neither bearer tokens nor basic authentication, but {names:.100}"
    raise Unauthorized(401, message)


def _realm(parameters: Mapping[str, str], origin: Origin) -> Realm:
    location = parse_url(parameters.get("realm", ""))
    if location is None:
        raise ProtocolViolated(0, f"{origin} names no valid server of tokens")
    server = location.origin
    local = server.is_loopback and origin.is_loopback
    if not server.tls and (origin.tls or not (local or server.address.name == origin.address.name)):
        raise CredentialsError(0, f"{origin} wants tokens of {server}, which is not encrypted")
    return Realm(location, parameters.get("service", ""))
