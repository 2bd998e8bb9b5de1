"""The trace of a BuildKit build: what it does, how far it is, what it prints and warns of.

The graph of a build is of vertexes: a step of the Dockerfile, or what the build needs besides. Each is
told of several times, when it is announced, started and completed; the latest counts, and a
completed one may start again. Statuses are steps inside a vertex, logs are what it prints.

The names are those of BuildKit, and so are the numbers:
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
    """Since 1970, in UTC."""
    nanos: Annotated[Int32, 2] = 0
    """Nanoseconds to add, 0 to 999,999,999."""

    @property
    def time(self) -> float:
        """Seconds since 1970, as ``time.time()`` tells them.

        >>> Timestamp(1, 500_000_000).time
        1.5
        """
        return self.seconds + self.nanos / 1e9


class ProgressGroup(ProtoMessage, frozen=True):
    """What vertexes have in common that are to be shown as one."""

    id: Annotated[str, 1] = ""
    name: Annotated[str, 2] = ""
    weak: Annotated[bool, 3] = False


class Vertex(ProtoMessage, frozen=True):
    """A step of the build; later ones of the same digest replace it."""

    digest: Annotated[str, 1] = ""
    """What identifies it."""
    inputs: Annotated[tuple[str, ...], 2] = ()
    """Digests of the vertexes that it needs."""
    name: Annotated[str, 3] = ""
    """What it does: ``[2/3] RUN make``, ``[internal] load .dockerignore``, ``exporting to image``."""
    cached: Annotated[bool, 4] = False
    """Whether its result was there already."""
    started: Annotated[Timestamp | None, 5] = None
    """When it began; None if it is only announced."""
    completed: Annotated[Timestamp | None, 6] = None
    """When it ended; None if it has not."""
    error: Annotated[str, 7] = ""
    """Why it failed; empty if it did not."""
    progress_group: Annotated[ProgressGroup | None, 8] = None
    """Since Engine 23."""


class VertexStatus(ProtoMessage, frozen=True):
    """How far something inside a vertex is; later ones of the same id replace it."""

    id: Annotated[str, 1] = ""
    """What it is: a layer that is pulled, ``exporting layers``."""
    vertex: Annotated[str, 2] = ""
    """Digest of the vertex."""
    name: Annotated[str, 3] = ""
    current: Annotated[Int64, 4] = 0
    """How much is done: bytes, where it is data."""
    total: Annotated[Int64, 5] = 0
    """Of how much; 0 if that is not known."""
    timestamp: Annotated[Timestamp | None, 6] = None
    started: Annotated[Timestamp | None, 7] = None
    completed: Annotated[Timestamp | None, 8] = None


class VertexLog(ProtoMessage, frozen=True):
    """A piece of what a vertex prints, which need not be a line; the engine clips what is too much."""

    vertex: Annotated[str, 1] = ""
    """Digest of the vertex."""
    timestamp: Annotated[Timestamp | None, 2] = None
    stream: Annotated[Int64, 3] = 0
    """`STDOUT` or `STDERR`; the order between the two is not kept."""
    msg: Annotated[bytes, 4] = b""
    """What was printed."""


class Position(ProtoMessage, frozen=True):
    """A place in a text."""

    line: Annotated[Int32, 1] = 0
    """The first is 1."""
    character: Annotated[Int32, 2] = 0


class Range(ProtoMessage, frozen=True):
    """A part of a text."""

    start: Annotated[Position | None, 1] = None
    end: Annotated[Position | None, 2] = None


class SourceInfo(ProtoMessage, frozen=True):
    """The file that a warning is about."""

    filename: Annotated[str, 1] = ""
    data: Annotated[bytes, 2] = b""
    """All of its text."""
    language: Annotated[str, 4] = ""


class VertexWarning(ProtoMessage, frozen=True):
    """What a check of the Dockerfile found. Since Engine 23."""

    vertex: Annotated[str, 1] = ""
    """Digest of the vertex."""
    level: Annotated[Int64, 2] = 0
    short: Annotated[bytes, 3] = b""
    """The warning in one line."""
    detail: Annotated[tuple[bytes, ...], 4] = ()
    """More of it."""
    url: Annotated[str, 5] = ""
    """Where it is explained."""
    info: Annotated[SourceInfo | None, 6] = None
    ranges: Annotated[tuple[Range, ...], 7] = ()
    """The lines that it is about."""


class StatusResponse(ProtoMessage, frozen=True):
    """What is new since the one before it."""

    vertexes: Annotated[tuple[Vertex, ...], 1] = ()
    statuses: Annotated[tuple[VertexStatus, ...], 2] = ()
    logs: Annotated[tuple[VertexLog, ...], 3] = ()
    warnings: Annotated[tuple[VertexWarning, ...], 4] = ()


def decode_trace(aux: object) -> StatusResponse:
    """Read the ``aux`` of a message whose ``id`` is `TRACE`.

    >>> decode_trace("Cg0aC1sxLzFdIFJVTiB4").vertexes[0].name
    '[1/1] RUN x'

    Raises:
        ProtocolViolated: It is no trace.
    """
    if not isinstance(aux, str):
        raise ProtocolViolated(0, f"a trace that is no text: {aux!r:.200}")
    try:
        data = b64decode(aux, validate=True)
    except (Error, ValueError) as error:
        raise ProtocolViolated(0, f"a trace that is no base64: {aux!r:.200}") from error
    return StatusResponse.decode(data)
