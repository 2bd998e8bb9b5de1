"""Hostile engines generated from bytes, and the properties of a session that hold for each of them.

Bytes choose: a scenario, then all that is in it. So whoever makes bytes (hypothesis, or a fuzzer that is
guided by coverage) makes engines: some send anything, some what real ones sent and a little else, some
speak perfect HTTP/2 and send hostile messages in it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

import h2.config
import h2.connection
import h2.events
import h2.exceptions
from h2.settings import SettingCodes
from hpack import Encoder

from dockerproto import DockerError
from dockerproto.buildkit.content.service import ContentStore, content
from dockerproto.buildkit.files.fsutil import BytesMessage, Packet, entry_to_stat
from dockerproto.buildkit.files.receiver import TarReceiver, TreeReceiver, file_send
from dockerproto.buildkit.files.sender import file_sync
from dockerproto.buildkit.rpc.handler import AsyncStep, BlockingStep, Services
from dockerproto.buildkit.session.messages import GetSecretRequest
from dockerproto.buildkit.session.services import auth, health, secrets
from dockerproto.buildkit.session.session import ServedCall
from dockerproto.buildkit.session.ssh import ssh
from dockerproto.credentials.credentials import Credentials
from dockerproto.errors import ProtocolViolated
from dockerproto.messages.trace import StatusResponse, decode_trace
from dockerproto.protobuf.codec import ProtoMessage
from dockerproto.transport.file_tree import FileTree
from tests.support.calling import Engine
from tests.support.filesync import FIN, MemoryFile, MemoryOutput, data, directory, file, link, symlink
from tests.support.hostile_messages import BLOB, Choices, framed, message, metadata
from tests.support.layouts import MemoryLayout, digest_of
from tests.support.recorded_sessions import PREFACE, RECORDED, sent_by

KNOWN: Final = (Credentials(username="me", password="pw"), Credentials(registrytoken="t"), None)
"""Credentials for a registry, by the length of its name."""
STEPS: Final = 2000
"""Limit of a session's steps, in addition to one for each byte that it received."""


class Agent:
    """The network, with an agent that answers each time something else."""

    def __init__(self) -> None:
        self._left: list[bytes | TimeoutError] = [
            b"",
            TimeoutError(),
            b"\0\0\0\x02\x0c\0",
            b"\0\0\0\x05\x0e",
            b"1234",
            TimeoutError(),
        ] * 2

    async def connect(self, *_: object) -> Agent:
        if len(self._left) % 5 == 1:
            raise ConnectionRefusedError(111, "Connection refused")
        return self

    async def send(self, data: bytes, _: object) -> int:
        return len(data)

    async def receive(self, _: object) -> bytes:
        found = self._left.pop() if self._left else b""
        if isinstance(found, TimeoutError):
            raise found
        return found

    def close(self) -> None:
        """Do nothing."""


def context() -> FileTree:
    """Return what is offered as a context: a little of everything."""
    tree = FileTree.of(
        {"Dockerfile": b"FROM x", "a": b"1" * 70_000, "d/a": b"", "d/e/f": b"23", "\udcff": b"4"}
    )
    for entry in (symlink("link", "d"), symlink("loop", "loop"), symlink("out", "../../etc"), link("h", "a")):
        tree.add(entry)
    tree.add(file("gone", 5))  # its content is nowhere
    return tree


