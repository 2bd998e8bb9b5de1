"""Directories to build from."""

from __future__ import annotations

import os
import re
from pathlib import Path


def trees(directory: Path, title: str) -> Path:
    """Make the directory that a title speaks of, if it is not there yet, and return it."""
    root = directory / re.sub(r"\W+", "-", title)  # buildx takes a comma in a path for the end of it
    if root.exists():
        return root
    root.mkdir()
    (root / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    if "GiB" in title:
        _large(root, 128)
    elif "MiB" in title:
        _large(root, 64)
    elif "ignored" in title:
        (root / ".dockerignore").write_text("**/node_modules\n")
        _files(root / "node_modules", 10_000)
        _files(root / "source", 10)
    else:
        _files(root, next(count for count in (100_000, 20_000, 10_000) if f" {count:,} " in title))
    return root


def _large(root: Path, mebibytes: int) -> None:
    for number in range(8):
        (root / f"large-{number}").write_bytes(os.urandom(2**20) * mebibytes)


def _files(root: Path, count: int) -> None:
    for number in range(count):
        folder = root / f"folder-{number // 100}"
        if number % 100 == 0:
            folder.mkdir(parents=True)
        (folder / f"file-{number}").write_bytes(os.urandom(1024))
