"""A file system in memory; the contents of its files may be elsewhere.

Paths are looked up one at a time, as in every `FileSystem`, so a tree of any size can be walked without
holding it in memory twice.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping
from functools import partial
from io import BytesIO
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from dockerproto.buildcontext.entry import FileEntry
from dockerproto.buildcontext.limits import display_path
from dockerproto.buildcontext.paths import in_order
from dockerproto.transport.host import FileReader, Node

_DIRECTORY: Final = stat.S_IFDIR | 0o755
_FILE: Final = stat.S_IFREG | 0o644
_IMPLIED: Final = FileEntry(path="", mode=_DIRECTORY)
"""Entry of the root and of directories that were not added; `look` puts in the path.

One is enough for all: with a path in each, those above a deep file would take quadratic memory.
"""


class _TreeNode(Struct):
    """A file or directory of a `FileTree`; a file with several names is in several directories."""

    entry: FileEntry
    content: Callable[[], FileReader] | None = None
    names: dict[str, _TreeNode] = field(default_factory=dict["str", "_TreeNode"])
    """Children of a directory by name."""
    has_links: bool = False
    """True if the file has several names."""


class FileTree:
    """A file system whose directories are in memory; the contents of its files may be elsewhere.

    An added entry replaces what was there; missing directories above it are created.

    >>> tree = FileTree.of({"Dockerfile": b"FROM scratch", "src/main.c": b""})
    >>> tree.names(""), tree.names("src"), tree.open("Dockerfile").read(4)
    (['Dockerfile', 'src'], ['main.c'], b'FROM')
    """

    def __init__(self) -> None:
        self._root = _TreeNode(_IMPLIED)

    @classmethod
    def of(cls, files: Mapping[str, bytes], *, mtime: int = 0) -> FileTree:
        """Make a tree of contents by path; `mtime` is the time of all, in nanoseconds since 1970."""
        tree = cls()
        for path, content in files.items():
            entry = FileEntry(path=path, mode=_FILE, size=len(content), mtime=mtime)
            tree.add(entry, partial(BytesIO, content))
        return tree

    def add(self, entry: FileEntry, content: Callable[[], FileReader] | None = None) -> int:
        """Add an entry, and return the number of directories created for it; `content` opens a regular file.

        A hard link becomes another name of the file that is at its target now.

        Raises:
            ValueError: The parent is not a directory, or the target of a hard link is not a file.
        """
        directory, name, created = self._directory_for(entry.path)
        old = directory.names.get(name)
        if entry.hard:
            directory.names[name] = self._resolve_link(entry)
        elif old is not None and stat.S_ISDIR(old.entry.mode) and stat.S_ISDIR(entry.mode):
            old.entry = entry
        else:
            directory.names[name] = _TreeNode(entry, content)
        return created

    def names(self, path: str, /) -> list[str]:
        """Return the names in a directory."""
        node = self._find(path)
        return in_order(node.names) if node else []

    def look(self, path: str, /) -> Node | None:
        """Return the node at a path, or None if nothing is there."""
        node = self._find(path)
        if node is None:
            return None
        return Node(replace(node.entry, path=path), id(node) if node.has_links else None)

    def open(self, path: str, /) -> FileReader:
        """Open a regular file."""
        node = self._find(path)
        if node is None or node.content is None:
            raise FileNotFoundError(2, "No such file", path)
        return node.content()

    def _find(self, path: str) -> _TreeNode | None:
        node: _TreeNode | None = self._root
        for name in path.split("/") if path else ():
            node = node.names.get(name) if node else None
        return node

    def _directory_for(self, path: str) -> tuple[_TreeNode, str, int]:
        """Return the directory for a path, the name in it, and the number of directories created."""
        node, created = self._root, 0
        *above, name = path.split("/")
        for at, each in enumerate(above, start=1):
            if each not in node.names:
                node.names[each] = _TreeNode(_IMPLIED)
                created += 1
            node = node.names[each]
            if not stat.S_ISDIR(node.entry.mode):
                file = display_path("/".join(above[:at]))
                raise ValueError(f"{display_path(path)} is below {file}, which is not a directory")
        return node, name, created

    def _resolve_link(self, entry: FileEntry) -> _TreeNode:
        node = self._find(entry.target)
        if node is None or not stat.S_ISREG(node.entry.mode):
            path, target = display_path(entry.path), display_path(entry.target)
            raise ValueError(f"{path} is a hard link to {target}, which is not a file before it")
        node.has_links = True
        return node
