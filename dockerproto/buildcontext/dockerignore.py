"""Ignore files: which paths of a tree their patterns match, as the docker command and BuildKit have it.

A tree is walked from the root down. Each path has a `Place`, which is made of that of its directory, so
what a pattern said of a directory holds below it, and no path is read twice. The last pattern that
matches decides; those that begin with ``!`` take paths out again.

The rules are those of https://pkg.go.dev/github.com/moby/patternmatcher, its oddities too.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from dockerproto.buildcontext.glob import read_glob
from dockerproto.buildcontext.nfa import NFA, Item, State
from dockerproto.errors import InvalidPattern

_SPACE: Final = "\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_TRIMMED: Final = re.compile(rf"\A[{_SPACE}]+|[{_SPACE}]+\Z")
"""What is white space to Go, which is less than to Python."""
_KEPT: Final = 10_000


class PatternLine(Struct, frozen=True):
    """A pattern, and where it stands."""

    text: str
    """The pattern."""
    file: str = ""
    """The file that it is in, as it shall be named in an error."""
    number: int = 0
    """Its line there, from 1 on."""


def read_ignore_file(data: bytes, name: str = ".dockerignore") -> list[PatternLine]:
    r"""Return the patterns of an ignore file: neither comments nor empty lines, and cleaned.

    >>> [line.text for line in read_ignore_file(b"# builds\n/build/\n\n! ./build//keep\n")]
    ['build', '!build/keep']
    """
    lines = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape").split("\n")
    read = (PatternLine(_read_line(line), name, number) for number, line in enumerate(lines, 1))
    return [line for line in read if line.text]


def _read_line(line: str) -> str:
    if line.startswith("#"):
        return ""
    text = _trim(line)
    negation = "!" if text.startswith("!") else ""
    text = _trim(text.removeprefix("!"))
    if text:
        text = _clean(text)
        text = text.removeprefix("/") or text
    return negation + text


def _trim(text: str) -> str:
    return _TRIMMED.sub("", text)


def _clean(path: str) -> str:
    """Return a path without what leads nowhere, as Go has it: there is one root only."""
    return re.sub("^//", "/", posixpath.normpath(path))


class _Pattern(Struct, frozen=True):
    text: str
    """The pattern without its exclamation mark."""
    negated: bool
    """Whether it had one."""
    items: tuple[Item, ...]
    """What it means."""


def _read_pattern(line: PatternLine) -> _Pattern:
    cleaned = _clean(_trim(line.text))
    text = cleaned.removeprefix("!")
    try:
        return _Pattern(text, text != cleaned, read_glob(text))
    except ValueError as error:
        where = f"{line.file}, line {line.number}: " if line.file else ""
        message = f"{where}{cleaned!r} is no pattern: {error}"
        raise InvalidPattern(0, message, pattern=cleaned, file=line.file, line=line.number) from None


class Patterns:
    """Patterns in their order, ready to be matched: in linear time, whatever they are.

    >>> patterns = Patterns(["docs", "!docs/*.md"])
    >>> [patterns.match(path) for path in ("docs/a.txt", "docs/a.md", "src")]
    [True, False, False]

    Args:
        lines: The patterns, as `read_ignore_file` returns them, or as texts.
        classic: Whether to look into directories that are left out only where the docker command does,
            for the classic builder, see `names_below`; BuildKit does wherever something may be taken out.
        kept: Paths that the docker command takes out by patterns of its own.

    Raises:
        InvalidPattern: One of them is none.
    """

    def __init__(
        self, lines: Iterable[PatternLine | str], *, classic: bool = False, kept: Iterable[str] = ()
    ) -> None:
        self.classic: Final = classic
        """Whether it is for the classic builder."""
        given = (line if isinstance(line, PatternLine) else PatternLine(line) for line in lines)
        self._patterns: Final = tuple(_read_pattern(line) for line in given if _trim(line.text))
        self._machine: Final = NFA(each.items for each in self._patterns)
        self._negations: Final = sum(each.negated << index for index, each in enumerate(self._patterns))
        self._named: Final = (*(each.text for each in self._patterns if each.negated), *kept)
        self._verdicts: Final = dict[tuple[int, int], tuple[bool, int]]()
        self.root: Final = Place(self, self._machine.start, self._machine.start, 0, matched=False)
        """The place of the root, which no pattern matches."""

    def match(self, path: str) -> bool:
        """Whether a path is matched, or a directory that it is in."""
        state, accepted = self._machine.start, 0
        for char in path:
            if char == "/":
                accepted |= state.accepted
            state = state[char]
        accepted |= state.accepted
        matched = False
        for index, pattern in enumerate(self._patterns):
            if pattern.negated is matched and accepted >> index & 1:
                matched = not pattern.negated
        return matched

    def takes(self, path: str) -> bool:
        """Whether a walk of the tree comes by a path, and takes it."""
        place, way = self.root, ""
        for name in path.split("/"):
            if not (place.taken or place.opens(way)):
                return False
            place, way = place.enter(name), f"{way}/{name}" if way else name
        return place.taken

    def names_below(self, path: str) -> bool:
        """Whether a pattern that takes out begins with the path of a directory, in so many letters.

        That is when the classic docker command looks into a directory that is left out: ``!a/*.py`` has
        it look into ``a``, and ``!**/*.py`` into none.
        """
        inside = f"{path}/"
        return any(f"{text}/".startswith(inside) for text in self._named)

    def verdict(self, accepted: int, inherited: int) -> tuple[bool, int]:
        """Return whether a path is matched, and by which patterns what is below it is.

        Args:
            accepted: The patterns that match the path itself, a bit for each.
            inherited: Those that count for what is in its directory.
        """
        known = self._verdicts.get((accepted, inherited))
        if known is None:
            if len(self._verdicts) >= _KEPT:
                self._verdicts.clear()
            known = self._verdicts[accepted, inherited] = self._decide(accepted, inherited)
        return known

    def may_take_out(self, state: State, by: int) -> bool:
        """Whether a path that begins so may be taken out of what some patterns match."""
        later = self._negations & -(1 << (by & ~self._negations).bit_length())
        return bool(later and later & self._machine.alive(state))

    def _decide(self, accepted: int, inherited: int) -> tuple[bool, int]:
        matched, by = False, 0
        for index, pattern in enumerate(self._patterns):
            bit = 1 << index
            # One that would change nothing is not asked, and so does not count below: so it is upstream.
            if inherited & bit or (accepted & bit and pattern.negated is matched):
                by |= bit
                matched = not pattern.negated
        return matched, by


class Place:
    """A path of a tree, as patterns see it."""

    __slots__ = ("_by", "_inside", "_patterns", "_state", "matched")

    def __init__(
        self, patterns: Patterns, state: State, inside: State | None, by: int, *, matched: bool
    ) -> None:
        self._patterns: Final = patterns
        self._state: Final = state
        self._inside: State | None = inside
        self._by: Final = by
        self.matched: Final = matched
        """Whether the path is matched, or a directory that it is in."""

    def enter(self, name: str) -> Place:
        """Return the place of a name in this directory."""
        state = self._below()
        for char in name:
            state = state[char]
        matched, by = self._patterns.verdict(state.accepted, self._by)
        return Place(self._patterns, state, None, by, matched=matched)

    @property
    def taken(self) -> bool:
        """Whether the path is not matched: of a context, patterns tell what is left out."""
        return not self.matched

    def opens(self, path: str) -> bool:
        """Whether to look into this directory, which is matched and has that path."""
        return self._patterns.names_below(path) if self._patterns.classic else self.may_take_out()

    def may_take_out(self) -> bool:
        """Whether something in this directory, at any depth, may be unmatched though this is matched."""
        return self._patterns.may_take_out(self._below(), self._by)

    def _below(self) -> State:
        if self._inside is None:
            self._inside = self._state["/"]
        return self._inside
