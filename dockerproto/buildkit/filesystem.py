"""What is sent comes from a file system: of a directory, of a tar, or in memory.

It is looked at by paths, a name at a time, so that a directory of any size can be gone through without
being held in memory. Its methods block, unless all of it is in memory.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from io import BytesIO
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from dockerproto.buildcontext.entry import FileEntry
from dockerproto.transport.files import Node, Opened

_DIRECTORY: Final = stat.S_IFDIR | 0o755
_FILE: Final = stat.S_IFREG | 0o644


def raw(name: str) -> bytes:
    """Return the bytes of a name or a path.

    Raises:
        UnicodeEncodeError: It has surrogates that stand for no byte.
    """
    return name.encode("utf-8", "surrogateescape")


def in_order(names: Iterable[str]) -> list[str]:
    """Return names in the order in which they are sent: that of their bytes."""
    return sorted(names, key=raw)


def parents(path: str) -> Iterator[str]:
    """Yield the directories that a path is in, the outermost first, without the root.

    >>> list(parents("a/b/c"))
    ['a', 'a/b']
    """
    at = path.find("/")
    while at > 0:
        yield path[:at]
        at = path.find("/", at + 1)


class _Place(Struct):
    """A place in a `Tree`; one that is in two directories is a file with two names."""

    entry: FileEntry
    content: Callable[[], Opened] | None = None
    names: dict[str, _Place] = field(default_factory=dict["str", "_Place"])
    """What is in it, if it is a directory."""
    shared: bool = False


class Tree:
    """A file system whose directories are in memory; the content of its files may be elsewhere.

    What is added replaces what was there; directories above it that are missing are made.

    >>> tree = Tree.of({"Dockerfile": b"FROM scratch", "src/main.c": b""})
    >>> tree.names(""), tree.names("src"), tree.open("Dockerfile").read(4)
    (['Dockerfile', 'src'], ['main.c'], b'FROM')
    """

    def __init__(self) -> None:
        self._root: Final = _Place(FileEntry(path="", mode=_DIRECTORY))

    @classmethod
    def of(cls, files: Mapping[str, bytes], *, mtime: int = 0) -> Tree:
        """Return a file system of contents by path, all changed at `mtime`, in nanoseconds since 1970."""
        tree = cls()
        for path, content in files.items():
            entry = FileEntry(path=path, mode=_FILE, size=len(content), mtime=mtime)
            tree.add(entry, partial(BytesIO, content))
        return tree

    def add(self, entry: FileEntry, content: Callable[[], Opened] | None = None) -> None:
        """Add an entry; `content` opens a regular file.

        A hard link is another name of what its target is now.

        Raises:
            ValueError: It is below what is no directory, or links to what is no file.
        """
        directory, name = self._directory_for(entry.path)
        if entry.hard:
            directory.names[name] = self._linked(entry)
            return
        old = directory.names.get(name)
        if old is not None and stat.S_ISDIR(old.entry.mode) and stat.S_ISDIR(entry.mode):
            old.entry = entry
        else:
            directory.names[name] = _Place(entry, content)

    def names(self, path: str, /) -> list[str]:
        """Return the names in a directory."""
        place = self._find(path)
        return in_order(place.names) if place else []

    def look(self, path: str, /) -> Node | None:
        """Return what is at a path, None if nothing is."""
        place = self._find(path)
        if place is None:
            return None
        return Node(replace(place.entry, path=path), id(place) if place.shared else None)

    def open(self, path: str, /) -> Opened:
        """Open a regular file."""
        place = self._find(path)
        if place is None or place.content is None:
            raise FileNotFoundError(2, "No such file", path)
        return place.content()

    def _find(self, path: str) -> _Place | None:
        place: _Place | None = self._root
        for name in path.split("/") if path else ():
            place = place.names.get(name) if place else None
        return place

    def _directory_for(self, path: str) -> tuple[_Place, str]:
        """Return the place of the directory that something is to be in, and the name there."""
        place = self._root
        *above, name = path.split("/")
        for at, each in enumerate(above, start=1):
            made = _Place(FileEntry(path="/".join(above[:at]), mode=_DIRECTORY))
            place = place.names.setdefault(each, made)
            if not stat.S_ISDIR(place.entry.mode):
                raise ValueError(f"{path!r} is below {place.entry.path!r}, which is no directory")
        return place, name

    def _linked(self, entry: FileEntry) -> _Place:
        place = self._find(entry.target)
        if place is None or not stat.S_ISREG(place.entry.mode):
            raise ValueError(f"{entry.path!r} is a link to {entry.target!r}, which is no file before it")
        place.shared = True
        return place
