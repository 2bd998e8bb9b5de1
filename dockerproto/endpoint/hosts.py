"""Parser of engine addresses in the forms of ``DOCKER_HOST``.

The forms are those of the Docker CLI, with ``http://`` and ``https://`` as in its contexts. Parts that the
CLI silently drops, such as a user or a query in a TCP address, are rejected.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from urllib.parse import unquote

from dockerproto.endpoint.addresses import (
    DEFAULT_PIPE,
    DEFAULT_SOCKET,
    SSH,
    TCP,
    Address,
    NamedPipe,
    UnixSocket,
)
from dockerproto.errors import InvalidHost

DEFAULT_TLS_HOST: Final = "tcp://localhost:2376"
"""Default host of the Docker CLI with TLS."""
_FORMS: Final = (
    "unix:///path, tcp://host[:port][/prefix], http://…, https://…, ssh://[user@]host[:port][/path], "
    "npipe:////./pipe/name"
)
_PORTS: Final = {"tcp": 2375, "http": 80, "https": 443}
_TLS_PORTS: Final = _PORTS | {"tcp": 2376}

# Compiled when used: a client needs one or none of them, and compiling all takes 1.5 ms.
_SLIP: Final = r"/|(?:unix|npipe|ssh|tcp|https?|fd):(?!//)"  # a path or scheme instead of a host
_PATH: Final = r"(?s:(?!.*://)[^\0\ud800-\udc7f\udd00-\udfff]*)"  # names that files can have
_PIPE: Final = r"[^\0-\x1f\x7f]*"
_NOTHING: Final = r"(?!)"
_SIX: Final = r"\[(?P<six>[0-9a-f:.]+)\]"
_NAME: Final = r"(?P<name>[a-z0-9_.-]*)"
_INTERNATIONAL: Final = r"(?P<name>(?:[a-z0-9_.-]|[^\0-\x7f])*)"  # a range to U+10FFFF takes 18 ms to compile
_AMBIGUOUS: Final = "[\u00df\u03c2\u200c\u200d]"
"""Letters that IDNA 2003, which Python implements, maps to others, and the Docker CLI keeps."""
_TCP: Final = rf"(?ai:(?:{_SIX}|{_INTERNATIONAL})(?::(?P<port>[0-9]{{0,5}}))?(?P<prefix>/[^\s?#]*)?)"
_SSH: Final = (
    r"(?ai:(?:(?P<user>[^:/?#@]*(?:@[^:/?#@]*)*)@)?"
    rf"(?:{_SIX}|{_NAME})(?::(?P<port>[0-9]{{0,5}}))?(?P<path>/[^?#]*)?)"
)


def parse_host(text: str, *, tls: bool = False) -> Address:
    """Parse an engine's address in the forms of ``DOCKER_HOST``.

    An address without a scheme is TCP. The default port of ``tcp://`` is 2375, or 2376 with `tls`; that of
    ``http://`` is 80, and that of ``https://``, which uses TLS, is 443. An international host name is encoded
    in ASCII.

    >>> parse_host("unix:///run/docker.sock"), parse_host("10.0.0.1")
    (UnixSocket(path='/run/docker.sock'), TCP(name='10.0.0.1', port=2375, prefix=''))

    Raises:
        InvalidHost: The address has another form.
    """
    return _parse(text, _TLS_PORTS if tls else _PORTS)


def parse_context_host(text: str, *, tls: bool) -> Address:
    """Parse the address in a Docker context; the default port is that of HTTP: 80, or 443 with TLS.

    Raises:
        InvalidHost: The address is invalid, or has no scheme.
    """
    if "://" not in text:
        raise _invalid(text)
    port = 443 if tls else 80
    return _parse(text, {"tcp": port, "http": port, "https": 443})


def wants_tls(text: str) -> bool:
    """Return True if the scheme of an address implies TLS."""
    return text.strip().startswith("https://")


def _parse(text: str, ports: dict[str, int]) -> Address:
    text = text.strip()
    if not text or re.match(_SLIP, text):
        raise _invalid(text)
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "tcp", text
    if scheme == "fd":
        raise InvalidHost(0, "fd:// is for daemons, which can inherit a socket; a client needs an address")
    address = _address(scheme, rest, ports)
    if address is None:
        raise _invalid(text)
    return address


def _address(scheme: str, rest: str, ports: dict[str, int]) -> Address | None:
    """Return an address, None if it is invalid: an exception would carry along a possible password."""
    pattern, build = _SCHEMES.get(scheme, (_NOTHING, _unix))
    match = re.fullmatch(pattern, rest)
    try:
        return None if match is None else build(match, ports.get(scheme, 0))
    except InvalidHost:
        return None


def parse_authority(text: str, port: int) -> TCP | None:
    """Parse ``host[:port]``, with a default port; return None if it is invalid."""
    match = re.fullmatch(_TCP, text)
    try:
        return _tcp(match, port) if match and (match["six"] or match["name"]) else None
    except InvalidHost:
        return None


def _tcp(match: re.Match[str], port: int) -> TCP:
    name = match["six"] or encode_host_name(match["name"]) or "localhost"
    return TCP(name.lower(), int(match["port"] or port), (match["prefix"] or "").removesuffix("/"))


def encode_host_name(name: str) -> str:
    """Encode an international host name in ASCII.

    >>> encode_host_name("b\u00fccher.example")
    'xn--bcher-kva.example'

    Raises:
        InvalidHost: The name cannot be encoded, or encoders disagree about it.
    """
    if name.isascii():
        return name
    if not re.search(_AMBIGUOUS, name):
        with suppress(UnicodeError):
            encoded = name.encode("idna").decode("ascii")
            if ":" not in encoded:
                return encoded
    raise InvalidHost(0, f"invalid host name: {name!r}")


def _unix(match: re.Match[str], _: int) -> UnixSocket:
    return UnixSocket(match[0] or DEFAULT_SOCKET)


def _pipe(match: re.Match[str], _: int) -> NamedPipe:
    return NamedPipe(match[0] or DEFAULT_PIPE)


def _ssh(match: re.Match[str], _: int) -> SSH:
    port = int(match["port"]) if match["port"] else None
    return SSH(
        match["six"] or match["name"], unquote(match["user"] or ""), port, unquote(match["path"] or "")
    )


_SCHEMES: Final[dict[str, tuple[str, Callable[[re.Match[str], int], Address]]]] = {
    "unix": (_PATH, _unix),
    "npipe": (_PIPE, _pipe),
    "ssh": (_SSH, _ssh),
    "tcp": (_TCP, _tcp),
    "http": (_TCP, _tcp),
    "https": (_TCP, _tcp),
}


def _invalid(text: str) -> InvalidHost:
    # The part before an @ may contain a password.
    shown = f"…{text[text.rindex('@') :]}" if "@" in text else text
    return InvalidHost(0, f"invalid engine address {shown!r}; expected {_FORMS}")
