"""Text of an engine made safe to display: no escape sequence of a build's output reaches a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_SEQUENCES: Final = re.compile(
    r"""
    \x1b\[ [0-?]* [ -/]* [@-~]          # CSI: colours, cursor, erasing
    | \x9b [0-?]* [ -/]* [@-~]          # the same, in one character
    | \x1b[P\]X^_] [^\x07\x1b]* (?: \x07 | \x1b\\ )   # strings: titles, links, the clipboard
    | \x1b [ -/]* [0-~]                 # all others
    """,
    re.VERBOSE,
)
# Control characters, and characters that reorder a line.
_REMOVED: Final = re.compile(
    r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]"
)
# Halves of surrogate pairs, which cannot be encoded.
_SURROGATES: Final = re.compile(r"[\ud800-\udfff]")
LONGEST: Final = 4096
"""Number of characters kept of a line."""


def printable(text: str, longest: int = LONGEST) -> str:
    r"""Return one line without escape sequences and controls; after a carriage return, only what follows it.

    At most `longest` characters are returned.

    >>> printable("\x1b[91m10 %\r\x1b[2K100 %\x1b[0m\n")
    '100 %'
    """
    if text.isprintable() and len(text) <= longest:  # nearly always
        return text
    line = text.rstrip("\r\n").rpartition("\r")[2][: 4 * longest]
    plain = _REMOVED.sub("", _SEQUENCES.sub("", line))
    return _SURROGATES.sub("\ufffd", plain).expandtabs()[:longest]


class LineBuffer:
    """Text that comes in chunks of any size, split into printable lines; empty lines are left out."""

    def __init__(self) -> None:
        self._partial = ""

    def feed(self, chunk: str) -> Iterator[str]:
        """Return the lines that are complete; a line without an end is cut after 4 * `LONGEST` characters."""
        *lines, self._partial = (self._partial + chunk).split("\n")
        if len(self._partial) > 4 * LONGEST:
            lines.append(self._partial)
            self._partial = ""
        return filter(None, map(printable, lines))

    def flush(self) -> Iterator[str]:
        """Return the line that has no end yet, if there is one."""
        partial, self._partial = self._partial, ""
        return filter(None, map(printable, (partial,)))
