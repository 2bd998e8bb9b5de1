"""Files and directories as data: what a context is made of and an output is made into.

A tree is a sequence of entries, as it is sent: a directory before what is in it, siblings in the order
of their names' bytes. Paths are relative and clean, with "/" between names; the root has no entry.
"""

from __future__ import annotations

from typing import Protocol, Self

from msgspec import Struct


class FileEntry(Struct, frozen=True, kw_only=True):
    """A file, a directory or a link."""

    path: str
    """Where it is; bytes that are no UTF-8 are surrogate escapes, as Python's file functions have them."""
    mode: int
    """Type and permissions, as in ``st_mode``."""
    size: int = 0
    """Bytes of a regular file."""
    mtime: int = 0
    """When its content was changed, in nanoseconds since 1970."""
    target: str = ""
    """What a symlink says; of a hard link the path of an entry before it."""
    hard: bool = False
    """Whether it is a hard link to that entry; its mode is that of a regular file then."""
    device: tuple[int, int] = (0, 0)
    """Major and minor number of a device."""


class PathFilter(Protocol):
    """Which entries of a tree are taken: asked from the root down, for each path once."""

    @property
    def taken(self) -> bool:
        """Whether this entry is taken."""
        ...

    def opens(self, path: str) -> bool:
        """Whether this directory, which is not taken, is looked into all the same; its path is given."""
        ...

    def enter(self, name: str) -> Self:
        """Return the choice for a name in this directory."""
        ...
