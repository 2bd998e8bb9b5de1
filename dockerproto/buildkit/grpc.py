"""gRPC over HTTP/2, without I/O, for either side: bytes and messages in, events and bytes out.

A message waits here until the windows of the peer have room for it; `GRPC.room` tells whether another is
welcome. The peer may send what the windows here have room for, which `GRPC.consumed` makes. What it does
wrong on one stream ends that call; what it does wrong otherwise ends the connection, as `ProtocolViolated`.
Documented at https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, TypeAlias
from urllib.parse import quote, unquote_to_bytes

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
from msgspec import Struct, field

from dockerproto.buildkit.handler import OK, Code, Metadata, RpcError, Status
from dockerproto.errors import ProtocolViolated

MESSAGE_LIMIT: Final = 4 * 2**20
"""The longest message in bytes, either way: Engine 20.10 takes none that is longer."""
_ROOM: Final = 64 * 2**10
"""How many bytes of a call may wait to be sent before it is asked for no more."""
# A message has to fit in, as its bytes count until it is consumed; and no call may starve the others.
_STREAM_WINDOW: Final = MESSAGE_LIMIT + 2**20
_CONNECTION_WINDOW: Final = 8 * _STREAM_WINDOW
# Among a call's headers are the lines of the program's .dockerignore.
_METADATA_LIMIT: Final = 2**20
_MOST_OWED: Final = 2**14
"""How many pings and settings may be answered without a look at whether the peer takes the answers."""
_OWED: Final = (h2.events.PingReceived, h2.events.RemoteSettingsChanged)
_SETTINGS: Final = {
    h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: _STREAM_WINDOW,
    h2.settings.SettingCodes.ENABLE_PUSH: 0,
    h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 100,
    h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: _METADATA_LIMIT,
}
_PREFIX: Final = struct.Struct(">BI")
# Printable ASCII goes as it is, but for the sign of the encoding itself.
_PLAIN: Final = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")
_LONGEST_REASON: Final = 4096
_HEAD: Final = ((b":status", b"200"), (b"content-type", b"application/grpc"))


class Called(Struct, frozen=True):
    """The peer calls."""

    stream: int
    path: str
    metadata: Metadata


class Received(Struct, frozen=True):
    """A message came."""

    stream: int
    message: bytes


class Ended(Struct, frozen=True):
    """The caller sends no more messages."""

    stream: int


class Over(Struct, frozen=True):
    """A call is over: answered, or reset, or broken by what came."""

    stream: int
    status: Status


Event: TypeAlias = Called | Received | Ended | Over


class Messages:
    """The messages of one direction of a call, out of the bytes of its stream."""

    def __init__(self) -> None:
        self._rest: Final = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take bytes, and yield the messages that they complete.

        Raises:
            RpcError: A message is compressed, or longer than `MESSAGE_LIMIT`.
        """
        self._rest.extend(data)
        while len(self._rest) >= _PREFIX.size:
            compressed, length = _PREFIX.unpack_from(self._rest)
            if compressed:
                raise RpcError(Code.UNIMPLEMENTED, "compressed messages are not understood")
            if length > MESSAGE_LIMIT:
                raise RpcError(
                    Code.RESOURCE_EXHAUSTED,
                    f"a message of {length} bytes is over the limit of {MESSAGE_LIMIT}",
                )
            end = _PREFIX.size + length
            if len(self._rest) < end:
                return
            message = bytes(self._rest[_PREFIX.size : end])
            del self._rest[:end]
            yield message

    @property
    def complete(self) -> bool:
        """Whether no part of a message is waiting for the rest of it."""
        return not self._rest


class _Stream(Struct):
    """A call that is not over."""

    incoming: Messages = field(default_factory=Messages)
    held: int = 0
    """How many bytes have come that are not consumed."""
    outgoing: bytearray = field(default_factory=bytearray)
    head_due: bool = True
    """Whether a head is to be sent before anything else."""
    status: Status | None = None
    """What to end with, once all is sent; if this side calls, any stands for that it says no more."""
    said_all: bool = False
    """Whether this side, which calls, has said that it says no more."""


