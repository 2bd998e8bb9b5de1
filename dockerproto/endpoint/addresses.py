"""Which engine: the addresses that one can have, and what was chosen.

An address that exists can be used: what could become a header, an option of ssh or a command is
refused when it is made.
"""

from __future__ import annotations

import re
import shlex
from typing import Final, TypeAlias
from urllib.parse import quote

from msgspec import Struct

from dockerproto.errors import InvalidHost

DEFAULT_SOCKET: Final = "/var/run/docker.sock"
DEFAULT_PIPE: Final = "//./pipe/docker_engine"
_PORTS: Final = range(1, 65536)
_HOST: Final = re.compile(r"[a-z0-9_.][a-z0-9_.-]*|[0-9a-f:.]*:[0-9a-f:.]*", re.ASCII | re.IGNORECASE)
_PREFIX: Final = re.compile(
    r"(?:/(?!\.{1,2}(?:/|\Z))(?:[\w.~!$&'()*+,;=:@-]|%[0-9a-f]{2})+)*", re.ASCII | re.IGNORECASE
)
_USER: Final = re.compile(r"(?:[a-z0-9_.+~@=,][a-z0-9_.+~@=,-]*)?", re.ASCII | re.IGNORECASE)
_REMOTE_PATH: Final = re.compile(r"(?:/[^\0-\x1f\x7f\ud800-\udfff]*)?")
_UNQUOTED: Final = "/:@!$&'()*+,;=~"
_SSH_OPTIONS: Final = ("-o", "ConnectTimeout=30", "-T")


class _OfThisMachine:
    """What has no name in the network."""

    __slots__ = ()

    @property
    def host(self) -> str:
        """The value of the ``Host`` header, which means nothing to the engine."""
        return "docker"

    @property
    def prefix(self) -> str:
        """What stands before the paths of the API: nothing."""
        return ""


class UnixSocket(_OfThisMachine, Struct, frozen=True):
    """A socket in the file system."""

    path: str

    def __str__(self) -> str:
        return f"unix://{self.path}"


class TCP(Struct, frozen=True):
    """A port of a host; whether TLS is spoken there is told by `Endpoint.tls`.

    Raises:
        InvalidHost: It is none that could be sent in a request.
    """

    name: str
    port: int
    prefix: str = ""
    """What stands before the paths of the API, as behind a proxy: ``/x``, or nothing."""

    def __post_init__(self) -> None:
        if not (_HOST.fullmatch(self.name) and self.port in _PORTS and _PREFIX.fullmatch(self.prefix)):
            raise InvalidHost(0, f"not a port of a host: {str(self)!r}")

    def __str__(self) -> str:
        return f"tcp://{self.host}{self.prefix}"

    @property
    def host(self) -> str:
        """The value of the ``Host`` header."""
        return f"[{self.name}]:{self.port}" if ":" in self.name else f"{self.name}:{self.port}"


class SSH(Struct, frozen=True):
    """An engine behind the ssh server of its machine, where the docker command is too.

    Raises:
        InvalidHost: It is none that ssh could be given without danger.
    """

    host: str
    """The machine; the value of the ``Host`` header too, which means nothing to the engine."""
    user: str = ""
    """Who to be there; "": ssh decides."""
    port: int | None = None
    """Where the ssh server listens; None: ssh decides."""
    path: str = ""
    """The engine's socket on that machine; "": the docker command there decides."""

    def __post_init__(self) -> None:
        matches = (_HOST.fullmatch(self.host), _USER.fullmatch(self.user), _REMOTE_PATH.fullmatch(self.path))
        if not all(matches) or (self.port is not None and self.port not in _PORTS):
            raise InvalidHost(0, f"not a machine to reach by ssh: {self.host!r}")

    def __str__(self) -> str:
        user = f"{quote(self.user, safe='+~=,')}@" if self.user else ""
        name = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        return f"ssh://{user}{name}{port}{quote(self.path, safe=_UNQUOTED)}"

    @property
    def prefix(self) -> str:
        """What stands before the paths of the API: nothing."""
        return ""

    @property
    def arguments(self) -> list[str]:
        """The arguments of the ssh command that connects its input and output with the engine.

        >>> SSH("h", user="me", port=22).arguments[3:]
        ['-l', 'me', '-p', '22', '--', 'h', 'docker system dial-stdio']
        """
        user = ["-l", self.user] if self.user else []
        port = [] if self.port is None else ["-p", str(self.port)]
        # The shell of the other side reads the command, so it is one argument, quoted.
        socket = [f"--host=unix://{self.path}"] if self.path.strip("/") else []
        command = shlex.join(["docker", *socket, "system", "dial-stdio"])
        return [*_SSH_OPTIONS, *user, *port, "--", self.host, command]


class NamedPipe(_OfThisMachine, Struct, frozen=True):
    """A named pipe of Windows."""

    path: str
    """With slashes: ``//./pipe/docker_engine``."""

    def __str__(self) -> str:
        return f"npipe://{self.path}"


Address: TypeAlias = UnixSocket | TCP | SSH | NamedPipe
"""Where an engine listens."""


class TLS(Struct, frozen=True, kw_only=True):
    """How to trust an engine and be trusted by it: paths of files in PEM form."""

    ca: str | None = None
    """Certificates of the authorities to trust; None: those of the system."""
    certificate: str | None = None
    """The client's certificate; None: it has none."""
    key: str | None = None
    """The private key of the certificate."""
    verify: bool = True
    """Whether the engine's certificate and name are checked."""


class Endpoint(Struct, frozen=True):
    """The engine that was chosen, and why."""

    address: Address
    """Where it listens."""
    reason: str
    """What decided."""
    context: str | None = None
    """The stored context that it is of; None: of none, which is what docker calls the default context."""
    tls: TLS | None = None
    """What TLS needs, if TLS is spoken; never on sockets, pipes and over ssh."""
