"""Validate the entries of a received tree: the engine's output is untrusted until it is checked.

An entry is accepted if its path is clean and stays below the root, if it comes in order, if its directory
came before it as a directory, and if a hard link's target came before it as a file. So nothing comes twice,
nothing is written through a symlink, and no file outside the output gets another name.
"""

from __future__ import annotations

import stat
from typing import Final, NoReturn

from dockerproto.buildcontext.entry import FileEntry
from dockerproto.buildcontext.limits import DEFAULT_LIMITS, Limits, TreeMeter, display_path, path_fault
from dockerproto.buildcontext.paths import path_bytes
from dockerproto.errors import OutputFailed

_UNCLEAN_NAMES: Final = frozenset((b"", b".", b".."))


class EntryValidator:
    """Checks the entries of one received tree, in order."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._meter = TreeMeter(limits)
        self._last_names: list[bytes] = []
        self._ancestors = [""]
        """Directories above the last entry, and the entry itself if it is a directory."""
        self._files = set[str]()

    def check(self, entry: FileEntry) -> None:
        """Check the next entry.

        Raises:
            OutputFailed: The entry must not be written.
        """
        self._check_amount(entry)
        self._check_path(entry)
        self._check_directory(entry)
        self._check_kind(entry)

    def _check_amount(self, entry: FileEntry) -> None:
        try:
            self._meter.add(entry)
        except ValueError as error:
            raise OutputFailed(0, f"the build output has {error}") from error

    def _check_path(self, entry: FileEntry) -> None:
        names = path_bytes(entry.path).split(b"/")
        if not _UNCLEAN_NAMES.isdisjoint(names) or "\0" in entry.path:
            _reject(entry, "the path is not clean")
        if reason := path_fault(names, self._limits):
            _reject(entry, reason)
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


def _reject(entry: FileEntry, reason: str) -> NoReturn:
    raise OutputFailed(0, f"rejected {display_path(entry.path)} in the build output: {reason}")
