"""The forms in which a program may give what is uploaded."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Iterable
from typing import Protocol, TypeAlias


class Readable(Protocol):
    """A blocking file object, open for reading bytes."""

    def read(self, size: int, /) -> bytes:
        """Return some bytes, none at the end."""
        ...


Source: TypeAlias = bytes | bytearray | memoryview | str | os.PathLike[str] | Readable | Iterable[bytes]
"""Data to upload: bytes, the path of a file, a blocking file object, or an iterable of bytes."""


AsyncSource: TypeAlias = Source | AsyncIterable[bytes]
"""A `Source`, or an async iterable of bytes; the latter on async clients only."""


def uploadable(argument: str, value: AsyncSource) -> AsyncSource:
    """Return what is to be uploaded; raise TypeError for what is no source of bytes."""
    kinds = (bytes, bytearray, memoryview, str, os.PathLike, Iterable, AsyncIterable)
    if not isinstance(value, kinds) and not hasattr(value, "read"):
        raise TypeError(f"{argument} is bytes, a path, a file or an iterable, not {type(value).__name__}")
    return value
