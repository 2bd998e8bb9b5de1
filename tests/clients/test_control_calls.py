"""Calls of the Control API on scripted engines: their ends, their errors, their limits, on three clients."""

from __future__ import annotations

from typing import Any, Final

import pytest

from dockerproto import (
    BadRequest,
    CachePruned,
    ConnectionFailed,
    DockerError,
    NotFound,
    ProtocolViolated,
    ServerError,
    TimedOut,
    Timeout,
    Unauthorized,
    UnsupportedEngine,
    UnsupportedVersion,
)
from dockerproto.buildkit.control.messages import (
    HistoryEvent,
    HistoryRecord,
    InfoResponse,
    ListWorkersResponse,
    UsageRecord,
    UsageResponse,
    VersionRecord,
    WorkerRecord,
)
from dockerproto.buildkit.rpc.handler import OK, Status
from tests.conftest import Connect
from tests.support.control_engines import KINDS, AnyEngine, engines, nothing_is_left, paths
from tests.support.controlling import Control, Controlled
from tests.support.waiting import until
from tests.testbed.scripted import Close, Reset, ScriptedEngine, json_response

pytestmark = pytest.mark.anyio

engine = pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)(engines)
RECORDS: Final = [UsageRecord(id=str(number), size=number).encode() for number in range(1, 4)]


def reply(method: str, *messages: bytes, status: Status | None = OK) -> Control:
    """Return a step that replies to a call, and leaves it open without a status."""

    def script(control: Controlled) -> None:
        control.wait(method)
        control.reply(method, *messages, status=status)

    return Control(script)


async def test_replies(engine: AnyEngine, connect: Connect) -> None:
    engine.play(
        reply("ListWorkers", ListWorkersResponse((WorkerRecord("w"),)).encode()),
        reply("Info", InfoResponse(VersionRecord("p", "v1", "r")).encode()),
        reply("DiskUsage", UsageResponse((UsageRecord("a"), UsageRecord("b"))).encode()),
        reply("Prune", *RECORDS),
        reply("ListenBuildHistory", HistoryEvent(1, HistoryRecord("b")).encode()),
    )
    async with connect(engine.url) as docker:
        assert [each.id for each in await docker.buildkit.workers()] == ["w"]
        assert (await docker.buildkit.info()).version == "v1"
        assert [each.id for each in await docker.buildkit.usage()] == ["a", "b"]
        assert await docker.buildkit.prune() == CachePruned(3, 6)
        assert [each.ref for each in await docker.buildkit.history()] == ["b"]
        await nothing_is_left(engine)


async def test_a_stream_has_records_as_they_come(engine: AnyEngine, connect: Connect) -> None:
    engine.play(reply("Prune", *RECORDS))
    async with connect(engine.url) as docker:
        async with docker.buildkit.prune(stream=True) as records:
            assert [each.id async for each in records] == ["1", "2", "3"]
        await nothing_is_left(engine)


async def test_leaving_a_stream_closes_the_connection(engine: AnyEngine, connect: Connect) -> None:
    engine.play(reply("Prune", RECORDS[0], status=None))
    async with connect(engine.url) as docker:
        async with docker.buildkit.prune(stream=True) as records:
            assert (await anext(records)).id == "1"
        await nothing_is_left(engine)


FAILURES: Final[dict[str, tuple[Status, type[DockerError], str]]] = {
    "unimplemented": (
        Status(12, "unknown method"),
        UnsupportedEngine,
        "does not support the history of builds: unknown method; Docker 24 and BuildKit 0.11 do",
    ),
    "invalid": (Status(3, "no such filter"), BadRequest, "the history of builds failed: no such filter"),
    "filter": (Status(2, "a: invalid argument"), BadRequest, "the history of builds failed: a: invalid"),
    "missing": (Status(5, "gone"), NotFound, "gone"),
    "forbidden": (Status(7, "no"), Unauthorized, "no"),
    "unauthenticated": (Status(16, "who"), Unauthorized, "who"),
    "unknown": (Status(2, "oh"), ServerError, "the history of builds failed: oh"),
    "without a message": (Status(99), ServerError, "the history of builds failed: gRPC status 99"),
}


@pytest.mark.parametrize(("status", "error", "message"), FAILURES.values(), ids=FAILURES)
async def test_a_failure(
    scripted: ScriptedEngine, connect: Connect, status: Status, error: type[DockerError], message: str
) -> None:
    scripted.script("POST", "/grpc", reply("ListenBuildHistory", status=status))
    async with connect(scripted.url) as docker:
        with pytest.raises(error) as caught:
            await docker.buildkit.history()
        assert type(caught.value) is error
        assert message in caught.value.message
        await nothing_is_left(scripted)


