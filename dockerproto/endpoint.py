"""Which engine: from what a user writes to an address to connect to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from dockerproto.errors import InvalidHost

DEFAULT_SOCKET: Final = "/var/run/docker.sock"
_PORT: Final = 2375


@dataclass(frozen=True, slots=True)
class UnixSocket:
    """A socket in the file system."""

    path: str

    def __str__(self) -> str:
        return f"unix://{self.path}"

    @property
    def host(self) -> str:
        """The value of the ``Host`` header, which means nothing to the engine."""
        return "docker"


@dataclass(frozen=True, slots=True)
class TCP:
    """A port of a host, plain."""

    name: str
    port: int

    def __str__(self) -> str:
        return f"tcp://{self.host}"

    @property
    def host(self) -> str:
        """The value of the ``Host`` header."""
        return f"[{self.name}]:{self.port}" if ":" in self.name else f"{self.name}:{self.port}"


Address: TypeAlias = UnixSocket | TCP
"""Where an engine listens."""


def parse_host(text: str) -> Address:
    """Read an address in the forms of ``DOCKER_HOST``.

    >>> parse_host("unix:///run/docker.sock"), parse_host("tcp://10.0.0.1")
    (UnixSocket(path='/run/docker.sock'), TCP(name='10.0.0.1', port=2375))

    Raises:
        InvalidHost: It is in none of them.
    """
    scheme, separator, rest = text.strip().partition("://")
    if scheme == "unix" and separator:
        return UnixSocket(rest or DEFAULT_SOCKET)
    if scheme == "tcp" and separator:
        return _tcp(text, rest)
    raise InvalidHost(0, f"not the address of an engine, unix:///path or tcp://host:port: {text!r}")


def _tcp(text: str, rest: str) -> TCP:
    try:
        parts = urlsplit(f"//{rest}")
        name, port = parts.hostname, parts.port or _PORT
    except ValueError as error:
        raise InvalidHost(0, f"not of the form tcp://host:port: {text!r}") from error
    if not name or parts.netloc != rest or "@" in rest:
        raise InvalidHost(0, f"not of the form tcp://host:port: {text!r}")
    return TCP(name, port)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The engine that was chosen, and why."""

    address: Address
    """Where it listens."""
    reason: str
    """What decided."""
