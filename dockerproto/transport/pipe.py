"""A pipe of bytes between two tasks, or two threads: one writes, and waits while the other has not read."""

from __future__ import annotations

from collections import deque
from typing import Self

from dockerproto.transport.runtime import Runtime


class BytePipe:
    """A pipe, which is an async iterator of the chunks as they were written.

    Args:
        runtime: Runtime of both tasks.
        limit: Bytes in the pipe from which on a write waits.
    """

    def __init__(self, runtime: Runtime, limit: int) -> None:
        self._limit = limit
        self._mutex = runtime.mutex()
        self._written = runtime.signal()
        self._read = runtime.signal()
        self._chunks = deque[bytes]()
        self._size = 0
        self._finished = False
        self.failure: Exception | None = None
        """Error with which the pipe was broken."""

    async def write(self, data: bytes) -> None:
        """Write a chunk, once there is room for it; raise the error of a broken pipe."""
        while self._size >= self._limit and self.failure is None:
            await self._read.wait(None)
        self._check()
        with self._mutex:
            self._chunks.append(data)
            self._size += len(data)
        self._written.set()

    def finish(self) -> None:
        """Let the reader find the end after the chunks that were written."""
        self._finished = True
        self._written.set()

    def fail(self, failure: Exception) -> None:
        """Break the pipe, so that both sides raise this error; an earlier one stays."""
        self.failure = self.failure or failure
        self._written.set()
        self._read.set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Return the next chunk; raise the error of a broken pipe."""
        while not self._chunks and not self._finished and self.failure is None:
            await self._written.wait(None)
        self._check()
        if not self._chunks:
            raise StopAsyncIteration
        with self._mutex:
            data = self._chunks.popleft()
            self._size -= len(data)
        self._read.set()
        return data

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure
