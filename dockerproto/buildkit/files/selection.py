"""Select the entries of a file system that the engine asks for, and the directories above them.

Excluded entries are not sent; if anything is included explicitly, only included entries are. Sockets are
never sent. A directory is sent before the first selected entry in it, even if it is not selected itself. Of
a file with several names the first one sent is the file, the others are hard links to it.
"""

from __future__ import annotations

import stat
from collections.abc import Generator, Hashable, Iterator, Mapping
from urllib.parse import unquote_plus

from msgspec import Struct
from msgspec.structs import replace

from dockerproto.buildcontext.dockerignore import PathMatch, Patterns
from dockerproto.buildcontext.entry import FileEntry
from dockerproto.buildcontext.limits import check_path
from dockerproto.buildcontext.paths import parents
from dockerproto.buildkit.files.follow_paths import follow
from dockerproto.transport.host import FileSystem, Node


class Selection(Struct, frozen=True, kw_only=True):
    """The engine's request for parts of a directory; by default the whole directory."""

    include: tuple[str, ...] = ()
    """Patterns of entries to send."""
    follow: tuple[str, ...] = ()
    """Paths to send as well, with wildcards, and with everything that symlinks on the way lead to."""
    exclude: tuple[str, ...] = ()
    """Patterns of entries not to send, in the syntax of .dockerignore."""

    @classmethod
    def of(cls, metadata: Mapping[str, tuple[str, ...]]) -> Selection:
        """Parse the selection from the metadata of a call."""
        return cls(
            include=metadata_values(metadata, "include-patterns"),
            follow=metadata_values(metadata, "followpaths"),
            exclude=metadata_values(metadata, "exclude-patterns"),
        )


def metadata_values(metadata: Mapping[str, tuple[str, ...]], key: str) -> tuple[str, ...]:
    """Return the values of a metadata key; newer engines encode all of them if one is not ASCII."""
    raw_values = metadata.get(key, ())
    if metadata.get(f"{key}-encoded") != ("1",):
        return raw_values
    return tuple(unquote_plus(each, errors="surrogateescape") for each in raw_values)


def select(files: FileSystem, selection: Selection) -> Generator[FileEntry | None]:
    """Yield the selected entries, in the order in which they are sent.

    Yield None for an entry that is visited and not sent, so that the work between two items is bounded,
    however much is excluded.

    Raises:
        InvalidPattern: The engine sent a malformed pattern.
        OSError: An entry cannot be read.
        UploadFailed: A path is too long.
    """
    include, exclude = Patterns(selection.include).root, Patterns(selection.exclude).root
    needed = yield from follow(files, selection.follow)
    above = frozenset(directory for path in needed for directory in parents(path))
    everything = not (selection.include or selection.follow) or "" in needed
    followed = _FollowedPaths(needed, above, bool(selection.include))
    yield from _Walk(files, _SentFilter(followed, "", include, exclude, everything)).run()


class _FollowedPaths(Struct, frozen=True):
    """The result of following `Selection.follow`, the same for all entries."""

    needed: frozenset[str]
    above: frozenset[str]
    """Directories above the needed paths."""
    patterned: bool
    """True if there are include patterns as well: then included entries may be anywhere."""


class _SentFilter(Struct, frozen=True):
    """Decision whether an entry is sent: a `dockerproto.buildcontext.entry.PathFilter`."""

    followed: _FollowedPaths
    path: str
    include: PathMatch
    exclude: PathMatch
    needed: bool
    """True if everything below is needed."""

    @property
    def included(self) -> bool:
        return (self.needed or self.include.matched) and not self.exclude.matched

    def descends(self, path: str) -> bool:
        if self.exclude.matched and not self.exclude.may_unmatch():
            return False
        followed = self.followed
        return self.needed or self.include.matched or followed.patterned or path in followed.above

    def enter(self, name: str) -> _SentFilter:
        path = f"{self.path}/{name}" if self.path else name
        include, exclude = self.include.enter(name), self.exclude.enter(name)
        needed = self.needed or path in self.followed.needed
        return _SentFilter(self.followed, path, include, exclude, needed)


class _Level(Struct):
    """A directory that is being walked."""

    names: Iterator[str]
    path_filter: _SentFilter
    unsent: FileEntry | None = None
    """The directory's own entry, until something in it is sent."""


class _Walk:
    """A walk of a file system; it keeps only the names of the directories on its path in memory."""

    def __init__(self, files: FileSystem, path_filter: _SentFilter) -> None:
        self._files = files
        self._linked = dict[Hashable, str]()
        self._levels = [_Level(iter(files.names("")), path_filter)]

    def run(self) -> Iterator[FileEntry | None]:
        while self._levels:
            level = self._levels[-1]
            for name in level.names:
                path_filter = level.path_filter.enter(name)
                visited = path_filter.included or path_filter.descends(path_filter.path)
                if visited:
                    check_path(path_filter.path)
                node = self._files.look(path_filter.path) if visited else None
                yield from self._entries_sent(node, path_filter)
                if node is not None and stat.S_ISDIR(node.entry.mode):
                    self._enter(node, path_filter)
                    break
            else:
                self._levels.pop()

    def _entries_sent(self, node: Node | None, path_filter: _SentFilter) -> Iterator[FileEntry | None]:
        """Yield an entry after the unsent directories above it, or None if it is not sent."""
        if node is None or stat.S_ISSOCK(node.entry.mode) or not path_filter.included:
            yield None
            return
        for level in self._levels:
            if level.unsent is not None:
                yield level.unsent
                level.unsent = None
        yield self._with_link(node)

    def _enter(self, node: Node, path_filter: _SentFilter) -> None:
        """Descend into a directory."""
        names = iter(self._files.names(path_filter.path))
        self._levels.append(_Level(names, path_filter, None if path_filter.included else node.entry))

    def _with_link(self, node: Node) -> FileEntry:
        if node.identity is None or not stat.S_ISREG(node.entry.mode):
            return node.entry
        first = self._linked.setdefault(node.identity, node.entry.path)
        if first == node.entry.path:
            return node.entry
        return replace(node.entry, size=0, target=first, hard=True)
