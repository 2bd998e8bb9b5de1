"""Addresses of engines, and the endpoint that a client resolves.

An address is validated when it is created: none can inject a header, an option of ssh or a shell command.
"""

from __future__ import annotations

import re
import shlex
from typing import Final, TypeAlias
from urllib.parse import quote

from msgspec import Struct
from msgspec.structs import replace

from dockerproto.errors import InvalidHost
from dockerproto.redacted import Redacted

DEFAULT_SOCKET: Final = "/var/run/docker.sock"
DEFAULT_PIPE: Final = "//./pipe/docker_engine"
_PORTS: Final = range(1, 65536)
_SIX: Final = re.compile(r"[0-9a-f.]*:[0-9a-f:.]*", re.ASCII | re.IGNORECASE)
_SSH_NAME: Final = re.compile(r"[a-z0-9_.][a-z0-9_.-]*", re.ASCII | re.IGNORECASE)
_DNS_NAME: Final = re.compile(
    r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?", re.ASCII | re.IGNORECASE
)  # resolvers raise UnicodeError for other labels
_PREFIX: Final = re.compile(
    r"(?:/(?!\.{1,2}(?:/|\Z))(?:[\w.~!$&'()*+,;=:@-]|%[0-9a-f]{2})+)*", re.ASCII | re.IGNORECASE
)
_USER: Final = re.compile(r"(?:[a-z0-9_.+~@=,][a-z0-9_.+~@=,-]*)?", re.ASCII | re.IGNORECASE)
_REMOTE_PATH: Final = re.compile(r"(?:/[^\0-\x1f\x7f\ud800-\udfff]*)?")
_UNQUOTED: Final = "/:@!$&'()*+,;=~"
_SSH_OPTIONS: Final = ("-o", "ConnectTimeout=30", "-T")


class _LocalAddress:
    """Base class of addresses without a network name."""

    __slots__ = ()

    @property
    def host(self) -> str:
        """Value of the ``Host`` header, which the engine ignores."""
        return "docker"

    @property
    def prefix(self) -> str:
        """Prefix of API paths, always empty."""
        return ""


class UnixSocket(_LocalAddress, Struct, frozen=True):
    """A Unix socket."""

    path: str
    """Path of the socket; on Linux, ``@name`` is a name in the abstract namespace."""

    def __str__(self) -> str:
        return f"unix://{self.path}"


class TCP(Struct, frozen=True):
    """A TCP port of a host; `Endpoint.tls` says if it uses TLS.

    Raises:
        InvalidHost: The name, port or prefix is invalid.
    """

    name: str
    """Host name in ASCII, or an IP address; an IPv6 address has no brackets."""
    port: int
    """Port, 1 to 65535."""
    prefix: str = ""
    """Prefix of API paths, for an engine behind a reverse proxy: ``/x``, or empty."""

    def __post_init__(self) -> None:
        name = _DNS_NAME.fullmatch(self.name) or _is_ipv6(self.name)
        if not (name and self.port in _PORTS and _PREFIX.fullmatch(self.prefix)):
            raise InvalidHost(0, f"invalid TCP address: {str(self)!r}")

    def __str__(self) -> str:
        return f"tcp://{self.host}{self.prefix}"

    @property
    def host(self) -> str:
        """Value of the ``Host`` header."""
        return f"{_bracketed(self.name)}:{self.port}"


class SSH(Struct, frozen=True):
    """An engine reached over ssh, on a machine that has the Docker CLI.

    Raises:
        InvalidHost: A field is invalid, or not safe to pass to ssh.
    """

    name: str
    """Name or IP address of the machine; an IPv6 address has no brackets."""
    user: str = ""
    """User name on that machine; "" leaves the choice to ssh."""
    port: int | None = None
    """Port of the ssh server; None leaves the choice to ssh."""
    path: str = ""
    """Path of the engine's socket on that machine; "" leaves the choice to the Docker CLI there."""

    def __post_init__(self) -> None:
        name = _SSH_NAME.fullmatch(self.name) or _is_ipv6(self.name)
        matches = (name, _USER.fullmatch(self.user), _REMOTE_PATH.fullmatch(self.path))
        if not all(matches) or (self.port is not None and self.port not in _PORTS):
            raise InvalidHost(0, f"invalid ssh address: host {self.name!r}")

    def __str__(self) -> str:
        user = f"{quote(self.user, safe='+~=,')}@" if self.user else ""
        port = "" if self.port is None else f":{self.port}"
        return f"ssh://{user}{self.host}{port}{quote(self.path, safe=_UNQUOTED)}"

    @property
    def host(self) -> str:
        """Value of the ``Host`` header, which the engine ignores."""
        return _bracketed(self.name)

    @property
    def prefix(self) -> str:
        """Prefix of API paths, always empty."""
        return ""

    @property
    def command(self) -> tuple[str, ...]:
        """Command that connects its standard input and output to the engine.

        >>> SSH("h", user="me", port=22).command[4:]
        ('-l', 'me', '-p', '22', '--', 'h', 'docker system dial-stdio')
        """
        socket = [f"--host=unix://{self.path}"] if self.path.strip("/") else []
        return self.running("docker", *socket, "system", "dial-stdio")

    def running(self, *command: str) -> tuple[str, ...]:
        """Return the ssh command that runs a command on that machine."""
        user = ["-l", self.user] if self.user else []
        port = [] if self.port is None else ["-p", str(self.port)]
        # A shell on the other machine parses the command, so it is one quoted argument.
        return ("ssh", *_SSH_OPTIONS, *user, *port, "--", self.name, shlex.join(command))


