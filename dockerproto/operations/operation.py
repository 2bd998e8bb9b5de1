"""An operation as data, and its projection into methods of either kind of client.

An operation has its request, decoders for the response and, in its type, the result on each kind of
client: ``Call[T]`` is a coroutine of T on an async client and a plain T on a blocking one,
``Reported[R]`` an ``AsyncProgress[R]`` or a ``Progress[R]``, ``Streamed[T]`` an ``AsyncStream[T]`` or a
``Stream[T]``, ``Downloaded`` an ``AsyncDownload`` or a ``Download``. So every operation is written once, and
the namespaces have its exact types.
"""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import AsyncIterable, Callable, Coroutine
from functools import wraps
from os import PathLike
from typing import Any, Concatenate, Generic, ParamSpec, TypeAlias, TypeVar

from msgspec import Struct

from dockerproto.client import Client
from dockerproto.errors import DockerError, DockerStreamError
from dockerproto.messages.decoding import Decoders, decoder_for
from dockerproto.messages.models import Message
from dockerproto.messages.reduce import Reducer
from dockerproto.messages.results import MessageList
from dockerproto.operations.advice import advise
from dockerproto.operations.streams import (
    AsyncDownload,
    AsyncProgress,
    AsyncStream,
    Download,
    Progress,
    Stream,
)
from dockerproto.redacted import RedactedBytes, hides_frames
from dockerproto.request.control_call import AnyRequest, ControlCall
from dockerproto.request.request import Request
from dockerproto.transport.runtime import run

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")
Async_co = TypeVar("Async_co", covariant=True)
Blocking_co = TypeVar("Blocking_co", covariant=True)


class Operation(Struct, Generic[Async_co, Blocking_co], frozen=True):
    """A request, with the result that either kind of client returns for it."""

    @abstractmethod
    def on_async(self, client: Client, name: str = "") -> Async_co:
        """Run on an async client; warnings about the result contain the name."""
        raise NotImplementedError

    @abstractmethod
    def on_blocking(self, client: Client, name: str = "") -> Blocking_co:
        """Run on a blocking client; warnings about the result contain the name."""
        raise NotImplementedError


class Whole(Struct, Generic[T], frozen=True):
    """A request whose response is read to its end; `Call` turns the items into its result."""

    request: Request | ControlCall
    """Request to send."""
    decoders: Decoders[T]
    """Decoders of the response, by status."""

    async def rest(self, client: Client) -> list[T]:
        """Send the request, and return all items of the response."""
        credentials = client.credentials.for_call()
        work = client.begin(self.request.timeout, self.request.pace)
        response = await client.open(self.request, credentials, work)
        items: list[T] = []
        try:
            decoder = decoder_for(response.head.status, self.decoders, client.configuration.message_limit)
            convert = RedactedBytes if self.request.secret_response else bytes
            while data := convert(await response.receive()):
                items.extend(decoder.feed(data))
            items.extend(decoder.feed(b""))
        except BaseException as error:
            response.close()
            if isinstance(error, DockerError):
                advise(error, self.request, credentials)
            raise
        return items


class Reported(Operation[AsyncProgress[R], Progress[R]], frozen=True):
    """An operation that reports its progress and ends with a result."""

    request: AnyRequest
    """Request to send."""
    decoders: Decoders[Message]
    """Decoders of the response, by status."""
    make_reducer: Callable[[], Reducer[R]]
    """Factory of the reducer that turns the messages into the result; each stream has its own."""

    def on_async(self, client: Client, name: str = "") -> AsyncProgress[R]:
        """Return a stream; entering it or taking its first item sends the request."""
        return AsyncProgress(client, self.request, self.decoders, self.make_reducer(), name)

    def on_blocking(self, client: Client, name: str = "") -> Progress[R]:
        """Return a stream; entering it or taking its first item sends the request."""
        _check_blocking(self.request)
        return Progress(self.on_async(client, name))

    async def rest(self, client: Client) -> MessageList[R]:
        """Send the request, and return the messages with their result."""
        stream = self.on_async(client)
        return MessageList(await stream.rest(), stream.result)


class Reduced(Struct, Generic[R], frozen=True):
    """An operation that reports its progress, of which only the result is kept."""

    reported: Reported[R]
    """The operation."""

    @property
    def request(self) -> AnyRequest:
        """Request to send."""
        return self.reported.request

    async def rest(self, client: Client) -> R:
        """Send the request, read all messages, and return the result."""
        async with self.reported.on_async(client) as stream:
            async for _ in stream:
                pass
            return stream.result


class Streamed(Operation[AsyncStream[T], Stream[T]], frozen=True):
    """An operation whose response is a stream of items without a result."""

    request: Request | ControlCall
    """Request to send."""
    decoders: Decoders[T]
    """Decoders of the response, by status."""

    def on_async(self, client: Client, name: str = "") -> AsyncStream[T]:
        """Return a stream; entering it or taking its first item sends the request."""
        return AsyncStream(client, self.request, self.decoders, name)

    def on_blocking(self, client: Client, name: str = "") -> Stream[T]:
        """Return a stream; entering it or taking its first item sends the request."""
        return Stream(self.on_async(client, name))


