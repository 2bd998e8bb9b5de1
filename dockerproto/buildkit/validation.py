"""What arrives of a tree of files is hostile until it was looked at.

An entry is admitted if its path is clean and leads nowhere else, if it comes in order, if the directory
that it is in came before it as a directory, and if what it links to came before it as a file. So nothing
comes twice, nothing is put through a symlink, and nothing gets another name that was not sent.
"""

from __future__ import annotations

import stat
from typing import Final, NoReturn

from msgspec import Struct

from dockerproto.buildcontext.entry import FileEntry
from dockerproto.buildkit.filesystem import raw
from dockerproto.buildkit.fsutil import Stat, entry_of
from dockerproto.errors import OutputFailed

_UNCLEAN: Final = frozenset(("", ".", ".."))


class Limits(Struct, frozen=True, kw_only=True):
    """How much of a tree is taken."""

    entries: int = 2_000_000
    """How many entries."""
    text: int = 2**28
    """How many characters all paths, and what symlinks say, may have together: they are kept in memory."""
    size: int = 2**40
    """How many bytes a file may have."""
    path: int = 4095
    """How many bytes a path may have, or what a symlink says; more, systems do not take."""
    name: int = 255
    """How many bytes a name may have."""
    depth: int = 512
    """How many directories may be inside each other."""


DEFAULT_LIMITS: Final = Limits()
"""What is taken by default: far more than images have."""


class EntryValidator:
    """The entries of a tree that is received, each of them checked."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits: Final = limits
        self._count = 0
        self._text = 0
        self._last: list[bytes] = []
        self._inside: Final = [""]
        """The directories that the last entry is in, and itself if it is one."""
        self._files: Final = set[str]()

    def check(self, sent: Stat) -> FileEntry:
        """Return the entry that was sent.

        Raises:
            OutputFailed: It must not be written.
            ProtocolViolated: It is of no type that there is.
        """
        entry = entry_of(sent)
        self._check_amount(entry)
        self._check_path(entry)
        self._check_order(entry)
        self._check_directory(entry)
        self._check_content(entry)
        return entry

    def _check_amount(self, entry: FileEntry) -> None:
        self._count += 1
        self._text += len(entry.path) + len(entry.target)
        if self._count > self._limits.entries:
            raise OutputFailed(0, f"the output of the build has more than {self._limits.entries} entries")
        if self._text > self._limits.text:
            raise OutputFailed(0, f"the paths in the output of the build are longer than {self._limits.text}")

    def _check_path(self, entry: FileEntry) -> None:
        names = entry.path.split("/")
        if not _UNCLEAN.isdisjoint(names) or "\0" in entry.path:
            _refuse(entry, "its path is not clean")
        if len(names) > self._limits.depth:
            _refuse(entry, f"it is in more than {self._limits.depth} directories")
        longest = max(len(raw(name)) for name in names)
        if longest > self._limits.name or len(raw(entry.path)) > self._limits.path:
            _refuse(entry, "its path is too long")

    def _check_order(self, entry: FileEntry) -> None:
        names = [raw(name) for name in entry.path.split("/")]
        if names <= self._last:
            _refuse(entry, "it comes twice, or out of order")
        self._last = names

    def _check_directory(self, entry: FileEntry) -> None:
        directory = entry.path.rpartition("/")[0]
        while self._inside[-1] and not f"{directory}/".startswith(f"{self._inside[-1]}/"):
            self._inside.pop()
        if self._inside[-1] != directory:
            _refuse(entry, "what it is in was not sent as a directory")
        if stat.S_ISDIR(entry.mode):
            self._inside.append(entry.path)

    def _check_content(self, entry: FileEntry) -> None:
        if entry.hard:
            if entry.target not in self._files:
                _refuse(entry, f"it links to {shown(entry.target)}, which was not sent as a file before it")
        elif stat.S_ISREG(entry.mode):
            if not 0 <= entry.size <= self._limits.size:
                _refuse(entry, f"its size is {entry.size} bytes, and the limit {self._limits.size}")
            self._files.add(entry.path)
        elif stat.S_ISLNK(entry.mode):
            target = raw(entry.target)
            if not target or b"\0" in target or len(target) > self._limits.path:
                _refuse(entry, "what it says, as a symlink, is no path")


def shown(path: str) -> str:
    """Return a path as it is shown in an error: no control characters, and not too much of it."""
    text = repr(path)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


_SHOWN: Final = 300


def _refuse(entry: FileEntry, why: str) -> NoReturn:
    raise OutputFailed(0, f"the output of the build has {shown(entry.path)}, which is refused: {why}")
