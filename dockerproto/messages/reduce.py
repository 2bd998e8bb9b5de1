"""Reduce the messages of an operation to its result while they are read, without keeping them.

A `Collector` wraps the decoders of an operation, so the loops that read a response do not know of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct

from dockerproto.errors import DockerError, NotFinished
from dockerproto.messages.decoding import Decoder, Decoders
from dockerproto.messages.models import Message

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Reducer(Protocol[R_co]):
    """An accumulator that turns messages into a result."""

    def add(self, message: Message, /) -> None:
        """Take the next message."""
        ...

    def explain(self, error: DockerError, /) -> None:
        """Add to an error what the messages before it say about it."""
        ...

    def result(self) -> R_co:
        """Return the result of the messages."""
        ...


class Collector(Generic[R]):
    """The result of one or several responses, complete when all messages of the last one have been read."""

    def __init__(self, reducer: Reducer[R]) -> None:
        self._reducer = reducer
        self._complete = False

    def wrap(self, decoders: Decoders[Message]) -> Decoders[Message]:
        """Return decoders that also pass each message to the reducer."""
        return {status: partial(self._wrap, make_decoder) for status, make_decoder in decoders.items()}

    def result(self) -> R:
        """Return the result.

        Raises:
            NotFinished: Some messages have not been read.
        """
        if not self._complete:
            raise NotFinished(0, "the stream was not read to its end, so it has no result")
        return self._reducer.result()

    def explain(self, error: DockerError) -> None:
        """Add to an error what the messages before it say about it."""
        self._reducer.explain(error)

    def collect(self, messages: Iterable[Message], *, last: bool) -> Iterable[Message]:
        """Return the messages, and pass each of them to the reducer; `last` means that none will follow.

        A list is decoded already, so its messages are passed at once.
        """
        if not isinstance(messages, list):
            return self._collect_lazily(messages, last=last)
        for message in messages:
            self._reducer.add(message)
        return messages

    def _collect_lazily(self, messages: Iterable[Message], *, last: bool) -> Iterator[Message]:
        add = self._reducer.add
        for message in messages:
            add(message)
            yield message
        self._complete = self._complete or last

    def _wrap(self, make_decoder: Callable[[int], Decoder[Message]], limit: int) -> Decoder[Message]:
        self._complete = False
        return _CollectingDecoder(make_decoder(limit), self)


class _CollectingDecoder(Struct, frozen=True):
    decoder: Decoder[Message]
    collector: Collector[Any]

    def feed(self, data: bytes, /) -> Iterable[Message]:
        return self.collector.collect(self.decoder.feed(data), last=not data)
