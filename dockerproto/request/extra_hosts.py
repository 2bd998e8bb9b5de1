"""Entries for the ``/etc/hosts`` of build steps, in every form that the Docker CLI accepts.

Both builders expect ``name:address``, without brackets around the address.
The rules are those of https://pkg.go.dev/github.com/docker/cli/opts#ValidateExtraHost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, cast

from dockerproto.arguments import strings

GATEWAY: Final = "host-gateway"
"""Address that the engine replaces by its own, as seen from a container."""
_SPACE: Final = " \t\n\v\f\r\x85\xa0"


def parse_extra_hosts(hosts: Mapping[str, str] | Iterable[str] | None) -> tuple[str, ...]:
    """Return hosts as engines expect them.

    >>> parse_extra_hosts(["app=10.0.0.1", "six=[::1]", "engine:host-gateway"])
    ('app:10.0.0.1', 'six:::1', 'engine:host-gateway')

    Raises:
        TypeError: A name or an address is not a str.
        ValueError: A name is missing or contains a separator, or an address is not an IP address.
    """
    if isinstance(hosts, Mapping):
        by_name = cast("Mapping[str, str]", hosts)  # isinstance() cannot tell the types of its items
        pairs = zip(strings("extra_hosts", by_name), strings("extra_hosts", by_name.values()), strict=True)
        return tuple(_host(name, address) for name, address in pairs)
    return tuple(_host(*_split(text)) for text in strings("extra_hosts", hosts))


def _split(text: str) -> tuple[str, str]:
    """Return name and address; an equals sign separates them, or else the first colon."""
    name, separator, address = text.partition("=" if "=" in text else ":")
    if not separator:
        raise ValueError(f"extra_hosts must be 'name=address' or 'name:address', not {text!r}")
    return name, address


def _host(name: str, address: str) -> str:
    if not name or ":" in name or "=" in name:
        raise ValueError(f"a name in extra_hosts must not be empty or contain ':' or '=', not {name!r}")
    if address == GATEWAY:
        return f"{name}:{address}"
    address = address[1:-1] if address[:1] == "[" and address[-1:] == "]" else address
    if not _is_ip_address(address.strip(_SPACE)):
        raise ValueError(f"extra_hosts[{name!r}] must be an IP address or {GATEWAY!r}, not {address!r}")
    return f"{name}:{address}"


def _is_ip_address(text: str) -> bool:
    """Return True for an IP address as Go parses it, which has no zone."""
    from ipaddress import ip_address  # noqa: PLC0415  # takes a millisecond to load

    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text
