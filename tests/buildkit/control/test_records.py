"""The replies about BuildKit itself as results: every field, what is missing, what is hostile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dockerproto import (
    BuildKitVersion,
    BuildKitWorker,
    BuildRecord,
    CachePolicy,
    CachePruned,
    CacheRecord,
    ProtocolViolated,
)
from dockerproto.buildkit.control.messages import (
    ErrorStatus,
    HistoryEvent,
    HistoryRecord,
    InfoResponse,
    ListWorkersResponse,
    PlatformRecord,
    PolicyRecord,
    UsageRecord,
    UsageResponse,
    VersionRecord,
    WorkerRecord,
)
from dockerproto.buildkit.control.records import (
    NewestBuilds,
    PruneTotals,
    parse_info,
    parse_pruned,
    parse_usage,
    parse_workers,
)
from dockerproto.messages.trace import Timestamp

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
STAMP = Timestamp(int(NOON.timestamp()))


def test_a_worker() -> None:
    record = WorkerRecord(
        "w",
        {"a": "b"},
        (PlatformRecord("arm64", "linux", "v8"), PlatformRecord("amd64", "linux")),
        (PolicyRecord(True, 1_500_000_000, 1, ("type==regular",), 2, 3),),
        VersionRecord("p", "v1", "r"),
    )
    assert parse_workers(ListWorkersResponse((record, WorkerRecord("x"))).encode()) == [
        BuildKitWorker(
            id="w",
            labels={"a": "b"},
            platforms=("linux/arm64/v8", "linux/amd64"),
            version=BuildKitVersion("p", "v1", "r"),
            policies=(
                CachePolicy(
                    all=True,
                    filters=("type==regular",),
                    keep_duration=1.5,
                    reserved_space=1,
                    max_used_space=2,
                    min_free_space=3,
                ),
            ),
        ),
        BuildKitWorker(id="x", labels={}, platforms=(), version=None, policies=()),
    ]


@pytest.mark.parametrize("version", [None, VersionRecord()])
def test_a_worker_without_a_version(version: VersionRecord | None) -> None:
    reply = ListWorkersResponse((WorkerRecord(version=version),)).encode()
    assert parse_workers(reply)[0].version is None


@pytest.mark.parametrize(
    ("reply", "version"),
    [
        (InfoResponse(VersionRecord("p", "v0.32.2", "abc")), BuildKitVersion("p", "v0.32.2", "abc")),
        (InfoResponse(), BuildKitVersion("", "", "")),
    ],
)
def test_a_version(reply: InfoResponse, version: BuildKitVersion) -> None:
    assert parse_info(reply.encode()) == version


def test_a_record_of_the_cache() -> None:
    record = UsageRecord(
        id="i",
        mutable=True,
        in_use=True,
        size=5,
        created=STAMP,
        last_used=STAMP,
        usage_count=3,
        description="RUN make",
        type="regular",
        shared=True,
        parents=("a", "b"),
    )
    expected = CacheRecord(
        id="i",
        size=5,
        type="regular",
        description="RUN make",
        in_use=True,
        mutable=True,
        shared=True,
        parents=("a", "b"),
        created=NOON,
        last_used=NOON,
        usage_count=3,
    )
    assert parse_usage(UsageResponse((record,)).encode()) == [expected]
    assert parse_pruned(record.encode()) == expected


@pytest.mark.parametrize(
    ("record", "parents"),
    [
        (UsageRecord(), ()),
        (UsageRecord(parent="old"), ("old",)),
        (UsageRecord(parent="old", parents=("new",)), ("new",)),
    ],
)
def test_parents_of_old_and_new_versions(record: UsageRecord, parents: tuple[str, ...]) -> None:
    assert parse_pruned(record.encode()).parents == parents


@pytest.mark.parametrize(
    ("stamp", "time"),
    [
        (None, None),
        (Timestamp(-62135596800), None),  # the zero time of Go
        (Timestamp(STAMP.seconds, 999_999_999), NOON + timedelta(microseconds=999_999)),
        (Timestamp(-1), datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_times(stamp: Timestamp | None, time: datetime | None) -> None:
    assert parse_pruned(UsageRecord(created=stamp).encode()).created == time


@pytest.mark.parametrize("seconds", [2**63 - 1, -(2**63), 253402300800])
def test_times_out_of_range(seconds: int) -> None:
    with pytest.raises(ProtocolViolated, match="out of range"):
        parse_pruned(UsageRecord(created=Timestamp(seconds)).encode())


@pytest.mark.parametrize("parse", [parse_workers, parse_info, parse_usage, parse_pruned])
def test_a_malformed_reply(parse: Any) -> None:
    with pytest.raises(ProtocolViolated):
        parse(b"\x0a\xff")


def test_bytes_that_are_not_text_are_replaced() -> None:
    assert parse_pruned(UsageRecord(description="a\udcff").encode()).description == "a\ufffd"


def test_totals_of_a_prune() -> None:
    totals = PruneTotals()
    for size in (5, 7, -1):
        totals.add(UsageRecord(size=size).encode())
    assert totals.result() == CachePruned(3, 12)


def event(ref: str, *, kind: int = 1, hour: int | None = None, **fields: Any) -> bytes:
    created = None if hour is None else Timestamp(STAMP.seconds + 3600 * hour)
    return HistoryEvent(kind, HistoryRecord(ref=ref, created=created, **fields)).encode()


def refs(limit: int, *events: bytes) -> list[str]:
    builds = NewestBuilds(limit)
    for each in events:
        builds.add(each)
    return [each.ref for each in builds.result()]


def test_a_build() -> None:
    builds = NewestBuilds(1)
    builds.add(
        event(
            "r",
            hour=0,
            frontend="dockerfile.v0",
            attributes={"build-arg:TOKEN": "hunter2"},
            error=ErrorStatus(2, "no luck"),
            completed=STAMP,
            exported={"image.name": "app"},
            pinned=True,
            cached_steps=1,
            total_steps=3,
            completed_steps=2,
            warnings=4,
        )
    )
    (build,) = builds.result()
    assert build == BuildRecord(
        ref="r",
        frontend="dockerfile.v0",
        attributes={"build-arg:TOKEN": "hunter2"},
        created=NOON,
        completed=NOON,
        error="no luck",
        exported={"image.name": "app"},
        total_steps=3,
        completed_steps=2,
        cached_steps=1,
        warnings=4,
        pinned=True,
    )
    assert "hunter2" not in repr(build)


def test_the_newest_builds_are_first() -> None:
    assert refs(9, event("b", hour=2), event("c", hour=3), event("a", hour=1), event("0")) == list("cba0")
    assert refs(2, event("b", hour=2), event("c", hour=3), event("a", hour=1)) == ["c", "b"]


def test_a_build_that_ends_or_goes_meanwhile() -> None:
    started, ended = event("a", kind=0, hour=1), event("a", hour=1)
    assert refs(9, started, ended) == ["a"]
    assert refs(9, ended, event("a", kind=2)) == []
    assert refs(9, event("a", kind=2), HistoryEvent(1).encode()) == []


def test_a_long_history_takes_little_memory() -> None:
    builds = NewestBuilds(10)
    for number in range(1000):
        builds.add(event(str(number), hour=number))
        assert len(vars(builds)["_builds"]) <= 20
    assert [each.ref for each in builds.result()] == [str(number) for number in range(999, 989, -1)]
