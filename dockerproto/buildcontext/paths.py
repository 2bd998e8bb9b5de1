"""Paths below a root: their bytes, their order, their directories."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def path_bytes(path: str) -> bytes:
    """Return the bytes of a name or a path.

    Raises:
        UnicodeEncodeError: The path has surrogates that do not stand for a byte.
    """
    return path.encode("utf-8", "surrogateescape")


def in_order(names: Iterable[str]) -> list[str]:
    """Return names sorted by their bytes, the order in which entries are sent."""
    return sorted(names, key=path_bytes)


def parents(path: str) -> Iterator[str]:
    """Yield the directories above a path, the outermost first, without the root.

    >>> list(parents("a/b/c"))
    ['a', 'a/b']
    """
    at = path.find("/")
    while at > 0:
        yield path[:at]
        at = path.find("/", at + 1)
