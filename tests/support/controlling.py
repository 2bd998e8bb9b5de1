"""The engine's side of the Control API: in memory, and as a script on a connection."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from dockerproto.buildkit.control.calls import CONTROL, GATEWAY
from dockerproto.buildkit.control.messages import (
    Detail,
    ErrorStatus,
    FrontendRequest,
    FrontendResponse,
    FrontendResult,
    ListWorkersResponse,
    SolveRequest,
    SolveResponse,
    WorkerRecord,
)
from dockerproto.buildkit.files.fsutil import BytesMessage
from dockerproto.buildkit.rpc.grpc import GRPC, CallStarted, HalfClosed, MessageReceived
from dockerproto.buildkit.rpc.handler import OK, Metadata, Status
from dockerproto.messages.trace import StatusResponse, Timestamp, Vertex
from dockerproto_testing.steps import Exchange
from dockerproto_testing.wire import GoneError, Wire
from tests.support.calling import SWITCHING, Speaking

ASK: Final = f"{GATEWAY}Solve"
"""The call of a frontend."""
RETURN: Final = f"{GATEWAY}Return"
"""The call that ends a build whose frontend was called."""
IMAGE: Final = f"sha256:{'ab' * 32}"
CONTAINERD: Final = {"org.mobyproject.buildkit.worker.snapshotter": "overlayfs"}
STEP: Final = StatusResponse(
    vertexes=(Vertex("sha256:1", name="[1/1] RUN make", started=Timestamp(1), completed=Timestamp(2)),)
).encode()
"""A report of one step."""
PUSHED: Final = f"sha256:{'cd' * 32}"
"""Digest of a manifest that was pushed."""
PREPARING: Final[dict[str, Any]] = {"status": "Preparing", "progressDetail": {}, "id": "0a1b"}
"""The message that announces a layer to push."""


def pushing(repository: str) -> list[dict[str, Any]]:
    """Return the messages of the engine's own push."""
    return [
        {"status": f"The push refers to repository [{repository}]"},
        PREPARING,
        {"status": f"1: digest: {PUSHED} size: 527"},
        {"progressDetail": {}, "aux": {"Tag": "1", "Digest": PUSHED, "Size": 527}},
    ]


def workers(labels: Mapping[str, str] = CONTAINERD) -> bytes:
    """Return the list of workers of an engine whose worker has these labels."""
    return ListWorkersResponse((WorkerRecord("moby", labels),)).encode()


def solved(response: Mapping[str, str] | None = None) -> bytes:
    """Return the reply to a build."""
    return SolveResponse({"containerimage.digest": IMAGE} if response is None else response).encode()


def replied(document: object) -> bytes:
    """Return the reply of a frontend to a question: a document, or bytes in its place."""
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return FrontendResponse(FrontendResult({"result.json": raw, "version": b"1.0.0"}).encode()).encode()


def details(type_url: str, value: object) -> str:
    """Return details of an error as a header has them."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return b64encode(ErrorStatus(details=(Detail(type_url, raw),)).encode()).decode().rstrip("=")


class ControlServer:
    """An engine that is called: `requests` has the messages by method, once a call is complete.

    The methods of the Control API have short names, others the names of their services too.
    `metadata` has the metadata by method, `tunnelled` the bytes of a session that came in a call.
    """

    def __init__(self) -> None:
        self.grpc = GRPC()
        self.requests: dict[str, bytes] = {}
        self.metadata: dict[str, Metadata] = {}
        self.tunnelled = bytearray()
        self._streams: dict[str, int] = {}
        self._methods: dict[int, str] = {}
        self._messages: dict[int, bytes] = {}

    def feed(self, data: bytes) -> None:
        """Take what the client sent."""
        for event in self.grpc.feed(data):
            if isinstance(event, CallStarted):
                method = self._methods[event.stream] = event.path.removeprefix(CONTROL)
                self._streams[method] = event.stream
                self.metadata[method] = event.metadata
            elif isinstance(event, MessageReceived):
                self._messages[event.stream] = event.message
                if self._methods[event.stream] == "Session":
                    self.tunnelled += BytesMessage.decode(event.message).data
                self.grpc.acknowledge(event.stream, event.message)
            elif isinstance(event, HalfClosed):
                self.requests[self._methods[event.stream]] = self._messages.get(event.stream, b"")

    def reply(self, method: str, *messages: bytes, status: Status | None = OK) -> None:
        """Send messages in the last call of a method, and end it with a status; with None it goes on."""
        stream = self._streams[method]
        for message in messages:
            self.grpc.send(stream, message)
        if status is not None:
            self.grpc.finish(stream, status)

    def fail(self, method: str, status: int, message: str, detail: str) -> None:
        """End the last call of a method with an error that has details."""
        headers = [
            (b":status", b"200"),
            (b"grpc-status", b"%d" % status),
            (b"grpc-message", message.encode()),
        ]
        headers.append((b"grpc-status-details-bin", detail.encode()))
        connection: Any = vars(self.grpc)["_h2"]  # the product sends no details
        connection.send_headers(self._streams[method], headers, end_stream=True)
        vars(self.grpc)["_streams"].pop(self._streams[method])

    @property
    def solve(self) -> SolveRequest:
        """The build that was requested."""
        return SolveRequest.decode(self.requests["Solve"])

    @property
    def question(self) -> FrontendRequest:
        """The question to the frontend."""
        return FrontendRequest.decode(self.requests[ASK])


class Controlled(ControlServer):
    """An engine that is called over a connection that was switched."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self.wire = wire

    def flush(self) -> None:
        """Send what there is to send."""
        self.wire.send(self.grpc.data_to_send())

    def begin(self, labels: Mapping[str, str] = CONTAINERD) -> None:
        """Reply about the workers, and wait for the build."""
        self.wait("ListWorkers")
        self.reply("ListWorkers", workers(labels))
        self.wait("Solve", "Status")

    def wait(self, *methods: str) -> None:
        """Receive until all of these methods were called."""
        while not self.requests.keys() >= set(methods):
            self.flush()
            self.feed(self.wire.some(2**16))


