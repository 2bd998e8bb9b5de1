"""The engine's side of a session: in memory, where it does the steps of handlers too, and as a script."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Final, cast

from dockerproto.buildkit.rpc.grpc import GRPC, CallEnded, MessageReceived
from dockerproto.buildkit.rpc.handler import AsyncStep, BlockingStep, Services, Status
from dockerproto.buildkit.session.session import ServedCall, Session
from dockerproto.transport.runtime import run
from dockerproto_testing.steps import Exchange
from dockerproto_testing.wire import Wire

SWITCHING: Final = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"


class Engine:
    """A session, and the engine that it serves.

    `pieces` cuts the bytes that the engine sends.
    """

    def __init__(
        self, services: Services, pieces: Callable[[bytes], Iterable[bytes]] = lambda data: [data]
    ) -> None:
        self.session = Session(services)
        self.grpc = GRPC(calls=True)
        self.messages: dict[int, list[bytes]] = {}
        self.statuses: dict[int, Status] = {}
        self._pieces = pieces

    def ask(self, path: str, message: bytes = b"") -> tuple[list[bytes], Status]:
        """Call a method of one message; return the answers and how the call ended."""
        stream = self.begin(path, message)
        self.grpc.finish(stream)
        self.run()
        return self.messages[stream], self.statuses[stream]

    def begin(self, path: str, *messages: bytes, metadata: Iterable[tuple[str, str]] = ()) -> int:
        """Call a method; return the number of the call."""
        stream = self.grpc.call(path, metadata)
        self.messages[stream] = []
        for message in messages:
            self.grpc.send(stream, message)
        return stream

    def run(self) -> None:
        """Carry bytes and do steps until both sides wait."""
        stepped = carried = True
        while stepped or carried:
            stepped, carried = self.step(), self.carry()

    def carry(self) -> bool:
        """Carry bytes in both directions, if there are any."""
        there = self.grpc.data_to_send()
        for piece in self._pieces(there):
            self.session.feed(piece)
        back = self.session.data_to_send()
        for event in self.grpc.feed(back):
            if isinstance(event, MessageReceived):
                self.messages[event.stream].append(event.message)
                self.grpc.acknowledge(event.stream, event.message)
            elif isinstance(event, CallEnded):
                self.statuses[event.stream] = event.status
        return bool(there or back)

    def hear(self, pieces: Iterable[bytes]) -> bytes:
        """Feed bytes of a recorded or hostile engine to the session; return what it sends."""
        wire = b""
        for piece in pieces:
            self.session.feed(piece)
            while self.step():
                pass
            wire += self.session.data_to_send()
        return wire

    def step(self) -> bool:
        """Do one step of a handler, if there is one."""
        following = self.session.advance()
        if following is not None:
            self.do(*following)
        return following is not None

    def do(self, call: ServedCall, step: BlockingStep | AsyncStep) -> None:
        """Run a step, and hand in its outcome."""
        try:
            result = (
                call.run(step)
                if isinstance(step, BlockingStep)
                else run(cast("Coroutine[Any, Any, Any]", step.run()))  # what these tests await are such
            )
        except Exception as error:  # noqa: BLE001  # any of them ends the call
            self.session.fail(call, error)
        else:
            self.session.done(call, step, result)


class Speaking:
    """A scripted engine in a session: it calls, over the connection that was turned over to it."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.grpc = GRPC(calls=True)
        self.messages: dict[int, list[bytes]] = {}
        self.statuses: dict[int, Status] = {}

    def ask(self, path: str, message: bytes = b"") -> tuple[list[bytes], Status]:
        """Call a method of one message; return the answers and how the call ended."""
        stream = self.begin(path, message)
        self.grpc.finish(stream)
        return self.end(stream)

    def begin(self, path: str, *messages: bytes, metadata: Iterable[tuple[str, str]] = ()) -> int:
        """Call a method; return the number of the call."""
        stream = self.grpc.call(path, metadata)
        self.messages[stream] = []
        for message in messages:
            self.grpc.send(stream, message)
        self.wire.send(self.grpc.data_to_send())
        return stream

    def end(self, stream: int) -> tuple[list[bytes], Status]:
        """Wait for the end of a call; return the answers and how the call ended."""
        while stream not in self.statuses:
            self.hear()
        return self.messages[stream], self.statuses[stream]

    def cancel(self, stream: int) -> None:
        """Break a call off."""
        self.grpc.reset(stream)
        self.wire.send(self.grpc.data_to_send())

    def hear(self) -> None:
        """Send what is to be sent, and take what comes then."""
        self.wire.send(self.grpc.data_to_send())
        for event in self.grpc.feed(self.wire.some(2**16)):
            if isinstance(event, MessageReceived):
                self.messages[event.stream].append(event.message)
                self.grpc.acknowledge(event.stream, event.message)
            elif isinstance(event, CallEnded):
                self.statuses[event.stream] = event.status


@dataclass(frozen=True, slots=True)
class Speak:
    """A step of a scripted engine: take a connection over for a session, and do something there."""

    script: Callable[[Speaking], None] = lambda _: None

    def perform(self, exchange: Exchange) -> None:
        """Do it."""
        exchange.body.read()
        exchange.wire.send(SWITCHING)
        self.script(Speaking(exchange.wire))
