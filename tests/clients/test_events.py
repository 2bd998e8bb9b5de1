"""The stream of events: it ends only if the engine ends it, and leaving it closes the connection."""

from __future__ import annotations

from typing import Any

import pytest

from dockerproto import BadRequest, ConnectionFailed, DockerError, ProtocolViolated, TimedOut, Timeout
from tests.clients.test_streams import closed, line
from tests.conftest import Connect
from tests.testbed.scripted import (
    Close,
    Reset,
    ScriptedEngine,
    Step,
    UntilClosed,
    chunk,
    chunked,
    json_response,
    stream_head,
)

pytestmark = pytest.mark.anyio

EVENTS = ("GET", "/events")
TAGGED = {"Type": "image", "Action": "tag", "Actor": {"ID": "sha256:1", "Attributes": {"name": "a:1"}}}
DELETED = {**TAGGED, "Action": "delete"}


async def test_events_with_an_end(scripted: ScriptedEngine, connect: Connect) -> None:
    scripted.script(*EVENTS, chunked(line(TAGGED), line(DELETED)))
    async with connect(scripted.url) as docker:
        assert await docker.events(since=1, until=2).rest() == [TAGGED, DELETED]
        assert [event async for event in docker.events(until=2)] == [TAGGED, DELETED]
    query = scripted.requests[-1].query
    assert query == {"until": ["2.000000000"], "filters": ['{"type":["image"]}']}


async def test_leaving_an_endless_stream(scripted: ScriptedEngine, connect: Connect) -> None:
    scripted.script(*EVENTS, (stream_head(), chunk(line(TAGGED)), UntilClosed()))
    async with connect(scripted.url) as docker:
        async with docker.events() as events:
            async for event in events:
                assert event == TAGGED
                break
        await closed(scripted)


ENDS: dict[str, tuple[type[DockerError], Any]] = {
    "closed": (ConnectionFailed, [stream_head(), chunk(line(TAGGED)), Close()]),
    "reset": (ConnectionFailed, [stream_head(), chunk(line(TAGGED)), Reset()]),
    "malformed": (ProtocolViolated, [chunked(line(TAGGED), b"[1]\n")]),
    "idle": (TimedOut, [stream_head(), chunk(line(TAGGED)), UntilClosed()]),
}


@pytest.mark.parametrize(("error", "reply"), ENDS.values(), ids=ENDS)
async def test_a_stream_that_does_not_end_properly_raises(
    scripted: ScriptedEngine, connect: Connect, error: type[DockerError], reply: list[Step]
) -> None:
    scripted.script(*EVENTS, reply)
    seen: list[Any] = []
    async with connect(scripted.url) as docker:
        with pytest.raises(error):
            async for event in docker.events(timeout=Timeout(idle=0.3)):
                seen.append(event)  # noqa: PERF401  # what came before the error counts
    assert seen == [TAGGED]
    await closed(scripted)


async def test_a_rejected_request(scripted: ScriptedEngine, connect: Connect) -> None:
    scripted.script(*EVENTS, json_response({"message": "invalid filter 'colour'"}, 400))
    async with connect(scripted.url) as docker:
        with pytest.raises(BadRequest, match="colour"):
            async with docker.events(filters={"colour": "blue"}):
                pytest.fail("the engine rejects it")
