"""The replies of the Control API about BuildKit itself, as the library's results."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from dockerproto.buildkit.control.messages import (
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
from dockerproto.errors import ProtocolViolated
from dockerproto.messages.buildkit_results import (
    BuildKitVersion,
    BuildKitWorker,
    BuildRecord,
    CachePolicy,
    CachePruned,
    CacheRecord,
)
from dockerproto.messages.trace import Timestamp
from dockerproto.messages.values import readable

NANOSECONDS: Final = 10**9
"""Nanoseconds in a second."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_GO_ZERO: Final = -62135596800
"""Seconds of the time that Go programs send for none."""
_DELETED: Final = 2
"""Type of the event that deletes a build."""


def parse_workers(reply: bytes) -> list[BuildKitWorker]:
    """Return the workers of a reply; raise ProtocolViolated."""
    return [_worker(each) for each in ListWorkersResponse.decode(reply).record]


def parse_info(reply: bytes) -> BuildKitVersion:
    """Return the version of a reply; raise ProtocolViolated."""
    return _version(InfoResponse.decode(reply).version or VersionRecord())


def parse_usage(reply: bytes) -> list[CacheRecord]:
    """Return the records of a reply; raise ProtocolViolated."""
    return [_cache_record(each) for each in UsageResponse.decode(reply).record]


def parse_pruned(message: bytes) -> CacheRecord:
    """Return the record of a message; raise ProtocolViolated."""
    return _cache_record(UsageRecord.decode(message))


class PruneTotals:
    """The number and the size of deleted records."""

    def __init__(self) -> None:
        self._count = self._size = 0

    def add(self, message: bytes) -> None:
        """Count a record; raise ProtocolViolated."""
        self._count += 1
        self._size += max(0, UsageRecord.decode(message).size)

    def result(self) -> CachePruned:
        """Return the totals."""
        return CachePruned(self._count, self._size)


class NewestBuilds:
    """The newest builds of a history.

    Args:
        limit: Number of builds to keep.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._builds: dict[str, BuildRecord] = {}

    def add(self, message: bytes) -> None:
        """Take an event of the history; raise ProtocolViolated."""
        event = HistoryEvent.decode(message)
        if event.record is None:
            return
        build = _build_record(event.record)
        self._builds.pop(build.ref, None)
        if event.type != _DELETED:
            self._builds[build.ref] = build
        if len(self._builds) > 2 * self._limit:  # so that a long history costs little for each build
            self._builds = {each.ref: each for each in self.result()}

    def result(self) -> list[BuildRecord]:
        """Return the builds, the newest one first."""
        newest = sorted(self._builds.values(), key=_start, reverse=True)
        return newest[: self._limit]


def _start(build: BuildRecord) -> datetime:
    return build.created or _EPOCH


def _worker(record: WorkerRecord) -> BuildKitWorker:
    return BuildKitWorker(
        id=readable(record.id),
        labels={readable(name): readable(value) for name, value in record.labels.items()},
        platforms=tuple(map(_platform, record.platforms)),
        version=None if record.version in (None, VersionRecord()) else _version(record.version),
        policies=tuple(map(_policy, record.policies)),
    )


def _platform(record: PlatformRecord) -> str:
    parts = (record.os, record.architecture, record.variant)
    return "/".join(readable(each) for each in parts if each)


def _policy(record: PolicyRecord) -> CachePolicy:
    return CachePolicy(
        all=record.all,
        filters=tuple(map(readable, record.filters)),
        keep_duration=record.keep_duration / NANOSECONDS,
        reserved_space=record.reserved_space,
        max_used_space=record.max_used_space,
        min_free_space=record.min_free_space,
    )


def _version(record: VersionRecord) -> BuildKitVersion:
    return BuildKitVersion(*map(readable, (record.package, record.version, record.revision)))


def _cache_record(record: UsageRecord) -> CacheRecord:
    parents = record.parents or ((record.parent,) if record.parent else ())
    return CacheRecord(
        id=readable(record.id),
        size=record.size,
        type=readable(record.type),
        description=readable(record.description),
        in_use=record.in_use,
        mutable=record.mutable,
        shared=record.shared,
        parents=tuple(map(readable, parents)),
        created=_time(record.created),
        last_used=_time(record.last_used),
        usage_count=record.usage_count,
    )


def _build_record(record: HistoryRecord) -> BuildRecord:
    return BuildRecord(
        ref=readable(record.ref),
        frontend=readable(record.frontend),
        attributes={readable(name): readable(value) for name, value in record.attributes.items()},
        created=_time(record.created),
        completed=_time(record.completed),
        error=None if record.error is None else readable(record.error.message),
        exported={readable(name): readable(value) for name, value in record.exported.items()},
        total_steps=record.total_steps,
        completed_steps=record.completed_steps,
        cached_steps=record.cached_steps,
        warnings=record.warnings,
        pinned=record.pinned,
    )


def _time(stamp: Timestamp | None) -> datetime | None:
    """Return a time, None for none."""
    if stamp is None or stamp.seconds == _GO_ZERO:
        return None
    try:
        return _EPOCH + timedelta(seconds=stamp.seconds, microseconds=stamp.nanos // 1000)
    except OverflowError as error:
        raise ProtocolViolated(
            0, f"BuildKit reported a time that is out of range: {stamp.seconds} s"
        ) from error
