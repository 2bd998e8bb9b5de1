"""Words and variable substitution in the lines of a Dockerfile: the small part of a shell that it supports.

Time and memory are linear in the length of the text, however it is quoted and nested; variables longer than
any image reference are dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias

from msgspec import Struct, field

ESCAPES: Final = ("\\", "`")
"""Escape characters that a Dockerfile may choose from; the first is the default."""
MAX_LENGTH: Final = 4096
"""Longest value that is kept, in characters."""

Variables: TypeAlias = Mapping[str, str | None]
"""Variables that are set; None stands for a value that is unknown here."""


class _Syntax(NamedTuple):
    word: re.Pattern[str]
    """A word of a line, with its quotes."""
    unquoted: re.Pattern[str]
    """A token of a word, outside double quotes."""
    quoted: re.Pattern[str]
    """A token of a word, inside double quotes."""
    quotes: re.Pattern[str]
    """A quote, or an escaped character."""


def _syntax(escape: str) -> _Syntax:
    escaped = re.escape(escape)
    word = rf"""(?:{escaped}.|"(?:[^"{escaped}]|{escaped}.)*+"|'[^']*+'|\S)++"""
    token = (
        rf"{escaped}(?P<escaped>.)"
        r"|\$\{(?P<tested>[a-z_]\w*)(?P<test>:?[-+?])"
        r"|\$(?:(?P<name>[a-z_]\w*)|\{(?P<braced>[a-z_]\w*)\})"
        rf"""|(?P<sign>["}}])|(?P<text>[^{escaped}$"}}%s]++)"""
    )
    options = re.ASCII | re.IGNORECASE | re.DOTALL
    return _Syntax(
        re.compile(word, options),
        re.compile(rf"'(?P<literal>[^']*+)'|{token % chr(39)}", options),
        re.compile(token % "", options),
        re.compile(rf"""{escaped}(.)|["']""", options),
    )


_SYNTAX: Final = {escape: _syntax(escape) for escape in ESCAPES}


class _Frame(Struct):
    """A word, or the word inside a ``${variable:-word}``, while it is expanded."""

    name: str = ""
    test: str = ""
    parts: list[str | None] = field(default_factory=list[str | None])
    """Expanded parts of the word; None for an unknown one."""
    quoted: bool = False
    """True while double quotes are open."""

    def join(self) -> str | None:
        """Return the word, or None if a part of it is unknown."""
        known = [part for part in self.parts if part is not None]
        return "".join(known) if len(known) == len(self.parts) else None

    def substitute(self, variables: Variables) -> str | None:
        """Return the substitution of ``${variable:-word}`` or its relatives, or None if it is unknown."""
        value = variables.get(self.name, "")
        if value is None:
            return None
        passed = bool(value) if self.test[0] == ":" else self.name in variables
        return {
            "-": value if passed else self.join(),
            "+": self.join() if passed else "",
            "?": value if passed else None,
        }[self.test[-1]]


def words(line: str, escape: str) -> Iterator[str]:
    r"""Yield the words of a line, quotes included.

    >>> list(words(r'''A="1 2" B='3 4' C=5\ 6''', "\\"))
    ['A="1 2"', "B='3 4'", 'C=5\\ 6']
    """
    return (match[0] for match in _SYNTAX[escape].word.finditer(line))


def flags(line: str, escape: str) -> tuple[list[tuple[str, str]], str]:
    r"""Return the flags at the start of a line, unquoted, and the rest of the line.

    >>> flags("--from=app --chown=0:0 /a /b", "\\")
    ([('from', 'app'), ('chown', '0:0')], '/a /b')
    """
    parsed: list[tuple[str, str]] = []
    for match in _SYNTAX[escape].word.finditer(line):
        name, _, value = match[0].partition("=")
        if not name.startswith("--") or name == "--":
            return parsed, line[match.start() :].removeprefix("-- ")
        parsed.append((name[2:], _SYNTAX[escape].quotes.sub(r"\g<1>", value)))
    return parsed, ""


def expand(word: str, variables: Variables, escape: str) -> str | None:
    r"""Return a word unquoted and with its variables substituted, or None if the result is unknown.

    A variable that is not set is empty.

    >>> expand("$HOST/${NAME:-app}:${TAG:+x}", {"HOST": "r.example", "TAG": "1"}, "\\")
    'r.example/app:x'
    """
    syntax = _SYNTAX[escape]
    frames = [_Frame()]
    position, length = 0, 0
    while position < len(word):
        match = (syntax.quoted if frames[-1].quoted else syntax.unquoted).match(word, position)
        if match is None or length > MAX_LENGTH:
            return None
        length += _expand_token(match, frames, variables)
        position = match.end()
    (outer, *inner) = frames
    return None if inner or outer.quoted or length > MAX_LENGTH else outer.join()


def _expand_token(match: re.Match[str], frames: list[_Frame], variables: Variables) -> int:
    """Expand one token of a word, and return the number of characters of its result."""
    kind = str(match.lastgroup)  # every alternative has a group
    if kind == "test":
        frames.append(_Frame(match["tested"], match["test"]))
        return 0
    part: str | None = match[kind]
    if kind in ("name", "braced"):
        part = variables.get(match[kind], "")
    elif part == '"' and kind == "sign":
        frames[-1].quoted = not frames[-1].quoted
        return 0
    elif part == "}" and kind == "sign" and len(frames) > 1 and not frames[-1].quoted:
        part = frames.pop().substitute(variables)
    frames[-1].parts.append(part)
    return len(part or "")
