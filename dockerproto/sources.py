"""Sources of upload data."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable
from typing import Protocol, TypeAlias, cast


class Readable(Protocol):
    """A blocking file object that reads bytes."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; empty at the end of the file."""
        ...


Source: TypeAlias = bytes | bytearray | memoryview | str | os.PathLike[str] | Readable | Iterable[bytes]
"""Data to upload: bytes, the path of a file, a blocking file object, or an iterable of bytes."""


AsyncSource: TypeAlias = Source | AsyncIterable[bytes]
"""A `Source` or, on async clients only, an async iterable of bytes."""


async def close_generator(chunks: AsyncIterator[bytes]) -> None:
    """Close an async generator of chunks; any other iterator needs no closing."""
    iterator: object = chunks
    if isinstance(iterator, AsyncGenerator):
        await cast("AsyncGenerator[bytes]", iterator).aclose()  # isinstance() cannot tell the item type


def check_source(argument: str, value: AsyncSource, hint: str = "") -> AsyncSource:
    """Return a source of upload data; raise TypeError if it is not one, or, with a hint, if it reads text."""
    kinds = (bytes, bytearray, memoryview, str, os.PathLike, Iterable, AsyncIterable)
    is_file = hasattr(value, "read")
    if is_file and hasattr(value, "encoding"):
        raise TypeError(
            f"{argument} must read bytes, not text: open the file in mode 'rb', or use BytesIO{hint}"
        )
    if not isinstance(value, kinds) and not is_file:
        raise TypeError(
            f"{argument} must be bytes, a path, a file or an iterable, not {type(value).__name__}"
        )
    return value
