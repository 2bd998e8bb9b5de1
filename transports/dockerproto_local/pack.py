"""Make archives of directories while they are sent.

The bytes depend on the entries and the contents only. A chunk is large, whether it is part of one file or
hundreds of files, as each one costs a switch to a worker thread. An archive is either complete or raises: the
size of a file stands in its header, before its content is read.
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
from dockerproto_local.beneath import Beneath
from dockerproto_local.walk import cannot_read

CHUNK_SIZE: Final = 2**20
"""Approximate size of a chunk in bytes."""
_GZIP_LEVEL: Final = 1
"""Level of gzip: higher ones are slower than most networks."""
_GZIP_WBITS: Final = 16 + zlib.MAX_WBITS
"""The zlib format with a gzip header, without a name and a time."""
_ZEROS: Final = bytes(BLOCK)


def pack(
    root: str, entries: Iterable[FileEntry], generated: Iterable[tuple[FileEntry, bytes]] = ()
) -> Generator[bytes]:
    """Return the chunks of an archive of a directory's entries.

    Args:
        root: The directory.
        entries: Entries of the directory that are archived.
        generated: Further files after these, with their contents.

    Raises:
        UploadFailed: A file cannot be read, has vanished, or became shorter.
    """
    return _join(_archive_bytes(root, entries, generated))


def compress(chunks: Generator[bytes]) -> Generator[bytes]:
    """Return the chunks compressed by gzip; equal input gives equal output."""
    return _join(_gzip(chunks))


def _join(blocks: Generator[bytes]) -> Generator[bytes]:
    """Join blocks of any size into large chunks."""
    held: list[bytes] = []
    held_bytes = 0
    with closing(blocks):
        for data in blocks:
            held.append(data)
            held_bytes += len(data)
            if held_bytes >= CHUNK_SIZE:
                yield b"".join(held)
                held.clear()
                held_bytes = 0
    yield b"".join(held)


def _archive_bytes(
    root: str, entries: Iterable[FileEntry], generated: Iterable[tuple[FileEntry, bytes]]
) -> Generator[bytes]:
    """Yield headers, contents and padding."""
    with Beneath(root) as tree:
        for entry in entries:
            yield tar_header(entry)
            if entry.size:
                yield from _file_content(tree, root, entry)
                yield _ZEROS[: -entry.size % BLOCK]
    for entry, data in generated:
        yield tar_header(entry)
        yield data
        yield _ZEROS[: -len(data) % BLOCK]
    yield END


def _file_content(tree: Beneath, root: str, entry: FileEntry) -> Generator[bytes]:
    """Yield the content of a file up to the size in its header, as it may have grown since that was made."""
    remaining = entry.size
    try:
        file = tree.open_file(entry.path)
        try:
            while remaining and (data := os.read(file, min(remaining, CHUNK_SIZE))):
                remaining -= len(data)
                yield data
        finally:
            os.close(file)
    except OSError as error:
        raise cannot_read(f"{root}/{entry.path}", error) from error
    if remaining:
        shortage = f"by {remaining} of {entry.size} bytes"
        raise UploadFailed(0, f"{root}/{entry.path} became shorter while it was read: {shortage}")


def _gzip(chunks: Generator[bytes]) -> Generator[bytes]:
    compressor = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WBITS)
    with closing(chunks):
        for chunk in chunks:
            yield compressor.compress(chunk)
    yield compressor.flush()
