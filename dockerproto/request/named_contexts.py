"""Named build contexts: directories, images and URLs that a Dockerfile uses by a name, as data."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final, TypeAlias

from msgspec import Struct, field

from dockerproto.references import HUB, parse_reference

NamedContext: TypeAlias = str | os.PathLike[str]
"""A directory as a path object, or a text: ``docker-image://NAME``, or the URL of a repository or archive."""

CAPABILITY: Final = "moby.buildkit.frontend.contexts+forward"
"""Capability of the frontend without which named contexts would be ignored; one that lacks it fails."""
_SCHEMES: Final = ("docker-image://", "https://", "http://", "git://", "ssh://", "git@")
_IMAGE: Final = _SCHEMES[0]
_SERVED: Final = ("context", "dockerfile")
"""Names of the directories that every session serves."""


class NamedContexts(Struct, frozen=True):
    """Named contexts in the form in which they are sent."""

    attributes: Mapping[str, str] = field(default_factory=dict[str, str])
    """Attributes of the frontend, by name."""
    directories: Mapping[str, str] = field(default_factory=dict[str, str])
    """Paths of the directories that the session serves, by name."""


def read_contexts(contexts: Mapping[str, NamedContext] | None) -> NamedContexts:
    """Return named contexts of any form.

    >>> read_contexts({"base": "docker-image://alpine:3"}).attributes
    {'context:base': 'docker-image://alpine:3'}

    Raises:
        InvalidReference: A name is not one that a Dockerfile can use, or an image's name is malformed.
        TypeError: `contexts` is not a mapping to paths and texts.
        ValueError: A text is not a URL; two names mean the same.
    """
    if not isinstance(contexts, Mapping | None):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError(f"contexts must be a mapping, not {type(contexts).__name__}")
    attributes, directories = dict[str, str](), dict[str, str]()
    for given, context in (contexts or {}).items():
        name = _familiar(given)
        attribute = f"context:{name}"
        if attribute in attributes:
            raise ValueError(f"two names of contexts mean the same: {given!r} and {name!r}")
        if isinstance(context, str):
            attributes[attribute] = _check_text(given, context)
        elif isinstance(context, os.PathLike):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
            served = f"_{name}" if name in _SERVED else name
            directories[served] = os.fspath(context)
            attributes[attribute] = f"local:{served}"
        else:
            raise TypeError(
                f"contexts[{given!r}] must be a path object or a str, not {type(context).__name__}"
            )
    return NamedContexts(attributes, directories)


def _familiar(name: str) -> str:
    """Return a name as the frontend looks for it: short, and without the tag ``latest``.

    >>> _familiar("docker.io/library/alpine:latest"), _familiar("alpine:3")
    ('alpine', 'alpine:3')
    """
    parse_reference(name)
    return name.removeprefix(f"{HUB}/library/").removeprefix(f"{HUB}/").removesuffix(":latest")


def _check_text(name: str, text: str) -> str:
    if not text.startswith(_SCHEMES):
        raise ValueError(
            f"contexts[{name!r}] must be a path object for a directory, or a text that begins with one of "
            f"{', '.join(_SCHEMES)}, not {text!r}"
        )
    if text.startswith(_IMAGE):
        parse_reference(text.removeprefix(_IMAGE))
    return text
