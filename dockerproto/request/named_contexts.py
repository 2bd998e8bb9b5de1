"""Named build contexts, as data: directories, images and URLs that a Dockerfile uses by a name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final, TypeAlias

from msgspec import Struct, field

from dockerproto.references import HUB, parse_reference
from dockerproto.request.layouts import Layout, LayoutReference, layout_reference

NamedContext: TypeAlias = str | os.PathLike[str] | Layout
"""A directory as a path object; an image in a `Layout`; or a text: ``docker-image://NAME``, or the URL of a
repository or archive."""

CAPABILITY: Final = "moby.buildkit.frontend.contexts+forward"
"""Capability of the frontend without which named contexts would be ignored; one that lacks it fails."""
_SCHEMES: Final = ("docker-image://", "https://", "http://", "git://", "ssh://", "git@")
_IMAGE: Final = _SCHEMES[0]
_STORE: Final = "oci:"
"""Beginning of the ids of content stores with images."""
_SERVED: Final = ("context", "dockerfile")
"""Names of the directories that every session serves."""


class NamedContexts(Struct, frozen=True):
    """Named contexts in the form in which they are sent."""

    attributes: Mapping[str, str] = field(default_factory=dict[str, str])
    """Attributes of the frontend, by name."""
    directories: Mapping[str, str] = field(default_factory=dict[str, str])
    """Paths of the directories that the session serves, by name."""
    layouts: Mapping[str, LayoutReference] = field(default_factory=dict[str, LayoutReference])
    """Images in OCI layouts, by the attribute that gets their digest; see `layout_context`."""

    @property
    def given(self) -> bool:
        """True if there is a named context."""
        return bool(self.attributes or self.layouts)


def layout_context(store: str, digest: str) -> str:
    """Return the value of an attribute for an image in an OCI layout."""
    return f"oci-layout://{store.removeprefix(_STORE)}@{digest}"


def read_contexts(contexts: Mapping[str, NamedContext] | None) -> NamedContexts:
    """Return named contexts of any form.

    >>> read_contexts({"base": "docker-image://alpine:3"}).attributes
    {'context:base': 'docker-image://alpine:3'}

    Raises:
        InvalidReference: A name is not one that a Dockerfile can use, or an image's name is malformed.
        TypeError: `contexts` is not a mapping to paths, layouts and texts.
        ValueError: A text is not a URL; two names mean the same; a layout has an invalid tag or digest.
    """
    if not isinstance(contexts, Mapping | None):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError(f"contexts must be a mapping, not {type(contexts).__name__}")
    named = dict[str, tuple[str, NamedContext]]()
    for given, context in (contexts or {}).items():
        name = _familiar(given)
        if name in named:
            raise ValueError(f"two names of contexts mean the same: {given!r} and {name!r}")
        named[name] = (given, context)
    read = [_read(number, name, *each) for number, (name, each) in enumerate(named.items())]
    return NamedContexts(
        {name: value for each in read for name, value in each.attributes.items()},
        {name: path for each in read for name, path in each.directories.items()},
        {name: layout for each in read for name, layout in each.layouts.items()},
    )


def _read(number: int, name: str, given: str, context: NamedContext) -> NamedContexts:
    attribute, owner = f"context:{name}", f"contexts[{given!r}]"
    if isinstance(context, str):
        return NamedContexts({attribute: _check_text(owner, context)})
    if isinstance(context, os.PathLike):
        served = f"_{name}" if name in _SERVED else name
        return NamedContexts({attribute: f"local:{served}"}, {served: os.fspath(context)})
    if isinstance(context, Layout):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        store = f"{_STORE}layout-{number}"
        layout = layout_reference(owner, store, context.path, context.tag, context.digest)
        return NamedContexts(layouts={attribute: layout})
    raise TypeError(f"{owner} must be a path object, a Layout or a str, not {type(context).__name__}")


def _familiar(name: str) -> str:
    """Return a name as the frontend looks for it: short, and without the tag ``latest``.

    >>> _familiar("docker.io/library/alpine:latest"), _familiar("alpine:3")
    ('alpine', 'alpine:3')
    """
    parse_reference(name)
    return name.removeprefix(f"{HUB}/library/").removeprefix(f"{HUB}/").removesuffix(":latest")


def _check_text(owner: str, text: str) -> str:
    if not text.startswith(_SCHEMES):
        raise ValueError(
            f"{owner} must be a path object for a directory, or a text that begins with one of "
            f"{', '.join(_SCHEMES)}, not {text!r}"
        )
    if text.startswith(_IMAGE):
        parse_reference(text.removeprefix(_IMAGE))
    return text
