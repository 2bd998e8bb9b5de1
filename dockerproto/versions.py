"""API versions: parsing, negotiation, and requirements.

An engine serves every version up to its own newest, which it sends in the ``Api-Version`` header, and
rejects requests for a newer one. So a client uses the older of the engine's newest and its own.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from dockerproto.errors import ProtocolViolated, UnsupportedVersion

_FORM: Final = re.compile(r"v?(\d{1,4})\.(\d{1,4})", re.ASCII)


class Version(NamedTuple):
    """A version of the Docker Engine API or of Podman, compared numerically: 1.9 is older than 1.24."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


OLDEST: Final = Version(1, 24)
"""Oldest API version that this library supports."""
NEWEST: Final = Version(1, 55)
"""Newest API version that this library supports."""


def parse_version(text: str) -> Version:
    """Parse a version, with or without a leading "v".

    >>> str(parse_version("v1.43"))
    '1.43'

    Raises:
        ValueError: The text is not a version.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"API version must be of the form 1.43, not {text!r}")
    return Version(int(match[1]), int(match[2]))


def pinned_version(text: str) -> Version:
    """Parse a version that a program insists on.

    Raises:
        ValueError: The text is not a version, or this library does not support it.
    """
    version = parse_version(text)
    if not OLDEST <= version <= NEWEST:
        raise ValueError(f"unsupported API version {version} (supported: {OLDEST} to {NEWEST})")
    return version


def negotiate(engine: str | None) -> Version:
    """Return the version to use with an engine, from its ``Api-Version`` header.

    Raises:
        ProtocolViolated: The header is missing or malformed: this is not a Docker Engine.
        UnsupportedVersion: The engine is older than `OLDEST`.
    """
    try:
        newest = parse_version(engine or "")
    except ValueError as error:
        raise ProtocolViolated(0, f"not a Docker Engine: its API version is {engine!r}") from error
    if newest < OLDEST:
        raise UnsupportedVersion(
            0, f"the engine's newest API version is {newest}; the oldest supported one is {OLDEST}"
        )
    return min(newest, NEWEST)


def require(needed: Version, feature: str, version: Version) -> None:
    """Raise UnsupportedVersion if the version in use is older than the one that a feature needs."""
    if version < needed:
        raise UnsupportedVersion(0, f"{feature} needs API {needed}, but API {version} is in use")
