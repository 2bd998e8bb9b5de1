"""What an engine says, made fit to be shown: no escape sequence of a build's output reaches a terminal."""

from __future__ import annotations

import re
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
# Controls of all kinds; what reorders a line; halves of characters, which cannot be encoded.
_REMOVED: Final = re.compile(
    r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]"
)
_HALVES: Final = re.compile(r"[\ud800-\udfff]")
LONGEST: Final = 4096
"""How many characters of a line are kept."""


def printable(text: str) -> str:
    r"""Return one line without what a terminal would obey; of what overwrites itself, what remains.

    >>> printable("\x1b[91m10 %\r\x1b[2K100 %\x1b[0m\n")
    '100 %'
    """
    if text.isprintable() and len(text) <= LONGEST:  # as almost all are
        return text
    line = text.rstrip("\r\n").rpartition("\r")[2][: 4 * LONGEST]
    plain = _REMOVED.sub("", _SEQUENCES.sub("", line))
    return _HALVES.sub("\ufffd", plain).expandtabs()[:LONGEST]
