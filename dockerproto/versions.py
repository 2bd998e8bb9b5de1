"""API versions: which one is spoken, and what it does not have yet.

An engine serves every version up to its own maximum, which it sends in the ``Api-Version`` header;
a request for a newer one is refused whole, so a client speaks the smaller of both maxima.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from dockerproto.errors import ProtocolViolated, UnsupportedVersion

_FORM: Final = re.compile(r"v?(\d{1,4})\.(\d{1,4})", re.ASCII)


class Version(NamedTuple):
    """A version of the Docker Engine API; compared by number, so 1.9 is older than 1.24."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


OLDEST: Final = Version(1, 24)
"""The oldest API version that this library speaks."""
NEWEST: Final = Version(1, 55)
"""The newest API version that this library speaks."""


def parse_version(text: str) -> Version:
    """Read a version, with or without a leading "v".

    Raises ValueError for anything else.

    >>> str(parse_version("v1.43"))
    '1.43'
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"not an API version, such as 1.43: {text!r}")
    return Version(int(match[1]), int(match[2]))


def pinned_version(text: str) -> Version:
    """Read a version that a program insists on; it has to be one that this library speaks."""
    version = parse_version(text)
    if not OLDEST <= version <= NEWEST:
        raise ValueError(f"API version {version} is not one that is spoken here, {OLDEST} to {NEWEST}")
    return version


def negotiate(engine: str | None) -> Version:
    """Return the version to speak with an engine that says this is its newest.

    Raises:
        ProtocolViolated: It says nothing, or nothing that is a version: no Docker Engine.
        UnsupportedVersion: Its newest is older than our oldest.
    """
    try:
        newest = parse_version(engine or "")
    except ValueError as error:
        raise ProtocolViolated(0, f"no Docker Engine: its API version is {engine!r}") from error
    if newest < OLDEST:
        raise UnsupportedVersion(
            0, f"the engine speaks API {newest} at most, here it takes {OLDEST} at least"
        )
    return min(newest, NEWEST)


def require(needed: Version, what: str, spoken: Version) -> None:
    """Raise UnsupportedVersion unless the version that is spoken has what needs another."""
    if spoken < needed:
        raise UnsupportedVersion(0, f"{what} needs API {needed}; with this engine it is {spoken}")
