"""Find the files that the sources of COPY and ADD need: named paths, and targets of symlinks on the way.

A path is followed name by name. A wildcard stands for the matching names in its directory. A symlink is
needed, and so is its target, which is relative to the symlink's directory, or to the root if it is absolute.
No path leads out of the root.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Final

from msgspec import Struct

from dockerproto.buildcontext.items import ANY, Chars, Item, ItemKind
from dockerproto.buildcontext.nfa import NFA
from dockerproto.buildcontext.position_sets import Layout
from dockerproto.errors import ProtocolViolated
from dockerproto.transport.host import FileSystem, Node

MAX_LINKS: Final = 40
"""Limit on the symlinks followed for one path, as on Linux."""

_WILD: Final = re.compile(r"[*?\[\\]")
_TOKEN: Final = re.compile(r"\*+|\?|\[(?P<not>\^?)(?P<set>(?:\\.|[^\\\]])+)\]|\\(?P<literal>.)|.", re.DOTALL)
_OUTSIDE: Final = re.compile(r"\*+|\\.|.", re.DOTALL)
"""A token where no bracket is closed."""
_ESCAPED: Final = re.compile(r"\\.", re.DOTALL)
_WILDCARDS: Final = {"*": Item(ItemKind.MANY, ANY), "?": Item(ItemKind.ONE, ANY)}
_MAX_PATTERN: Final = 4096
"""Limit on the length of a pattern in characters, the same as that of paths."""
_RANGE: Final = re.compile(r"(?P<low>\\.|[^\\])(?:-(?P<high>\\.|[^\\]))?", re.DOTALL)


class _Route(Struct, frozen=True):
    """A path that is followed in part."""

    at: str
    """Path reached so far; it contains no symlink."""
    rest: tuple[str, ...]
    """Names still to follow."""
    literal: int = 0
    """Number of these names that are not patterns, as they come from a symlink or a directory."""
    links: int = 0
    """Number of symlinks followed."""


def follow(files: FileSystem, paths: Iterable[str]) -> Generator[None, None, frozenset[str]]:
    """Return the needed paths, each with everything below it; the empty path is the root.

    Each `next` does one bounded step of the work.
    """
    needed: set[str] = set()
    routes = [_Route("", _split(path)) for path in paths]
    seen: set[tuple[object, ...]] = set()
    while routes:
        route = routes.pop()
        place = route.at, route.rest, route.literal
        if place not in seen:
            seen.add(place)
            routes.extend(_follow_name(files, route, needed))
            yield
    return frozenset(needed)


def _split(path: str) -> tuple[str, ...]:
    return tuple(name for name in path.split("/") if name not in ("", "."))


def _follow_name(files: FileSystem, route: _Route, needed: set[str]) -> Iterator[_Route]:
    """Follow the next name of a route."""
    if not route.rest or (not route.literal and "**" in route.rest[0]):
        needed.add(route.at)
        return
    name, *rest = route.rest
    remaining = tuple(rest)
    if name == "..":
        yield _Route(route.at.rpartition("/")[0], remaining, max(route.literal - 1, 0), route.links)
    elif not route.literal and _WILD.search(name):
        for each in filter(name_matcher(name), files.names(route.at)):
            yield _Route(route.at, (each, *remaining), 1, route.links)
    else:
        yield from _follow_literal(files, route, remaining, needed)


def _follow_literal(
    files: FileSystem, route: _Route, remaining: tuple[str, ...], needed: set[str]
) -> Iterator[_Route]:
    path = f"{route.at}/{route.rest[0]}" if route.at else route.rest[0]
    node = files.look(path)
    if node is None:
        return
    if not stat.S_ISLNK(node.entry.mode):
        yield _Route(path, remaining, max(route.literal - 1, 0), route.links)
    elif route.links < MAX_LINKS:
        needed.add(path)
        yield _follow_link(node, route, remaining)


def _follow_link(link: Node, route: _Route, remaining: tuple[str, ...]) -> _Route:
    target = _split(link.entry.target)
    start = "" if link.entry.target.startswith("/") else route.at
    return _Route(start, target + remaining, len(target) + max(route.literal - 1, 0), route.links + 1)


def name_matcher(pattern: str) -> Callable[[str], bool]:
    r"""Return a matcher of names for a pattern of COPY: ``*``, ``?``, ``[a-z]``, ``[^a]``, ``\\``.

    A malformed pattern, with an unclosed bracket, matches itself. Matching is linear in the length of the
    name: engines send these patterns, so a translation to `re`, which backtracks, would not do.

    >>> list(map(name_matcher("a[0-9^]*.\\*"), ("a1x.*", "a^.*", "ax.*", "a1.b")))
    [True, True, False, False]

    Raises:
        ProtocolViolated: The pattern is longer than any path.
    """
    if len(pattern) > _MAX_PATTERN:
        length = f"{len(pattern)} characters, more than {_MAX_PATTERN}"
        raise ProtocolViolated(0, f"the engine sent a name pattern of {length}")
    layout = Layout()
    layout.add(tuple(map(_parse_item, _tokens(pattern))))
    start = NFA(layout).start

    def matches(name: str) -> bool:
        state = start
        for char in name:
            state = state[char]
        return bool(state.accepted)

    return matches


def _tokens(pattern: str) -> Iterator[re.Match[str]]:
    """Yield the tokens; a bracket after the last closing one is not searched to the end in vain."""
    closed = _ESCAPED.sub("__", pattern).rfind("]") + 1
    yield from _TOKEN.finditer(pattern, 0, closed)
    for part in _OUTSIDE.finditer(pattern, closed):
        yield from _TOKEN.finditer(pattern, part.start(), part.end())


def _parse_item(token: re.Match[str]) -> Item:
    if token["set"]:
        ranges = tuple(map(_parse_range, _RANGE.finditer(token["set"])))
        return Item(ItemKind.ONE, Chars(ranges, negated=bool(token["not"])))
    if not token["literal"] and (wild := _WILDCARDS.get(token[0][0])) is not None:
        return wild
    code = ord(token["literal"] or token[0])
    return Item(ItemKind.ONE, Chars(((code, code),)))


def _parse_range(match: re.Match[str]) -> tuple[int, int]:
    """Return the first and last code point of a range; a range that ends before it begins is empty."""
    low = match["low"][-1]
    return ord(low), ord((match["high"] or low)[-1])
