"""An operation as data, and its projection into methods of either kind of client.

An operation knows its request, how to read the answer and, in its type, what each kind of client
hands back: ``Call[T]`` is a coroutine of T on an async client and a plain T on a blocking one,
``Reported[R]`` an ``AsyncProgress[R]`` or a ``Progress[R]``, ``Downloaded`` an ``AsyncDownload`` or a
``Download``. So every operation is written once, and the facades have its exact types.
"""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import AsyncIterable, Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from msgspec import Struct

from dockerproto.client import Client
from dockerproto.messages.decoding import Decoders, decoder_for
from dockerproto.messages.models import Message
from dockerproto.messages.reduce import Reducer
from dockerproto.operations.streams import AsyncDownload, AsyncProgress, Download, Progress
from dockerproto.request.request import Request
from dockerproto.transport.runtime import run

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")
Async_co = TypeVar("Async_co", covariant=True)
Blocking_co = TypeVar("Blocking_co", covariant=True)


class Operation(Struct, Generic[Async_co, Blocking_co], frozen=True):
    """What to send, how to read the answer, and what a client hands back."""

    @abstractmethod
    def on_async(self, client: Client) -> Async_co:
        """Run on an async client."""
        raise NotImplementedError

    @abstractmethod
    def on_blocking(self, client: Client) -> Blocking_co:
        """Run on a blocking client."""
        raise NotImplementedError


class Whole(Struct, Generic[T], frozen=True):
    """An answer that is read to its end, of whose items a `Call` makes its result."""

    request: Request
    """What to send."""
    decoders: Decoders[T]
    """How to read the answer, by status."""

    async def rest(self, client: Client) -> list[T]:
        """Send the request, and return the items."""
        answer = await client.open(self.request)
        items: list[T] = []
        try:
            decoder = decoder_for(answer.head.status, self.decoders, client.configuration.message_limit)
            while data := await answer.receive():
                items.extend(decoder.feed(data))
            items.extend(decoder.feed(b""))
        except BaseException:
            answer.close()
            raise
        return items


class Reported(Operation[AsyncProgress[R], Progress[R]], frozen=True):
    """An operation that tells its progress, and has a result at its end."""

    request: Request
    """What to send."""
    decoders: Decoders[Message]
    """How to read the answer, by status."""
    fold: Callable[[], Reducer[R]]
    """What makes the result of its messages, made anew for each stream."""

    def on_async(self, client: Client) -> AsyncProgress[R]:
        """Return a stream that sends the request when it is entered or asked for an item."""
        return AsyncProgress(client, self.request, self.decoders, self.fold())

    def on_blocking(self, client: Client) -> Progress[R]:
        """Return a stream that sends the request when it is entered or asked for an item."""
        _check_blocking(self.request)
        return Progress(self.on_async(client))

    async def rest(self, client: Client) -> list[Message]:
        """Send the request, and return the messages."""
        return await self.on_async(client).rest()


class Downloaded(Operation[AsyncDownload, Download], frozen=True):
    """An operation that answers with an archive."""

    request: Request
    """What to send."""
    decoders: Decoders[bytes]
    """How to read the answer, by status."""

    def on_async(self, client: Client) -> AsyncDownload:
        """Return a download that sends the request when it is entered or read."""
        return AsyncDownload(client, self.request, self.decoders)

    def on_blocking(self, client: Client) -> Download:
        """Return a download that sends the request when it is entered or read."""
        return Download(self.on_async(client))


class Call(Operation[Coroutine[Any, Any, T], T], frozen=True):
    """An operation that is over when it returns."""

    items: Whole[Any] | Reported[Any]
    """The items of the answer."""
    finish: Callable[[list[Any]], T]
    """What makes the result of them."""

    async def on_async(self, client: Client) -> T:
        """Send the request and read the whole answer."""
        return self.finish(await self.items.rest(client))

    def on_blocking(self, client: Client) -> T:
        """Send the request and read the whole answer."""
        _check_blocking(self.items.request)
        return run(self.on_async(client))


class AsyncNamespace:
    """A group of operations of an async client."""

    def __init__(self, client: Client) -> None:
        self.client: Client = client
        """What they run on."""


class Namespace:
    """A group of operations of a blocking client."""

    def __init__(self, client: Client) -> None:
        self.client: Client = client
        """What they run on."""


def asynchronous(
    build: Callable[P, Operation[Async_co, Any]],
) -> Callable[Concatenate[AsyncNamespace, P], Async_co]:
    """Make a method of async clients of a function that builds an operation."""

    @wraps(build)
    def method(self: AsyncNamespace, /, *args: P.args, **kwargs: P.kwargs) -> Async_co:
        return build(*args, **kwargs).on_async(self.client)

    return _with_self(method)


def blocking(
    build: Callable[P, Operation[Any, Blocking_co]],
) -> Callable[Concatenate[Namespace, P], Blocking_co]:
    """Make a method of blocking clients of a function that builds an operation."""

    @wraps(build)
    def method(self: Namespace, /, *args: P.args, **kwargs: P.kwargs) -> Blocking_co:
        return build(*args, **kwargs).on_blocking(self.client)

    return _with_self(method)


def _check_blocking(request: Request) -> None:
    if isinstance(request.body, AsyncIterable):
        raise TypeError("an async iterable cannot be uploaded by a blocking client")


def _with_self(method: Callable[P, T]) -> Callable[P, T]:
    """Give help() and Sphinx a signature that starts with self."""
    signature = inspect.signature(method)
    self = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    vars(method)["__signature__"] = signature.replace(parameters=[self, *signature.parameters.values()])
    return method
