"""Find one file of a tar by its path, reading headers and skipping contents.

In a malformed archive nothing is found. Nothing is decompressed before it is needed.
"""

from __future__ import annotations

import posixpath
from contextlib import suppress
from typing import Final

from dockerproto.buildcontext.tar_headers import FILES, HARD_LINK, SYMLINK, read_headers
from dockerproto.buildcontext.tar_input import DECOMPRESSION_ERRORS, Seekable, TarInput, decompress

READ_LIMIT: Final = 2**20
"""Limit on the bytes read of a file."""
SEARCH_LIMIT: Final = 2**33
"""Limit on the bytes that are decompressed to find a file, so that a bomb costs seconds, not hours."""

_MAX_LINKS: Final = 8
"""Limit on the links followed one after another."""
_READ_ERRORS: Final = (*DECOMPRESSION_ERRORS, ValueError, TypeError)
"""Errors of reading and parsing; TypeError comes from a file opened in text mode."""


class BytesFile:
    """A read-only file over bytes, without copying them all."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._position = 0

    def read(self, size: int, /) -> bytes:
        """Return the next bytes."""
        chunk = bytes(self._data[self._position : self._position + size])
        self._position += len(chunk)
        return chunk

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move to another position; whence is 0 or 1."""
        self._position = offset + (self._position if whence else 0)
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position


def find_file(archive: Seekable, path: str, limit: int = SEARCH_LIMIT) -> bytes | None:
    """Return the beginning of a file in a tar, following links, or None if the tar has no such file.

    The tar begins at the file's position, which changes. Of several entries with one path the first is used.
    At most `limit` bytes are decompressed.
    """
    start = archive.tell()
    path = _normalize(path)
    with suppress(*_READ_ERRORS):
        for _ in range(_MAX_LINKS):
            archive.seek(start)
            tar = TarInput(archive, decompress(archive), limit)
            result = _search(tar, path)
            if not isinstance(result, str):
                return result
            path = result
            limit -= tar.decompressed
    return None


def _search(tar: TarInput, path: str) -> bytes | str | None:
    """Return the content of the entry at a path, or for a link the path of its target."""
    entry = next((each for each in read_headers(tar) if _normalize(each.path) == path), None)
    if entry is None:
        return None
    if entry.kind == SYMLINK:
        return _normalize(posixpath.join(posixpath.dirname(path), entry.target))
    if entry.kind == HARD_LINK:
        return _normalize(entry.target)
    return tar.read(min(entry.size, READ_LIMIT)) if entry.kind in FILES else None


def _normalize(path: str) -> str:
    return posixpath.normpath(f"/{path.lstrip('/')}")
