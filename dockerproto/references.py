"""Image references: their grammar, their parts, and the registries that they belong to.

An invalid name is rejected before anything is sent: ``../containers/x`` would otherwise
leave ``/images/`` on every engine. Valid names are sent as given, not normalised.
The grammar is that of https://github.com/distribution/reference.
"""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from dockerproto.errors import InvalidReference

HUB: Final = "docker.io"
"""Registry of names that do not start with one."""

_HOST_PART: Final = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST: Final = rf"(?:{_HOST_PART}(?:\.{_HOST_PART})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_COMPONENT: Final = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_TAG: Final = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST: Final = r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}"
_NAME: Final = rf"(?P<name>(?:(?P<host>{_HOST})/)?(?P<path>{_COMPONENT}(?:/{_COMPONENT})*))"
_VERSION: Final = rf"(?::(?P<tag>{_TAG}))?(?:@(?P<digest>{_DIGEST}))?"
_REFERENCE: Final = re.compile(_NAME + _VERSION)
_IN_ANY_CASE: Final = _NAME.replace("[a-z0-9]", "[a-zA-Z0-9]") + _VERSION
_ID: Final = re.compile(r"(?:sha256:)?[0-9a-f]{64}")
_HUB_PREFIX: Final = f"{HUB}/library/"
"""Beginning of the name of a repository without a registry and a user, in full."""
_LONGEST_NAME: Final = 255
_LONGEST_TEXT: Final = 4096
_INVALID: Final = "invalid image name or id"


class Reference(Struct, frozen=True):
    """An image reference, split into its parts."""

    name: str
    """Repository, as written: ``busybox``, ``127.0.0.1:5000/team/app``."""
    tag: str | None = None
    """Tag, if one is written."""
    digest: str | None = None
    """Digest of a manifest, ``sha256:…``, if one is written."""

    @property
    def registry(self) -> str:
        """Host and port of the registry; ``docker.io`` for Docker Hub, whatever its spelling.

        >>> Reference("busybox").registry, Reference("user/app").registry
        ('docker.io', 'docker.io')
        >>> Reference("localhost/app").registry, Reference("127.0.0.1:5000/app").registry
        ('localhost', '127.0.0.1:5000')
        """
        return registry_of(self.name)


def parse_reference(text: str) -> Reference:
    """Parse an image reference.

    >>> parse_reference("127.0.0.1:5000/team/app:2")
    Reference(name='127.0.0.1:5000/team/app', tag='2', digest=None)

    Raises:
        InvalidReference: The text is malformed, or the full id of an image.
    """
    match = _match(text)
    if _ID.fullmatch(text):
        raise InvalidReference(0, f"expected the name of a repository, not an image id: {text!r}")
    return Reference(match["name"], match["tag"], match["digest"])


def repository(text: str, tag: str | None, argument: str) -> Reference:
    """Return the reference of a name and a separate tag; `argument` names the former in errors.

    Raises:
        InvalidReference: Either is malformed.
        ValueError: They contradict each other.
    """
    reference = parse_reference(text)
    if not tag:
        return reference
    if re.fullmatch(_TAG, tag) is None:
        raise InvalidReference(0, f"invalid tag: {tag!r}")
    if reference.digest is not None or reference.tag not in (None, tag):
        raise ValueError(f"{argument} {text!r} and tag {tag!r} contradict each other")
    return Reference(reference.name, tag)


def path_of(name: str) -> str:
    """Return an image name or id as a segment of a URL path: validated, escaped, not normalised.

    Raises:
        InvalidReference: The name is malformed.
    """
    return _match(name)[0].replace("[", "%5B").replace("]", "%5D")  # the rest of the grammar is safe


def is_digest(text: str) -> bool:
    """Return True if a text is a digest: ``sha256:…``, ``sha384:…`` or ``sha512:…``."""
    return re.fullmatch(_DIGEST, text) is not None


def registry_of(name: str) -> str:
    """Return the registry of a repository or of a search term."""
    first, slash, _ = name.partition("/")
    is_host = bool(slash) and _is_host(first)
    return HUB if not is_host or first in (HUB, f"index.{HUB}") else first


def parse_registry(address: str) -> str:
    """Parse the address of a registry, and return it in the form of `Reference.registry`.

    >>> parse_registry("https://index.docker.io/v1/"), parse_registry("http://r.example:5000/v2/")
    ('docker.io', 'r.example:5000')

    Raises:
        ValueError: The address is invalid. The message does not quote it, as it may contain a password.
    """
    if not isinstance(address, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError(f"registry address must be a str, not {type(address).__name__}")
    host = host_of(address)
    if re.fullmatch(_HOST, host) is None:
        raise ValueError("invalid registry address: expected one such as registry.example:5000")
    return HUB if host == f"index.{HUB}" else host


def host_of(address: str) -> str:
    """Return the host and port of an address, without scheme and path."""
    return (address.partition("://")[2] or address).partition("/")[0]


def _is_host(first: str | None) -> bool:
    """Return True if the first part of a name is the host of a registry, not a Docker Hub user."""
    return first is not None and (first == "localhost" or any(c in ".:" or c.isupper() for c in first))


def _match(text: str) -> re.Match[str]:
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError(f"image name must be a str, not {type(text).__name__}")
    match = _REFERENCE.fullmatch(text) if len(text) <= _LONGEST_TEXT else None
    if match is None:
        raise InvalidReference(0, f"{_INVALID}: {text[:_LONGEST_NAME]!r}{_reason(text)}")
    # The full name is longer than the text by this prefix at most, so nearly all names need no more checks.
    if len(text) > _LONGEST_NAME - len(_HUB_PREFIX) and len(_counted(match)) > _LONGEST_NAME:
        error = InvalidReference(0, f"{_INVALID}: {text[:_LONGEST_NAME]!r}")
        error.add_note(f"a repository name has at most {_LONGEST_NAME} characters, {_HUB_PREFIX} included")
        raise error
    return match


def _counted(match: re.Match[str]) -> str:
    """Return what the limit counts: the full name on Docker Hub, otherwise the name without its host."""
    if registry_of(match["name"]) != HUB:
        return match["path"]
    path = match["path"] if _is_host(match["host"]) else match["name"]
    return f"{HUB}/{path}" if "/" in path else f"{_HUB_PREFIX}{path}"


def _reason(text: str) -> str:
    """Return why a name is invalid, as the end of a message; empty unless only its capitals are wrong."""
    is_known = len(text) <= _LONGEST_TEXT and re.fullmatch(_IN_ANY_CASE, text)
    return ": repository name must be lowercase" if is_known else ""
