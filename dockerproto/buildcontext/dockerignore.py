"""Match paths against the patterns of ignore files, exactly as the Docker CLI and BuildKit do.

A tree is walked from the root down. The `PathMatch` of a path is computed from that of its directory, so a
pattern that matches a directory holds below it, and no character is matched twice. The last matching pattern
decides; a pattern that begins with ``!`` is an exception and unmatches paths.

The rules are those of https://pkg.go.dev/github.com/moby/patternmatcher, including its oddities.
"""

from __future__ import annotations

import posixpath
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from dockerproto.buildcontext.bitsets import bit_set, next_members
from dockerproto.buildcontext.glob import parse_glob
from dockerproto.buildcontext.limits import display_path
from dockerproto.buildcontext.literals import Literals
from dockerproto.buildcontext.nfa import NFA, State
from dockerproto.buildcontext.position_sets import Layout
from dockerproto.errors import InvalidPattern

_SPACE: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""White space as Go defines it, which is less than Python does."""
MAX_LENGTH: Final = 4096
"""Limit on the length of a pattern in characters, as no system accepts a longer path."""


class PatternLine(Struct, frozen=True):
    """A pattern and its position in a file."""

    text: str
    """Pattern text."""
    file: str = ""
    """Name of its file in error messages."""
    number: int = 0
    """Line number, from 1."""


def parse_ignore_file(data: bytes, name: str = ".dockerignore") -> list[PatternLine]:
    r"""Return the cleaned patterns of an ignore file, without comments and empty lines.

    >>> [line.text for line in parse_ignore_file(b"# builds\n/build/\n\n! ./build//keep\n")]
    ['build', '!build/keep']
    """
    lines = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape").split("\n")
    read = (PatternLine(_parse_line(line), name, number) for number, line in enumerate(lines, 1))
    return [line for line in read if line.text]


def _parse_line(line: str) -> str:
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
    return text.strip(_SPACE)


def _clean(path: str) -> str:
    """Return a path cleaned as by Go's ``path.Clean``, which has no root ``//``."""
    return re.sub("^//", "/", posixpath.normpath(path))


class _Compiler:
    """Compiles a list of patterns one by one; a position of its layout stands for each."""

    def __init__(self) -> None:
        self.layout: Final = Layout()
        self.literals: Final = Literals()
        self.excluding: Final = array("I")
        """Positions of patterns without exclamation mark."""
        self.unmatching: Final = array("I")
        """Positions of exceptions."""
        self.searched: Final = array("I")
        """First positions of exceptions."""
        self.exceptions: Final = list[str]()
        """Texts of exceptions."""

    def add(self, line: PatternLine) -> None:
        """Add a pattern. Raises InvalidPattern if it is malformed, or if the list is too long."""
        cleaned = _clean(_trim(line.text))
        text = cleaned.removeprefix("!")
        try:
            self._add(text, negated=text != cleaned)
        except ValueError as error:
            where = f"{line.file}, line {line.number}: " if line.file else ""
            message = f"{where}invalid pattern {display_path(cleaned)}: {error}"
            raise InvalidPattern(0, message, pattern=cleaned, file=line.file, line=line.number) from None

    def _add(self, text: str, *, negated: bool) -> None:
        if len(text) > MAX_LENGTH:
            raise ValueError(f"{len(text)} characters, expected at most {MAX_LENGTH}")
        items = parse_glob(text)
        start = self.layout.length
        if items is None:
            position = self.layout.reserve(1)
            self.literals.add(text, position, negated=negated)
        else:
            position = self.layout.add(items)
        (self.unmatching if negated else self.excluding).append(position)
        if negated:
            self.searched.append(start)
            self.exceptions.append(text)

    def bits(self, positions: Iterable[int]) -> int:
        """Return positions as the bits of an integer."""
        return bit_set(positions, self.layout.length)


