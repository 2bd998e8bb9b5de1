"""The messages of containerd's content service, those that BuildKit uses.

Documented at https://github.com/containerd/containerd/blob/main/api/services/content/v1/content.proto.
"""

from __future__ import annotations

from typing import Annotated, Final

from dockerproto.protobuf.codec import Int32, Int64, ProtoMessage


class InfoRequest(ProtoMessage, frozen=True):
    """Request for facts about a blob."""

    digest: Annotated[str, 1] = ""


class Info(ProtoMessage, frozen=True):
    """Facts about a blob."""

    digest: Annotated[str, 1] = ""
    size: Annotated[Int64, 2] = 0


class InfoResponse(ProtoMessage, frozen=True):
    """Reply with facts about a blob."""

    info: Annotated[Info | None, 1] = None


class ReadRequest(ProtoMessage, frozen=True):
    """Request for a part of a blob."""

    digest: Annotated[str, 1] = ""
    offset: Annotated[Int64, 2] = 0
    size: Annotated[Int64, 3] = 0
    """Number of bytes; 0 or less means all that follow the offset."""


class ReadResponse(ProtoMessage, frozen=True):
    """A chunk of a blob."""

    offset: Annotated[Int64, 1] = 0
    """Offset of the chunk from the start of this response, not of the blob."""
    data: Annotated[bytes, 2] = b""


STAT: Final = 0
"""Action that asks for the state of a blob that is being written."""
WRITE: Final = 1
"""Action that appends data."""
COMMIT: Final = 2
"""Action that appends data, and completes the blob."""


class WriteRequest(ProtoMessage, frozen=True):
    """A step in the writing of a blob."""

    action: Annotated[Int32, 1] = 0
    ref: Annotated[str, 2] = ""
    """Name that the engine gives to the writing of this blob."""
    total: Annotated[Int64, 3] = 0
    """Size of the complete blob."""
    expected: Annotated[str, 4] = ""
    """Digest of the complete blob."""
    offset: Annotated[Int64, 5] = 0
    data: Annotated[bytes, 6] = b""


class WriteResponse(ProtoMessage, frozen=True):
    """State of a blob that is being written."""

    action: Annotated[Int32, 1] = 0
    offset: Annotated[Int64, 4] = 0
    """Number of bytes written."""
    total: Annotated[Int64, 5] = 0
    digest: Annotated[str, 6] = ""
    """Digest of what was written."""
