"""A session: the calls of the engine on one connection, and their handlers, as a state machine without I/O.

Bytes come in by `Session.feed`, go out by `Session.take`; `Session.advance` moves all calls as far as they
go, and hands out the steps that have to be done outside, at most one of each call. However long one takes,
the other calls go on. Every call ends, whatever happens in its handler: an engine waits for ever for one
that does not. Documented at
https://github.com/moby/buildkit/tree/master/session.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from dockerproto.buildkit.grpc import GRPC, Called, Ended, Over, Received
from dockerproto.buildkit.handler import (
    AsyncStep,
    BlockingStep,
    Code,
    Handler,
    RpcError,
    Services,
    Status,
    Step,
)


class Call:
    """A call of the engine that is not over."""

    def __init__(self, stream: int, path: str) -> None:
        self.stream: Final = stream
        self.path: Final = path
        self.handler: Handler | None = None
        self.inbox: Final = deque[bytes | None]()
        """Messages that the handler has not taken, and None at their end."""
        self.stepping: bool = False
        """Whether a step of it is being done outside."""
        self._busy = False
        self._closed = False

    def run(self, work: BlockingStep) -> Any:
        """Do a step that blocks, in whatever thread this is; nothing if the call is over by now."""
        self._busy = True
        try:
            return None if self._closed else work.run()
        finally:
            self._busy = False
            if self._closed:
                self._let_go()

    def close(self) -> None:
        """Let go of what the handler holds; a step that nobody waits for any more does it at its end."""
        self._closed = True
        self.inbox.clear()
        if not self._busy:
            self._let_go()

    def _let_go(self) -> None:
        if self.handler is not None:
            self.handler.close()


class Session:
    """The engine's calls on one connection.

    Args:
        services: What is served.
    """

    def __init__(self, services: Services) -> None:
        self._services: Final = services
        self._grpc: Final = GRPC()
        self._calls: Final[dict[int, Call]] = {}
        self._turns: Final[deque[Call]] = deque()
        self._reads: Final[Mapping[type, Callable[[Any], None]]] = {
            Called: self._called,
            Received: self._received,
            Ended: self._ended,
            Over: self._over,
        }
        self.failure: Exception | None = None
        """What went wrong first in a handler, but for refusals: the engine's own error may say less."""

    @property
    def ended(self) -> bool:
        """Whether the engine has said that it will call no more."""
        return self._grpc.ended

    def feed(self, data: bytes) -> None:
        """Take bytes of the connection.

        Raises:
            ProtocolViolated: They are no HTTP/2.
        """
        for event in self._grpc.feed(data):
            self._reads[type(event)](event)

    def take(self) -> bytes:
        """Return the bytes that are to be sent now."""
        return self._grpc.take()

    def advance(self) -> tuple[Call, BlockingStep | AsyncStep] | None:
        """Move the calls on, each in its turn; return the first step that is to be done outside.

        The result goes to `done`, an exception to `fail`. None: all of them wait for the engine, for room, or
        for a step that was returned before.
        """
        for _ in range(len(self._turns)):
            call = self._turns.popleft()
            if call.stream not in self._calls:
                continue
            self._turns.append(call)
            step = None if call.stepping else self._move(call)
            if step is not None:
                call.stepping = True
                return call, step
        return None

    def done(self, call: Call, step: BlockingStep | AsyncStep, result: Any) -> None:
        """Take the result of a step."""
        call.stepping = False
        if call.stream in self._calls:
            self._guarded(call, step.done, result)

    def fail(self, call: Call, error: Exception) -> None:
        """End a call because something in it went wrong; nothing if it is over."""
        if call.stream not in self._calls:
            return
        if isinstance(error, RpcError):
            self._finish(call, error.status)
        else:
            self.failure = self.failure or error
            self._finish(call, Status(Code.UNKNOWN, str(error) or type(error).__name__))

    def close(self) -> None:
        """Let go of what the calls hold; again does nothing."""
        for call in self._calls.values():
            call.close()
        self._calls.clear()

    def _move(self, call: Call) -> BlockingStep | AsyncStep | None:
        """Move one call on, until it waits, is full, over, or needs something done."""
        while call.handler is not None and self._grpc.room(call.stream):
            step: Step = self._guarded(call, call.handler.next)
            if isinstance(step, bytes):
                self._grpc.send(call.stream, step)
            elif isinstance(step, Status):
                self._finish(call, step)
            elif step is not None:
                return step
            elif not self._hand_over(call, call.handler):
                break
        return None

    def _hand_over(self, call: Call, handler: Handler) -> bool:
        """Give the handler the next message, if there is one: while it has things to do, they wait."""
        if not call.inbox:
            return False
        message = call.inbox.popleft()
        if message is None:
            self._guarded(call, handler.end)
        else:
            self._grpc.consumed(call.stream, message)
            self._guarded(call, handler.receive, message)
        return True

    def _called(self, event: Called) -> None:
        call = self._calls[event.stream] = Call(event.stream, event.path)
        self._turns.append(call)
        factory = self._services.get(event.path)
        if factory is None:
            self._finish(call, Status(Code.UNIMPLEMENTED, f"{event.path} is not served"))
        else:
            call.handler = self._guarded(call, factory, event.metadata)

    def _received(self, event: Received) -> None:
        if (call := self._calls.get(event.stream)) is not None:
            call.inbox.append(event.message)

    def _ended(self, event: Ended) -> None:
        if (call := self._calls.get(event.stream)) is not None:
            call.inbox.append(None)

    def _over(self, event: Over) -> None:
        if (call := self._calls.pop(event.stream, None)) is not None:
            call.close()

    def _finish(self, call: Call, status: Status) -> None:
        self._calls.pop(call.stream, None)
        self._grpc.finish(call.stream, status)
        call.close()

    def _guarded(self, call: Call, function: Callable[..., Any], *arguments: object) -> Any:
        """Call what is a handler's; whatever it raises ends the call."""
        try:
            return function(*arguments)
        except Exception as error:  # noqa: BLE001  # or the engine waits for ever
            self.fail(call, error)
            return None
