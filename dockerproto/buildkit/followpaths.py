"""Which files the sources of COPY and ADD need: those that they name, and what symlinks on the way say.

A path is followed name by name. A wildcard stands for what is in its directory. A symlink is needed, and
so is its target, which is relative to where it is, or to the root if it is absolute. Nothing leads out of
the root.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from dockerproto.disk import FileSystem, Node

MOST_LINKS: Final = 40
"""How many symlinks may be followed for one path, as on Linux."""

_WILD: Final = re.compile(r"[*?\[\\]")
_TOKEN: Final = re.compile(r"\*+|\?|\[(?P<not>\^?)(?P<set>(?:\\.|[^\\\]])+)\]|\\(?P<literal>.)|.", re.DOTALL)
_RANGE: Final = re.compile(r"(?P<low>\\.|[^\\])(?:-(?P<high>\\.|[^\\]))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Route:
    """A path that is half followed."""

    at: str
    """Where it has led to; no part of it is a symlink."""
    rest: tuple[str, ...]
    """The names to follow from there."""
    literal: int = 0
    """How many of these are no patterns."""
    links: int = field(default=0, compare=False)
    """How many symlinks it went through."""


def follow(files: FileSystem, paths: Iterable[str]) -> Generator[None, None, frozenset[str]]:
    """Return the paths that are needed, all that is below them included; the empty path is the root.

    It goes on a step at each `next`, as its work may be long.
    """
    needed: set[str] = set()
    routes = [_Route("", _parts(path)) for path in paths]
    seen: set[_Route] = set()
    while routes:
        route = routes.pop()
        if route not in seen:
            seen.add(route)
            routes.extend(_step(files, route, needed))
            yield
    return frozenset(needed)


def _parts(path: str) -> tuple[str, ...]:
    return tuple(name for name in path.split("/") if name not in ("", "."))


def _step(files: FileSystem, route: _Route, needed: set[str]) -> Iterator[_Route]:
    """Follow the next name of a route."""
    if not route.rest or (not route.literal and "**" in route.rest[0]):
        needed.add(route.at)
        return
    name, *rest = route.rest
    left = tuple(rest)
    if name == "..":
        yield _Route(route.at.rpartition("/")[0], left, max(route.literal - 1, 0), route.links)
    elif not route.literal and _WILD.search(name):
        matches = name_pattern(name).fullmatch
        for each in filter(matches, files.names(route.at)):
            yield _Route(route.at, (each, *left), 1, route.links)
    else:
        yield from _named(files, route, left, needed)


def _named(files: FileSystem, route: _Route, left: tuple[str, ...], needed: set[str]) -> Iterator[_Route]:
    path = f"{route.at}/{route.rest[0]}" if route.at else route.rest[0]
    node = files.look(path)
    if node is None:
        return
    if not stat.S_ISLNK(node.entry.mode):
        yield _Route(path, left, max(route.literal - 1, 0), route.links)
    elif route.links < MOST_LINKS:
        needed.add(path)
        yield _through(node, route, left)


def _through(link: Node, route: _Route, left: tuple[str, ...]) -> _Route:
    target = _parts(link.entry.target)
    start = "" if link.entry.target.startswith("/") else route.at
    return _Route(start, target + left, len(target) + max(route.literal - 1, 0), route.links + 1)


def name_pattern(pattern: str) -> re.Pattern[str]:
    r"""Return what matches a name, of a pattern as in COPY: ``*``, ``?``, ``[a-z]``, ``[^a]``, ``\\``.

    What is no pattern, as its bracket is not closed, matches itself.

    >>> [bool(name_pattern("a[0-9^]*.\\*").fullmatch(name)) for name in ("a1x.*", "a^.*", "ax.*", "a1.b")]
    [True, True, False, False]
    """
    return re.compile("".join(map(_translated, _TOKEN.finditer(pattern))), re.DOTALL)


def _translated(token: re.Match[str]) -> str:
    if token["set"]:
        ranges = "".join(map(_range, _RANGE.finditer(token["set"])))
        return f"[{token['not']}{ranges}]" if ranges else r"(?!)"
    if token["literal"]:
        return re.escape(token["literal"])
    return {"*": ".*", "?": "."}.get(token[0][0], re.escape(token[0]))


def _range(match: re.Match[str]) -> str:
    low = match["low"][-1]
    high = (match["high"] or low)[-1]
    return f"{re.escape(low)}-{re.escape(high)}" if low <= high else ""
