"""What a build is of, by the words of the docker command: a directory, a URL, or standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final, TypedDict

STDIN: Final = "-"
_PIECE: Final = 256 * 1024
_BEGINNING: Final = 512
# What begins an archive; the mark of a tar that is not compressed is further inside.
_MAGIC: Final = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")
_TAR: Final = slice(257, 262)
_REMOTE: Final = ("http://", "https://", "git://", "ssh://", "git@", "github.com/")


class Source(TypedDict, total=False):
    """The arguments of a build that say of what."""

    path: str
    path_dockerfile: str | Path | None
    dockerfile: bytes
    fileobj: Iterator[bytes]
    remote: str


def context_of(source: str, file: str | None) -> Source:
    """Return what a build is of.

    Args:
        source: A directory, a URL, or ``-``: a tar or a Dockerfile from standard input.
        file: The Dockerfile: of a directory a path from here, else one in the context; ``-``: from
            standard input.

    Raises:
        ValueError: Standard input cannot be both, or is a terminal.
    """
    if source == STDIN:
        return _given(file)
    if source.startswith(_REMOTE) and not Path(source).exists():
        return {"remote": source, "path_dockerfile": file}
    if file == STDIN:
        return {"path": source, "dockerfile": _standard_input().read()}
    return {"path": source, "path_dockerfile": None if file is None else Path(file).absolute()}


def _given(file: str | None) -> Source:
    """Return what comes from standard input: a tar, or a Dockerfile."""
    if file == STDIN:
        raise ValueError("the context and the Dockerfile cannot both come from standard input")
    begun = (given := _standard_input()).read(_BEGINNING)
    if begun.startswith(_MAGIC) or begun[_TAR] == b"ustar":
        return {"fileobj": chain((begun,), _pieces(given)), "path_dockerfile": file}
    if file is not None:
        raise ValueError("standard input is a Dockerfile, and -f names another one")
    return {"dockerfile": begun + given.read()}


def _standard_input() -> BinaryIO:
    if sys.stdin.isatty():
        raise ValueError("nothing to build is read from a terminal: redirect standard input")
    return sys.stdin.buffer


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while data := file.read(_PIECE):
        yield data
