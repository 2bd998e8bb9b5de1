r"""What a pattern of an ignore file means, exactly as the docker command takes it.

The docker command makes a regular expression, of Go's kind, of most patterns, and lets through what it
does not know. So ``[^a]`` matches a slash, ``\d`` is a digit, and ``[*]`` is not a star. The same
expression is made here, and read into items. Patterns without wildcards, or with ``**`` at one end
only, are compared as they are; then ``**.txt`` matches what ends so, not only a whole name.

The rules are those of https://pkg.go.dev/github.com/moby/patternmatcher, path/filepath and regexp/syntax.
"""

from __future__ import annotations

import re
from typing import Final

from dockerproto.buildcontext.nfa import ANY, LAST, Chars, Item, Kind, Ranges

_TOKEN: Final = re.compile(
    r"(?P<deep>\*\*/?)|(?P<star>\*)|(?P<one>\?)|(?P<escape>\\.)|(?P<bracket>[][])|(?P<plain>.)", re.DOTALL
)
_MEMBER: Final = "(?:\\\\.|[^]\\\\\udc80-\udcff-])"
"""A character of a class: "-" and "]" are escaped, as a rule."""
_PART: Final = rf"(?: [^\\\[*] | \\. | \[ \^?+ (?: {_MEMBER} (?:-{_MEMBER})? )++ \] )"
_CHECKED: Final = re.compile(rf"\**+ (?: (?:\.|\?|\\\.) \*++ )?+ {_PART}*+ (?=\*|\Z)", re.DOTALL | re.VERBOSE)
"""What the docker command looks at: as far as it has to, to see whether the path "." matches."""
_UNDECODED: Final = re.compile("[\udc80-\udcff]")
_SPECIAL: Final = frozenset(".+()|{}$")
"""Characters that a regular expression takes for its own, and a pattern does not."""
_PLACEHOLDERS: Final = {"star": "[^/]*", "one": "[^/]"}

