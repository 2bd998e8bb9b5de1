"""Operations on the engine as a whole: their requests by version, and what is rejected before one is sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from dockerproto.images.local import build_cache
from dockerproto.operations.disk_usage import disk_usage
from dockerproto.operations.events import events
from dockerproto.operations.system import info
from dockerproto.request.request import Request
from dockerproto.versions import NEWEST, Version

PODMAN = Version(5, 4)


def query(request: object, version: Version = NEWEST, podman: Version | None = None) -> dict[str, list[str]]:
    """Return the query that a request has in a version."""
    assert isinstance(request, Request)
    return parse_qs(urlsplit(request.target(version, podman=podman)).query)


@pytest.mark.parametrize(
    ("version", "podman", "expected"),
    [
        (Version(1, 55), None, {"type": ["image", "build-cache"], "verbose": ["1"]}),
        (Version(1, 52), None, {"type": ["image", "build-cache"], "verbose": ["1"]}),
        (Version(1, 51), None, {"type": ["image", "build-cache"]}),
        (Version(1, 42), None, {"type": ["image", "build-cache"]}),
        (Version(1, 41), None, {}),
        (Version(1, 44), PODMAN, {}),
    ],
    ids=str,
)
def test_types_of_disk_usage(
    version: Version, podman: Version | None, expected: dict[str, list[str]]
) -> None:
    request = disk_usage(["build-cache", "image"]).items.request
    assert query(request, version, podman) == expected


def test_disk_usage() -> None:
    request = disk_usage(timeout=5).items.request
    assert isinstance(request, Request)
    assert request.target(Version(1, 51)) == "/v1.51/system/df"
    assert (request.pace, request.timeout) == ("long", 5)
    assert query(disk_usage("volume").items.request) == {"type": ["volume"], "verbose": ["1"]}
    assert query(build_cache().items.request) == {"type": ["build-cache"], "verbose": ["1"]}


def test_info() -> None:
    request = info(timeout=5).items.request
    assert isinstance(request, Request)
    assert (request.target(NEWEST), request.pace, request.timeout) == ("/v1.55/info", "reading", 5)


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (0, "0.000000000"),
        (1.5, "1.500000000"),
        (datetime(1970, 1, 1, 0, 0, 1, 25, tzinfo=UTC), "1.000025000"),
        (datetime(2026, 11, 30, 1, tzinfo=timezone(timedelta(hours=1))), "1795996800.000000000"),
    ],
    ids=str,
)
def test_times_of_events(time: Any, expected: str) -> None:
    sent = query(events(since=time, until=time).request)
    assert (sent["since"], sent["until"]) == ([expected], [expected])


def test_filters_of_events() -> None:
    request = events(filters={"event": ["pull", "tag"], "label": "a=b"}, timeout=5).request
    sent = json.loads(query(request)["filters"][0])
    assert sent == {"type": ["image"], "event": ["pull", "tag"], "label": ["a=b"]}
    assert (request.method, request.path, request.pace, request.timeout) == ("GET", "/events", "long", 5)
    assert [*query(events().request)] == ["filters"]


WRONG: dict[str, tuple[Callable[[], object], type[Exception], str]] = {
    "type": (lambda: disk_usage("image,volume"), ValueError, "not 'image,volume'"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    "no types": (lambda: disk_usage([]), ValueError, "^types must name at least one type$"),
    "types": (lambda: disk_usage(5), TypeError, "types must be a str"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    "naive": (lambda: events(since=datetime(2026, 1, 1)), ValueError, "^since must be a datetime with a"),  # noqa: DTZ001  # the point
    "text": (lambda: events(until="10m"), TypeError, "^until must be a datetime or seconds"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    "bool": (lambda: events(until=True), TypeError, "^until must be a datetime or seconds"),
    "type of events": (lambda: events(filters={"type": "volume"}), ValueError, "must not contain 'type'"),
}


@pytest.mark.parametrize(("call", "error", "message"), WRONG.values(), ids=WRONG)
def test_wrong_arguments(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
