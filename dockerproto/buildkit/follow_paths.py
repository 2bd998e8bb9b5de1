"""Which files the sources of COPY and ADD need: those that they name, and what symlinks on the way say.

A path is followed name by name. A wildcard stands for what is in its directory. A symlink is needed, and
so is its target, which is relative to where it is, or to the root if it is absolute. Nothing leads out of
the root.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Final

from msgspec import Struct

from dockerproto.buildcontext.nfa import ANY, NFA, Chars, Item, ItemKind
from dockerproto.errors import ProtocolViolated
from dockerproto.transport.files import FileSystem, Node

MOST_LINKS: Final = 40
"""How many symlinks may be followed for one path, as on Linux."""

_WILD: Final = re.compile(r"[*?\[\\]")
_TOKEN: Final = re.compile(r"\*+|\?|\[(?P<not>\^?)(?P<set>(?:\\.|[^\\\]])+)\]|\\(?P<literal>.)|.", re.DOTALL)
_WILDCARDS: Final = {"*": Item(ItemKind.MANY, ANY), "?": Item(ItemKind.ONE, ANY)}
_LONGEST: Final = 4096
"""How many characters a pattern of a name may have, as many as the paths of a system."""
_RANGE: Final = re.compile(r"(?P<low>\\.|[^\\])(?:-(?P<high>\\.|[^\\]))?", re.DOTALL)


class _Route(Struct, frozen=True):
    """A path that is half followed."""

    at: str
    """Where it has led to; no part of it is a symlink."""
    rest: tuple[str, ...]
    """The names to follow from there."""
    literal: int = 0
    """How many of these are no patterns."""
    links: int = 0
    """How many symlinks it went through."""


def follow(files: FileSystem, paths: Iterable[str]) -> Generator[None, None, frozenset[str]]:
    """Return the paths that are needed, all that is below them included; the empty path is the root.

    It goes on a step at each `next`, as its work may be long.
    """
    needed: set[str] = set()
    routes = [_Route("", _parts(path)) for path in paths]
    seen: set[tuple[object, ...]] = set()
    while routes:
        route = routes.pop()
        place = route.at, route.rest, route.literal
        if place not in seen:
            seen.add(place)
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
        for each in filter(name_matcher(name), files.names(route.at)):
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


def name_matcher(pattern: str) -> Callable[[str], bool]:
    r"""Return what matches names, of a pattern as in COPY: ``*``, ``?``, ``[a-z]``, ``[^a]``, ``\\``.

    What is no pattern, as its bracket is not closed, matches itself. The time that it takes is that of the
    name, whatever the pattern is.

    >>> list(map(name_matcher("a[0-9^]*.\\*"), ("a1x.*", "a^.*", "ax.*", "a1.b")))
    [True, True, False, False]

    Raises:
        ProtocolViolated: It is longer than any path.
    """
    if len(pattern) > _LONGEST:
        raise ProtocolViolated(0, f"the engine looks for names by a pattern of {len(pattern)} characters")
    start = NFA([tuple(map(_item, _TOKEN.finditer(pattern)))]).start

    def matches(name: str) -> bool:
        state = start
        for char in name:
            state = state[char]
        return bool(state.accepted)

    return matches


def _item(token: re.Match[str]) -> Item:
    if token["set"]:
        ranges = tuple(map(_range, _RANGE.finditer(token["set"])))
        return Item(ItemKind.ONE, Chars(ranges, negated=bool(token["not"])))
    if not token["literal"] and (wild := _WILDCARDS.get(token[0][0])) is not None:
        return wild
    code = ord(token["literal"] or token[0])
    return Item(ItemKind.ONE, Chars(((code, code),)))


def _range(match: re.Match[str]) -> tuple[int, int]:
    """Return the first and the last of a range; one that ends before it begins has none."""
    low = match["low"][-1]
    return ord(low), ord((match["high"] or low)[-1])
