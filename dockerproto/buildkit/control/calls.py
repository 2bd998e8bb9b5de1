"""Calls of the engine's Control API on one connection, without I/O.

`Calls.feed` takes received bytes, `Calls.data_to_send` returns the bytes to send. What a call has received is
taken from the `Call`; what nobody takes occupies the call's window, so the engine stops sending.

While a session shares the connection, two tasks use the calls. On a blocking client, these are threads, so
each method holds a mutex.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Final

from dockerproto.buildkit.rpc.grpc import GRPC, CallEnded, Event, MessageReceived
from dockerproto.buildkit.rpc.handler import Code
from dockerproto.buildkit.rpc.inbox import Inbox
from dockerproto.errors import ConnectionFailed, ProtocolViolated, ServerError
from dockerproto.request.buildkit_access import ON_THIS_MACHINE, CallHeaders

CONTROL: Final = "/moby.buildkit.v1.Control/"
"""Service of the Control API."""
GATEWAY: Final = "/moby.buildkit.v1.frontend.LLBBridge/"
"""Service that calls frontends for a build; it needs the id of the build as metadata."""


class Call:
    """A call."""

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
    """The calls on one connection.

    Args:
        mutex: Lock between the threads that use the calls.
        headers: Headers of every call.
        peer: The server, as messages name it.
    """

    def __init__(
        self,
        mutex: AbstractContextManager[object] | None = None,
        headers: CallHeaders = ON_THIS_MACHINE,
        peer: str = "the engine",
    ) -> None:
        self._peer = peer
        self._mutex = nullcontext() if mutex is None else mutex
        self._grpc = GRPC(calls=True, headers=headers)
        self._calls: dict[int, Call] = {}
        """Calls that are not over, by stream."""

    @property
    def started(self) -> bool:
        """True once the engine has begun to speak HTTP/2."""
        return self._grpc.started

    def begin(
        self,
        method: str,
        message: bytes = b"",
        *,
        service: str = CONTROL,
        metadata: Iterable[tuple[str, str]] = (),
        unary: bool = True,
    ) -> Call:
        """Start a call of a method with one message; `unary` unless the engine replies with many.

        Raises:
            ConnectionFailed: The engine has ended the connection, or accepts no more calls on it.
        """
        with self._mutex:
            call = self.open(method, service=service, metadata=metadata, unary=unary)
            self._grpc.send(call.stream, message)
            self._grpc.finish(call.stream)
            return call

    def open(
        self,
        method: str,
        *,
        service: str = CONTROL,
        metadata: Iterable[tuple[str, str]] = (),
        unary: bool = False,
    ) -> Call:
        """Start a call of a method without a message yet. Raises as `begin`."""
        with self._mutex:
            stream = self._grpc.call(service + method, metadata)
            call = self._calls[stream] = Call(method, stream, unary=unary)
            return call

    def send(self, call: Call, message: bytes) -> None:
        """Send a message in an open call; ignored if it is over."""
        with self._mutex:
            self._grpc.send(call.stream, message)

    def room(self, call: Call) -> bool:
        """Return True if the send buffer of an open call takes another message."""
        with self._mutex:
            return self._grpc.room(call.stream)

    def feed(self, data: bytes) -> list[Call]:
        """Take bytes of the connection, b"" at its end, and return the calls that something came for.

        Raises:
            ConnectionFailed: The engine ends the connection, while calls are open or before it began.
            ProtocolViolated: The bytes are invalid HTTP/2, or exceed a limit of the connection; a unary call
                was replied to twice.
        """
        with self._mutex:
            found = [self._note(event) for event in self._grpc.feed(data)]
            in_use = self._calls or not self._grpc.started
            if in_use and (self._grpc.ended or not data):
                raise ConnectionFailed(0, f"{self._peer} closed the connection of the build")
            return found

    def data_to_send(self) -> bytes:
        """Return the bytes to send now."""
        with self._mutex:
            return self._grpc.data_to_send()

    def take(self, call: Call) -> bytes | None:
        """Take the oldest message of a call, None if all were taken."""
        with self._mutex:
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

    def _note(self, event: Event) -> Call:
        call = self._calls[event.stream]
        if isinstance(event, MessageReceived):
            if call.unary and call.replied:
                raise ProtocolViolated(0, f"the engine replied twice to {call.method} of BuildKit")
            call.replied = True
            call.received.append(event.message)
        if isinstance(event, CallEnded):
            call.ended = event
            del self._calls[event.stream]
        return call
