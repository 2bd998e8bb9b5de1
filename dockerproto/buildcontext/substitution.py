"""Words and variables, as the lines of a Dockerfile have them: a small part of what a shell does.

The time is linear in the length of the text, however it is quoted and nested, and so is the memory: a
value that is longer than any reference is not kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias

from msgspec import Struct, field

ESCAPES: Final = ("\\", "`")
"""What a Dockerfile may choose to escape with; the first is the default."""
LONGEST: Final = 4096
"""The longest value that is kept, in characters."""

Values: TypeAlias = Mapping[str, str | None]
"""Variables that are set; None: to what is not known here."""


class _Syntax(NamedTuple):
    word: re.Pattern[str]
    """A word of a line, with its quotes."""
    piece: re.Pattern[str]
    """A piece of a word, outside of double quotes."""
    quoted: re.Pattern[str]
    """A piece of a word, inside of double quotes."""
    quotes: re.Pattern[str]
    """A quote, or what is escaped."""


def _syntax(escape: str) -> _Syntax:
    escaped = re.escape(escape)
    word = rf"""(?:{escaped}.|"(?:[^"{escaped}]|{escaped}.)*+"|'[^']*+'|\S)++"""
    piece = (
        rf"{escaped}(?P<escaped>.)"
        r"|\$\{(?P<tested>[a-z_]\w*)(?P<test>:?[-+?])"
        r"|\$(?:(?P<name>[a-z_]\w*)|\{(?P<braced>[a-z_]\w*)\})"
        rf"""|(?P<sign>["}}])|(?P<text>[^{escaped}$"}}%s]++)"""
    )
    options = re.ASCII | re.IGNORECASE | re.DOTALL
    return _Syntax(
        re.compile(word, options),
        re.compile(rf"'(?P<raw>[^']*+)'|{piece % chr(39)}", options),
        re.compile(piece % "", options),
        re.compile(rf"""{escaped}(.)|["']""", options),
    )


_SYNTAX: Final = {escape: _syntax(escape) for escape in ESCAPES}


class _Frame(Struct):
    """A word, or the word inside a ``${variable:-word}``."""

    name: str = ""
    test: str = ""
    parts: list[str | None] = field(default_factory=list[str | None])
    """What it is made of; None for what is not known."""
    quoted: bool = False
    """Whether double quotes are open."""

    def joined(self) -> str | None:
        """Return the word, None if it is not known."""
        known = [part for part in self.parts if part is not None]
        return "".join(known) if len(known) == len(self.parts) else None

    def tested(self, values: Values) -> str | None:
        """Return what stands for the test of the variable, None if that is not known."""
        value = values.get(self.name, "")
        if value is None:
            return None
        passed = bool(value) if self.test[0] == ":" else self.name in values
        return {
            "-": value if passed else self.joined(),
            "+": self.joined() if passed else "",
            "?": value if passed else None,
        }[self.test[-1]]


def words(line: str, escape: str) -> Iterator[str]:
    r"""Yield the words of a line; their quotes are still there.

    >>> list(words(r'''A="1 2" B='3 4' C=5\ 6''', "\\"))
    ['A="1 2"', "B='3 4'", 'C=5\\ 6']
    """
    return (match[0] for match in _SYNTAX[escape].word.finditer(line))


def flags(line: str, escape: str) -> tuple[list[tuple[str, str]], str]:
    r"""Return the flags that a line begins with, without their quotes, and what follows them.

    >>> flags("--from=app --chown=0:0 /a /b", "\\")
    ([('from', 'app'), ('chown', '0:0')], '/a /b')
    """
    found: list[tuple[str, str]] = []
    for match in _SYNTAX[escape].word.finditer(line):
        name, _, value = match[0].partition("=")
        if not name.startswith("--") or name == "--":
            return found, line[match.start() :].removeprefix("-- ")
        found.append((name[2:], _SYNTAX[escape].quotes.sub(r"\g<1>", value)))
    return found, ""


def expand(word: str, values: Values, escape: str) -> str | None:
    r"""Return a word without its quotes and with the values of its variables, None if that cannot be told.

    A variable that is not set is empty.

    >>> expand("$HOST/${NAME:-app}:${TAG:+x}", {"HOST": "r.example", "TAG": "1"}, "\\")
    'r.example/app:x'
    """
    syntax = _SYNTAX[escape]
    frames = [_Frame()]
    position, length = 0, 0
    while position < len(word):
        match = (syntax.quoted if frames[-1].quoted else syntax.piece).match(word, position)
        if match is None or length > LONGEST:
            return None
        length += _step(match, frames, values)
        position = match.end()
    (outer, *inner) = frames
    return None if inner or outer.quoted or length > LONGEST else outer.joined()


def _step(match: re.Match[str], frames: list[_Frame], values: Values) -> int:
    """Take a piece of a word, and return how many characters came of it."""
    kind = str(match.lastgroup)  # every alternative has a group
    if kind == "test":
        frames.append(_Frame(match["tested"], match["test"]))
        return 0
    part: str | None = match[kind]
    if kind in ("name", "braced"):
        part = values.get(match[kind], "")
    elif part == '"' and kind == "sign":
        frames[-1].quoted = not frames[-1].quoted
        return 0
    elif part == "}" and kind == "sign" and len(frames) > 1 and not frames[-1].quoted:
        part = frames.pop().tested(values)
    frames[-1].parts.append(part)
    return len(part or "")
