"""Origins: the scheme, host and port that a request goes to, and that credentials are bound to.

A redirect or the address of an upload names another URL. It is resolved here: encryption is never given up,
and the caller compares origins before it sends credentials.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from msgspec import Struct

from dockerproto.endpoint.addresses import TCP
from dockerproto.endpoint.hosts import parse_authority
from dockerproto.errors import InvalidHost, ProtocolViolated
from dockerproto.redacted import RedactedText
from dockerproto.references import HUB, Reference

_HUB_HOST: Final = f"registry-1.{HUB}"
"""Host that serves the images of Docker Hub."""
_PORTS: Final = {"http": 80, "https": 443}
_LONGEST_URL: Final = 16 * 2**10
_URL: Final = re.compile(r"(https?)://([^/?#@\\]{1,300})(/[!-~]*|\?[!-~]*)?", re.ASCII | re.IGNORECASE)
_PATH: Final = re.compile(r"/(?![/\\])[!-~]*", re.ASCII)
_LOOPBACK: Final = re.compile(r"localhost|127(?:\.[0-9]{1,3}){3}|\[?::1\]?", re.ASCII)


class Origin(Struct, frozen=True):
    """A scheme, a host and a port."""

    address: TCP
    """Host and port."""
    tls: bool
    """True for ``https``, False for ``http``."""

    @property
    def host(self) -> str:
        """Value of the ``Host`` header, without the port if it is the default one."""
        return self.address.host.removesuffix(f":{_PORTS[self._scheme]}")

    @property
    def is_loopback(self) -> bool:
        """True if the host is this machine."""
        return is_loopback(self.address.name)

    @property
    def _scheme(self) -> str:
        return "https" if self.tls else "http"

    def __str__(self) -> str:
        return f"{self._scheme}://{self.host}"


class Repository(Struct, frozen=True):
    """A repository of a registry."""

    registry: str
    """Registry that the credentials are for: ``docker.io`` or ``host[:port]``."""
    origin: Origin
    """Origin of the registry."""
    path: str
    """Path of the repository in the registry: ``library/busybox``."""

    def __str__(self) -> str:
        return f"{self.registry}/{self.path}"

    def scope(self, actions: str) -> str:
        """Return the scope of a token for actions, such as ``pull,push``."""
        return f"repository:{self.path}:{actions}"

    def target(self, kind: str, name: str) -> str:
        """Return the path of a manifest, a blob or an upload."""
        return f"/v2/{self.path}/{kind}/{name}"


class Location(Struct, frozen=True):
    """The parts of a URL."""

    origin: Origin
    """Scheme, host and port."""
    target: RedactedText
    """Path and query, which may be signed."""


def repository_of(reference: Reference, plain_http: Collection[str] | None) -> Repository:
    """Return the repository of a reference.

    Args:
        reference: The reference.
        plain_http: Registries to reach over ``http``; None for those on this machine.

    Raises:
        InvalidHost: The registry's port is invalid.
    """
    registry, path = reference.registry, reference.name
    if registry != HUB:
        path = path.partition("/")[2]
    else:
        path = path.removeprefix(f"index.{HUB}/").removeprefix(f"{HUB}/")
        path = path if "/" in path else f"library/{path}"
    return Repository(registry, origin_of(registry, plain_http), path)


def origin_of(registry: str, plain_http: Collection[str] | None) -> Origin:
    """Return the origin of a registry; arguments and errors are as of `repository_of`."""
    host = _HUB_HOST if registry == HUB else registry
    address = parse_authority(host, _PORTS["https"])
    if address is None:
        raise InvalidHost(0, f"invalid registry {registry!r}: expected host[:port]")
    plain = is_loopback(address.name) if plain_http is None else registry in plain_http
    if not plain:
        return Origin(address, tls=True)
    return Origin(parse_authority(host, _PORTS["http"]) or address, tls=False)


def parse_url(text: str) -> Location | None:
    """Parse an absolute URL; return None unless it is ``http`` or ``https``, without user and fragment.

    >>> str(parse_url("https://r.example:443/token?a=b").origin)
    'https://r.example'
    """
    match = _URL.fullmatch(text) if len(text) <= _LONGEST_URL else None
    if match is None or "#" in text:
        return None
    scheme, rest = match[1].lower(), match[3] or ""
    address = parse_authority(match[2], _PORTS[scheme])
    if address is None:
        return None
    return Location(Origin(address, tls=scheme == "https"), RedactedText(f"{'/' * (rest[:1] != '/')}{rest}"))


def resolve_location(text: str | None, origin: Origin) -> Location:
    """Return the URL in a ``Location`` header of a response from an origin.

    Raises:
        ProtocolViolated: It is missing or malformed, or leads from ``https`` to ``http``.
    """
    if text is not None and len(text) <= _LONGEST_URL and _PATH.fullmatch(text):
        return Location(origin, RedactedText(text))
    location = None if text is None else parse_url(text)
    if location is None:
        raise ProtocolViolated(0, f"{origin} sent a response with a missing or malformed Location")
    if origin.tls and not location.origin.tls:
        raise ProtocolViolated(0, f"{origin} redirects to {location.origin}, which is not encrypted")
    return location


def is_loopback(host: str) -> bool:
    """Return True if a host name or address is that of this machine."""
    return _LOOPBACK.fullmatch(host) is not None
