"""Which entries of a file system are sent: what the engine asks for, and the directories that it is in.

What is excluded is not sent, nor is what is not included, if something is. A directory is sent before the
first entry in it that is, even if it is not selected itself. Of a file with several names the first that is
sent is the file, and the others are hard links to it.
"""

from __future__ import annotations

import stat
from collections.abc import Generator, Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import unquote_plus

from dockerproto.buildkit.filesystem import parents
from dockerproto.buildkit.followpaths import follow
from dockerproto.disk import FileSystem, Node
from dockerproto.ignore import Patterns, Place
from dockerproto.tree import Entry

_SENT: Final = (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK)
"""A socket is nothing that could be copied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What the engine asks for of a directory; all of it, if nothing is said."""

    include: tuple[str, ...] = ()
    """Patterns of what is wanted."""
    follow: tuple[str, ...] = ()
    """Paths that are wanted too, with wildcards, and with all that symlinks on the way lead to."""
    exclude: tuple[str, ...] = ()
    """Patterns of what is not wanted, in the syntax of .dockerignore."""

    @classmethod
    def of(cls, metadata: Mapping[str, tuple[str, ...]]) -> Selection:
        """Read it from the metadata of a call."""
        return cls(
            include=values(metadata, "include-patterns"),
            follow=values(metadata, "followpaths"),
            exclude=values(metadata, "exclude-patterns"),
        )


def values(metadata: Mapping[str, tuple[str, ...]], key: str) -> tuple[str, ...]:
    """Return the values of a key, which newer engines escape if one of them is not ASCII."""
    sent = metadata.get(key, ())
    if metadata.get(f"{key}-encoded", ("",))[0] != "1":
        return sent
    return tuple(unquote_plus(each, errors="surrogateescape") for each in sent)


def select(files: FileSystem, selection: Selection) -> Iterator[Entry | None]:
    """Yield what is selected, in the order in which it is sent.

    None stands for something that was looked at and is not sent: the work of one step is bounded,
    however much is left out.

    Raises:
        InvalidPattern: The engine sent a pattern that is none.
        OSError: Something cannot be looked at.
    """
    return _Walk(files).run(selection)


@dataclass(slots=True)
class _Level:
    """A directory that is being gone through."""

    path: str
    names: Iterator[str]
    included: Place
    excluded: Place
    needed: bool
    """Whether all in it is included."""
    unsent: Entry | None
    """The directory itself, until something in it is sent."""


@dataclass(slots=True)
class _Walk:
    files: FileSystem
    levels: list[_Level] = field(default_factory=list[_Level])
    linked: dict[Hashable, str] = field(default_factory=dict[Hashable, str])
    """What was sent of the files with several names: the first of these."""
    needed: frozenset[str] = frozenset()
    above: frozenset[str] = frozenset()
    """The directories in which something is needed."""
    patterned: bool = False

    def run(self, selection: Selection) -> Generator[Entry | None]:
        included, excluded = Patterns(selection.include).root, Patterns(selection.exclude).root
        self.needed = yield from follow(self.files, selection.follow)
        self.above = frozenset(above for path in self.needed for above in parents(path))
        self.patterned = bool(selection.include)
        everything = "" in self.needed or not (selection.include or selection.follow)
        names = iter(self.files.names(""))
        self.levels = [_Level("", names, included, excluded, everything, None)]
        while self.levels:
            yield from self._one(self.levels[-1])

    def _one(self, level: _Level) -> Iterator[Entry | None]:
        """Go on by one name."""
        name = next(level.names, None)
        if name is None:
            self.levels.pop()
            return
        path = f"{level.path}/{name}" if level.path else name
        node = self.files.look(path)
        if node is None or stat.S_IFMT(node.entry.mode) not in _SENT:
            yield None
            return
        included, excluded = level.included.enter(name), level.excluded.enter(name)
        needed = level.needed or path in self.needed
        sent = (needed or included.matched) and not excluded.matched
        if sent:
            yield from self._unsent()
        yield self._entry(node) if sent else None
        if stat.S_ISDIR(node.entry.mode) and self._is_looked_into(path, needed, included, excluded):
            unsent = None if sent else node.entry
            names = iter(self.files.names(path))
            self.levels.append(_Level(path, names, included, excluded, needed, unsent))

    def _is_looked_into(self, path: str, needed: bool, included: Place, excluded: Place) -> bool:
        """Return whether something in a directory may be sent."""
        if excluded.matched and not excluded.may_take_out():
            return False
        return needed or included.matched or self.patterned or path in self.above

    def _unsent(self) -> Iterator[Entry]:
        """Yield the directories that are sent for the sake of what is in them."""
        for level in self.levels:
            if level.unsent is not None:
                yield level.unsent
                level.unsent = None

    def _entry(self, node: Node) -> Entry:
        if node.identity is None or not stat.S_ISREG(node.entry.mode):
            return node.entry
        first = self.linked.setdefault(node.identity, node.entry.path)
        if first == node.entry.path:
            return node.entry
        return replace(node.entry, target=first, hard=True)