class GRPC:
    """One side of a connection.

    Args:
        calls: Whether this side calls; by default it is called.
    """

    def __init__(self, *, calls: bool = False) -> None:
        self._calls: Final = calls
        self._streams: Final[dict[int, _Stream]] = {}
        self._h2: Final = _connection(calls=calls)
        self._reads: Final[Mapping[type, Callable[[Any], Iterator[Event]]]] = {
            h2.events.RequestReceived: self._called,
            h2.events.ResponseReceived: self._answered,
            h2.events.TrailersReceived: self._answered,
            h2.events.DataReceived: self._data,
            h2.events.StreamEnded: self._ended,
            h2.events.StreamReset: self._reset,
            h2.events.ConnectionTerminated: self._terminated,
        }
        self._owed = 0
        self.ended: bool = False
        """Whether the peer will say no more."""

    def feed(self, data: bytes) -> list[Event]:
        """Take bytes of the connection, and return what they mean.

        Raises:
            ProtocolViolated: They are no HTTP/2, or ask for more answers than are taken.
        """
        if self.ended:
            return []
        try:
            events = self._h2.receive_data(data)
        except h2.exceptions.H2Error as error:
            self.ended = True
            raise ProtocolViolated(0, f"this is no HTTP/2: {error}") from error
        self._owed += sum(isinstance(event, _OWED) for event in events)
        if self._owed > _MOST_OWED:
            self.ended = True
            raise ProtocolViolated(0, f"more than {_MOST_OWED} pings and settings came at once")
        known = ((self._reads.get(type(event)), event) for event in events)
        return [each for read, event in known if read is not None for each in read(event)]

    def take(self) -> bytes:
        """Return the bytes that are to be sent now."""
        self._owed = 0
        for stream in () if self.ended else list(self._streams):
            self._flush(stream)
        return self._h2.data_to_send()

    def room(self, stream: int) -> bool:
        """Whether another message of a call is welcome."""
        state = self._streams.get(stream)
        return state is not None and state.status is None and len(state.outgoing) < _ROOM

    def call(self, path: str, metadata: Iterable[tuple[str, str]] = ()) -> int:
        """Call, and return the number of the call."""
        stream = self._h2.get_next_available_stream_id()
        headers = [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"localhost")]
        headers += [(b":path", _bytes(path)), (b"content-type", b"application/grpc"), (b"te", b"trailers")]
        headers += [(_bytes(name), _bytes(value)) for name, value in metadata]
        self._h2.send_headers(stream, headers)
        self._streams[stream] = _Stream(head_due=False)
        return stream

    def send(self, stream: int, message: bytes) -> None:
        """Send a message of a call; nothing if the call is over."""
        if (state := self._streams.get(stream)) is not None:
            state.outgoing += _PREFIX.pack(0, len(message))
            state.outgoing += message

    def consumed(self, stream: int, message: bytes) -> None:
        """Make room for as much as a message took."""
        if (state := self._streams.get(stream)) is not None:
            self._release(stream, state, _PREFIX.size + len(message))

    def finish(self, stream: int, status: Status = OK) -> None:
        """End a call once all its messages are sent.

        The side that is called ends it with the status; the one that calls says no more.
        """
        state = self._streams.get(stream)
        if state is not None and state.status is None:
            state.status = status
            if not self._calls:
                self._release(stream, state, state.held)

    def reset(self, stream: int) -> None:
        """Break a call off; nothing if it is over."""
        if self._drop(stream) is not None and not self.ended:
            with suppress(h2.exceptions.StreamClosedError):  # by the peer, in what is being read
                self._h2.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)

    def _called(self, event: h2.events.RequestReceived) -> Iterator[Event]:
        headers = _metadata(event.headers)
        self._streams[event.stream_id] = _Stream()
        yield Called(event.stream_id, _first(headers, ":path"), headers)

    def _answered(self, event: h2.events.ResponseReceived | h2.events.TrailersReceived) -> Iterator[Event]:
        """Read the head of an answer, which refuses or says nothing, or its end."""
        headers = _metadata(event.headers)
        if self._calls and ("grpc-status" in headers or _first(headers, ":status", "200") != "200"):
            self._abandon(event.stream_id)
            yield Over(event.stream_id, _status(headers))

    def _data(self, event: h2.events.DataReceived) -> Iterator[Event]:
        state = self._streams.get(event.stream_id)
        if state is None or (state.status is not None and not self._calls):
            self._acknowledge(event.stream_id, event.flow_controlled_length)
            return
        state.held += event.flow_controlled_length
        self._release(event.stream_id, state, event.flow_controlled_length - len(event.data))
        try:
            for message in state.incoming.feed(event.data):
                yield Received(event.stream_id, message)
        except RpcError as error:
            yield self._broken(event.stream_id, error.status)

    def _ended(self, event: h2.events.StreamEnded) -> Iterator[Event]:
        state = self._streams.get(event.stream_id)
        if state is None:
            return
        if self._calls:
            yield self._broken(event.stream_id, Status(Code.UNKNOWN, "the answer has no status"))
        elif not state.incoming.complete:
            yield self._broken(event.stream_id, Status(Code.UNKNOWN, "a message was cut short"))
        else:
            yield Ended(event.stream_id)

    def _reset(self, event: h2.events.StreamReset) -> Iterator[Event]:
        state = self._drop(event.stream_id)
        if state is not None and (self._calls or state.status is None):
            yield Over(event.stream_id, Status(Code.CANCELLED, "the peer broke the call off"))

    def _terminated(self, _: h2.events.ConnectionTerminated) -> Iterator[Event]:
        self.ended = True
        return iter(())

    def _broken(self, stream: int, status: Status) -> Event:
        """End a call because of what came."""
        state = self._streams[stream]
        if self._calls or state.status is not None:
            self.reset(stream)
        else:
            state.outgoing.clear()
            self.finish(stream, status)
        return Over(stream, status)

    def _abandon(self, stream: int) -> None:
        """Forget a call that was answered, before its messages were all sent perhaps."""
        state = self._streams.get(stream)
        if state is not None and not state.said_all:
            self.reset(stream)
        self._drop(stream)

    def _drop(self, stream: int) -> _Stream | None:
        """Forget a call, and return what was known of it."""
        state = self._streams.pop(stream, None)
        if state is not None:
            self._release(stream, state, state.held)
        return state

    def _release(self, stream: int, state: _Stream, size: int) -> None:
        state.held -= size
        self._acknowledge(stream, size)

    def _acknowledge(self, stream: int, size: int) -> None:
        if size and not self.ended:
            self._h2.acknowledge_received_data(size, stream)

    def _flush(self, stream: int) -> None:
        """Hand to h2 what the windows have room for."""
        state = self._streams[stream]
        if state.head_due and state.outgoing:
            state.head_due = False
            self._h2.send_headers(stream, _HEAD)
        self._send_data(stream, state.outgoing)
        if state.status is not None and not state.outgoing:
            self._close(stream, state, state.status)

    def _send_data(self, stream: int, outgoing: bytearray) -> None:
        longest = self._h2.max_outbound_frame_size
        while outgoing and (window := self._h2.local_flow_control_window(stream)) > 0:
            size = min(len(outgoing), window, longest)
            self._h2.send_data(stream, bytes(outgoing[:size]))
            del outgoing[:size]

    def _close(self, stream: int, state: _Stream, status: Status) -> None:
        if not self._calls:
            self._drop(stream)
            head = _HEAD if state.head_due else ()
            self._h2.send_headers(stream, [*head, *_trailers(status)], end_stream=True)
        elif not state.said_all:
            state.said_all = True
            self._h2.end_stream(stream)


