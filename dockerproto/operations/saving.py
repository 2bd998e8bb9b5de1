"""Save a download to a file, which gets its name only when the archive in it is complete.

The file is written in worker threads. As with uploads, a cancelled wait leaves its write to the thread, which
then removes the file.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Final

from dockerproto.errors import OutputFailed
from dockerproto.transport.host import FileWriter
from dockerproto.transport.local_work import LocalWork
from dockerproto.transport.runtime import Runtime

BATCH: Final = 4 * 2**20
"""Bytes that one call in a worker thread writes."""


class SavedFile:
    """A file that is being written.

    Args:
        path: Its path, for errors.
        create: Begins to write it.
        runtime: Runs the thread that removes an incomplete file.
        work: Work of the call.
    """

    def __init__(
        self, path: str, create: Callable[[], FileWriter], runtime: Runtime, work: LocalWork
    ) -> None:
        self._path = path
        self._create = create
        self._runtime = runtime
        self._work = work
        self._files = deque[FileWriter]()
        """The file, until it is complete or removed; whoever pops it is the only one to do so."""
        self._chunks = list[bytes]()
        self._pending = 0
        self._size = 0
        self._busy = False
        self._abandoned = False

    async def open(self) -> None:
        """Begin to write; raise OutputFailed."""
        await self._in_thread(lambda: self._files.append(self._create()))

    async def write(self, data: bytes) -> None:
        """Append data; raise OutputFailed."""
        self._chunks.append(data)
        self._pending += len(data)
        if self._pending >= BATCH:
            await self._flush()

    async def commit(self) -> int:
        """Move the complete file to its path, and return its size in bytes; raise OutputFailed."""
        await self._flush()
        await self._in_thread(self._commit)
        return self._size

    async def abandon(self) -> None:
        """Remove the file in a worker thread, even if the caller is cancelled."""
        self._abandoned = True
        await self._runtime.start(self._runtime.in_thread(self._remove_if_idle)).wait()

    async def _flush(self) -> None:
        chunks, self._chunks = self._chunks, []
        self._size += self._pending
        self._pending = 0
        await self._in_thread(partial(self._write, chunks))

    async def _in_thread(self, function: Callable[[], None]) -> None:
        await self._work.in_thread(partial(self._guard, function))

    def _guard(self, function: Callable[[], None]) -> None:
        """Call a function, then remove the file if it was abandoned meanwhile."""
        self._busy = True
        try:
            if not self._abandoned:
                function()
        except OSError as error:
            raise OutputFailed(0, f"cannot write {self._path}: {error.strerror or error}") from error
        finally:
            self._busy = False
            if self._abandoned:
                self._remove()

    def _write(self, chunks: Iterable[bytes]) -> None:
        for each in chunks:
            self._files[0].write(each)

    def _commit(self) -> None:
        self._files[0].commit()
        self._files.clear()

    def _remove_if_idle(self) -> None:
        if not self._busy:
            self._remove()

    def _remove(self) -> None:
        with suppress(IndexError, OSError):
            self._files.pop().discard()
