"""Format durations and ages for people, and text for an encoding."""

from __future__ import annotations

import unicodedata
from typing import Final

_AGES: Final = (
    ("year", 365 * 86400),
    ("month", 30 * 86400),
    ("week", 7 * 86400),
    ("day", 86400),
    ("hour", 3600),
    ("minute", 60),
    ("second", 1),
)


def encodable(text: str, encoding: str) -> str:
    """Replace the characters that an encoding lacks by question marks.

    >>> encodable("a é", "ascii")
    'a ?'
    """
    return text.encode(encoding, "replace").decode(encoding)


def duration(seconds: float) -> str:
    """Format a duration in seconds.

    >>> duration(0.26), duration(83), duration(3725)
    ('0.3s', '1:23', '1:02:05')
    """
    if seconds < 60:  # noqa: PLR2004  # a minute
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def ago(seconds: float) -> str:
    """Format an age in seconds.

    >>> ago(0), ago(90), ago(86400 * 400)
    ('now', '1 minute ago', '1 year ago')
    """
    for unit, length in _AGES:
        if (count := int(seconds // length)) > 0:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "now"


def width(text: str) -> int:
    """Return the number of cells that a text takes on a terminal.

    >>> width("abc"), width("\u6f22\u5b57"), width("e\u0301")
    (3, 4, 1)
    """
    return len(text) if text.isascii() else sum(map(_cells, text))


def padded(text: str, cells: int) -> str:
    """Return a text with spaces after it, so that it takes a number of cells."""
    return text + " " * (cells - width(text))


def _cells(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
