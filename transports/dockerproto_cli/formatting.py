"""Format numbers for people."""

from __future__ import annotations

from typing import Final

_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_STEP: Final = 1000
_AGES: Final = (
    ("year", 365 * 86400),
    ("month", 30 * 86400),
    ("week", 7 * 86400),
    ("day", 86400),
    ("hour", 3600),
    ("minute", 60),
    ("second", 1),
)


def size(count: float) -> str:
    """Format a number of bytes, with three digits.

    >>> size(0), size(999), size(4042315), size(79_100_000)
    ('0 B', '999 B', '4.04 MB', '79.1 MB')
    """
    value, unit = float(count), 0
    while value >= _STEP - 0.5 and unit < len(_UNITS) - 1:
        value, unit = value / _STEP, unit + 1
    digits = 0 if not unit else max(0, 3 - len(str(int(value))))
    return f"{value:.{digits}f} {_UNITS[unit]}"


def of(current: int, total: int | None) -> str:
    """Format a number of bytes, of a total if known.

    >>> of(1_200_000, 3_000_000), of(5, None)
    ('1.20 MB / 3.00 MB', '5 B')
    """
    return size(current) if total is None else f"{size(current)} / {size(total)}"


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
