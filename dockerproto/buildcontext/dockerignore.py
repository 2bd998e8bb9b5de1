"""Match paths against the patterns of ignore files, exactly as the Docker CLI and BuildKit do.

A tree is walked from the root down. The `PathMatch` of a path is computed from that of its directory, so a
pattern that matches a directory holds below it, and no character is matched twice. The last matching pattern
decides; a pattern that begins with ``!`` is an exception and unmatches paths.

The rules are those of https://pkg.go.dev/github.com/moby/patternmatcher, including its oddities.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from dockerproto.buildcontext.glob import parse_glob
from dockerproto.buildcontext.nfa import NFA, Item, State
from dockerproto.errors import InvalidPattern

_SPACE: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""White space as Go defines it, which is less than Python does."""
_CACHED_VERDICTS: Final = 10_000


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


class _Pattern(Struct, frozen=True):
    text: str
    """Pattern without its exclamation mark."""
    negated: bool
    """True if the pattern had an exclamation mark."""
    items: tuple[Item, ...]
    """Parsed pattern."""


def _parse_pattern(line: PatternLine) -> _Pattern:
    cleaned = _clean(_trim(line.text))
    text = cleaned.removeprefix("!")
    try:
        return _Pattern(text, text != cleaned, parse_glob(text))
    except ValueError as error:
        where = f"{line.file}, line {line.number}: " if line.file else ""
        message = f"{where}invalid pattern {cleaned!r}: {error}"
        raise InvalidPattern(0, message, pattern=cleaned, file=line.file, line=line.number) from None


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
        parsed = (line if isinstance(line, PatternLine) else PatternLine(line) for line in lines)
        self._patterns = tuple(_parse_pattern(line) for line in parsed if _trim(line.text))
        self._nfa = NFA(each.items for each in self._patterns)
        self._negations = sum(each.negated << index for index, each in enumerate(self._patterns))
        self._exceptions = (*(each.text for each in self._patterns if each.negated), *exceptions)
        self._verdicts = dict[tuple[int, int], tuple[bool, int]]()
        self.root: Final = PathMatch(self, self._nfa.start, self._nfa.start, 0, matched=False)
        """Match of the root, which no pattern matches."""

    def match(self, path: str) -> bool:
        """Return True if the patterns match a path or one of its directories."""
        state, accepted = self._nfa.start, 0
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
        return any(f"{text}/".startswith(inside) for text in self._exceptions)

    def verdict(self, accepted: int, inherited: int) -> tuple[bool, int]:
        """Return whether a path is matched, and the patterns that apply to everything below it.

        Args:
            accepted: Patterns that match the path itself, one bit each.
            inherited: Patterns that apply to everything in its directory, one bit each.
        """
        verdict = self._verdicts.get((accepted, inherited))
        if verdict is None:
            if len(self._verdicts) >= _CACHED_VERDICTS:
                self._verdicts.clear()
            verdict = self._verdicts[accepted, inherited] = self._decide(accepted, inherited)
        return verdict

    def may_unmatch(self, state: State, applying: int) -> bool:
        """Return True if an exception may unmatch a path at this state, which `applying` patterns match."""
        later = self._negations & -(1 << (applying & ~self._negations).bit_length())
        return bool(later and later & self._nfa.alive(state))

    def _decide(self, accepted: int, inherited: int) -> tuple[bool, int]:
        matched, applying = False, 0
        for index, pattern in enumerate(self._patterns):
            bit = 1 << index
            # As upstream: a pattern that would not change the result is skipped, so it does not apply below.
            if inherited & bit or (accepted & bit and pattern.negated is matched):
                applying |= bit
                matched = not pattern.negated
        return matched, applying


class PathMatch:
    """The match of one path of a tree: a `dockerproto.buildcontext.entry.PathFilter` for excluded paths."""

    __slots__ = ("_applying", "_below", "_patterns", "_state", "matched")

    def __init__(
        self, patterns: Patterns, state: State, inside: State | None, applying: int, *, matched: bool
    ) -> None:
        self._patterns = patterns
        self._state = state
        self._below: State | None = inside
        self._applying = applying
        self.matched: Final = matched
        """True if the patterns match the path or one of its directories."""

    def enter(self, name: str) -> PathMatch:
        """Return the match of a name in this directory."""
        state = self._enter_directory()
        for char in name:
            state = state[char]
        matched, applying = self._patterns.verdict(state.accepted, self._applying)
        return PathMatch(self._patterns, state, None, applying, matched=matched)

    @property
    def included(self) -> bool:
        """True if the path is not matched: the patterns of a build context say what is excluded."""
        return not self.matched

    def descends(self, path: str) -> bool:
        """Return True if this directory, which is matched, must be searched; `path` is its path."""
        return self._patterns.exception_below(path) if self._patterns.classic else self.may_unmatch()

    def may_unmatch(self) -> bool:
        """Return True if an exception may unmatch something in this directory, at any depth."""
        return self._patterns.may_unmatch(self._enter_directory(), self._applying)

    def _enter_directory(self) -> State:
        if self._below is None:
            self._below = self._state["/"]
        return self._below
