"""Calls of the engine's Control API on one connection, without I/O.

`Calls.feed` takes received bytes, `Calls.data_to_send` returns the bytes to send. What a call has received is
taken from the `Call`; what nobody takes occupies the call's window, so the engine stops sending.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from dockerproto.buildkit.rpc.grpc import GRPC, CallEnded, MessageReceived
from dockerproto.buildkit.rpc.handler import Code
from dockerproto.buildkit.rpc.inbox import Inbox
from dockerproto.errors import ConnectionFailed, ProtocolViolated, ServerError

CONTROL: Final = "/moby.buildkit.v1.Control/"
"""Service of the Control API."""
GATEWAY: Final = "/moby.buildkit.v1.frontend.LLBBridge/"
"""Service that calls frontends for a build; it needs the id of the build as metadata."""


class Call:
    """A call that has sent its only message."""

    def __init__(self, method: str, stream: int, *, unary: bool) -> None:
        self.method: Final = method
        self.stream: Final = stream
        self.unary: Final = unary
        """True if the engine replies with one message."""
        self.replied: bool = False
        """True once a message was received."""
        self.received: Final = Inbox()
        """Messages that were not taken yet."""
        self.ended: CallEnded | None = None
        """Outcome, once the call is over."""

    @property
    def succeeded(self) -> bool:
        """True if the call is over without an error."""
        return self.ended is not None and self.ended.status.code == Code.OK


class Calls:
    """The calls on one connection."""

    def __init__(self) -> None:
        self._grpc = GRPC(calls=True)
        self._calls: dict[int, Call] = {}
        """Calls that are not over, by stream."""

    def begin(
        self,
        method: str,
        message: bytes = b"",
        *,
        service: str = CONTROL,
        metadata: Iterable[tuple[str, str]] = (),
        unary: bool = True,
    ) -> Call:
        """Start a call of a method with one message; `unary` unless the engine replies with many."""
        stream = self._grpc.call(service + method, metadata)
        self._grpc.send(stream, message)
        self._grpc.finish(stream)
        call = self._calls[stream] = Call(method, stream, unary=unary)
        return call

    def feed(self, data: bytes) -> None:
        """Take bytes of the connection, b"" at its end.

        Raises:
            ConnectionFailed: The engine ends the connection, while calls are open.
            ProtocolViolated: The bytes are invalid HTTP/2, or exceed a limit of the connection; a unary call
                was replied to twice.
        """
        for event in self._grpc.feed(data):
            if isinstance(event, MessageReceived):
                self._receive(self._calls[event.stream], event.message)
            if isinstance(event, CallEnded):
                self._calls.pop(event.stream).ended = event
        if self._calls and (self._grpc.ended or not data):
            raise ConnectionFailed(0, "the engine closed the connection of the build")

    def data_to_send(self) -> bytes:
        """Return the bytes to send now."""
        return self._grpc.data_to_send()

    def take(self, call: Call) -> bytes | None:
        """Take the oldest message of a call, None if all were taken."""
        if not call.received:
            return None
        message = call.received.pop()
        self._grpc.acknowledge(call.stream, message)
        return message

    def reply(self, call: Call) -> bytes:
        """Take the message of a unary call that is over.

        Raises:
            ProtocolViolated: The engine sent no message.
            ServerError: The call failed.
        """
        if call.ended is not None and not call.succeeded:
            raise ServerError(0, f"{call.method} of BuildKit failed: {call.ended.status.message}")
        message = self.take(call)
        if message is None:
            raise ProtocolViolated(0, f"the engine ended {call.method} of BuildKit without a reply")
        return message

    def _receive(self, call: Call, message: bytes) -> None:
        if call.unary and call.replied:
            raise ProtocolViolated(0, f"the engine replied twice to {call.method} of BuildKit")
        call.replied = True
        call.received.append(message)
