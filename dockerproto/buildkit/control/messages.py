"""The messages of BuildKit's Control API, and of the gateway to its frontends.

Documented at https://github.com/moby/buildkit/blob/master/api/services/control/control.proto and
https://github.com/moby/buildkit/blob/master/frontend/gateway/pb/gateway.proto.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import field

from dockerproto.messages.trace import Timestamp
from dockerproto.protobuf.codec import Int32, Int64, ProtoMessage


class Entry(ProtoMessage, frozen=True):
    """An exporter or a cache; the attributes may contain secrets."""

    _hidden = ("attributes",)
    type: Annotated[str, 1] = ""
    attributes: Annotated[Mapping[str, str], 2] = field(default_factory=dict[str, str])


class CacheOptions(ProtoMessage, frozen=True):
    """The caches of a build."""

    exports: Annotated[tuple[Entry, ...], 4] = ()
    imports: Annotated[tuple[Entry, ...], 5] = ()


class SolveRequest(ProtoMessage, frozen=True):
    """A build; attributes may contain secrets."""

    _hidden = ("exporter_attributes", "frontend_attributes")
    ref: Annotated[str, 1] = ""
    """Unique id of the build."""
    exporter: Annotated[str, 3] = ""
    """The first output, for engines before BuildKit 0.13."""
    exporter_attributes: Annotated[Mapping[str, str], 4] = field(default_factory=dict[str, str])
    session: Annotated[str, 5] = ""
    """Id of the session."""
    frontend: Annotated[str, 6] = ""
    frontend_attributes: Annotated[Mapping[str, str], 7] = field(default_factory=dict[str, str])
    cache: Annotated[CacheOptions | None, 8] = None
    entitlements: Annotated[tuple[str, ...], 9] = ()
    exporters: Annotated[tuple[Entry, ...], 13] = ()
    """All outputs, for engines since BuildKit 0.13."""


class SolveResponse(ProtoMessage, frozen=True):
    """The result of a build."""

    exporter_response: Annotated[Mapping[str, str], 1] = field(default_factory=dict[str, str])


class StatusRequest(ProtoMessage, frozen=True):
    """Request for the reports of a build: a stream of `dockerproto.messages.trace.StatusResponse`."""

    ref: Annotated[str, 1] = ""
    """Id of the build."""


class VersionRecord(ProtoMessage, frozen=True):
    """A version of BuildKit."""

    package: Annotated[str, 1] = ""
    version: Annotated[str, 2] = ""
    revision: Annotated[str, 3] = ""


class PlatformRecord(ProtoMessage, frozen=True):
    """A platform."""

    architecture: Annotated[str, 1] = ""
    os: Annotated[str, 2] = ""
    variant: Annotated[str, 3] = ""


class PolicyRecord(ProtoMessage, frozen=True):
    """A rule by which a worker deletes cache."""

    all: Annotated[bool, 1] = False
    keep_duration: Annotated[Int64, 2] = 0
    """Nanoseconds."""
    reserved_space: Annotated[Int64, 3] = 0
    filters: Annotated[tuple[str, ...], 4] = ()
    max_used_space: Annotated[Int64, 5] = 0
    min_free_space: Annotated[Int64, 6] = 0


class WorkerRecord(ProtoMessage, frozen=True):
    """A worker of the engine."""

    id: Annotated[str, 1] = ""
    labels: Annotated[Mapping[str, str], 2] = field(default_factory=dict[str, str])
    platforms: Annotated[tuple[PlatformRecord, ...], 3] = ()
    policies: Annotated[tuple[PolicyRecord, ...], 4] = ()
    version: Annotated[VersionRecord | None, 5] = None


class ListWorkersResponse(ProtoMessage, frozen=True):
    """The workers of the engine; Docker has one."""

    record: Annotated[tuple[WorkerRecord, ...], 1] = ()


class Empty(ProtoMessage, frozen=True):
    """A request without arguments."""


class InfoResponse(ProtoMessage, frozen=True):
    """The facts about the daemon."""

    version: Annotated[VersionRecord | None, 1] = None


class UsageRequest(ProtoMessage, frozen=True):
    """Request for the records of the cache."""

    filters: Annotated[tuple[str, ...], 1] = ()


class UsageRecord(ProtoMessage, frozen=True):
    """A record of the cache."""

    id: Annotated[str, 1] = ""
    mutable: Annotated[bool, 2] = False
    in_use: Annotated[bool, 3] = False
    size: Annotated[Int64, 4] = 0
    parent: Annotated[str, 5] = ""
    """The parent, before BuildKit 0.9."""
    created: Annotated[Timestamp | None, 6] = None
    last_used: Annotated[Timestamp | None, 7] = None
    usage_count: Annotated[Int64, 8] = 0
    description: Annotated[str, 9] = ""
    type: Annotated[str, 10] = ""
    shared: Annotated[bool, 11] = False
    parents: Annotated[tuple[str, ...], 12] = ()


class UsageResponse(ProtoMessage, frozen=True):
    """The records of the cache."""

    record: Annotated[tuple[UsageRecord, ...], 1] = ()


class PruneRequest(ProtoMessage, frozen=True):
    """Request to delete records of the cache: a stream of `UsageRecord`."""

    filters: Annotated[tuple[str, ...], 1] = ()
    all: Annotated[bool, 2] = False
    keep_duration: Annotated[Int64, 3] = 0
    """Nanoseconds."""
    reserved_space: Annotated[Int64, 4] = 0


class HistoryRequest(ProtoMessage, frozen=True):
    """Request for the history of builds: a stream of `HistoryEvent`."""

    active_only: Annotated[bool, 1] = False
    ref: Annotated[str, 2] = ""
    early_exit: Annotated[bool, 3] = False
    """True if the stream ends after the builds so far."""
    limit: Annotated[Int32, 5] = 0
    """Number of builds, the newest ones; older versions ignore it."""


class HistoryRecord(ProtoMessage, frozen=True):
    """A build."""

    _hidden = ("attributes",)
    ref: Annotated[str, 1] = ""
    frontend: Annotated[str, 2] = ""
    attributes: Annotated[Mapping[str, str], 3] = field(default_factory=dict[str, str])
    error: Annotated[ErrorStatus | None, 5] = None
    created: Annotated[Timestamp | None, 6] = None
    completed: Annotated[Timestamp | None, 7] = None
    exported: Annotated[Mapping[str, str], 9] = field(default_factory=dict[str, str])
    pinned: Annotated[bool, 14] = False
    cached_steps: Annotated[Int32, 15] = 0
    total_steps: Annotated[Int32, 16] = 0
    completed_steps: Annotated[Int32, 17] = 0
    warnings: Annotated[Int32, 19] = 0


class HistoryEvent(ProtoMessage, frozen=True):
    """A change of the history."""

    type: Annotated[Int32, 1] = 0
    """0: started, 1: completed, 2: deleted."""
    record: Annotated[HistoryRecord | None, 2] = None


class Detail(ProtoMessage, frozen=True):
    """One detail of an error: a message of any type, which BuildKit writes as JSON."""

    type_url: Annotated[str, 1] = ""
    value: Annotated[bytes, 2] = b""


class ErrorStatus(ProtoMessage, frozen=True):
    """An error with details, as gRPC sends it beside its status."""

    code: Annotated[Int32, 1] = 0
    message: Annotated[str, 2] = ""
    details: Annotated[tuple[Detail, ...], 3] = ()


class FrontendRequest(ProtoMessage, frozen=True):
    """A call of a frontend, in a build whose result the client returns; attributes may contain secrets."""

    _hidden = ("attributes",)
    frontend: Annotated[str, 2] = ""
    attributes: Annotated[Mapping[str, str], 3] = field(default_factory=dict[str, str])
    allow_result: Annotated[bool, 5] = False
    """True, or engines reply in a form that has no metadata."""
    allow_result_array: Annotated[bool, 6] = False


class FrontendResponse(ProtoMessage, frozen=True):
    """The result of a frontend."""

    result: Annotated[bytes, 3] = b""
    """A `FrontendResult` as it came."""


class FrontendResult(ProtoMessage, frozen=True):
    """The reply of a frontend to a question, or the facts about the files that it made."""

    metadata: Annotated[Mapping[str, bytes], 10] = field(default_factory=dict[str, bytes])


class ReturnRequest(ProtoMessage, frozen=True):
    """The result of a build whose frontend the client called: a `FrontendResult`, or an error."""

    result: Annotated[bytes, 1] = b""
    error: Annotated[ErrorStatus | None, 2] = None
