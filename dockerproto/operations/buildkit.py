"""The operations on BuildKit itself, each written once as data; and the two facades that run them.

The Engine API has none of them, except a prune with fewer conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from datetime import timedelta
from functools import partial
from typing import Any, Final, Literal, Protocol, TypeAlias, TypeVar, overload

from dockerproto.arguments import strings
from dockerproto.buildkit.control.messages import Empty, HistoryRequest, PruneRequest, UsageRequest
from dockerproto.buildkit.control.records import (
    NANOSECONDS,
    NewestBuilds,
    PruneTotals,
    parse_info,
    parse_pruned,
    parse_usage,
    parse_workers,
)
from dockerproto.messages.buildkit_results import (
    BuildKitVersion,
    BuildKitWorker,
    BuildRecord,
    CachePruned,
    CacheRecord,
)
from dockerproto.messages.decoding import Decoder
from dockerproto.messages.delimited import DelimitedMessages, FoldedMessages
from dockerproto.operations.operation import (
    AsyncNamespace,
    Call,
    Namespace,
    Operation,
    Streamed,
    Whole,
    asynchronous,
    blocking,
)
from dockerproto.operations.streams import AsyncStream, Stream
from dockerproto.protobuf.codec import ProtoMessage
from dockerproto.request.control_call import ControlCall
from dockerproto.timeouts import DEFAULT, TimeoutLike

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_OK: Final = 200
_LARGEST: Final = 2**63 - 1
"""Largest number in a request."""
_MOST_BUILDS: Final = 10_000
"""Limit on the builds of a history; BuildKit itself keeps 50 by default."""
_HISTORY_SINCE: Final = "Docker 24 and BuildKit 0.11"
_INFO_SINCE: Final = "Docker 23 and BuildKit 0.9"


TotalOrStream: TypeAlias = Operation[
    Coroutine[Any, Any, CachePruned] | AsyncStream[CacheRecord], CachePruned | Stream[CacheRecord]
]
"""A prune whose `stream` is only known at run time."""


class _Fold(Protocol[T_co]):
    """An accumulator that turns messages into a result."""

    def add(self, message: bytes, /) -> None: ...

    def result(self) -> T_co: ...


def workers(*, timeout: TimeoutLike = DEFAULT) -> Call[list[BuildKitWorker]]:
    """List the workers of BuildKit, with their platforms and their rules for the cache.

    Since API 1.39.

    Args:
        timeout: Limits of this call.

    Raises:
        UnsupportedEngine: The engine is Podman.
        UnsupportedVersion: The engine is older.
    """
    return _unary("ListWorkers", Empty(), parse_workers, "the workers of BuildKit", timeout)


def info(*, timeout: TimeoutLike = DEFAULT) -> Call[BuildKitVersion]:
    """Return the version of BuildKit.

    Since Docker 23; engines of Debian do not know their version, and report ``v0.0.0+unknown``.

    Args:
        timeout: Limits of this call.

    Raises:
        UnsupportedEngine: The engine is Podman, or older.
    """
    return _unary("Info", Empty(), parse_info, "the version of BuildKit", timeout, since=_INFO_SINCE)


def usage(*, filters: str | Iterable[str] = (), timeout: TimeoutLike = DEFAULT) -> Call[list[CacheRecord]]:
    """List the records of the build cache.

    Since API 1.39. The reply may have 4 MiB, some 15,000 records; filters select some of more.

    Args:
        filters: List records that any of these filters selects, such as ``type==exec.cachemount``,
            ``description~=make``, ``inuse`` and ``id==...,shared``; conditions with commas between them must
            all hold. All records by default.
        timeout: Limits of this call.

    Raises:
        BadRequest: A filter is malformed.
        ServerError: The reply is too long.
        UnsupportedEngine: The engine is Podman.
        UnsupportedVersion: The engine is older.
    """
    request = UsageRequest(strings("filters", filters))
    return _unary("DiskUsage", request, parse_usage, "the usage of the build cache", timeout)


@overload
def prune(
    *,
    keep: int | None = ...,
    older_than: timedelta | float | None = ...,
    all: bool = ...,
    filters: str | Iterable[str] = ...,
    timeout: TimeoutLike = ...,
    stream: Literal[False] = ...,
) -> Call[CachePruned]: ...
@overload
def prune(
    *,
    keep: int | None = ...,
    older_than: timedelta | float | None = ...,
    all: bool = ...,
    filters: str | Iterable[str] = ...,
    timeout: TimeoutLike = ...,
    stream: Literal[True],
) -> Streamed[CacheRecord]: ...
@overload
def prune(
    *,
    keep: int | None = ...,
    older_than: timedelta | float | None = ...,
    all: bool = ...,
    filters: str | Iterable[str] = ...,
    timeout: TimeoutLike = ...,
    stream: bool,
) -> TotalOrStream: ...
def prune(
    *,
    keep: int | None = None,
    older_than: timedelta | float | None = None,
    all: bool = False,
    filters: str | Iterable[str] = (),
    timeout: TimeoutLike = DEFAULT,
    stream: bool = False,
) -> TotalOrStream:
    """Delete records of the build cache that nothing uses, the least recently used ones first.

    Since API 1.39.

    Args:
        keep: Bytes of cache to keep; none by default.
        older_than: Delete only what was not used for so long: a timedelta, or a number of seconds.
        all: Delete internal records, and those of frontends, too.
        filters: Delete only records that any of these filters selects, see `usage`.
        timeout: Limits of this call; by default only connecting is limited.
        stream: Return a stream of the records as they are deleted; leaving it stops the prune.

    Returns:
        The number and the size of the deleted records.

    Raises:
        BadRequest: A filter is malformed.
        UnsupportedEngine: The engine is Podman.
        UnsupportedVersion: The engine is older.
        ValueError: A number is negative, or too large.
    """
    request = PruneRequest(
        filters=strings("filters", filters),
        all=all,
        keep_duration=_nanoseconds(older_than),
        reserved_space=_bytes(keep),
    )
    call = ControlCall(
        name="Prune",
        message=request,
        unary=False,
        purpose="a prune of the build cache",
        timeout=timeout,
        pace="long",
    )
    if stream:
        return Streamed(call, {_OK: lambda _: DelimitedMessages(parse_pruned)})
    return _folded(call, PruneTotals)


def history(*, limit: int = 100, timeout: TimeoutLike = DEFAULT) -> Call[list[BuildRecord]]:
    """List the newest builds, also running ones and those of other clients, the newest first.

    Since Docker 24. BuildKit forgets builds after two days, except the last 50, unless it is configured
    otherwise.

    Args:
        limit: Number of builds, at most.
        timeout: Limits of this call.

    Raises:
        UnsupportedEngine: The engine is Podman, or older.
        ValueError: `limit` is not from 1 to 10,000.
    """
    if not 1 <= _integer("limit", limit) <= _MOST_BUILDS:
        raise ValueError(f"limit must be from 1 to {_MOST_BUILDS}, not {limit}")
    call = ControlCall(
        name="ListenBuildHistory",
        message=HistoryRequest(early_exit=True, limit=limit),
        unary=False,
        purpose="the history of builds",
        since=_HISTORY_SINCE,
        timeout=timeout,
    )
    return _folded(call, partial(NewestBuilds, limit))


def _unary(
    name: str,
    message: ProtoMessage,
    parse: Callable[[bytes], T],
    purpose: str,
    timeout: TimeoutLike,
    *,
    since: str = "",
) -> Call[T]:
    """Return an operation whose result is that of one message."""
    call = ControlCall(name=name, message=message, purpose=purpose, since=since, timeout=timeout)
    return Call(Whole(call, {_OK: lambda _: DelimitedMessages(parse)}), _first)


def _folded(call: ControlCall, make_fold: Callable[[], _Fold[T]]) -> Call[T]:
    """Return an operation whose result is made of a stream of messages, which are not kept."""

    def decoder(_: int) -> Decoder[T]:
        fold = make_fold()
        return FoldedMessages(fold.add, fold.result)

    return Call(Whole(call, {_OK: decoder}), _first)


def _first(items: list[T]) -> T:
    return items[0]


def _nanoseconds(age: timedelta | float | None) -> int:
    if age is None:
        return 0
    seconds = age.total_seconds() if isinstance(age, timedelta) else age
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError(f"older_than must be a timedelta or a number of seconds, not {type(age).__name__}")
    if not 0 < seconds * NANOSECONDS <= _LARGEST:
        raise ValueError(f"older_than must be positive, and less than 292 years, not {age}")
    return int(seconds * NANOSECONDS)


def _bytes(keep: int | None) -> int:
    if keep is None:
        return 0
    if not 0 <= _integer("keep", keep) <= _LARGEST:
        raise ValueError(f"keep must be a number of bytes from 0 to 2**63 - 1, not {keep}")
    return keep


def _integer(argument: str, value: int) -> int:
    """Return an argument; raise TypeError unless it is an int."""
    if isinstance(value, bool) or not isinstance(value, int):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError(f"{argument} must be an int, not {type(value).__name__}")
    return value


class AsyncEngineBuildKit(AsyncNamespace):
    """The BuildKit of an engine, for async clients."""

    history: Final = asynchronous(history)
    info: Final = asynchronous(info)
    prune: Final = asynchronous(prune)
    usage: Final = asynchronous(usage)
    workers: Final = asynchronous(workers)


class EngineBuildKit(Namespace):
    """The BuildKit of an engine, for blocking clients."""

    history: Final = blocking(history)
    info: Final = blocking(info)
    prune: Final = blocking(prune)
    usage: Final = blocking(usage)
    workers: Final = blocking(workers)
