"""The messages that a call has received and its handler has not taken yet."""

from __future__ import annotations

from collections import deque
from typing import Final

_SHORT: Final = 256
"""Messages of fewer bytes are kept side by side: an object takes 33 bytes more than its message."""


class Inbox:
    """A queue of messages that takes little more memory than what came for them on the connection."""

    def __init__(self) -> None:
        self._messages = deque[bytes | bytearray]()
        """Long messages, and runs of short ones with a byte for the length before each."""

    def __bool__(self) -> bool:
        return bool(self._messages)

    def append(self, message: bytes) -> None:
        """Add a message."""
        if len(message) >= _SHORT:
            self._messages.append(message)
            return
        run = self._messages[-1] if self._messages else None
        if not isinstance(run, bytearray):
            run = bytearray()
            self._messages.append(run)
        run.append(len(message))
        run += message

    def pop(self) -> bytes:
        """Remove the oldest message, and return it."""
        first = self._messages[0]
        if isinstance(first, bytes):
            self._messages.popleft()
            return first
        end = 1 + first[0]
        message = bytes(first[1:end])
        del first[:end]
        if not first:
            self._messages.popleft()
        return message

    def clear(self) -> None:
        """Remove all messages."""
        self._messages.clear()
