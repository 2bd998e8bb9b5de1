"""Limits on trees of files that somebody else made: build contexts in tars, and outputs of builds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from dockerproto.buildcontext.entry import FileEntry
from dockerproto.buildcontext.paths import path_bytes
from dockerproto.errors import UploadFailed

CONTEXT_LIMIT: Final = 2**35
"""Default limit on what a tar takes in temporary files, in bytes: 32 GiB, many times an ordinary context.

Ten megabytes of gzip can unpack to ten gigabytes, so without a limit a small upload fills any disk.
"""
_DISPLAY_LIMIT: Final = 300


class Limits(Struct, frozen=True, kw_only=True):
    """Limits on a tree."""

    entries: int = 2_000_000
    """Number of entries."""
    text: int = 2**28
    """Total characters of all paths and link targets, which are kept in memory."""
    size: int = 2**40
    """Bytes of one file."""
    path: int = 4095
    """Bytes of a path or a symlink's target; systems accept no longer ones."""
    name: int = 255
    """Bytes of a name."""
    depth: int = 512
    """Number of nested directories."""


DEFAULT_LIMITS: Final = Limits()
"""Default limits, far above what images and build contexts contain."""


class TreeMeter:
    """Adds up the entries of one tree; its errors continue a sentence such as "the build output has ..."."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._entries = 0
        self._text = 0

    def add(self, entry: FileEntry) -> None:
        """Count an entry. Raises ValueError if there are too many, or if their paths are too long."""
        self._text += len(entry.path) + len(entry.target)
        if self._text > self._limits.text:
            raise ValueError(f"paths of more than {self._limits.text} characters in total")
        self.count(1)

    def count(self, entries: int) -> None:
        """Count entries without paths of their own. Raises ValueError if there are too many."""
        self._entries += entries
        if self._entries > self._limits.entries:
            raise ValueError(f"more than {self._limits.entries} entries")


def check_context(size: int, limit: int) -> None:
    """Raise UploadFailed if a tar takes more bytes in temporary files than the client's limit."""
    if size > limit:
        raise UploadFailed(
            0, f"the tar of the build context takes more than {limit} bytes, the client's context_limit"
        )


def path_fault(names: Sequence[bytes], limits: Limits = DEFAULT_LIMITS) -> str | None:
    """Return the reason why a path, the names in it, exceeds the limits, or None if it does not."""
    if len(names) > limits.depth:
        return f"nested in more than {limits.depth} directories"
    if max(map(len, names)) > limits.name:
        return f"a name has more than {limits.name} bytes"
    return (
        f"the path has more than {limits.path} bytes"
        if sum(map(len, names)) + len(names) - 1 > limits.path
        else None
    )


def check_path(path: str) -> None:
    """Raise UploadFailed if a path in a directory is longer than an engine can unpack.

    Directories can be nested deeper, if they are opened name by name, but then their paths take quadratic
    memory.
    """
    if len(path_bytes(path)) > DEFAULT_LIMITS.path:
        limit = f"the path has more than {DEFAULT_LIMITS.path} bytes"
        raise UploadFailed(0, f"cannot send {display_path(path)}: {limit}; exclude it in .dockerignore")


def display_path(path: str) -> str:
    """Return a path for an error message, without control characters and truncated."""
    text = repr(path[:_DISPLAY_LIMIT])
    return (
        text if len(path) <= _DISPLAY_LIMIT and len(text) <= _DISPLAY_LIMIT else f"{text[:_DISPLAY_LIMIT]}…"
    )
