"""Files that must not be read to their end: pipes, devices, sparse files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

TERABYTE = 2**40


def link(target: str | Path) -> Callable[[Path], None]:
    """Return a function that makes a path a symlink."""

    def make(path: Path) -> None:
        path.unlink(missing_ok=True)
        path.symlink_to(target)

    return make


def fifo(path: Path) -> None:
    """Make a path a pipe that nobody writes."""
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def sparse(path: Path) -> None:
    """Make a path a very long file, which takes no space."""
    path.unlink(missing_ok=True)
    path.touch()
    os.truncate(path, TERABYTE)