async def test_what_every_buildkit_has_needs_no_newer_one(scripted: ScriptedEngine, connect: Connect) -> None:
    scripted.script("POST", "/grpc", reply("ListWorkers", status=Status(12, "no such service")))
    async with connect(scripted.url) as docker:
        with pytest.raises(UnsupportedEngine, match=r"the workers of BuildKit: no such service$"):
            await docker.buildkit.workers()


async def test_a_failure_in_a_stream_has_the_records_before_it(engine: AnyEngine, connect: Connect) -> None:
    engine.play(reply("Prune", *RECORDS, status=Status(2, "the disk broke")))
    async with connect(engine.url) as docker:
        seen: list[str] = []
        with pytest.raises(ServerError, match="a prune of the build cache failed: the disk broke") as caught:
            async with docker.buildkit.prune(stream=True) as records:
                async for record in records:
                    seen.append(record.id)  # noqa: PERF401  # the stream ends with an error
        assert seen == ["1", "2", "3"]
        assert [each.id for each in caught.value.messages] == seen


BROKEN: Final[dict[str, tuple[Control, type[DockerError], str]]] = {
    "nothing": (reply("DiskUsage"), ProtocolViolated, "usage of the build cache without a reply"),
    "twice": (reply("DiskUsage", b"", b""), ProtocolViolated, "replied twice"),
    "malformed": (reply("DiskUsage", b"\x0a\xff"), ProtocolViolated, "is truncated"),
    "too long": (reply("DiskUsage", bytes(4 * 2**20 + 1)), ServerError, "over the limit"),
}


@pytest.mark.parametrize(("step", "error", "message"), BROKEN.values(), ids=BROKEN)
async def test_a_broken_reply(
    engine: AnyEngine, connect: Connect, step: Control, error: type[DockerError], message: str
) -> None:
    engine.play(step)
    async with connect(engine.url) as docker:
        with pytest.raises(error, match=message):
            await docker.buildkit.usage()
        await nothing_is_left(engine)


@pytest.mark.parametrize("end", [Close(), Reset()], ids=["closed", "reset"])
async def test_a_connection_that_ends_in_a_stream_is_an_error(
    engine: AnyEngine, connect: Connect, end: Any
) -> None:
    engine.play(reply("Prune", RECORDS[0], status=None), end=end)
    async with connect(engine.url) as docker:
        with pytest.raises(ConnectionFailed):
            await docker.buildkit.prune()
        await nothing_is_left(engine)


async def test_an_endless_reply_ends_with_the_timeout(scripted: ScriptedEngine, connect: Connect) -> None:
    def forever(control: Controlled) -> None:
        control.wait("ListenBuildHistory")
        number = 0
        while control.grpc.room(1):
            number += 1
            record = HistoryEvent(1, HistoryRecord(str(number))).encode()
            control.reply("ListenBuildHistory", *[record] * 100, status=None)
            control.flush()
            if control.wire.readable(0):
                control.feed(control.wire.some(2**16))

    scripted.script("POST", "/grpc", Control(forever))
    async with connect(scripted.url) as docker:
        with pytest.raises(TimedOut):
            await docker.buildkit.history(limit=10, timeout=Timeout(total=0.3))
        await until(lambda: scripted.connections_open <= 1)


@pytest.mark.parametrize("options", [{}, {"api_version": "1.41"}], ids=["negotiated", "chosen"])
async def test_podman_is_refused_before_anything_is_sent(
    scripted: ScriptedEngine, connect: Connect, options: dict[str, Any]
) -> None:
    headers = {"Api-Version": "1.41", "Libpod-API-Version": "5.4.0"}
    scripted.script("GET", "/_ping", json_response({}, headers=headers))
    async with connect(scripted.url, **options) as docker:
        with pytest.raises(UnsupportedEngine, match=r"Podman has no BuildKit, which a prune .* needs"):
            await docker.buildkit.prune()
    assert paths(scripted) == ["/_ping"]


async def test_an_engine_before_buildkit_is_refused(scripted: ScriptedEngine, connect: Connect) -> None:
    scripted.api_version = "1.38"
    async with connect(scripted.url) as docker:
        with pytest.raises(UnsupportedVersion, match=r"1\.39"):
            await docker.buildkit.workers()
    assert paths(scripted) == ["/_ping"]
