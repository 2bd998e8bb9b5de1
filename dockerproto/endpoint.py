"""Which engine: from what a user writes to an address to connect to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from dockerproto.errors import InvalidHost

DEFAULT_SOCKET: Final = "/var/run/docker.sock"
_PORT: Final = 2375
_PORTS: Final = range(1, 65536)
_UNIX: Final = re.compile(r"unix://(?P<path>[^\0]*)")
_TCP: Final = re.compile(
    r"tcp://(?P<name>[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::(?P<port>\d{0,5}))?", re.ASCII | re.IGNORECASE
)


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
    text = text.strip()
    if (unix := _UNIX.fullmatch(text)) is not None:
        return UnixSocket(unix["path"] or DEFAULT_SOCKET)
    tcp = _TCP.fullmatch(text)
    port = int(tcp["port"] or _PORT) if tcp is not None else 0
    if tcp is None or port not in _PORTS:
        # What stands before an @ may be a password.
        shown = f"…{text[text.rindex('@') :]}" if "@" in text else text
        raise InvalidHost(0, f"not the address of an engine, unix:///path or tcp://host[:port]: {shown!r}")
    return TCP(tcp["name"].strip("[]").lower(), port)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The engine that was chosen, and why."""

    address: Address
    """Where it listens."""
    reason: str
    """What decided."""
