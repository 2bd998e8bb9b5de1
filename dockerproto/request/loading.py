"""The load of an image into an engine while it is being built elsewhere, as a build sees it."""

from __future__ import annotations

from collections.abc import AsyncIterable
from types import TracebackType
from typing import Protocol, Self

from dockerproto.messages.models import Message
from dockerproto.transport.transport import Transport


class LoadMessages(Protocol):
    """The messages of a load as they arrive; entering the ``async with`` sends the archive."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None: ...

    def __aiter__(self) -> Self: ...

    async def __anext__(self) -> Message: ...

    def abort(self) -> None:
        """Close the connection without waiting for anything."""


class ImageLoader(Protocol):
    """An engine to load an image into."""

    @property
    def transport(self) -> Transport:
        """Transport of its client."""
        ...

    def load(self, archive: AsyncIterable[bytes], /) -> LoadMessages:
        """Return the load of an archive."""
        ...