class Patterns:
    """An ordered list of patterns, matched together in linear time.

    >>> patterns = Patterns(["docs", "!docs/*.md"])
    >>> [patterns.match(path) for path in ("docs/a.txt", "docs/a.md", "src")]
    [True, False, False]

    Args:
        lines: Patterns, as `parse_ignore_file` returns them or as texts.
        classic: Search excluded directories as the Docker CLI does for the classic builder, see
            `exception_below`. By default they are searched as by BuildKit: wherever an exception may match.
        exceptions: Further paths that the Docker CLI unmatches by patterns of its own.

    Raises:
        InvalidPattern: A pattern is malformed.
    """

    def __init__(
        self, lines: Iterable[PatternLine | str], *, classic: bool = False, exceptions: Iterable[str] = ()
    ) -> None:
        self.classic: Final = classic
        """True if excluded directories are searched by the rule of the classic builder."""
        compiler = _Compiler()
        for line in lines:
            if _trim(text := line if isinstance(line, str) else line.text):
                compiler.add(PatternLine(text) if isinstance(line, str) else line)
        self._nfa = NFA(compiler.layout)
        self.literals: Final = compiler.literals
        """The patterns without wildcards; the states are of the others."""
        self._excluding = compiler.bits(compiler.excluding)
        self._unmatching = compiler.bits(compiler.unmatching)
        # All positions of the exceptions: 2**(last + 1) - 2**first for each.
        self._exception_positions = (self._unmatching << 1) - compiler.bits(compiler.searched)
        self._exceptions = sorted(f"{text}/" for text in (*compiler.exceptions, *exceptions))
        self.root: Final = PathMatch(self, "", self._nfa.start, self._nfa.start, 0, matched=False)
        """Match of the root, which no pattern matches."""

    def match(self, path: str) -> bool:
        """Return True if the patterns match a path or one of its directories."""
        state, accepted = self._nfa.start, 0
        for at, char in enumerate(path):
            if char == "/":
                accepted |= state.accepted | self.literals.accepted(path[:at])
            state = state[char]
        return self._excludes(accepted | state.accepted | self.literals.accepted(path))

    def includes(self, path: str) -> bool:
        """Return True if a walk of the tree reaches a path and includes it."""
        match, prefix = self.root, ""
        for name in path.split("/"):
            if not (match.included or match.descends(prefix)):
                return False
            match, prefix = match.enter(name), f"{prefix}/{name}" if prefix else name
        return match.included

    def exception_below(self, path: str) -> bool:
        """Return True if the text of an exception begins with the path of a directory.

        By this rule the Docker CLI searches an excluded directory for the classic builder: ``!a/*.py`` makes
        it search ``a``, and ``!**/*.py`` no directory.
        """
        inside = f"{path}/"
        at = bisect_left(self._exceptions, inside)
        return self._exceptions[at : at + 1] != [] and self._exceptions[at].startswith(inside)

    def verdict(self, accepted: int, inherited: int) -> tuple[bool, int]:
        """Return whether a path is matched, and the patterns that apply to everything below it.

        Args:
            accepted: Patterns that match the path itself: the bits of their positions.
            inherited: Patterns that apply to everything in its directory.
        """
        either = accepted | inherited
        excluding, unmatching = either & self._excluding, either & self._unmatching
        # As upstream: a pattern that would not change the result is skipped, so it does not apply below. One
        # changes the result if the pattern before it is of the other kind, as that one decided until then.
        changing = excluding & next_members(either, unmatching << 1 | 1)
        changing |= unmatching & next_members(either, excluding << 1)
        return self._excludes(either), inherited | (accepted & changing)

    def may_unmatch(self, state: State, path: str, applying: int) -> bool:
        """Return True if an exception may unmatch a path in a directory, which `applying` patterns match.

        Args:
            state: The state after the path of the directory and a slash.
            path: The path of the directory.
            applying: Patterns that apply to everything in the directory.
        """
        first = (applying & self._excluding).bit_length()
        return bool((state.bits & self._exception_positions) >> first) or self.literals.has_exception_below(
            path, first
        )

    def _excludes(self, patterns: int) -> bool:
        """Return True if the last of some patterns is not an exception."""
        return (patterns & self._excluding).bit_length() > (patterns & self._unmatching).bit_length()


class PathMatch:
    """The match of one path of a tree: a `dockerproto.buildcontext.entry.PathFilter` for excluded paths."""

    __slots__ = ("_applying", "_below", "_path", "_patterns", "_state", "matched")

    def __init__(
        self,
        patterns: Patterns,
        path: str,
        state: State,
        inside: State | None,
        applying: int,
        *,
        matched: bool,
    ) -> None:
        self._patterns = patterns
        self._path = path
        self._state = state
        self._below: State | None = inside
        self._applying = applying
        self.matched: Final = matched
        """True if the patterns match the path or one of its directories."""

    def enter(self, name: str) -> PathMatch:
        """Return the match of a name in this directory."""
        patterns, applying, matched = self._patterns, self._applying, self.matched
        path = f"{self._path}/{name}" if self._path else name
        state = self._enter_directory()
        if state.bits:
            for char in name:
                state = state[char]
        accepted = state.accepted | patterns.literals.accepted(path)
        if accepted:
            matched, applying = patterns.verdict(accepted, applying)
        return PathMatch(patterns, path, state, None, applying, matched=matched)

    @property
    def included(self) -> bool:
        """True if the path is not matched: the patterns of a build context say what is excluded."""
        return not self.matched

    def descends(self, path: str) -> bool:
        """Return True if this directory, which is matched, must be searched; `path` is its path."""
        return self._patterns.exception_below(path) if self._patterns.classic else self.may_unmatch()

    def may_unmatch(self) -> bool:
        """Return True if an exception may unmatch something in this directory, at any depth."""
        return self._patterns.may_unmatch(self._enter_directory(), self._path, self._applying)

    def _enter_directory(self) -> State:
        if self._below is None:
            self._below = self._state["/"] if self._state.bits else self._state
        return self._below
