"""Proxies that builds are told of, by the build arguments that every Dockerfile has: ``HTTP_PROXY`` and such.

They are those of ``proxies`` in config.json, as for the docker command. There may be passwords in them.
Described at https://docs.docker.com/engine/cli/proxy/.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from dockerproto.config.gojson import GoObject, read_go_object, typed

_MEMBER: Final = "proxies"
_DEFAULT: Final = "default"
_ARGUMENTS: Final[Mapping[str, str]] = {
    "httpProxy": "HTTP_PROXY",
    "httpsProxy": "HTTPS_PROXY",
    "noProxy": "NO_PROXY",
    "ftpProxy": "FTP_PROXY",
    "allProxy": "ALL_PROXY",
}


def read_proxies(config: bytes, host: str) -> dict[str, str]:
    """Return the build arguments that a config.json has for an engine, each in both cases of its name.

    Args:
        config: What the file contains.
        host: The engine's address; without a section of its own, it has the default one.

    >>> read_proxies(b'{"proxies": {"default": {"httpProxy": "http://p"}}}', "unix:///var/run/docker.sock")
    {'HTTP_PROXY': 'http://p', 'http_proxy': 'http://p'}

    Raises:
        ValueError: It is no JSON object, or has something else there.
    """
    sections: dict[str, Any] = dict(read_go_object(config).member(_MEMBER, GoObject) or ())
    name = host if host in sections else _DEFAULT
    section = typed(sections.get(name), _MEMBER, GoObject) or GoObject()
    found = {argument: section.member(member, str) for member, argument in _ARGUMENTS.items()}
    return {each: value for name, value in found.items() if value for each in (name, name.lower())}
