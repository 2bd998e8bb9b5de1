"""Read small files whole, with limits of their size and of the time that they take.

Behind the name of a file may be a pipe that nobody writes, a device without an end, or a sparse file of a
terabyte. So files are opened without waiting, and what must be a regular file is checked once it is open.
Only a secret or Dockerfile that the program itself names may be a pipe, such as a shell's ``<(command)``.
"""

from __future__ import annotations

import errno
import math
import os
import select
import stat
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from dockerproto.transport.host import TimeLeft

FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
"""Flags for a file of any kind: no wait for the writer of a pipe, and no terminal takes control."""
READ_LIMIT: Final = 4 * 2**20
"""Limit on config.json, a Docker context's meta.json, a TLS file, a Dockerfile and an ignore file, in bytes,
as they are read into memory; real ones have kilobytes."""
PIPE_SECONDS: Final = 60.0
"""Limit on the time until a pipe ends, in seconds, as a thread waits for it; the same as for helpers."""
_DESCRIPTORS: Final = "/dev/fd"
"""Directory in which the open files of a process have names."""
_CHUNK: Final = 64 * 2**10
_NOT_REGULAR: Final = "Not a regular file"


def check_regular(descriptor: int, path: str) -> int:
    """Return the descriptor of a regular file; close any other, and raise OSError."""
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    raise OSError(errno.EINVAL, _NOT_REGULAR, path)


def regular_mode(path: str | os.PathLike[str]) -> int | None:
    """Return the mode of a regular file that is to be replaced, None if nothing is there. Raises OSError."""
    try:
        mode = Path(path).stat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, _NOT_REGULAR, os.fspath(path))
    return mode


def check_size(size: int, path: str) -> None:
    """Raise OSError if a file is larger than `READ_LIMIT`."""
    if size > READ_LIMIT:
        raise OSError(errno.EFBIG, f"Larger than {READ_LIMIT} bytes", path)


def read_open(descriptor: int, path: str) -> bytes:
    """Return the content of an open regular file, and close it.

    Raises:
        OSError: It cannot be read, is of another kind, or is larger than `READ_LIMIT`.
    """
    content = _read(check_regular(descriptor, path), path, READ_LIMIT + 1, PIPE_SECONDS)
    check_size(len(content), path)
    return content


def read_regular(path: str) -> bytes:
    """Return the content of a regular file, or of a symlink to one; the null device is empty.

    Raises:
        OSError: It cannot be read, is of another kind, or is larger than `READ_LIMIT`.
    """
    try:
        return read_open(os.open(path, FLAGS), path)
    except OSError:
        if _is_null_device(path):
            return b""
        raise


@contextmanager
def regular_path(path: str) -> Generator[str]:
    """Yield a path of a regular file for a library that opens it by itself, valid until the context is left.

    It leads to the file that was checked, even if another one gets its name meanwhile. What is not prevented:
    the file grows.

    Raises:
        OSError: It cannot be opened, is of another kind, or is larger than `READ_LIMIT`.
    """
    descriptor = check_regular(os.open(path, FLAGS), path)
    try:
        check_size(os.fstat(descriptor).st_size, path)
        fixed = f"{_DESCRIPTORS}/{descriptor}"
        yield fixed if os.path.exists(fixed) else path  # noqa: PTH110  # there may be neither /dev nor /proc
    finally:
        os.close(descriptor)


def pipe_seconds(time_left: TimeLeft) -> float:
    """Return the limit for a pipe that a call reads, in seconds: the rest of its time may be less."""
    left = time_left()
    return PIPE_SECONDS if left is None else min(left, PIPE_SECONDS)


def read_any(path: str, size: int, seconds: float = PIPE_SECONDS) -> bytes:
    """Return at most `size` bytes of a file of any kind.

    Raises:
        OSError: It cannot be read, or takes longer than `seconds`.
    """
    return _read(os.open(path, FLAGS), path, size, seconds)


def _read(descriptor: int, path: str, size: int, seconds: float) -> bytes:
    """Return at most `size` bytes of an open file, and close it."""
    try:
        return _read_to_end(descriptor, size, seconds)
    except OSError as error:
        error.filename = path
        raise
    finally:
        os.close(descriptor)


def _read_to_end(descriptor: int, size: int, seconds: float) -> bytes:
    deadline = time.monotonic() + seconds
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    content = bytearray()
    while len(content) < size:
        # Without the wait, a pipe that has no writer yet would look like one that has ended.
        if not poll.poll(math.ceil(max(0, deadline - time.monotonic()) * 1000)):
            raise OSError(errno.ETIME, f"No end within {seconds:g} s")
        with suppress(BlockingIOError):  # another reader was faster
            data = os.read(descriptor, min(_CHUNK, size - len(content)))
            if not data:
                break
            content += data
    return bytes(content)


def _is_null_device(path: str) -> bool:
    """Return True for the null device, which people link to or mount over a file so that it is not used."""
    with suppress(OSError):
        status = Path(path).stat()
        return stat.S_ISCHR(status.st_mode) and status.st_rdev == Path(os.devnull).stat().st_rdev
    return False