_SLASH: Final = Chars(((0x2F, 0x2F),))
_DOT: Final = Chars(((0x0A, 0x0A),), negated=True)
_DIRECTORIES: Final = (Item(Kind.MAYBE), Item(Kind.MANY, _DOT), Item(Kind.ONE, _SLASH))
"""What ``**/`` becomes: any directories, or none."""
_FIXED: Final = {
    "(.*/)?": _DIRECTORIES,
    ".*": (Item(Kind.MANY, _DOT),),
    "^": (Item(Kind.START),),
    "$": (Item(Kind.END),),
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
_ASSERTIONS: Final = {"A": Kind.START, "z": Kind.END, "b": Kind.EDGE, "B": Kind.NO_EDGE}
_CONTROLS: Final = {"a": 0x07, "f": 0x0C, "n": 0x0A, "r": 0x0D, "t": 0x09, "v": 0x0B}
_CATEGORIES: Final = "CLMNPSZ"


def read_glob(pattern: str) -> tuple[Item, ...]:
    """Return the items of a pattern, which is cleaned and without its exclamation mark.

    Raises:
        ValueError: It is none; the message says why.
    """
    if not pattern:
        raise ValueError("nothing follows the exclamation mark")
    if not _CHECKED.match(pattern):
        raise ValueError("a bracket is not closed, a range has no end, or nothing follows a backslash")
    tokens = [(match.lastgroup or "", match.group()) for match in _TOKEN.finditer(pattern)]
    kinds = [kind for kind, _ in tokens]
    if {*kinds} <= {"plain", "deep"}:
        match [index for index, kind in enumerate(kinds) if kind == "deep"]:
            case []:
                return _literal(pattern)
            case [0]:
                return _suffix(pattern.removeprefix("**"))
            case [last] if last == len(kinds) - 1:
                return (*_literal(pattern.removesuffix("**")), Item(Kind.MANY, ANY))
            case _:
                pass
    return _Expression(_UNDECODED.sub("\ufffd", _expression(tokens))).items()


def _suffix(suffix: str) -> tuple[Item, ...]:
    start = (Item(Kind.MAYBE),) if suffix.startswith("/") else ()
    return (*start, Item(Kind.MANY, ANY), *_literal(suffix))


def _literal(text: str) -> tuple[Item, ...]:
    return tuple(_char(ord(char)) for char in text)


def _char(code: int) -> Item:
    return Item(Kind.ONE, Chars(((code, code),)))


def _expression(tokens: list[tuple[str, str]]) -> str:
    """Return the regular expression of a pattern, without the ``^`` at its start."""
    parts: list[str] = []
    for index, (kind, text) in enumerate(tokens, 1):
        if kind == "deep":
            parts.append("(.*/)?" if index < len(tokens) else ".*")
        else:
            parts.append(_PLACEHOLDERS.get(kind) or (f"\\{text}" if text in _SPECIAL else text))
    return "".join(parts) + "$"


class _Expression:
    """A regular expression that is being read: only what those of patterns can contain."""

    def __init__(self, text: str) -> None:
        self._text: Final = text
        self._at = 0

    def items(self) -> tuple[Item, ...]:
        """Return the items of all of it."""
        items: list[Item] = []
        while self._at < len(self._text):
            new = self._next()
            if tuple(items[-len(new) :]) != new or new[0].kind not in (
                Kind.MANY,
                Kind.MAYBE,
            ):  # twice is as once
                items += new
        if items[-1:] == [Item(Kind.END)]:
            return tuple(items[:-1])
        return (*items, Item(Kind.MANY, ANY))  # it was quoted, and so is not anchored

    def _next(self) -> tuple[Item, ...]:
        for text, items in _FIXED.items():
            if self._takes(text):
                return items
        if self._takes("["):
            chars = self._class()
            return (Item(Kind.MANY if self._takes("*") else Kind.ONE, chars),)
        if self._takes("\\Q"):
            quoted, end, _ = self._text[self._at :].partition("\\E")
            self._at += len(quoted) + len(end)
            return _literal(quoted)
        if self._peek() == "\\":
            return (self._escaped(),)
        return (_char(ord(self._take())),)

    def _escaped(self) -> Item:
        assertion = _ASSERTIONS.get(self._text[self._at + 1])
        if assertion is not None:
            self._at += 2
            return Item(assertion)
        chars = self._group()
        return _char(self._escape()) if chars is None else Item(Kind.ONE, chars)

    def _class(self) -> Chars:
        negated = self._takes("^")
        ranges: list[tuple[int, int]] = []
        letters: list[tuple[str, bool]] = []
        while not (ranges or letters) or not self._takes("]"):
            group = self._posix() or self._group()
            if group is not None:
                ranges += group.ranges
                letters += group.letters
            else:
                ranges.append(self._range())
        return Chars(tuple(ranges), tuple(letters), negated)

    def _range(self) -> tuple[int, int]:
        first = last = self._member()
        if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in ("", "]"):
            self._at += 1
            last = self._member()
        if last < first:
            raise ValueError("a range ends before it begins")
        return first, last

    def _member(self) -> int:
        return self._escape() if self._peek() == "\\" else ord(self._take())

    def _posix(self) -> Chars | None:
        """Read a class such as ``[:alpha:]``, if one is next."""
        found = re.compile(r"\[:(\^?)(.*?):\]", re.DOTALL).match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        ranges = _POSIX.get(found[2])
        if ranges is None:
            raise ValueError(f"there is no class {found[0]}")
        return Chars(_all_but(ranges) if found[1] else ranges)

    def _group(self) -> Chars | None:
        r"""Read an escape that stands for several characters, such as ``\d``, if one is next."""
        name = self._text[self._at + 1 : self._at + 2] if self._peek() == "\\" else ""
        if name in ("p", "P"):
            letter = self._text[self._at + 2 : self._at + 3]
            self._at += 3
            if not letter or letter not in _CATEGORIES:
                raise ValueError(f"there are no characters \\{name}{letter}")
            return Chars(letters=((letter, name == "p"),))
        if name.lower() not in _PERL:
            return None
        self._at += 2
        ranges = _PERL[name.lower()]
        return Chars(_all_but(ranges) if name.isupper() else ranges)

    def _escape(self) -> int:
        """Read an escape that stands for one character."""
        found = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|(0[0-7]{0,2}|[1-7][0-7]{1,2}))").match(
            self._text, self._at
        )
        if found is not None:
            self._at = found.end()
            return int(found[1], 16) if found[1] else int(found[2], 8)
        self._take()
        char = self._take()
        if char in _CONTROLS:
            return _CONTROLS[char]
        if not char.isascii() or char.isalnum():
            raise ValueError(f"there is no escape \\{char}")
        return ord(char)

    def _takes(self, text: str) -> bool:
        """Step over a text, if it is next; return whether it is."""
        found = self._text.startswith(text, self._at)
        self._at += len(text) if found else 0
        return found

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        char = self._peek()
        if not char:
            raise ValueError("a bracket is not closed")
        self._at += 1
        return char


def _all_but(ranges: Ranges) -> Ranges:
    """Return the characters that are not in sorted ranges."""
    firsts = (0, *(last + 1 for _, last in ranges))
    lasts = (*(first - 1 for first, _ in ranges), LAST)
    return tuple(pair for pair in zip(firsts, lasts, strict=True) if pair[0] <= pair[1])