class Served:
    """A session that serves everything, and what holds of it after each feeding.

    What comes may be no HTTP/2, unless it is `perfect`.
    """

    def __init__(self, choices: Choices, *, perfect: bool = False) -> None:
        self._outputs: list[MemoryOutput] = []
        self._layout = MemoryLayout(BLOB)
        self._tar = choices.maybe(3)
        self._engine: Final = Engine(self._services())
        self.session: Final = self._engine.session
        self._budget = STEPS
        self._perfect: Final = perfect

    def feed(self, data: bytes) -> bytes:
        """Feed bytes; return the session's bytes after all steps."""
        self._budget += len(data)
        try:
            self.session.feed(data)
        except ProtocolViolated:
            assert self.session.ended
            if self._perfect:
                raise
        return self.settle()

    def settle(self) -> bytes:
        """Do all steps, and return what is to be sent."""
        out, stepped, more = bytearray(), True, b""
        while stepped or more:
            stepped, more = self._step(), self.session.data_to_send()
            out += more
            self._budget -= 1
            assert self._budget > 0, "it does not come to an end"
        return bytes(out)

    def _step(self) -> bool:
        """Have a step of each call begun that has one, then do them: the last one is over first."""
        begun: list[tuple[ServedCall, BlockingStep | AsyncStep]] = []
        while (following := self.session.advance()) is not None:
            begun.append(following)
        for call, step in reversed(begun):
            self._engine.do(call, step)
        return bool(begun)

    def ask(self, path: str, *messages: bytes) -> None:
        """Call a method as engines do, and see that the call ends."""
        stream = self._engine.begin(path, *messages)
        self._engine.grpc.finish(stream)
        self._engine.run()
        assert stream in self._engine.statuses

    def close(self) -> None:
        """Close it; nothing is left, and nothing failed but by our own errors, or those of the agent."""
        self.session.close()
        if not isinstance(failure := self.session.failure, DockerError | OSError | None):
            raise failure
        assert self.session.advance() is None
        assert self._layout.parts == []
        assert all(digest == digest_of(blob) for digest, blob in self._layout.blobs.items())
        for output in self._outputs:
            assert output.parts == {}
            assert output.closed or self._tar

    def _services(self) -> Services:
        async def find(registry: str) -> Credentials | None:
            return KNOWN[len(registry) % len(KNOWN)]

        agent: Any = Agent()  # what is used of a network
        tree, layout = context(), self._layout
        return {
            **health(),
            **auth(find, bytes(32)),
            **secrets({"token": b"hush", "": bytes(70_000)}),
            **file_sync({"context": tree, "dockerfile": FileTree.of({"Dockerfile": b"FROM x"})}),
            **file_send({0: self._receiver}),
            **content({"local:a": ContentStore(layout, writable=True), "oci:b": ContentStore(layout)}),
            **ssh({"default": "/agent"}, agent),
        }

    def _receiver(self) -> TreeReceiver | TarReceiver:
        output = MemoryOutput()
        self._outputs.append(output)
        return TarReceiver(lambda: _begun(output)) if self._tar else TreeReceiver(output)


def _begun(output: MemoryOutput) -> MemoryFile:
    return output.create(file("tar"))


class Caller:
    """An engine that speaks perfect HTTP/2, and sends what it likes in it."""

    def __init__(self, choices: Choices) -> None:
        self._choices = choices
        self._served = Served(choices, perfect=True)
        config = h2.config.H2Configuration(
            client_side=True,
            header_encoding=None,
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self._h2 = h2.connection.H2Connection(config)
        self._h2.initiate_connection()
        self._open: dict[int, bool] = {}
        """The calls that are not over, and whether more can be sent in them."""

    def run(self) -> None:
        """Send all that is chosen, then end what is open, and see that it is answered."""
        does = (
            self._message,
            self._message,
            self._message,
            self._call,
            self._exchange,
            self._end,
            self._other,
        )
        self._call()
        while self._choices:
            # What the windows have no room for, or would be too much of them, is left out.
            with suppress(h2.exceptions.FlowControlError, h2.exceptions.TooManyStreamsError):
                self._choices.pick(does)()
        self._resize(2**20)
        for stream in self._sending():
            self._end(stream)
        self._settle()
        assert self._open == {}, "calls that are not answered"
        self._served.close()

    def _sending(self) -> list[int]:
        return [stream for stream, more in self._open.items() if more]

    def _call(self) -> None:
        stream = self._h2.get_next_available_stream_id()
        self._h2.send_headers(stream, metadata(self._choices))
        self._open[stream] = True

    def _message(self) -> None:
        if streams := self._sending():
            stream, padding = self._choices.pick(streams), self._choices.pick((None, None, None, 7))
            for piece in self._choices.cut(framed(self._choices)):
                self._h2.send_data(stream, piece, pad_length=padding)

    def _end(self, stream: int = 0) -> None:
        if stream or self._sending():
            stream = stream or self._choices.pick(self._sending())
            self._h2.end_stream(stream)
            self._open[stream] = False

    def _other(self) -> None:
        choices, size = self._choices, self._choices.below(2**20) + 1
        window = choices.pick((0, 1, 100, 2**20))
        choices.pick(
            (
                lambda: self._h2.ping(bytes(8)),
                lambda: self._resize(window),
                lambda: self._h2.increment_flow_control_window(size),
                self._reset,
            )
        )()

    def _reset(self) -> None:
        if self._open:
            stream = self._choices.pick(list(self._open))
            self._h2.reset_stream(stream)
            del self._open[stream]

    def _resize(self, window: int) -> None:
        """Let the session send as much in each call; h2 takes any acknowledgement for that of the latest."""
        self._exchange()
        self._h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: window})
        self._exchange()

    def _settle(self) -> None:
        while self._exchange():
            pass

    def _exchange(self) -> bool:
        """Carry bytes in both directions, if there are any."""
        there = self._h2.data_to_send()
        back = b"".join(map(self._served.feed, self._choices.cut(there)))
        for event in self._h2.receive_data(back):
            if isinstance(event, h2.events.DataReceived) and event.flow_controlled_length:
                self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded | h2.events.StreamReset):
                self._over(event.stream_id, whole=isinstance(event, h2.events.StreamEnded))
        return bool(there or back)

    def _over(self, stream: int, *, whole: bool) -> None:
        """Take note of the end of a call; what is sent no more is broken off, as engines do it."""
        if self._open.pop(stream, False) and whole:
            with suppress(h2.exceptions.StreamClosedError):
                self._h2.reset_stream(stream)


