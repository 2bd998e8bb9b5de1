"""Decoders of bodies that are messages of protobuf, each with its length before it: four bytes, big-endian.

In this form, the replies of BuildKit's Control API take the way of every other response.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, Generic, TypeVar

from dockerproto.errors import ProtocolViolated

T = TypeVar("T")

_PREFIX: Final = 4


class DelimitedMessages(Generic[T]):
    """A body of messages.

    Args:
        parse: Function that returns the item that a message contains.
    """

    def __init__(self, parse: Callable[[bytes], T]) -> None:
        self._parse = parse
        self._rest = bytearray()

    def feed(self, data: bytes, /) -> Iterable[T]:
        """Return the items that are complete.

        Raises:
            ProtocolViolated: A message is malformed, or incomplete at the end.
        """
        self._rest += data
        if not data and self._rest:
            raise ProtocolViolated(0, "the reply of BuildKit ends in the middle of a message")
        return map(self._parse, self._messages())

    def _messages(self) -> Iterator[bytes]:
        rest = self._rest
        while len(rest) >= _PREFIX:
            end = _PREFIX + int.from_bytes(rest[:_PREFIX], "big")
            if len(rest) < end:
                return
            message = bytes(rest[_PREFIX:end])
            del rest[:end]
            yield message


class FoldedMessages(Generic[T]):
    """A body of messages that make one item, at its end.

    Args:
        add: Function that takes the next message.
        result: Function that returns the item.
    """

    def __init__(self, add: Callable[[bytes], None], result: Callable[[], T]) -> None:
        self._messages = DelimitedMessages(add)
        self._result = result

    def feed(self, data: bytes, /) -> Iterable[T]:
        """Return the item at the end; raise as `DelimitedMessages.feed`."""
        for _ in self._messages.feed(data):
            pass
        return () if data else (self._result(),)


def delimited(messages: Iterable[bytes]) -> bytes:
    """Return messages as a body has them."""
    return b"".join(len(each).to_bytes(_PREFIX, "big") + each for each in messages)
