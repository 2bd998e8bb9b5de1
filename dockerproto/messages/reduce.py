"""Folding the messages of an operation into its result, as they pass: no more is kept than that.

A fold that looks at the messages is wrapped around the decoder; so the loops that read know nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct

from dockerproto.errors import DockerStreamError, NotFinished
from dockerproto.messages.decoding import Decoder, Decoders
from dockerproto.messages.models import Message

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Reducer(Protocol[R_co]):
    """What makes a result of messages."""

    def add(self, message: Message, /) -> None:
        """Take the next message."""
        ...

    def explain(self, error: DockerStreamError, /) -> None:
        """Say on an error what the messages before it tell of it."""
        ...

    def result(self) -> R_co:
        """Return the result of the messages."""
        ...


class Collector(Generic[R]):
    """A result that is being made of the messages of one answer."""

    def __init__(self, fold: Reducer[R]) -> None:
        self._fold = fold
        self._complete = False

    def watched(self, decoders: Decoders[Message]) -> Decoders[Message]:
        """Return decoders whose messages are folded as they are handed out."""
        return {status: partial(self._watch, make) for status, make in decoders.items()}

    def result(self) -> R:
        """Return the result.

        Raises:
            NotFinished: The messages have not all been handed out.
        """
        if not self._complete:
            raise NotFinished(0, "the stream was not read to its end: there is no result")
        return self._fold.result()

    def pass_on(self, messages: Iterable[Message], *, last: bool) -> Iterable[Message]:
        """Hand out messages, and fold them; `last` says that none will follow.

        Those of a list are decoded already, and are folded at once.
        """
        if not isinstance(messages, list):
            return self._folded(messages, last=last)
        for message in messages:
            self._fold.add(message)
        return messages

    def _folded(self, messages: Iterable[Message], *, last: bool) -> Iterator[Message]:
        add = self._fold.add
        try:
            for message in messages:
                add(message)
                yield message
        except DockerStreamError as error:
            self._fold.explain(error)
            raise
        self._complete = self._complete or last

    def _watch(self, make: Callable[[int], Decoder[Message]], limit: int) -> Decoder[Message]:
        return _Watched(make(limit), self)


class _Watched(Struct, frozen=True):
    decoder: Decoder[Message]
    folding: Collector[Any]

    def feed(self, data: bytes, /) -> Iterable[Message]:
        return self.folding.pass_on(self.decoder.feed(data), last=not data)
