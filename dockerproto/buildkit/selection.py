"""Which entries of a file system are sent: what the engine asks for, and the directories that it is in.

What is excluded is not sent, nor is what is not included, if something is; sockets never are. A directory
is sent before the first entry in it that is, even if it is not selected itself. Of a file with several
names the first that is sent is the file, and the others are hard links to it.
"""

from __future__ import annotations

import stat
from collections.abc import Generator, Hashable, Iterator, Mapping
from typing import Final
from urllib.parse import unquote_plus

from msgspec import Struct
from msgspec.structs import replace

from dockerproto.buildcontext.dockerignore import Patterns, Place
from dockerproto.buildcontext.entry import FileEntry
from dockerproto.buildkit.filesystem import parents
from dockerproto.buildkit.follow_paths import follow
from dockerproto.transport.files import FileSystem, Node


class Selection(Struct, frozen=True, kw_only=True):
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
    if metadata.get(f"{key}-encoded") != ("1",):
        return sent
    return tuple(unquote_plus(each, errors="surrogateescape") for each in sent)


def select(files: FileSystem, selection: Selection) -> Generator[FileEntry | None]:
    """Yield what is selected, in the order in which it is sent.

    None stands for something that was looked at and is not sent: the work of one step is bounded,
    however much is left out.

    Raises:
        InvalidPattern: The engine sent a pattern that is none.
        OSError: Something cannot be looked at.
    """
    included, excluded = Patterns(selection.include).root, Patterns(selection.exclude).root
    needed = yield from follow(files, selection.follow)
    above = frozenset(directory for path in needed for directory in parents(path))
    everything = not (selection.include or selection.follow) or "" in needed
    wanted = _Wanted(needed, above, bool(selection.include))
    yield from _Walk(files, _Taken(wanted, "", included, excluded, everything)).run()


class _Wanted(Struct, frozen=True):
    """What sources lead to, as far as it is the same everywhere."""

    needed: frozenset[str]
    above: frozenset[str]
    """The directories in which something is needed."""
    patterned: bool
    """Whether there are patterns of what is wanted, too: then it may be anywhere."""


class _Taken(Struct, frozen=True):
    """Whether an entry is sent: a `dockerproto.buildcontext.entry.PathFilter`."""

    wanted: _Wanted
    path: str
    included: Place
    excluded: Place
    needed: bool
    """Whether all below is needed."""

    @property
    def taken(self) -> bool:
        return (self.needed or self.included.matched) and not self.excluded.matched

    def opens(self, path: str) -> bool:
        if self.excluded.matched and not self.excluded.may_take_out():
            return False
        wanted = self.wanted
        return self.needed or self.included.matched or wanted.patterned or path in wanted.above

    def enter(self, name: str) -> _Taken:
        path = f"{self.path}/{name}" if self.path else name
        included, excluded = self.included.enter(name), self.excluded.enter(name)
        return _Taken(self.wanted, path, included, excluded, self.needed or path in self.wanted.needed)


class _Level(Struct):
    """A directory that is being gone through."""

    names: Iterator[str]
    choice: _Taken
    unsent: FileEntry | None = None
    """The directory itself, until something in it is sent."""


class _Walk:
    """A walk through a file system, which holds the names of the directories on its way."""

    def __init__(self, files: FileSystem, choice: _Taken) -> None:
        self._files: Final = files
        self._linked: Final = dict[Hashable, str]()
        self._levels: Final = [_Level(iter(files.names("")), choice)]

    def run(self) -> Iterator[FileEntry | None]:
        while self._levels:
            level = self._levels[-1]
            for name in level.names:
                choice = level.choice.enter(name)
                looked_at = choice.taken or choice.opens(choice.path)
                node = self._files.look(choice.path) if looked_at else None
                yield from self._entries(node, choice)
                if node is not None and stat.S_ISDIR(node.entry.mode):
                    self._descend(node, choice)
                    break
            else:
                self._levels.pop()

    def _entries(self, node: Node | None, choice: _Taken) -> Iterator[FileEntry | None]:
        """Yield what is sent for the sake of an entry: it, after the directories that it is in."""
        if node is None or stat.S_ISSOCK(node.entry.mode) or not choice.taken:
            yield None
            return
        for level in self._levels:
            if level.unsent is not None:
                yield level.unsent
                level.unsent = None
        yield self._linked_to_first(node)

    def _descend(self, node: Node, choice: _Taken) -> None:
        """Go into a directory."""
        names = iter(self._files.names(choice.path))
        self._levels.append(_Level(names, choice, None if choice.taken else node.entry))

    def _linked_to_first(self, node: Node) -> FileEntry:
        if node.identity is None or not stat.S_ISREG(node.entry.mode):
            return node.entry
        first = self._linked.setdefault(node.identity, node.entry.path)
        if first == node.entry.path:
            return node.entry
        return replace(node.entry, size=0, target=first, hard=True)
