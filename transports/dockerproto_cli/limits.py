"""Parse sizes and ulimits, with the syntax of the Docker CLI."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from typing import Final

_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?", re.IGNORECASE | re.ASCII)
_POWERS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_ULIMIT: Final = re.compile(r"([a-z]+)=(-1|\d+)(?::(-1|\d+))?", re.ASCII)


def read_size(text: str) -> int:
    """Parse a number of bytes; units are powers of 1024.

    >>> read_size("64m"), read_size("1.5GiB"), read_size("512")
    (67108864, 1610612736, 512)

    Raises:
        ArgumentTypeError: The text is malformed.
    """
    if (match := _SIZE.fullmatch(text)) is None:
        raise ArgumentTypeError(f"must be a size such as 512, 64m or 1.5g, not {text!r}")
    return int(float(match[1]) * 1024 ** _POWERS[match[2].lower()])


def read_ulimit(text: str) -> tuple[str, tuple[int, int]]:
    """Parse ``NAME=SOFT[:HARD]``; -1 is unlimited.

    >>> read_ulimit("nofile=1024"), read_ulimit("nproc=10:20")
    (('nofile', (1024, 1024)), ('nproc', (10, 20)))

    Raises:
        ArgumentTypeError: The text is malformed.
    """
    if (match := _ULIMIT.fullmatch(text)) is None:
        raise ArgumentTypeError(f"must be NAME=SOFT or NAME=SOFT:HARD, not {text!r}")
    soft = int(match[2])
    return match[1], (soft, soft if match[3] is None else int(match[3]))
