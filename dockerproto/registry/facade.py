"""The clients of registries: the operations as methods, of both kinds of clients."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from types import TracebackType
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar

from dockerproto.operations.operation import named, with_self
from dockerproto.redacted import hides_frames
from dockerproto.registry.operations import RegistryCall, build, copy, index, manifest, resolve
from dockerproto.registry.session import RegistryClient
from dockerproto.transport.runtime import run

P = ParamSpec("P")
T = TypeVar("T")


class AnyRegistry:
    """Base class of async and blocking clients of registries."""

    def __init__(self, client: RegistryClient) -> None:
        self.client: RegistryClient = client
        """The underlying client."""


def asynchronous(
    make: Callable[P, RegistryCall[T]],
) -> Callable[Concatenate[AnyRegistry, P], Coroutine[Any, Any, T]]:
    """Return a method of async clients for a function that builds an operation."""
    hidden = hides_frames(make)

    @wraps(make)
    def method(self: AnyRegistry, /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
        try:
            call = hidden(*args, **kwargs)
        finally:
            del args, kwargs  # which may contain credentials, and tracebacks may show variables
        return named(call.run(self.client), f"Registry.{make.__name__}")

    return with_self(method)


def blocking(make: Callable[P, RegistryCall[T]]) -> Callable[Concatenate[AnyRegistry, P], T]:
    """Return a method of blocking clients for a function that builds an operation."""
    hidden = hides_frames(make)

    @wraps(make)
    def method(self: AnyRegistry, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            call = hidden(*args, **kwargs)
        finally:
            del args, kwargs  # which may contain credentials, and tracebacks may show variables
        return run(call.run(self.client))

    return with_self(method)


class AsyncRegistry(AnyRegistry):
    """Registries, for programs on an event loop; use it with ``async with``, or `close` it."""

    resolve: Final = asynchronous(resolve)
    manifest: Final = asynchronous(manifest)
    copy: Final = asynchronous(copy)
    index: Final = asynchronous(index)
    build: Final = asynchronous(build)

    async def close(self) -> None:
        """Close all connections; closing again has no effect."""
        self.client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.close()


class BlockingRegistry(AnyRegistry):
    """Registries, for blocking programs; use it with ``with``, or `close` it."""

    resolve: Final = blocking(resolve)
    manifest: Final = blocking(manifest)
    copy: Final = blocking(copy)
    index: Final = blocking(index)
    build: Final = blocking(build)

    def close(self) -> None:
        """Close all connections; closing again has no effect."""
        self.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()
