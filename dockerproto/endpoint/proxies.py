"""HTTP proxies between a client and an engine, by the rules of Go's net/http, which the Docker CLI follows.

``HTTPS_PROXY`` applies to engines with TLS, ``HTTP_PROXY`` to those without, ``NO_PROXY`` excepts hosts; an
upper-case name precedes the lower-case one. Engines on this machine are never behind a proxy.
Described at https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias
from urllib.parse import unquote_to_bytes

from msgspec.structs import replace

from dockerproto.endpoint.addresses import TCP, Endpoint, Proxy
from dockerproto.endpoint.hosts import encode_host_name, parse_authority
from dockerproto.errors import InvalidHost
from dockerproto.timeouts import DEFAULT

IPAddress: TypeAlias = IPv4Address | IPv6Address

_URL: Final = re.compile(
    r"(?:(?P<scheme>[a-z0-9+.-]+)://|(?![a-z0-9+.-]+://))"
    r"(?:(?P<user>[^/?#\ud800-\udc7f\udd00-\udfff]*)@)?(?P<authority>[^/?#@]*)(?:[/?#].*)?",
    re.ASCII | re.IGNORECASE | re.DOTALL,
)
_PORTS: Final = {"http": 80, "https": 443}
_FORMS: Final = "http://[user:password@]host[:port] or https://…; proxy=None connects directly"
_PREFIX: Final = re.compile(r".*/[0-9]+", re.ASCII)
_HOST_AND_PORT: Final = re.compile(
    r"\[(?P<six>[^][]*)\]:(?P<six_port>[^][:]*)|(?P<name>[^][:]*):(?P<port>[^][:]*)"
)
_MAPPED_BITS: Final = 96


def resolve_proxy(endpoint: Endpoint, proxy: object, environment: Mapping[str, str]) -> Endpoint:
    """Return an endpoint with the proxy to use.

    Args:
        endpoint: The endpoint.
        proxy: URL of a proxy, None for a direct connection; `DEFAULT` for that of the environment, if any.
        environment: Environment variables.

    Raises:
        InvalidHost: The proxy is invalid, or not safe to use.
        ValueError: The engine is not at a TCP address, but `proxy` is a URL.
        TypeError: `proxy` has another type.
    """
    address = endpoint.address
    if proxy is DEFAULT and isinstance(address, TCP):
        return replace(endpoint, proxy=find_proxy(address, environment, tls=endpoint.tls is not None))
    if proxy is None or proxy is DEFAULT:
        return endpoint
    if not isinstance(proxy, str):
        raise TypeError(f"proxy must be a URL or None, not {type(proxy).__name__}")
    if not isinstance(address, TCP):
        raise ValueError(f"proxy= needs an engine at a TCP address, not {address}")  # noqa: TRY004  # not a type of an argument
    return replace(endpoint, proxy=parse_proxy(proxy))


def parse_proxy(text: str, source: str = "proxy=") -> Proxy:
    """Parse the URL of a proxy; without a scheme, it is ``http://``. The path and query are ignored.

    >>> str(parse_proxy("proxy.example:3128")), str(parse_proxy("https://me:s3cret@proxy.example/"))
    ('http://proxy.example:3128', 'https://proxy.example:443')

    Args:
        text: The URL; user and password are percent-encoded.
        source: Name of the argument or variable, for the error message.

    Raises:
        InvalidHost: The URL is malformed, or the kind of proxy is unsupported, such as SOCKS.
    """
    match = _URL.fullmatch(text.strip())
    scheme = (match["scheme"] or "http").lower() if match else ""
    address = parse_authority(match["authority"], _PORTS[scheme]) if match and scheme in _PORTS else None
    if match is None or address is None:
        shown = text.rpartition("@")[2]  # the part before an @ may contain a password
        raise InvalidHost(0, f"invalid proxy {shown!r} (from {source}); expected {_FORMS}")
    return Proxy(address, tls=scheme == "https", authorization=_authorization(match["user"]))


def find_proxy(address: TCP, environment: Mapping[str, str], *, tls: bool) -> Proxy | None:
    """Return the proxy that environment variables name for an engine, None for a direct connection.

    Args:
        address: Address of the engine.
        environment: Environment variables.
        tls: True if the engine uses TLS.

    Raises:
        InvalidHost: The proxy's URL is invalid; or this is a CGI program, where ``HTTP_PROXY`` may come from
            the headers of a request.
    """
    name = "HTTPS_PROXY" if tls else "HTTP_PROXY"
    text = _variable(environment, name)
    if not text or bypasses_proxy(address, _variable(environment, "NO_PROXY")):
        return None  # even in a CGI program, where the Docker CLI would fail
    if environment.get("REQUEST_METHOD") and not tls:
        raise InvalidHost(0, f"{name} is unsafe in a CGI program (REQUEST_METHOD is set); set proxy= instead")
    return parse_proxy(text, name)


def bypasses_proxy(address: TCP, no_proxy: str) -> bool:
    """Return True if an engine is on this machine, or matches a pattern of ``NO_PROXY``.

    >>> [bypasses_proxy(TCP("a.example", 2375), each) for each in (".example", "example:80", "10.0.0.0/8, *")]
    [True, False, True]
    """
    ip = _parse_ip(address.name)
    if address.name == "localhost" or (ip is not None and ip.is_loopback):
        return True
    return any(_matches(each.strip().lower(), address, ip) for each in no_proxy.split(","))


def _variable(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name) or environment.get(name.lower(), "")


def _authorization(user: str | None) -> str | None:
    if user is None:
        return None
    name, _, password = user.encode("utf-8", "surrogateescape").partition(b":")
    return f"Basic {b64encode(unquote_to_bytes(name) + b':' + unquote_to_bytes(password)).decode('ascii')}"


def _matches(pattern: str, address: TCP, ip: IPAddress | None) -> bool:
    if pattern == "*":
        return True
    if (network := _parse_network(pattern)) is not None:
        return ip is not None and ip in network
    match = _HOST_AND_PORT.fullmatch(pattern)
    name = (match["six"] or match["name"] or "") if match else pattern
    port = (match["six_port"] or match["port"]) if match else None
    if port and port != str(address.port):
        return False
    if (wanted := _parse_ip(name)) is not None:
        return ip == wanted
    return ip is None and name != "" and _matches_name(name, address.name)


def _matches_name(pattern: str, name: str) -> bool:
    """Return True if a name matches: ``x`` means itself and its subdomains, ``.x`` and ``*.x`` only those."""
    domain = pattern.removeprefix("*") if pattern.startswith("*.") else pattern
    bare = domain.removeprefix(".")
    with suppress(InvalidHost):
        bare = encode_host_name(bare)
    return name.endswith(f".{bare}") or (name == bare and not domain.startswith("."))


def _parse_ip(text: str) -> IPAddress | None:
    """Return an IP address, None for other text; an IPv4 address mapped to IPv6 counts as IPv4."""
    try:
        ip = ip_address("%" if "%" in text else text)  # Go parses no zones
    except ValueError:
        return None
    return (ip.ipv4_mapped or ip) if isinstance(ip, IPv6Address) else ip


def _parse_network(text: str) -> IPv4Network | IPv6Network | None:
    """Return a network in CIDR notation, None for other text."""
    if not _PREFIX.fullmatch(text) or "%" in text:
        return None
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return None
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    bits = network.prefixlen - _MAPPED_BITS
    return IPv4Network((mapped, bits)) if mapped is not None and bits >= 0 else network
