"""Files that are uploaded: the system sends their bytes from where it has them.

Measured on 1 GiB over a unix socket, that takes 0.04 CPU seconds; to read it into a buffer of 4 MiB and send
that takes 0.42.
"""

from __future__ import annotations

import errno
import mmap
import os
import socket
import stat
from collections.abc import Generator
from contextlib import suppress
from io import FileIO
from typing import Final

from dockerproto.errors import UploadFailed
from dockerproto.transport.chunks import FileRange

_NOT_THIS_WAY: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.EIO})
"""What the system says of a file that it cannot send by itself, or not read, as is then told."""
WINDOW: Final = 8 * 2**20
"""How much of a file one call of a worker thread loads, in bytes."""
_MADV_POPULATE_READ: Final = 22  # of Linux from 5.14 on; the mmap module has no name for it


class LocalFile(FileIO):
    """A file that is open for reading, unbuffered, as it is read in large pieces."""

    def parts(self) -> Generator[FileRange]:
        """Yield the parts of a regular file, each once the disk has been read, and go to where they end.

        Of anything else there are none. A file may have more to be read after them: it may grow, and
        those of ``/proc`` do not tell their size.
        """
        file, at = self.fileno(), 0
        if stat.S_ISREG(os.fstat(file).st_mode):
            while (size := min(os.fstat(file).st_size - at, WINDOW)) > 0:
                _load(file, at, size)
                yield FileRange(file, at, size)
                at += size
            self.seek(at)


def _load(file: int, offset: int, size: int) -> None:
    """Have the system get a part from the disk; one that cannot be told to does it when the part is sent."""
    with suppress(OSError, ValueError), mmap.mmap(file, size, prot=mmap.PROT_READ, offset=offset) as mapped:
        mapped.madvise(_MADV_POPULATE_READ)


def send_part(connection: socket.socket, part: FileRange) -> FileRange | memoryview:
    """Send what a socket takes of a part of a file, and return what is left of it; raise OSError.

    Raises:
        UploadFailed: The file became shorter, or cannot be read.
    """
    try:
        sent = os.sendfile(connection.fileno(), part.file, part.offset, part.size)
    except OSError as error:
        if error.errno not in _NOT_THIS_WAY:
            raise
        return memoryview(read_part(part))
    if not sent:
        raise _shorter(part.size)
    return part[sent:]


def read_part(part: FileRange) -> bytes:
    """Return the bytes of a part.

    Raises:
        UploadFailed: The file became shorter, or cannot be read.
    """
    try:
        data = os.pread(part.file, part.size, part.offset)
    except OSError as error:
        raise UploadFailed(0, f"cannot read what is to be uploaded: {error}") from error
    if len(data) < part.size:
        raise _shorter(part.size - len(data))
    return data


def _shorter(missing: int) -> UploadFailed:
    return UploadFailed(0, f"a file became shorter while it was uploaded: {missing} bytes are missing")
