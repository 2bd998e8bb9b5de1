"""Parse the build context of a build as the Docker CLI does: a directory, a URL, or standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final, TypedDict

from dockerproto_local.small_files import READ_LIMIT

STDIN: Final = "-"
_CHUNK: Final = 256 * 1024
_HEAD: Final = 512
# First bytes of a compressed archive; the magic of an uncompressed tar is at _TAR.
_MAGIC: Final = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")
_TAR: Final = slice(257, 262)
_REMOTE: Final = ("http://", "https://", "git://", "ssh://", "git@", "github.com/")


class BuildSource(TypedDict, total=False):
    """The arguments of `build` that name its context and its Dockerfile."""

    path: str
    path_dockerfile: str | Path | None
    dockerfile: bytes
    fileobj: Iterator[bytes]
    remote: str


def parse_source(source: str, file: str | None) -> BuildSource:
    """Return the arguments of `build` for a context and a Dockerfile.

    Args:
        source: A directory, a URL, or ``-``: a tar or a Dockerfile from standard input.
        file: The Dockerfile; ``-`` means standard input. With a directory, the path is relative to the
            working directory; with other contexts, to the context.

    Raises:
        ValueError: Standard input would have to be two things, is a terminal, or is not a short Dockerfile.
    """
    if source == STDIN:
        return _from_standard_input(file)
    if source.startswith(_REMOTE) and not Path(source).exists():
        return {"remote": source, "path_dockerfile": file}
    if file == STDIN:
        return {"path": source, "dockerfile": _read_dockerfile(_standard_input())}
    return {"path": source, "path_dockerfile": None if file is None else Path(file).absolute()}


def _from_standard_input(file: str | None) -> BuildSource:
    """Return the arguments for standard input, which is a tar or a Dockerfile."""
    if file == STDIN:
        raise ValueError("the context and the Dockerfile cannot both come from standard input")
    head = (stdin := _standard_input()).read(_HEAD)
    if head.startswith(_MAGIC) or head[_TAR] == b"ustar":
        return {"fileobj": chain((head,), _chunks(stdin)), "path_dockerfile": file}
    if file is not None:
        raise ValueError("standard input is a Dockerfile, but -f names another one")
    return {"dockerfile": _read_dockerfile(stdin, head)}


def _read_dockerfile(file: BinaryIO, head: bytes = b"") -> bytes:
    content = head + file.read(READ_LIMIT + 1 - len(head))
    if len(content) > READ_LIMIT:
        raise ValueError(f"a Dockerfile on standard input must have at most {READ_LIMIT} bytes")
    return content


def _standard_input() -> BinaryIO:
    if sys.stdin.isatty():
        raise ValueError("cannot read a build context from a terminal: redirect standard input")
    return sys.stdin.buffer


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while data := file.read(_CHUNK):
        yield data