class Shared(Controlled):
    """An engine that is called over a connection which carries a session too; each has a script and a thread.

    It reads whatever comes until `stop`.
    """

    def __init__(self, wire: Wire, session: Callable[[Speaking], None]) -> None:
        super().__init__(wire)
        self._session = session
        self._changed = threading.Condition()
        self._stopped = False
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._read, self._speak)]

    def start(self) -> None:
        """Begin to read."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Read no more, and end the script of the session."""
        self._end()
        for thread in self._threads:
            thread.join()

    def feed(self, data: bytes) -> None:
        """Take what the client sent."""
        with self._changed:
            super().feed(data)
            self._changed.notify_all()

    def flush(self) -> None:
        """Send what there is to send."""
        with self._changed:
            super().flush()

    def reply(self, method: str, *messages: bytes, status: Status | None = OK) -> None:
        """Send messages, as `ControlServer.reply` does."""
        with self._changed:
            super().reply(method, *messages, status=status)

    def fail(self, method: str, status: int, message: str, detail: str) -> None:
        """End a call, as `ControlServer.fail` does."""
        with self._changed:
            super().fail(method, status, message, detail)

    def wait(self, *methods: str) -> None:
        """Wait until all of these methods were called."""
        self._wait(lambda: self.requests.keys() >= set(methods))

    def send(self, data: bytes) -> None:
        """Send bytes of the session."""
        if data:
            self.reply("Session", BytesMessage(data).encode(), status=None)
            self.flush()

    def some(self, _: int) -> bytes:
        """Return the next bytes of the session."""
        self._wait(lambda: self.tunnelled)
        with self._changed:
            data = bytes(self.tunnelled)
            self.tunnelled.clear()
        return data

    def _wait(self, until: Callable[[], object]) -> None:
        with self._changed:
            super().flush()
            self._changed.wait_for(lambda: until() or self._stopped)
        if not until():
            raise GoneError

    def _read(self) -> None:
        with suppress(OSError):
            while not self._stopped:
                if self.wire.readable(0.005):
                    self.feed(self.wire.some(2**16))
                    self.flush()
        self._end()

    def _end(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def _speak(self) -> None:
        with suppress(OSError):
            self._wait(lambda: "Session" in self.metadata)
            wire: Any = self  # which sends and receives, as a wire does
            self._session(Speaking(wire))


@dataclass(frozen=True, slots=True)
class Control:
    """A step of a scripted engine: take a connection over for the Control API, and do something there."""

    script: Callable[[Controlled], None]

    def perform(self, exchange: Exchange) -> None:
        """Do it."""
        exchange.body.read()
        exchange.wire.send(SWITCHING)
        controlled = Controlled(exchange.wire)
        self.script(controlled)
        controlled.flush()


@dataclass(frozen=True, slots=True)
class Native:
    """The step `Control` on a connection by HTTP/2 with prior knowledge, which carries the session too."""

    control: Control
    session: Callable[[Speaking], None] = lambda _: None
    switching: bool = False
    """True if the connection was HTTP/1.1 before."""

    def perform(self, exchange: Exchange) -> None:
        """Do it."""
        exchange.body.read()
        shared = Shared(exchange.wire, self.session)
        if self.switching:
            exchange.wire.send(SWITCHING)
        else:
            shared.feed(b"PRI * HTTP/2.0\r\n\r\n")
        shared.flush()
        shared.start()
        try:
            self.control.script(shared)
            shared.flush()
        finally:
            shared.stop()


def building(
    seen: list[SolveRequest] | None = None,
    *,
    reports: Sequence[bytes] = (STEP,),
    response: Mapping[str, str] | None = None,
    labels: Mapping[str, str] = CONTAINERD,
    known: bool = False,
) -> Control:
    """Return a step that builds; `known` if the client has asked for the workers before."""

    def script(control: Controlled) -> None:
        control.wait("Status", "Solve") if known else control.begin(labels)
        if seen is not None:
            seen.append(control.solve)
        control.reply("Status", *reports)
        control.reply("Solve", solved(response))

    return Control(script)


def replying(
    reply: bytes, seen: list[FrontendRequest] | None = None, *, reports: Sequence[bytes] = (STEP,)
) -> Control:
    """Return a step that replies to a question about a Dockerfile."""

    def script(control: Controlled) -> None:
        control.begin()
        control.wait(ASK)
        if seen is not None:
            seen.append(control.question)
        control.reply("Status", *reports, status=None)
        _return(control, reply)

    return Control(script)


def building_or_replying() -> Control:
    """Return a step that builds, or replies to a question."""

    def script(control: Controlled) -> None:
        control.begin()
        if control.solve.frontend:
            control.reply("Status", STEP)
            control.reply("Solve", solved())
        else:
            control.wait(ASK)
            _return(control, replied({}))

    return Control(script)


def _return(control: Controlled, reply: bytes) -> None:
    control.reply(ASK, reply)
    control.wait(RETURN)
    control.reply(RETURN, b"")
    control.reply("Solve", b"")
    control.reply("Status")
