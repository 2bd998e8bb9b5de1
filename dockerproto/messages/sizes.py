"""Numbers of bytes as text for people."""

from __future__ import annotations

from typing import Final

UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
"""Units of sizes, each `FACTOR` times the one before."""
FACTOR: Final = 1000


def size(count: float) -> str:
    """Format a number of bytes, with three digits.

    >>> size(0), size(999), size(4042315), size(79_100_000)
    ('0 B', '999 B', '4.04 MB', '79.1 MB')
    """
    value, unit = float(count), 0
    while value >= FACTOR - 0.5 and unit < len(UNITS) - 1:
        value, unit = value / FACTOR, unit + 1
    digits = 0 if not unit else max(0, 3 - len(str(int(value))))
    return f"{value:.{digits}f} {UNITS[unit]}"


def size_of(current: int, total: int | None) -> str:
    """Format a number of bytes, of a total if known.

    >>> size_of(1_200_000, 3_000_000), size_of(5, None)
    ('1.20 MB / 3.00 MB', '5 B')
    """
    return size(current) if total is None else f"{size(current)} / {size(total)}"
