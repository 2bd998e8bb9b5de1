"""Directories with an OCI layout that a build reads or writes: caches and named contexts, as data.

The engine knows such a directory by the id of a content store, which its session serves; it never learns the
path. Documented at https://github.com/opencontainers/image-spec/blob/main/image-layout.md.
"""

from __future__ import annotations

import os
import re
from typing import Final

from msgspec import Struct

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


class Layout(Struct, frozen=True):
    """An image in a directory with an OCI layout, as a named context; nothing is written there."""

    path: str | os.PathLike[str]
    """Path of the directory."""
    tag: str | None = None
    """Tag of the image in ``index.json``; None: ``latest``, or the only image."""
    digest: str | None = None
    """Digest of its manifest, instead of a tag: ``sha256:…``."""


class LayoutReference(Struct, frozen=True, kw_only=True):
    """A manifest in a directory with an OCI layout, and the content store that the engine knows it by."""

    store: str
    """Id of the content store."""
    path: str
    tag: str | None = None
    """Tag of the manifest; None: the default."""
    digest: str | None = None
    """Digest of the manifest; None: that of the tag, which is looked up when the build begins."""
    writable: bool = False
    """True if the engine writes blobs there, and the manifest gets the tag."""


def is_digest(text: str) -> bool:
    """Return True for a digest that can be the name of a blob.

    >>> is_digest("sha256:" + "ab" * 32), is_digest("sha256:../../x")
    (True, False)
    """
    return _DIGEST.fullmatch(text) is not None


def layout_reference(
    owner: str,
    store: str,
    path: str | os.PathLike[str],
    tag: str | None,
    digest: str | None,
    *,
    writable: bool = False,
) -> LayoutReference:
    """Return a reference; `owner` names the argument in errors.

    Raises:
        TypeError: An argument has another type.
        ValueError: The tag is empty; the digest is malformed, or given besides a tag.
    """
    if not isinstance(path, str | os.PathLike):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError(f"path of {owner} must be a str or a path object, not {type(path).__name__}")
    for name, value in (("tag", tag), ("digest", digest)):
        if not isinstance(value, str | None):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
            raise TypeError(f"{name} of {owner} must be a str, not {type(value).__name__}")
    if tag is not None and (not tag or digest is not None):
        raise ValueError(f"{owner} must have a tag that is not empty, or a digest, not both")
    if digest is not None and not is_digest(digest):
        raise ValueError(f"digest of {owner} must be sha256: and 64 hexadecimal digits, not {digest!r}")
    return LayoutReference(store=store, path=os.fspath(path), tag=tag, digest=digest, writable=writable)
