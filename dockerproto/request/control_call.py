"""Calls of BuildKit's Control API, as data."""

from __future__ import annotations

from typing import ClassVar, TypeAlias

from dockerproto.protobuf.codec import ProtoMessage
from dockerproto.redacted import Redacted
from dockerproto.request.build import AnyBuild
from dockerproto.request.request import Request
from dockerproto.timeouts import DEFAULT, Pace, TimeoutLike


class ControlCall(Redacted, frozen=True, kw_only=True):
    """A call of BuildKit's Control API, with one message.

    The body of its response has the messages of the reply, each with its length before it: see
    `dockerproto.messages.delimited`.
    """

    method: ClassVar[str] = "POST"
    body: ClassVar[None] = None
    secret_response: ClassVar[bool] = False

    name: str
    """Name of the method, such as ``ListWorkers``."""
    message: ProtoMessage
    """Message to send."""
    unary: bool = True
    """True if the reply is one message, False if it is a stream of them."""
    purpose: str
    """Purpose of the call, as an error names it."""
    since: str = ""
    """First versions of Docker and BuildKit that have the method; empty if all have it."""
    timeout: TimeoutLike = DEFAULT
    """Limits from the program."""
    pace: Pace = "reading"
    """Kind of the call, which decides its default limits."""

    @property
    def differs(self) -> bool:
        """True, as Podman has no Control API."""
        return True

    @property
    def path(self) -> str:
        """Path of the call."""
        return f"/moby.buildkit.v1.Control/{self.name}"


AnyRequest: TypeAlias = Request | AnyBuild | ControlCall
"""A request, as operations describe it."""
