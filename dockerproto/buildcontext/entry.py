"""Metadata of files, directories and links: the input of a build context and the output of a build.

A tree is a sequence of entries in the order in which it is sent: a directory before its contents, siblings
in the order of their names' bytes. Paths are relative and clean, with "/" between names; the root has no
entry.
"""

from __future__ import annotations

from typing import Protocol, Self

from msgspec import Struct


class FileEntry(Struct, frozen=True, kw_only=True, gc=False):
    """A file, a directory or a link."""

    path: str
    """Path below the root; bytes that are not UTF-8 are surrogate escapes, as in Python's file functions."""
    mode: int
    """File type and permissions, as in ``st_mode``."""
    size: int = 0
    """Size of a regular file in bytes."""
    mtime: int = 0
    """Time of the last change of the content, in nanoseconds since 1970."""
    target: str = ""
    """Target of a symlink as written in it; for a hard link, the path of an earlier entry."""
    hard: bool = False
    """True for a hard link to `target`; the mode is then that of a regular file."""
    device: tuple[int, int] = (0, 0)
    """Major and minor number of a device."""


class PathFilter(Protocol):
    """Decision which paths of a tree are included, made name by name from the root down."""

    @property
    def included(self) -> bool:
        """True if this path is included."""
        ...

    def descends(self, path: str) -> bool:
        """True if this directory, which is excluded, must be searched for included paths."""
        ...

    def enter(self, name: str) -> Self:
        """Return the filter for a name in this directory."""
        ...
