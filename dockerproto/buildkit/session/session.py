"""A session: the engine's calls on one connection, and their handlers, as a state machine without I/O.

`Session.feed` takes received bytes, `Session.data_to_send` returns the bytes to send. `Session.advance` runs
each call until it waits, and returns the steps that must be done outside, at most one for each call;
however long a step takes, the other calls go on. Every call ends, whatever happens in its handler: an engine
waits forever for one that does not. Documented at https://github.com/moby/buildkit/tree/master/session.
"""

# A call waits for one of these, in this order: a step that is being done outside (`has_step`), room in its
# send buffer, its handler's next step, and only when the handler has none (`next` returned None) a message in
# its inbox. The calls take turns, so that a call with much to do does not starve the others.

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from dockerproto.buildkit.rpc.grpc import GRPC, CallEnded, CallStarted, HalfClosed, MessageReceived
from dockerproto.buildkit.rpc.handler import (
    AsyncStep,
    BlockingStep,
    Code,
    Failed,
    Handler,
    RpcError,
    Services,
    Status,
    Step,
)
from dockerproto.buildkit.rpc.inbox import Inbox
from dockerproto.http.log import LOG


class ServedCall:
    """A call of the engine that is not over."""

    def __init__(self, stream: int, path: str) -> None:
        self.stream: Final = stream
        self.path: Final = path
        self.handler: Handler | None = None
        self.inbox: Final = Inbox()
        """Messages that the handler has not taken yet."""
        self.half_closed: bool = False
        """True if the engine sends no more messages, until the handler is told."""
        self.has_step: bool = False
        """True while a step of the call is being done outside."""
        self._busy = False
        self._closed = False

    def run(self, step: BlockingStep) -> Any:
        """Run a blocking step in the current thread; do nothing if the call is over."""
        self._busy = True
        try:
            return None if self._closed else step.run()
        finally:
            self._busy = False
            if self._closed:
                self._close_handler()

    def close(self) -> None:
        """Close the handler; if a step is running, it does so when it ends."""
        self._closed = True
        self.inbox.clear()
        if not self._busy:
            self._close_handler()

    def _close_handler(self) -> None:
        if self.handler is not None:
            self.handler.close()


class Session:
    """The engine's calls on one connection.

    Args:
        services: Services that the engine may call.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._grpc = GRPC()
        self._calls: dict[int, ServedCall] = {}
        """Calls that are not over, by stream, the next one to advance first."""
        self._event_handlers: Mapping[type, Callable[[Any], None]] = {
            CallStarted: self._on_call,
            MessageReceived: self._on_message,
            HalfClosed: self._on_half_closed,
            CallEnded: self._on_ended,
        }
        self.failure: Exception | None = None
        """First error in a handler, other than an `RpcError`: the engine's own error may say less."""

    @property
    def ended(self) -> bool:
        """True if the engine has announced that it makes no more calls."""
        return self._grpc.ended

    def feed(self, data: bytes) -> None:
        """Take bytes of the connection.

        Raises:
            ProtocolViolated: The bytes are invalid HTTP/2, or exceed a limit of the connection.
        """
        for event in self._grpc.feed(data):
            self._event_handlers[type(event)](event)

    def data_to_send(self) -> bytes:
        """Return the bytes to send now."""
        return self._grpc.data_to_send()

    def advance(self) -> tuple[ServedCall, BlockingStep | AsyncStep] | None:
        """Advance the calls in turn, and return the first step that must be done outside.

        Its result is passed to `done`, its exception to `fail`. None: all calls wait for the engine, for room
        in their buffers, or for a step that was returned before.
        """
        for stream in tuple(self._calls):
            call = self._calls[stream] = self._calls.pop(stream)
            step = None if call.has_step else self._advance_call(call)
            if step is not None:
                call.has_step = True
                return call, step
        return None

    def done(self, call: ServedCall, step: BlockingStep | AsyncStep, result: Any) -> None:
        """Pass the result of a step to its call."""
        call.has_step = False
        if call.stream in self._calls:
            self._guard(call, step.done, result)

    def fail(self, call: ServedCall, error: Exception) -> None:
        """End a call because of an error; ignored if the call is over."""
        if call.stream not in self._calls:
            return
        if isinstance(error, RpcError):
            self._finish(call, error.status)
        else:
            self.failure = self.failure or error
            self._finish(call, Status(Code.UNKNOWN, str(error) or type(error).__name__))

    def close(self) -> None:
        """Close all handlers; repeating it changes nothing."""
        for call in self._calls.values():
            call.close()
        self._calls.clear()

    def _advance_call(self, call: ServedCall) -> BlockingStep | AsyncStep | None:
        """Advance one call until it waits, its buffer is full, it is over, or a step must be done."""
        while call.handler is not None and self._grpc.room(call.stream):
            step: Step = self._guard(call, call.handler.next)
            if isinstance(step, bytes):
                self._grpc.send(call.stream, step)
            elif isinstance(step, Status):
                self._finish(call, step)
            elif isinstance(step, Failed):
                self.failure = self.failure or step.error
            elif step is not None:
                return step
            elif not self._deliver(call, call.handler):
                break
        return None

    def _deliver(self, call: ServedCall, handler: Handler) -> bool:
        """Pass the next messages to the handler; return False if the inbox is empty."""
        if call.inbox:
            messages = [call.inbox.pop()]
            while self._guard(call, handler.receive, messages[-1]) and call.inbox:
                messages.append(call.inbox.pop())
            self._grpc.acknowledge(call.stream, *messages)
        elif call.half_closed:
            call.half_closed = False
            self._guard(call, handler.end)
        else:
            return False
        return True

    def _on_call(self, event: CallStarted) -> None:
        call = self._calls[event.stream] = ServedCall(event.stream, event.path)
        factory = self._services.get(event.path)
        if factory is None:
            self._finish(call, Status(Code.UNIMPLEMENTED, f"{event.path} is not implemented"))
        else:
            call.handler = self._guard(call, factory, event.metadata)

    def _on_message(self, event: MessageReceived) -> None:
        if (call := self._calls.get(event.stream)) is not None:
            call.inbox.append(event.message)

    def _on_half_closed(self, event: HalfClosed) -> None:
        if (call := self._calls.get(event.stream)) is not None:
            call.half_closed = True

    def _on_ended(self, event: CallEnded) -> None:
        if (call := self._calls.pop(event.stream, None)) is not None:
            LOG.debug("session: %s: ended by the engine", call.path)
            call.close()

    def _finish(self, call: ServedCall, status: Status) -> None:
        self._calls.pop(call.stream, None)
        LOG.debug("session: %s: gRPC status %d", call.path, status.code)
        self._grpc.finish(call.stream, status)
        call.close()

    def _guard(self, call: ServedCall, function: Callable[..., Any], *arguments: object) -> Any:
        """Call a function of a handler; any exception ends the call."""
        try:
            return function(*arguments)
        except Exception as error:  # noqa: BLE001  # else the engine would wait forever
            self.fail(call, error)
            return None
