"""The messages of BuildKit's Control API, and of the gateway to its frontends.

Documented at https://github.com/moby/buildkit/blob/master/api/services/control/control.proto and
https://github.com/moby/buildkit/blob/master/frontend/gateway/pb/gateway.proto.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import field

from dockerproto.protobuf.codec import Int32, ProtoMessage


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


class WorkerRecord(ProtoMessage, frozen=True):
    """A worker of the engine."""

    id: Annotated[str, 1] = ""
    labels: Annotated[Mapping[str, str], 2] = field(default_factory=dict[str, str])


class ListWorkersResponse(ProtoMessage, frozen=True):
    """The workers of the engine; Docker has one."""

    record: Annotated[tuple[WorkerRecord, ...], 1] = ()


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
