"""The trace of a BuildKit build: its vertexes, their progress, their output and warnings.

A build is a graph of vertexes: steps of the Dockerfile, and steps that BuildKit adds. Each vertex is
reported several times, when it is announced, started and completed; the latest report counts, and a
completed vertex may start again. Statuses are the progress of tasks inside a vertex, logs are its output.

The names and the field numbers are those of BuildKit:
https://github.com/moby/buildkit/blob/master/api/services/control/control.proto.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error
from typing import Annotated, Final

from dockerproto.errors import ProtocolViolated
from dockerproto.protobuf.codec import Int32, Int64, ProtoMessage

TRACE: Final = "moby.buildkit.trace"
"""The ``id`` of a message whose ``aux`` is a trace."""
STDOUT: Final = 1
"""The `VertexLog.stream` of standard output."""
STDERR: Final = 2
"""The `VertexLog.stream` of standard error."""


class Timestamp(ProtoMessage, frozen=True):
    """A point in time, on the engine's clock."""

    seconds: Annotated[Int64, 1] = 0
    """Seconds since 1970, in UTC."""
    nanos: Annotated[Int32, 2] = 0
    """Nanoseconds to add, 0 to 999,999,999."""

    @property
    def time(self) -> float:
        """Seconds since 1970, like ``time.time()``.

        >>> Timestamp(1, 500_000_000).time
        1.5
        """
        return self.seconds + self.nanos / 1e9


class ProgressGroup(ProtoMessage, frozen=True):
    """A group of vertexes that are displayed as one."""

    id: Annotated[str, 1] = ""
    name: Annotated[str, 2] = ""
    weak: Annotated[bool, 3] = False


class Vertex(ProtoMessage, frozen=True):
    """A step of the build; a later report with the same digest replaces it."""

    digest: Annotated[str, 1] = ""
    """The digest that identifies it."""
    inputs: Annotated[tuple[str, ...], 2] = ()
    """Digests of the vertexes that it depends on."""
    name: Annotated[str, 3] = ""
    """Description: ``[2/3] RUN make``, ``[internal] load .dockerignore``, ``exporting to image``."""
    cached: Annotated[bool, 4] = False
    """True if its result was found in the cache."""
    started: Annotated[Timestamp | None, 5] = None
    """Time of its start; None if it is only announced."""
    completed: Annotated[Timestamp | None, 6] = None
    """Time of its end; None if it has not ended."""
    error: Annotated[str, 7] = ""
    """Error message; empty unless it failed."""
    progress_group: Annotated[ProgressGroup | None, 8] = None
    """Since Engine 23."""


class VertexStatus(ProtoMessage, frozen=True):
    """The progress of a task inside a vertex; a later report with the same id replaces it."""

    id: Annotated[str, 1] = ""
    """Name of the task: the digest of a layer that is pulled, ``exporting layers``."""
    vertex: Annotated[str, 2] = ""
    """Digest of the vertex."""
    name: Annotated[str, 3] = ""
    current: Annotated[Int64, 4] = 0
    """Amount that is done; bytes if the task transfers data."""
    total: Annotated[Int64, 5] = 0
    """Amount to do; 0 if unknown."""
    timestamp: Annotated[Timestamp | None, 6] = None
    started: Annotated[Timestamp | None, 7] = None
    completed: Annotated[Timestamp | None, 8] = None


class VertexLog(ProtoMessage, frozen=True):
    """A chunk of the output of a vertex, not always a whole line; the engine truncates long output."""

    vertex: Annotated[str, 1] = ""
    """Digest of the vertex."""
    timestamp: Annotated[Timestamp | None, 2] = None
    stream: Annotated[Int64, 3] = 0
    """`STDOUT` or `STDERR`; the order between the two is lost."""
    msg: Annotated[bytes, 4] = b""
    """The output."""


class Position(ProtoMessage, frozen=True):
    """A position in a text."""

    line: Annotated[Int32, 1] = 0
    """The first is 1."""
    character: Annotated[Int32, 2] = 0


class Range(ProtoMessage, frozen=True):
    """A range of a text."""

    start: Annotated[Position | None, 1] = None
    end: Annotated[Position | None, 2] = None


class SourceInfo(ProtoMessage, frozen=True):
    """The file that a warning is about."""

    filename: Annotated[str, 1] = ""
    data: Annotated[bytes, 2] = b""
    """Content of the file."""
    language: Annotated[str, 4] = ""


class VertexWarning(ProtoMessage, frozen=True):
    """A warning of a check of the Dockerfile. Since Engine 23."""

    vertex: Annotated[str, 1] = ""
    """Digest of the vertex."""
    level: Annotated[Int64, 2] = 0
    short: Annotated[bytes, 3] = b""
    """The warning in one line."""
    detail: Annotated[tuple[bytes, ...], 4] = ()
    """More lines of it."""
    url: Annotated[str, 5] = ""
    """URL of its explanation."""
    info: Annotated[SourceInfo | None, 6] = None
    ranges: Annotated[tuple[Range, ...], 7] = ()
    """The lines that it is about."""


class StatusResponse(ProtoMessage, frozen=True):
    """A report of all changes since the report before it."""

    vertexes: Annotated[tuple[Vertex, ...], 1] = ()
    statuses: Annotated[tuple[VertexStatus, ...], 2] = ()
    logs: Annotated[tuple[VertexLog, ...], 3] = ()
    warnings: Annotated[tuple[VertexWarning, ...], 4] = ()


def decode_trace(aux: object) -> StatusResponse:
    """Decode the ``aux`` of a message whose ``id`` is `TRACE`.

    >>> decode_trace("Cg0aC1sxLzFdIFJVTiB4").vertexes[0].name
    '[1/1] RUN x'

    Raises:
        ProtocolViolated: It is not a trace.
    """
    if not isinstance(aux, str):
        raise ProtocolViolated(0, f"a trace must be a str, not {aux!r:.200}")
    try:
        data = b64decode(aux, validate=True)
    except (Error, ValueError) as error:
        raise ProtocolViolated(0, f"a trace must be base64, not {aux!r:.200}") from error
    return StatusResponse.decode(data)
