"""One face for three clients: tests are written once, with async and await, for all of them.

The blocking client is called in a worker thread, and its results can be awaited.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import isroutine
from typing import Any, Final, Literal, TypeAlias

import anyio.to_thread

import dockerproto_asyncio
import dockerproto_httpx
import dockerproto_trio
from dockerproto import Download, Stream

Transport: TypeAlias = Literal["asyncio", "trio", "httpx"]

_PACKAGES: Final = {
    "asyncio": dockerproto_asyncio,
    "trio": dockerproto_trio,
    "httpx": dockerproto_httpx,
}


def client(transport: Transport, url: str | None = None, **options: Any) -> Any:
    """Return a client of an engine, with an async face."""
    return _faced_client(transport, "Docker", url, options)


def daemon_client(transport: Transport, address: str | None = None, **options: Any) -> Any:
    """Return a client of a BuildKit daemon, with an async face."""
    return _faced_client(transport, "BuildKit", address, options)


def _faced_client(transport: Transport, name: str, address: str | None, options: dict[str, Any]) -> Any:
    made = getattr(_PACKAGES[transport], name)(address, **options)
    return Facade(made) if transport == "httpx" else made


_STREAMS = ("export_image", "events")
"""Methods that return a stream; an export to a file does not."""


class Facade:
    """A blocking object whose methods can be awaited."""

    def __init__(self, blocking: Any) -> None:
        self.blocking = blocking

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.blocking, name)
        if name in ("images", "buildkit"):
            return Facade(value)
        return self._method(value) if isroutine(value) else value

    def _method(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if kwargs.get("stream") is True or (method.__name__ in _STREAMS and "to" not in kwargs):
                return _faced(method(*args, **kwargs))
            return _in_thread(method, *args, **kwargs)

        return call

    async def __aenter__(self) -> Facade:
        await _in_thread(self.blocking.__enter__)
        return self

    async def __aexit__(self, *exception: object) -> None:
        await _in_thread(self.blocking.__exit__, *exception)

    def __aiter__(self) -> Facade:
        return self

    async def __anext__(self) -> Any:
        item = await _in_thread(next, self.blocking, _END)
        if item is _END:
            raise StopAsyncIteration
        return item


_END = object()


async def _in_thread(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return await anyio.to_thread.run_sync(partial(function, *args, **kwargs))


def _faced(result: Any) -> Any:
    return Facade(result) if isinstance(result, Stream | Download) else result
