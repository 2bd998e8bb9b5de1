"""Validate the entries of a received tree: the engine's output is untrusted until it is checked.

An entry is accepted if its path is clean and stays below the root, if it comes in order, if its directory
came before it as a directory, and if a hard link's target came before it as a file. So nothing comes twice,
nothing is written through a symlink, and no file outside the output gets another name.
"""

from __future__ import annotations

import stat
from typing import Final, NoReturn

from msgspec import Struct

from dockerproto.buildcontext.entry import FileEntry
from dockerproto.buildcontext.paths import path_bytes
from dockerproto.buildkit.fsutil import Stat, stat_to_entry
from dockerproto.errors import OutputFailed

_UNCLEAN_NAMES: Final = frozenset(("", ".", ".."))
_DISPLAY_LIMIT: Final = 300


class Limits(Struct, frozen=True, kw_only=True):
    """Limits on a received tree."""

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
"""Default limits, far above what images contain."""


class EntryValidator:
    """Checks the entries of one received tree, in order."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._count = 0
        self._total_text = 0
        self._last_names: list[bytes] = []
        self._ancestors = [""]
        """Directories above the last entry, and the entry itself if it is a directory."""
        self._files = set[str]()

    def check(self, message: Stat) -> FileEntry:
        """Return the entry of a message.

        Raises:
            OutputFailed: The entry must not be written.
            ProtocolViolated: The file type is unknown.
        """
        entry = stat_to_entry(message)
        self._check_amount(entry)
        self._check_path(entry)
        self._check_order(entry)
        self._check_directory(entry)
        self._check_kind(entry)
        return entry

    def _check_amount(self, entry: FileEntry) -> None:
        self._count += 1
        self._total_text += len(entry.path) + len(entry.target)
        if self._count > self._limits.entries:
            raise OutputFailed(0, f"the build output has more than {self._limits.entries} entries")
        if self._total_text > self._limits.text:
            raise OutputFailed(
                0, f"the paths in the build output have more than {self._limits.text} characters"
            )

    def _check_path(self, entry: FileEntry) -> None:
        names = entry.path.split("/")
        if not _UNCLEAN_NAMES.isdisjoint(names) or "\0" in entry.path:
            _reject(entry, "the path is not clean")
        if len(names) > self._limits.depth:
            _reject(entry, f"nested in more than {self._limits.depth} directories")
        longest = max(len(path_bytes(name)) for name in names)
        if longest > self._limits.name or len(path_bytes(entry.path)) > self._limits.path:
            _reject(entry, "the path is too long")

    def _check_order(self, entry: FileEntry) -> None:
        names = [path_bytes(name) for name in entry.path.split("/")]
        if names <= self._last_names:
            _reject(entry, "repeated or out of order")
        self._last_names = names

    def _check_directory(self, entry: FileEntry) -> None:
        directory = entry.path.rpartition("/")[0]
        while self._ancestors[-1] and not f"{directory}/".startswith(f"{self._ancestors[-1]}/"):
            self._ancestors.pop()
        if self._ancestors[-1] != directory:
            _reject(entry, "its directory was not sent before it")
        if stat.S_ISDIR(entry.mode):
            self._ancestors.append(entry.path)

    def _check_kind(self, entry: FileEntry) -> None:
        if entry.hard:
            if entry.target not in self._files:
                _reject(entry, f"its target {display_path(entry.target)} was not sent as a file before it")
        elif stat.S_ISREG(entry.mode):
            if not 0 <= entry.size <= self._limits.size:
                _reject(entry, f"its size is {entry.size} bytes, the limit {self._limits.size}")
            self._files.add(entry.path)
        elif stat.S_ISLNK(entry.mode):
            target = path_bytes(entry.target)
            if not target or b"\0" in target or len(target) > self._limits.path:
                _reject(entry, "invalid symlink target")


def display_path(path: str) -> str:
    """Return a path for an error message, without control characters and truncated."""
    text = repr(path)
    return text if len(text) <= _DISPLAY_LIMIT else f"{text[:_DISPLAY_LIMIT]}…"


def _reject(entry: FileEntry, reason: str) -> NoReturn:
    raise OutputFailed(0, f"rejected {display_path(entry.path)} in the build output: {reason}")
