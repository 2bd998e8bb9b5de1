"""Archives of directories, made while they are sent.

What is yielded depends on the entries and the contents only. A piece is large, whether it has a part of a
file or hundreds of files, as each is asked for by another thread. An archive is whole or its making raises:
the size of a file is in its header, before what is read of it.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Generator, Iterable
from contextlib import closing
from typing import Final

from dockerproto.buildcontext.entry import FileEntry
from dockerproto.buildcontext.tar_writer import BLOCK, END, tar_header
from dockerproto.errors import UploadFailed
from dockerproto_local.walk import cannot_read

PIECE: Final = 2**20
"""How much is yielded at once, in bytes."""
_LEVEL: Final = 1
"""Of gzip: the levels above are slower than most networks."""
_GZIP: Final = 16 + zlib.MAX_WBITS
"""The format of zlib with a gzip header, which has neither a name nor a time."""
_ZEROS: Final = bytes(BLOCK)
# What became a link or a pipe since it was looked at is neither followed nor waited for.
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def pack(
    root: str, entries: Iterable[FileEntry], added: Iterable[tuple[FileEntry, bytes]] = ()
) -> Generator[bytes]:
    """Return the pieces of an archive with entries of a directory.

    Args:
        root: The directory.
        entries: What of it is in the archive.
        added: What comes after that, with its contents.

    Raises:
        UploadFailed: A file cannot be read, is gone, or became shorter.
    """
    return _joined(_blocks(root, entries, added))


def compress(pieces: Generator[bytes]) -> Generator[bytes]:
    """Return pieces compressed by gzip, the same for the same."""
    return _joined(_compressed(pieces))


def _joined(blocks: Generator[bytes]) -> Generator[bytes]:
    """Yield blocks of any size as large pieces."""
    parts: list[bytes] = []
    held = 0
    with closing(blocks):
        for data in blocks:
            parts.append(data)
            held += len(data)
            if held >= PIECE:
                yield b"".join(parts)
                parts.clear()
                held = 0
    yield b"".join(parts)


def _blocks(
    root: str, entries: Iterable[FileEntry], added: Iterable[tuple[FileEntry, bytes]]
) -> Generator[bytes]:
    """Yield headers, contents, and what fills their blocks."""
    for entry in entries:
        yield tar_header(entry)
        if entry.size:
            yield from _content(f"{root}/{entry.path}", entry.size)
            yield _ZEROS[: -entry.size % BLOCK]
    for entry, data in added:
        yield tar_header(entry)
        yield data
        yield _ZEROS[: -len(data) % BLOCK]
    yield END


def _content(path: str, size: int) -> Generator[bytes]:
    """Yield so many bytes of a file; it may have got more since."""
    left = size
    try:
        file = os.open(path, _FLAGS)
        try:
            while left and (data := os.read(file, min(left, PIECE))):
                left -= len(data)
                yield data
        finally:
            os.close(file)
    except OSError as error:
        raise cannot_read(path, error) from error
    if left:
        raise UploadFailed(0, f"{path} became shorter while it was read: by {left} of {size} bytes")


def _compressed(pieces: Generator[bytes]) -> Generator[bytes]:
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    with closing(pieces):
        for piece in pieces:
            yield compressor.compress(piece)
    yield compressor.flush()
