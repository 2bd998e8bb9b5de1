"""The disk usage of an engine."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from msgspec.structs import replace

from dockerproto.arguments import strings
from dockerproto.messages.disk_usage import (
    USAGE_TYPES,
    DiskUsage,
    UsageType,
    disk_usage_of,
)
from dockerproto.operations.operation import Call
from dockerproto.operations.replies import converted
from dockerproto.request.parameters import flag, texts
from dockerproto.request.request import Request
from dockerproto.timeouts import DEFAULT, TimeoutLike
from dockerproto.versions import Version


def disk_usage(
    types: UsageType | Iterable[UsageType] | None = None, *, timeout: TimeoutLike = DEFAULT
) -> Call[DiskUsage]:
    """Return how much space images, the build cache, containers and volumes occupy.

    Args:
        types: Types to compute: ``image``, ``build-cache``, ``container``, ``volume``; all by default. Before
            API 1.42, and on Podman, the engine computes all of them, which takes longer.
        timeout: Limits of this call; unlimited by default, as the engine reads the whole disk.

    Raises:
        ServerError: Another disk usage operation is running, on Docker before 23.
        ValueError: A type is unknown.

    Since API 1.25.
    Documented at https://docs.docker.com/reference/api/engine/#tag/System/operation/SystemDataUsage.
    """
    chosen = USAGE_TYPES if types is None else _read_types(types)
    return converted(usage_request(chosen, timeout), partial(disk_usage_of, chosen))


def usage_request(types: tuple[UsageType, ...], timeout: TimeoutLike) -> Request:
    """Return the request; what an older version or Podman ignores saves work, and changes no result."""
    names = () if types == USAGE_TYPES else types
    query = (
        replace(texts("type", names, since=Version(1, 42)), optional=True, for_podman=()),
        replace(flag("verbose", True, since=Version(1, 52)), optional=True),
    )
    return Request(
        method="GET", path="/system/df", query=query, since=Version(1, 25), timeout=timeout, pace="long"
    )


def _read_types(types: UsageType | Iterable[UsageType]) -> tuple[UsageType, ...]:
    given = strings("types", types)
    if unknown := [each for each in given if each not in USAGE_TYPES]:
        raise ValueError(f"types must be some of {', '.join(USAGE_TYPES)}, not {unknown[0]!r}")
    if not given:
        raise ValueError("types must name at least one type")
    return tuple(each for each in USAGE_TYPES if each in given)