def _is_ipv6(name: str) -> bool:
    if not _SIX.fullmatch(name):
        return False
    from ipaddress import IPv6Address  # noqa: PLC0415  # rarely needed

    try:
        IPv6Address(name)
    except ValueError:
        return False
    return True


def _bracketed(name: str) -> str:
    """Return a host name as it stands in a URL."""
    return f"[{name}]" if ":" in name else name


class NamedPipe(_LocalAddress, Struct, frozen=True):
    """A Windows named pipe."""

    path: str
    """Path with slashes: ``//./pipe/docker_engine``."""

    def __str__(self) -> str:
        return f"npipe://{self.path}"


class Command(_LocalAddress, Redacted, frozen=True):
    """A program whose standard input and output lead to a BuildKit daemon."""

    _hidden = ("command",)

    command: tuple[str, ...]
    """The program and its arguments, which may contain secrets."""
    url: str = ""
    """Address that stands for the command; empty: the program has given the command itself."""

    def __str__(self) -> str:
        return self.url or f"the command {self.program!r}"

    @property
    def program(self) -> str:
        """Name or path of the program."""
        return self.command[0]


class Proxy(Redacted, frozen=True):
    """An HTTP proxy between the client and an engine."""

    _hidden = ("authorization",)

    address: TCP
    """Address of the proxy."""
    tls: bool = False
    """True to reach the proxy itself over TLS."""
    authorization: str | None = None
    """Value of the ``Proxy-Authorization`` header; None to send none."""

    def __str__(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.address.host}"


class Proxied(Struct, frozen=True):
    """An engine that is reached through a proxy; see `Endpoint.route`."""

    engine: TCP
    """Address of the engine."""
    proxy: Proxy
    """The proxy to connect to."""
    tunnel: bool = True
    """True to tunnel through the proxy by CONNECT; False if it forwards requests in absolute form."""

    def __str__(self) -> str:
        return f"{self.engine} through the proxy {self.proxy}"

    @property
    def host(self) -> str:
        """Value of the ``Host`` header."""
        return self.engine.host

    @property
    def prefix(self) -> str:
        """Prefix of API paths."""
        return self.engine.prefix


Address: TypeAlias = UnixSocket | TCP | SSH | NamedPipe | Command | Proxied
"""Address that an engine listens on, or the way to it through a proxy."""


def tunnelled(address: Address) -> Address:
    """Return the way to an address that suits any protocol: through a proxy, it is a tunnel."""
    return replace(address, tunnel=True) if isinstance(address, Proxied) else address


class TLS(Struct, frozen=True, kw_only=True):
    """TLS files of a client: paths of PEM files, and if the engine is verified."""

    ca: str | None = None
    """Certificates of the trusted authorities; None means those of the system."""
    certificate: str | None = None
    """The client's certificate; None means that it has no certificate."""
    key: str | None = None
    """Private key of the client's certificate."""
    verify: bool = True
    """True to verify the engine's certificate and host name."""


class Endpoint(Struct, frozen=True):
    """The address of an engine, and the reason why it was selected."""

    address: Address
    """Address that the engine listens on."""
    reason: str
    """Source of the address, such as ``DOCKER_HOST``."""
    context: str | None = None
    """Name of the stored Docker context; None for an address that comes from elsewhere."""
    tls: TLS | None = None
    """TLS files; None without TLS, and always None for sockets, pipes and ssh."""
    proxy: Proxy | None = None
    """HTTP proxy in front of the engine; always None for sockets, pipes and ssh."""

    @property
    def route(self) -> Address:
        """The way to the engine: its address, or through the proxy."""
        if self.proxy is None or not isinstance(self.address, TCP):
            return self.address
        return Proxied(self.address, self.proxy, tunnel=self.tls is not None)

    @property
    def origin(self) -> str:
        """Source of the address as a phrase, for messages.

        >>> Endpoint(UnixSocket("/x"), "currentContext of config.json", "work").origin
        "from Docker context 'work', currentContext of config.json"
        """
        context = "" if self.context is None else f"Docker context {self.context!r}, "
        return self.reason if self.reason.startswith("the ") else f"from {context}{self.reason}"