class Downloaded(Operation[AsyncDownload, Download], frozen=True):
    """An operation whose response is an archive."""

    request: AnyRequest
    """Request to send."""
    decoders: Decoders[bytes]
    """Decoders of the response, by status."""

    def on_async(self, client: Client, name: str = "") -> AsyncDownload:
        """Return a download; entering or reading it sends the request."""
        return AsyncDownload(client, self.request, self.decoders, name)

    def on_blocking(self, client: Client, name: str = "") -> Download:
        """Return a download; entering or reading it sends the request."""
        return Download(self.on_async(client, name))


class Saved(Struct, frozen=True):
    """An operation that saves an archive to a file."""

    download: Downloaded
    """Download of the archive."""
    path: str | PathLike[str]
    """Path of the file."""

    @property
    def request(self) -> AnyRequest:
        """Request to send."""
        return self.download.request

    async def rest(self, client: Client) -> int:
        """Send the request, save the archive, and return its size in bytes."""
        async with self.download.on_async(client) as archive:
            return await archive.save(self.path)


class Call(Operation[Coroutine[Any, Any, T], T], frozen=True):
    """An operation that returns once the whole response is read."""

    items: Whole[Any] | Reported[Any] | Reduced[Any] | Saved
    """Request, and the items of its response, or their result."""
    finish: Callable[[Any], T]
    """Function that turns them into the result."""

    def on_async(self, client: Client, name: str = "") -> Coroutine[Any, Any, T]:
        """Return a coroutine that sends the request and reads the whole response."""
        return named(self._result(client), name)

    def on_blocking(self, client: Client, name: str = "") -> T:  # noqa: ARG002  # it runs at once
        """Send the request, and read the whole response."""
        _check_blocking(self.items.request)
        return run(self._result(client))

    async def _result(self, client: Client) -> T:
        try:
            return self.finish(await self.items.rest(client))
        except DockerStreamError as error:
            error.__traceback__ = None  # the frames of the library tell nothing about an error of the engine
            raise


ListOrStream: TypeAlias = Operation[
    Coroutine[Any, Any, MessageList[R]] | AsyncProgress[R], MessageList[R] | Progress[R]
]
"""An operation with progress whose `stream` is only known at run time."""

SizeOrDownload: TypeAlias = Operation[Coroutine[Any, Any, int] | AsyncDownload, int | Download]
"""A download for which it is only known at run time if it goes to a file."""


class AsyncNamespace:
    """A group of operations of an async client."""

    def __init__(self, client: Client, name: str = "Docker") -> None:
        self.client: Client = client
        """The underlying client."""
        self.name: str = name
        """Name of the group in warnings, such as ``images``."""

    def __repr__(self) -> str:
        return _describe(self)


class Namespace:
    """A group of operations of a blocking client."""

    def __init__(self, client: Client, name: str = "Docker") -> None:
        self.client: Client = client
        """The underlying client."""
        self.name: str = name
        """Name of the group in warnings, such as ``images``."""

    def __repr__(self) -> str:
        return _describe(self)


def asynchronous(
    build: Callable[P, Operation[Async_co, Any]],
) -> Callable[Concatenate[AsyncNamespace, P], Async_co]:
    """Return a method of async clients for a function that builds an operation."""
    hidden = hides_frames(build)

    @wraps(build)
    def method(self: AsyncNamespace, /, *args: P.args, **kwargs: P.kwargs) -> Async_co:
        try:
            operation = hidden(*args, **kwargs)
        finally:
            del args, kwargs  # which may contain credentials, and tracebacks may show variables
        return operation.on_async(self.client, f"{self.name}.{build.__name__}")

    return with_self(method)


def blocking(
    build: Callable[P, Operation[Any, Blocking_co]],
) -> Callable[Concatenate[Namespace, P], Blocking_co]:
    """Return a method of blocking clients for a function that builds an operation."""
    hidden = hides_frames(build)

    @wraps(build)
    def method(self: Namespace, /, *args: P.args, **kwargs: P.kwargs) -> Blocking_co:
        try:
            operation = hidden(*args, **kwargs)
        finally:
            del args, kwargs  # which may contain credentials, and tracebacks may show variables
        return operation.on_blocking(self.client, f"{self.name}.{build.__name__}")

    return with_self(method)


def named(coroutine: Coroutine[Any, Any, T], name: str) -> Coroutine[Any, Any, T]:
    """Return a coroutine under the name that Python prints if it is never awaited."""
    coroutine.__qualname__ = name  # type: ignore[attr-defined]  # mypy knows only the interface
    return coroutine


def _describe(namespace: AsyncNamespace | Namespace) -> str:
    client = namespace.client
    return f"<{type(namespace).__name__} of {client.kind} at {client.configuration.endpoint.address}>"


def _check_blocking(request: AnyRequest) -> None:
    if isinstance(request.body, AsyncIterable):
        raise TypeError("a blocking client cannot upload an async iterable")


def with_self(method: Callable[P, T]) -> Callable[P, T]:
    """Return the method with a signature that starts with self, for help() and Sphinx."""
    signature = inspect.signature(method)
    self = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    vars(method)["__signature__"] = signature.replace(parameters=[self, *signature.parameters.values()])
    return method