def anything(choices: Choices) -> None:
    """Send any bytes."""
    served = Served(choices)
    for piece in choices.cut((PREFACE if choices.maybe(2) else b"") + choices.rest()):
        served.feed(piece)
    served.close()


def nearly_recorded(choices: Choices) -> None:
    """Send a recorded session of a real engine with some bytes changed."""
    served, data = Served(choices), bytearray(sent_by("engine", choices.pick(RECORDED)))
    for _ in range(choices.below(6)):
        at = choices.below(2**16) % len(data)
        change = choices.below(4)
        if change == 0:
            data[at] = choices.below(256)
        else:
            data[at : at + (choices.below(20) if change == 1 else 0)] = choices.text() if change == 2 else b""
    for piece in choices.cut(bytes(data)):
        served.feed(piece)
    served.close()


def _headers(choices: Choices) -> bytes:
    return Encoder().encode(metadata(choices))


_PAYLOADS: Final[dict[int, Callable[[Choices], bytes]]] = {0: framed, 1: _headers}


def frames(choices: Choices) -> None:
    """Send frames of HTTP/2, in any order, with anything in them."""
    served = Served(choices)
    served.feed(PREFACE + bytes.fromhex("000000040000000000"))
    while choices:
        kind, flags = choices.below(12), choices.pick((0, 1, 4, 5, 8, 0x20, 0xFF))
        stream = choices.pick((0, 1, 3, 5, 7, 2, 2**31 - 1))
        payload = _PAYLOADS.get(kind, Choices.text)(choices)
        payload = struct.pack(">I", choices.below(2**32)) if choices.maybe(8) else payload
        head = struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream)
        for piece in choices.cut(head + payload):
            served.feed(piece)
    served.close()


def decoders(choices: Choices) -> None:
    """Read any bytes as a trace and as packets; what is read is written, and read as the same."""
    classes: Sequence[type[ProtoMessage]] = (StatusResponse, Packet, BytesMessage, GetSecretRequest)
    cls = choices.pick(classes)
    data = choices.rest()
    with suppress(ProtocolViolated):
        decode_trace(data.decode("latin-1"))
    try:
        read = cls.decode(data)
    except ProtocolViolated:
        return
    assert cls.decode(read.encode()) == read


def perfect(choices: Choices) -> None:
    """Send what is perfect HTTP/2."""
    Caller(choices).run()


def outputs(choices: Choices) -> None:
    """Send the output of a build as an honest engine does, except for some messages."""
    served = Served(choices)
    entries = [directory("d"), file("d/a", 3), file("d/b"), link("d/h", "d/a"), symlink("l", "d")]
    honest = [Packet(stat=entry_to_stat(entry)) for entry in entries]
    honest += [Packet(), data(1, b"123"), data(1), data(2), FIN]
    sent = [
        message(choices) if choices.maybe(8) else each.encode() for each in honest if not choices.maybe(16)
    ]
    served.ask("/moby.filesync.v1.FileSend/DiffCopy", *sent)
    served.close()


SCENARIOS: Final[tuple[Callable[[Choices], None], ...]] = (
    perfect,
    frames,
    nearly_recorded,
    anything,
    decoders,
    outputs,
)


def play(data: bytes) -> None:
    """Play what the bytes choose; whatever does not hold raises."""
    choices = Choices(data)
    choices.pick(SCENARIOS)(choices)


def seeds() -> Iterator[bytes]:
    """Yield bytes to begin with: what real engines sent, and calls of each method."""
    for engine in RECORDED:
        yield bytes([3, 0, 0, 1]) + sent_by("engine", engine)
    for number in range(200):
        yield bytes([number % 6]) + bytes((number * 7 + at * 31 + at * at) % 256 for at in range(number * 3))
