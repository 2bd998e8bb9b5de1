r"""Parse a pattern of an ignore file into items of the NFA, with exactly the Docker CLI's meaning.

The Docker CLI translates most patterns into a Go regular expression, and passes through everything that it
does not know. So ``[^a]`` matches a slash, ``\d`` is a digit, and ``[*]`` is not a star. This module builds
the same expression and parses that. Patterns without wildcards, or with ``**`` at one end only, are compared
literally; then ``**.txt`` matches any path that ends so, not only a whole name.

A translation to `re` would be a third of this code, but would backtrack: engines send patterns too, so
matching must be linear, see `dockerproto.buildcontext.nfa`.

The rules are those of https://pkg.go.dev/github.com/moby/patternmatcher, path/filepath and regexp/syntax.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from dockerproto.buildcontext.items import ANY, LAST, Chars, Item, ItemKind, Ranges

_WILD: Final = re.compile(r"[*?\\\[\]]")
"""A character that is not always literal."""
_TOKEN: Final = re.compile(
    r"(?P<deep>\*\*/?)|(?P<star>\*)|(?P<one>\?)|(?P<escape>\\.)|(?P<bracket>[][])|(?P<plain>.)", re.DOTALL
)
_MEMBER: Final = "(?:\\\\.|[^]\\\\\udc80-\udcff-])"
"""A character of a class; "-" and "]" must be escaped."""
# "(?=(?P<x>...))(?P=x)" is atomic; so are possessive quantifiers, but before Python 3.11.5 those of groups go
# wrong (gh-106052).
_CLASS: Final = rf"\[ \^?+ (?=(?P<class> (?: {_MEMBER} (?:-{_MEMBER})? )+ ))(?P=class) \]"
_PART: Final = rf"(?: [^\\\[*] | \\. | {_CLASS} )"
_VALID: Final = re.compile(
    r"\**+ (?=(?P<dot> (?: (?:\.|\?|\\\.) \*+ )? ))(?P=dot)"
    rf"(?=(?P<parts> {_PART}* ))(?P=parts) (?=\*|\Z)",
    re.DOTALL | re.VERBOSE,
)
"""The part of a pattern that the Docker CLI validates: as much as it needs to match the path "."."""
_UNDECODED: Final = re.compile("[\udc80-\udcff]")
_SPECIAL: Final = frozenset(".+()|{}$")
"""Characters that are special in a regular expression, and literal in a pattern."""
_PLAIN: Final = re.compile(r"[^(.^$\[\\]+")
"""Characters of an expression that are literal."""
_ESCAPE: Final = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|(0[0-7]{0,2}|[1-7][0-7]{1,2}))")
"""An escape for a character by its code."""
_PLACEHOLDERS: Final = {"star": "[^/]*", "one": "[^/]"}

_SLASH: Final = Chars(((0x2F, 0x2F),))
_DOT: Final = Chars(((0x0A, 0x0A),), negated=True)
_DIRECTORIES: Final = (Item(ItemKind.MAYBE), Item(ItemKind.MANY, _DOT), Item(ItemKind.ONE, _SLASH))
"""Items of ``**/``: any number of directories, or none."""
_FIXED: Final = {
    "(.*/)?": _DIRECTORIES,
    ".*": (Item(ItemKind.MANY, _DOT),),
    "^": (Item(ItemKind.START),),
    "$": (Item(ItemKind.END),),
}
_DIGIT: Final[Ranges] = ((0x30, 0x39),)
_UPPER: Final[Ranges] = ((0x41, 0x5A),)
_LOWER: Final[Ranges] = ((0x61, 0x7A),)
_WORD: Final[Ranges] = (*_DIGIT, *_UPPER, (0x5F, 0x5F), *_LOWER)
_PERL: Final[dict[str, Ranges]] = {
    "d": _DIGIT,
    "s": ((0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20)),
    "w": _WORD,
}
_POSIX: Final[dict[str, Ranges]] = {
    "alnum": (*_DIGIT, *_UPPER, *_LOWER),
    "alpha": (*_UPPER, *_LOWER),
    "ascii": ((0x00, 0x7F),),
    "blank": ((0x09, 0x09), (0x20, 0x20)),
    "cntrl": ((0x00, 0x1F), (0x7F, 0x7F)),
    "digit": _DIGIT,
    "graph": ((0x21, 0x7E),),
    "lower": _LOWER,
    "print": ((0x20, 0x7E),),
    "punct": ((0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)),
    "space": ((0x09, 0x0D), (0x20, 0x20)),
    "upper": _UPPER,
    "word": _WORD,
    "xdigit": (*_DIGIT, (0x41, 0x46), (0x61, 0x66)),
}
_ASSERTIONS: Final = {"A": ItemKind.START, "z": ItemKind.END, "b": ItemKind.EDGE, "B": ItemKind.NO_EDGE}
_CONTROLS: Final = {"a": 0x07, "f": 0x0C, "n": 0x0A, "r": 0x0D, "t": 0x09, "v": 0x0B}
_CATEGORIES: Final = "CLMNPSZ"
_IDEMPOTENT: Final = (ItemKind.MANY, ItemKind.MAYBE)
"""Kinds of items whose repetition changes nothing."""


def parse_glob(pattern: str) -> tuple[Item, ...] | None:
    """Return the items of a pattern, which is cleaned and without its exclamation mark.

    Return None for a literal pattern, without wildcards; it matches only itself.

    Raises:
        ValueError: The pattern is malformed; the message says why.
    """
    if not pattern:
        raise ValueError("missing pattern after the exclamation mark")
    if not _WILD.search(pattern):
        return None
    if not _VALID.match(pattern):
        raise ValueError("unclosed bracket, incomplete range, or trailing backslash")
    tokens = [(match.lastgroup or "", match.group()) for match in _TOKEN.finditer(pattern)]
    kinds = [kind for kind, _ in tokens]
    if {*kinds} <= {"plain", "deep"}:
        match [index for index, kind in enumerate(kinds) if kind == "deep"]:
            case [0]:
                return _suffix(pattern.removeprefix("**"))
            case [last] if last == len(kinds) - 1:
                return (*_literal(pattern.removesuffix("**")), Item(ItemKind.MANY, ANY))
            case _:
                pass
    return _ExpressionParser(_UNDECODED.sub("\ufffd", _to_regex(tokens))).parse()


def _suffix(suffix: str) -> tuple[Item, ...]:
    start = (Item(ItemKind.MAYBE),) if suffix.startswith("/") else ()
    return (*start, Item(ItemKind.MANY, ANY), *_literal(suffix))


def _literal(text: str) -> tuple[Item, ...]:
    return tuple(_char(ord(char)) for char in text)


@lru_cache(maxsize=1024)
def _char(code: int) -> Item:
    return Item(ItemKind.ONE, Chars(((code, code),)))


def _to_regex(tokens: list[tuple[str, str]]) -> str:
    """Return the regular expression of a pattern, without the ``^`` at its start."""
    parts: list[str] = []
    for index, (kind, text) in enumerate(tokens, 1):
        if kind == "deep":
            parts.append("(.*/)?" if index < len(tokens) else ".*")
        else:
            parts.append(_PLACEHOLDERS.get(kind) or (f"\\{text}" if text in _SPECIAL else text))
    return "".join(parts) + "$"


class _ExpressionParser:
    """Recursive descent parser of the regular expressions that patterns translate to."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._last_class = text.rfind(":]")

    def parse(self) -> tuple[Item, ...]:
        """Return the items of the whole expression."""
        items: list[Item] = []
        while self._at < len(self._text):
            new = self._parse_next()
            repeated = tuple(items[-len(new) :]) == new
            if new and not (repeated and new[0].kind in _IDEMPOTENT):
                items += new
        if items[-1:] == [Item(ItemKind.END)]:
            return tuple(items[:-1])
        # The final $ was quoted by \Q, so the pattern is not anchored.
        return (*items, Item(ItemKind.MANY, ANY))

    def _parse_next(self) -> tuple[Item, ...]:
        plain = _PLAIN.match(self._text, self._at)
        if plain is not None:
            self._at = plain.end()
            return _literal(plain[0])
        for text, items in _FIXED.items():
            if self._accept(text):
                return items
        if self._accept("["):
            chars = self._parse_class()
            return (Item(ItemKind.MANY if self._accept("*") else ItemKind.ONE, chars),)
        if self._accept("\\Q"):
            end = self._text.find("\\E", self._at)
            quoted = self._text[self._at : end] if end >= 0 else self._text[self._at :]
            self._at += len(quoted) + (len("\\E") if end >= 0 else 0)
            return _literal(quoted)
        return (self._parse_escape_item(),)  # other special characters are escaped, see `_SPECIAL`

    def _parse_escape_item(self) -> Item:
        assertion = _ASSERTIONS.get(self._text[self._at + 1])
        if assertion is not None:
            self._at += 2
            return Item(assertion)
        chars = self._parse_multi_escape()
        return _char(self._parse_escape()) if chars is None else Item(ItemKind.ONE, chars)

    def _parse_class(self) -> Chars:
        negated = self._accept("^")
        ranges: list[tuple[int, int]] = []
        letters: list[tuple[str, bool]] = []
        while not (ranges or letters) or not self._accept("]"):
            group = self._parse_posix_class() or self._parse_multi_escape()
            if group is not None:
                ranges += group.ranges
                letters += group.letters
            else:
                ranges.append(self._parse_range())
        return Chars(tuple(ranges), tuple(letters), negated)

    def _parse_range(self) -> tuple[int, int]:
        first = last = self._parse_member()
        if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in ("", "]"):
            self._at += 1
            last = self._parse_member()
        if last < first:
            raise ValueError("a range must not end before it begins")
        return first, last

    def _parse_member(self) -> int:
        return self._parse_escape() if self._peek() == "\\" else ord(self._consume())

    def _parse_posix_class(self) -> Chars | None:
        """Parse a class such as ``[:alpha:]``; return None if the next token is not one."""
        start = self._at + len("[:")
        if self._last_class < start or not self._accept("[:"):  # a search in vain at each "[:" is quadratic
            return None
        end = self._text.index(":]", start)
        self._at = end + len(":]")
        name = self._text[start:end]
        ranges = _POSIX.get(name.removeprefix("^"))
        if ranges is None:
            raise ValueError(f"unknown character class [:{name}:]")
        return Chars(_complement(ranges) if name.startswith("^") else ranges)

    def _parse_multi_escape(self) -> Chars | None:
        r"""Parse an escape for several characters, such as ``\d``; return None if it is not next."""
        name = self._text[self._at + 1 : self._at + 2] if self._peek() == "\\" else ""
        if name in ("p", "P"):
            letter = self._text[self._at + 2 : self._at + 3]
            self._at += 3
            if not letter or letter not in _CATEGORIES:
                raise ValueError(f"unknown Unicode category \\{name}{letter}")
            return Chars(letters=((letter, name == "p"),))
        if name.lower() not in _PERL:
            return None
        self._at += 2
        ranges = _PERL[name.lower()]
        return Chars(_complement(ranges) if name.isupper() else ranges)

    def _parse_escape(self) -> int:
        """Parse an escape for one character, and return its code."""
        match = _ESCAPE.match(self._text, self._at)
        if match is not None:
            self._at = match.end()
            return int(match[1], 16) if match[1] else int(match[2], 8)
        self._consume()
        char = self._consume()
        if char in _CONTROLS:
            return _CONTROLS[char]
        if not char.isascii() or char.isalnum():
            raise ValueError(f"unknown escape \\{char}")
        return ord(char)

    def _accept(self, text: str) -> bool:
        """Consume a text if it is next; return True if it was."""
        accepted = self._text.startswith(text, self._at)
        self._at += len(text) if accepted else 0
        return accepted

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _consume(self) -> str:
        char = self._peek()
        if not char:
            raise ValueError("unclosed bracket")
        self._at += 1
        return char


def _complement(ranges: Ranges) -> Ranges:
    """Return the complement of sorted ranges."""
    firsts = (0, *(last + 1 for _, last in ranges))
    lasts = (*(first - 1 for first, _ in ranges), LAST)
    return tuple(pair for pair in zip(firsts, lasts, strict=True) if pair[0] <= pair[1])
