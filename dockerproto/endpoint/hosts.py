"""From what a user writes to an address: the forms of ``DOCKER_HOST``.

They are those of the docker command and, as in its contexts, ``http://`` and ``https://``. What it would
drop without a word, a user of TCP or a query, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
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
"""What the docker command takes if TLS is asked for and no host is."""
_FORMS: Final = (
    "unix:///path, tcp://host[:port][/prefix], http://…, https://…, ssh://[user@]host[:port][/path], "
    "npipe:////./pipe/name"
)
_PORTS: Final = {"tcp": 2375, "http": 80, "https": 443}
_TLS_PORTS: Final = _PORTS | {"tcp": 2376}
_SLIP: Final = re.compile(r"/|(?:unix|npipe|ssh|tcp|https?|fd):(?!//)")  # a path or scheme, no host
_PATH: Final = re.compile(r"(?!.*://)[^\0]*", re.DOTALL)
_PIPE: Final = re.compile(r"[^\0-\x1f\x7f]*")
_NOTHING: Final = re.compile(r"(?!)")
_NAME: Final = r"\[(?P<six>[0-9a-f:.]+)\]|(?P<name>[a-z0-9_.-]*)"
_TCP: Final = re.compile(
    rf"(?:{_NAME})(?::(?P<port>[0-9]{{0,5}}))?(?P<prefix>/[^\s?#]*)?", re.ASCII | re.IGNORECASE
)
_SSH: Final = re.compile(
    rf"(?:(?P<user>[^:/?#@]*(?:@[^:/?#@]*)*)@)?(?:{_NAME})(?::(?P<port>[0-9]{{0,5}}))?(?P<path>/[^?#]*)?",
    re.ASCII | re.IGNORECASE,
)


def parse_host(text: str, *, tls: bool = False) -> Address:
    """Read an address in the forms of ``DOCKER_HOST``.

    Without a scheme it is TCP. The port of ``tcp://`` is 2375 by default, 2376 with `tls`; that of
    ``http://`` is 80 and that of ``https://``, where TLS is spoken, is 443.

    >>> parse_host("unix:///run/docker.sock"), parse_host("10.0.0.1")
    (UnixSocket(path='/run/docker.sock'), TCP(name='10.0.0.1', port=2375, prefix=''))

    Raises:
        InvalidHost: It is in none of them.
    """
    return _parse(text, _TLS_PORTS if tls else _PORTS)


def parse_context_host(text: str, *, tls: bool) -> Address:
    """Read the address of a context, whose ports the docker command takes from HTTP: 80, with TLS 443.

    Raises:
        InvalidHost: It is none, or has no scheme.
    """
    if "://" not in text:
        raise _refusal(text)
    port = 443 if tls else 80
    return _parse(text, {"tcp": port, "http": port, "https": 443})


def wants_tls(text: str) -> bool:
    """Return whether an address says itself that TLS is spoken there."""
    return text.strip().startswith("https://")


def _parse(text: str, ports: dict[str, int]) -> Address:
    text = text.strip()
    if not text or _SLIP.match(text):
        raise _refusal(text)
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "tcp", text
    if scheme == "fd":
        raise InvalidHost(0, "only a daemon can be handed a socket by fd://, no client can")
    address = _address(scheme, rest, ports)
    if address is None:
        raise _refusal(text)
    return address


def _address(scheme: str, rest: str, ports: dict[str, int]) -> Address | None:
    """Return an address, None for what is none: an exception would carry along what may be a password."""
    pattern, read = _SCHEMES.get(scheme, (_NOTHING, _unix))
    match = pattern.fullmatch(rest)
    try:
        return None if match is None else read(match, ports.get(scheme, 0))
    except InvalidHost:
        return None


def _tcp(match: re.Match[str], port: int) -> TCP:
    name = match["six"] or match["name"] or "localhost"
    return TCP(name.lower(), int(match["port"] or port), (match["prefix"] or "").removesuffix("/"))


def _unix(match: re.Match[str], _: int) -> UnixSocket:
    return UnixSocket(match[0] or DEFAULT_SOCKET)


def _pipe(match: re.Match[str], _: int) -> NamedPipe:
    return NamedPipe(match[0] or DEFAULT_PIPE)


def _ssh(match: re.Match[str], _: int) -> SSH:
    port = int(match["port"]) if match["port"] else None
    return SSH(
        match["six"] or match["name"], unquote(match["user"] or ""), port, unquote(match["path"] or "")
    )


_SCHEMES: Final[dict[str, tuple[re.Pattern[str], Callable[[re.Match[str], int], Address]]]] = {
    "unix": (_PATH, _unix),
    "npipe": (_PIPE, _pipe),
    "ssh": (_SSH, _ssh),
    "tcp": (_TCP, _tcp),
    "http": (_TCP, _tcp),
    "https": (_TCP, _tcp),
}


def _refusal(text: str) -> InvalidHost:
    # What stands before an @ may be a password.
    shown = f"…{text[text.rindex('@') :]}" if "@" in text else text
    return InvalidHost(0, f"not the address of an engine: {shown!r}; the forms are {_FORMS}")
