"""Feeding decoders: whole, byte by byte and at any cuts; and recorded answers taken apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import h11
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from dockerproto.errors import DockerError, DockerStreamError
from dockerproto.messages.decoding import Decoder
from tests.testbed.recordings import ENGINES, recordings_of

VECTORS = Path(__file__).parents[1] / "vectors"

any_cuts = settings(deadline=None, max_examples=40)
"""For tests that cut one body many times."""


class Failure(NamedTuple):
    """The facts that an exception carries."""

    type: type[DockerError]
    status: int
    message: str
    detail: dict[str, Any] | None = None


class Outcome(NamedTuple):
    """Outcome of a body."""

    items: list[Any]
    failure: Failure | None = None


class Recorded(NamedTuple):
    """An answer of an engine without its framing."""

    status: int
    headers: dict[str, str]
    body: bytes


def failure(error: DockerError) -> Failure:
    """Describe an exception, so that two can be compared."""
    detail = error.error_detail if isinstance(error, DockerStreamError) else None
    return Failure(type(error), error.status, error.message, detail)


def feed(decoder: Decoder[Any], pieces: Iterable[bytes]) -> Outcome:
    """Feed pieces and the end, and keep what comes before a failure."""
    items: list[Any] = []
    try:
        for piece in (*pieces, b""):
            for item in decoder.feed(piece):
                items.append(item)  # noqa: PERF402  # those before an exception are wanted too
    except DockerError as error:
        return Outcome(items, failure(error))
    return Outcome(items)


def bytewise(data: bytes) -> list[bytes]:
    """Cut after every byte."""
    return [data[at : at + 1] for at in range(len(data))]


def in_pieces(data: bytes, size: int) -> list[bytes]:
    """Cut into pieces of a size."""
    return cut_at(data, range(size, len(data), size))


def cut_at(data: bytes, places: Iterable[int]) -> list[bytes]:
    """Cut at some places; no piece is empty, as that is the end."""
    borders = sorted({0, len(data), *(place for place in places if place < len(data))})
    return [data[start:end] for start, end in pairwise(borders)]


def cuts(data: bytes) -> st.SearchStrategy[list[bytes]]:
    """Make pieces of a body, however it may be cut."""
    places = st.sets(st.integers(min_value=0, max_value=len(data)), max_size=8)
    return places.map(lambda chosen: cut_at(data, chosen))


def assert_outcome(make: Callable[[], Decoder[Any]], data: bytes, expected: Outcome) -> None:
    """Check the outcome of a body that is fed whole, byte by byte, and cut once at every place."""
    assert feed(make(), cut_at(data, ())) == expected
    assert feed(make(), bytewise(data)) == expected
    for place in range(1, min(len(data), 200)):
        assert feed(make(), cut_at(data, (place,))) == expected


def recorded(engine: str, operation: str) -> Recorded:
    """Take a recorded answer apart."""
    events = list(_events(recordings_of(engine)[operation].response))
    head = next(event for event in events if isinstance(event, h11.Response))
    headers = {name.decode(): value.decode() for name, value in head.headers}
    body = b"".join(bytes(event.data) for event in events if isinstance(event, h11.Data))
    return Recorded(head.status_code, headers, body)


def recordings(operation: str) -> list[Any]:
    """Return a parameter for every engine of which there is a recording."""
    there = [engine for engine in ENGINES if operation in recordings_of(engine)]
    assert there, operation
    return [pytest.param(engine, operation, id=f"{operation}-{engine}") for engine in there]


def _events(data: bytes) -> Iterator[object]:
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "docker")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    event: object = None
    while not isinstance(event, h11.EndOfMessage):
        event = connection.next_event()
        assert event is not h11.NEED_DATA, "a recording that is cut"
        yield event
