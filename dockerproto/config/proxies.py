"""Proxies that builds are told of, by the build arguments that every Dockerfile has: ``HTTP_PROXY`` and such.

As with the Docker CLI, they come from ``proxies`` in config.json. They may contain passwords.
Described at https://docs.docker.com/engine/cli/proxy/.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import asdict

from dockerproto.config.config_file import ConfigFile, ProxyEntry

_DEFAULT: Final = "default"


def build_proxies(config: ConfigFile, host: str) -> dict[str, str]:
    """Return the build arguments for the proxies of an engine, each in upper and in lower case.

    Args:
        config: The configuration file.
        host: The engine's address; if it has no entry of its own, the default one counts.

    >>> from dockerproto.config.config_file import parse_config_file
    >>> config = parse_config_file(b'{"proxies": {"default": {"httpProxy": "http://p"}}}')
    >>> build_proxies(config, "unix:///var/run/docker.sock")
    {'HTTP_PROXY': 'http://p', 'http_proxy': 'http://p'}

    Raises:
        ValueError: The file has a value of a wrong type there.
    """
    key = host if host in config.proxies else _DEFAULT
    if problem := config.problem("proxies", key):
        raise ValueError(problem)
    entry = config.proxies.get(key, ProxyEntry())
    return {each: value for name, value in asdict(entry).items() if value for each in (name.upper(), name)}