def _connection(*, calls: bool) -> h2.connection.H2Connection:
    # Headers stay bytes: engines put file names in them, which are of any encoding.
    config = h2.config.H2Configuration(
        client_side=calls, header_encoding=None, validate_inbound_headers=False
    )
    connection = h2.connection.H2Connection(config)
    # These are sent; a setting that is assigned to h2's own would only be believed.
    connection.local_settings = h2.settings.Settings(client=calls, initial_values=_SETTINGS)
    connection.decoder.max_header_list_size = _METADATA_LIMIT
    connection.initiate_connection()
    connection.increment_flow_control_window(_CONNECTION_WINDOW)
    return connection


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _metadata(headers: Iterable[tuple[bytes, bytes]]) -> Metadata:
    found: dict[str, list[str]] = {}
    for raw_name, raw_value in headers:
        values = found.setdefault(raw_name.decode("latin-1").lower(), [])
        values.append(raw_value.decode(errors="surrogateescape"))
    return {name: tuple(values) for name, values in found.items()}


def _first(metadata: Metadata, name: str, default: str = "") -> str:
    return metadata.get(name, (default,))[0]


def _status(headers: Metadata) -> Status:
    code = _first(headers, "grpc-status")
    if not (code.isascii() and code.isdecimal() and len(code) < len("1000")):
        return Status(Code.UNKNOWN, f"answered with HTTP status {_first(headers, ':status')}")
    reason = unquote_to_bytes(_first(headers, "grpc-message")).decode(errors="replace")
    return Status(int(code), reason)


def _trailers(status: Status) -> Iterator[tuple[bytes, bytes]]:
    yield b"grpc-status", b"%d" % status.code
    if status.message:
        reason = status.message[:_LONGEST_REASON].encode(errors="replace")
        yield b"grpc-message", quote(reason, safe=_PLAIN).encode("ascii")
