"""gRPC over HTTP/2, without I/O, for either side: bytes and messages in, events and bytes out.

A message is buffered here until the peer's windows have room for it; `GRPC.room` says whether the buffer
takes another one. The peer may send as much as the windows here allow; `GRPC.acknowledge` opens them again.
An error of the peer on one stream ends that call; any other error of the peer ends the connection, as
`ProtocolViolated`. Documented at https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md.
"""

# The states of a call, by the fields of `_CallState`:
#
#     served side    needs_head          no byte of the response was sent
#                    status is None      the handler is at work: messages go both ways
#                    status, outgoing    finished; buffered messages go out first, received ones are dropped
#                    (forgotten)         trailers sent, reset, or ended by an error
#     calling side   status is None      messages go both ways
#                    status, outgoing    `finish` was called; a half-close follows the buffered messages
#                    half_closed         only the response is awaited
#                    (forgotten)         the response's status came, reset, or ended by an error
#
# A forgotten call acknowledges its unconsumed bytes, so that it takes no room of the connection's window.

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final, TypeAlias
from urllib.parse import quote, unquote_to_bytes

import h2.errors
import h2.events
import h2.exceptions
from msgspec import Struct, field

from dockerproto.buildkit.rpc.handler import OK, Code, Metadata, RpcError, Status
from dockerproto.buildkit.rpc.http2 import HEADERS_LIMIT, MESSAGE_LIMIT, HTTP2Connection
from dockerproto.errors import ConnectionFailed, ProtocolViolated
from dockerproto.redacted import RedactedBuffer
from dockerproto.request.buildkit_access import ON_THIS_MACHINE, CallHeaders

_SEND_BUFFER: Final = 64 * 2**10
"""Bytes of a call that may be buffered before `GRPC.room` is False."""
_ALL_HEADERS_LIMIT: Final = 2 * HEADERS_LIMIT
"""Limit on the bytes of the headers of all calls that are open.

A compressed header takes one byte, and its patterns some hundred bytes for each character.
"""
_PREFIX: Final = struct.Struct(">BI")
_PREFIX_SIZE: Final = _PREFIX.size
# Printable ASCII is sent unquoted, except the percent sign.
_UNQUOTED: Final = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")
_MAX_STATUS_MESSAGE: Final = 4096
_HEAD: Final = ((b":status", b"200"), (b"content-type", b"application/grpc"))


class CallStarted(Struct, frozen=True):
    """The peer started a call."""

    stream: int
    path: str
    metadata: Metadata


class MessageReceived(Struct, frozen=True):
    """The peer sent a message."""

    stream: int
    message: bytes


class HalfClosed(Struct, frozen=True):
    """The caller sends no more messages."""

    stream: int


class CallEnded(Struct, frozen=True):
    """A call is over: it got its status, was reset, or was ended by a protocol error."""

    stream: int
    status: Status
    details: str = ""
    """Details of an error as they came, in base64."""


Event: TypeAlias = CallStarted | MessageReceived | HalfClosed | CallEnded


class MessageReader:
    """Decoder of the messages in one direction of a call."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take bytes, and yield the messages that they complete.

        Raises:
            RpcError: A message is compressed, or longer than `MESSAGE_LIMIT`.
        """
        rest, at = self._rest, 0
        rest += data
        size = len(rest)
        while size - at >= _PREFIX_SIZE:
            compressed, length = _PREFIX.unpack_from(rest, at)
            if compressed:
                raise RpcError(Code.UNIMPLEMENTED, "compressed messages are not supported")
            if length > MESSAGE_LIMIT:
                raise RpcError(
                    Code.RESOURCE_EXHAUSTED,
                    f"a message of {length} bytes is over the limit of {MESSAGE_LIMIT}",
                )
            start = at + _PREFIX_SIZE
            end = start + length
            if size < end:
                break
            yield bytes(rest[start:end])
            at = end
        del rest[:at]

    @property
    def complete(self) -> bool:
        """True if no message is partially received."""
        return not self._rest


class _CallState(Struct):
    """State of a call that is not over."""

    incoming: MessageReader = field(default_factory=MessageReader)
    unconsumed: int = 0
    """Received bytes that are not acknowledged yet; they occupy the stream's window."""
    outgoing: bytearray = field(default_factory=RedactedBuffer)
    needs_head: bool = True
    """True if the response headers must be sent before anything else."""
    header_size: int = 0
    """Bytes of the request headers."""
    status: Status | None = None
    """Status to send once `outgoing` is empty; on the calling side any status means a half-close."""
    half_closed: bool = False
    """True if the calling side has sent its half-close."""


class GRPC:
    """One side of a connection.

    Args:
        calls: True for the side that calls; by default this side is called.
        headers: Headers of every call that this side makes.
    """

    def __init__(self, *, calls: bool = False, headers: CallHeaders = ON_THIS_MACHINE) -> None:
        self._calls = calls
        self._headers = headers
        self._streams: dict[int, _CallState] = {}
        self._h2 = HTTP2Connection(calls=calls)
        self._event_handlers: Mapping[type, Callable[[Any], Iterator[Event]]] = {
            h2.events.RequestReceived: self._on_request,
            h2.events.ResponseReceived: self._on_response,
            h2.events.TrailersReceived: self._on_response,
            h2.events.DataReceived: self._on_data,
            h2.events.StreamEnded: self._on_stream_ended,
            h2.events.StreamReset: self._on_reset,
            h2.events.ConnectionTerminated: self._on_terminated,
        }
        self.ended: bool = False
        """True if the peer will send nothing more."""

    def feed(self, data: bytes) -> list[Event]:
        """Take bytes of the connection, and return the events.

        Raises:
            ProtocolViolated: The bytes are invalid HTTP/2, or exceed a limit of the connection.
        """
        if self.ended:
            return []
        try:
            events = self._h2.receive(data)
        except ProtocolViolated:
            self.ended = True
            raise
        known = ((self._event_handlers.get(type(event)), event) for event in events)
        return [each for handle, event in known if handle is not None for each in handle(event)]

    @property
    def started(self) -> bool:
        """True once the peer has begun to speak HTTP/2."""
        return self._h2.started

    def data_to_send(self) -> bytes:
        """Return the bytes to send now."""
        for stream in () if self.ended else list(self._streams):
            self._flush(stream)
        return self._h2.take()

    def room(self, stream: int) -> bool:
        """Return True if the send buffer of a call takes another message."""
        state = self._streams.get(stream)
        return state is not None and state.status is None and len(state.outgoing) < _SEND_BUFFER

    def call(self, path: str, metadata: Iterable[tuple[str, str]] = ()) -> int:
        """Start a call, and return its stream number.

        Raises:
            ConnectionFailed: The peer has ended the connection, or accepts no more calls on it.
        """
        if self.ended:
            raise ConnectionFailed(0, "the peer has ended the connection")
        stream = self._h2.get_next_available_stream_id()
        scheme, authority = _bytes(self._headers.scheme), _bytes(self._headers.authority)
        headers = [(b":method", b"POST"), (b":scheme", scheme), (b":authority", authority)]
        headers += [(b":path", _bytes(path)), (b"content-type", b"application/grpc"), (b"te", b"trailers")]
        headers += [(_bytes(name), _bytes(value)) for name, value in (*self._headers.metadata, *metadata)]
        try:
            self._h2.send_headers(stream, headers)
        except h2.exceptions.TooManyStreamsError as error:
            raise ConnectionFailed(0, f"the peer accepts no more calls: {error}") from error
        self._streams[stream] = _CallState(needs_head=False)
        return stream

    def send(self, stream: int, message: bytes) -> None:
        """Send a message of a call; ignored if the call is over."""
        if (state := self._streams.get(stream)) is not None:
            state.outgoing += _PREFIX.pack(0, len(message))
            state.outgoing += message

    def acknowledge(self, stream: int, *messages: bytes) -> None:
        """Acknowledge consumed messages, so that the peer may send as many bytes more.

        Ignored if the call is over, as all its bytes are acknowledged then.
        """
        state = self._streams.get(stream)
        if state is not None and (self._calls or state.status is None):
            self._release(stream, state, len(messages) * _PREFIX_SIZE + sum(map(len, messages)))

    def finish(self, stream: int, status: Status = OK) -> None:
        """End a call once all its messages are sent.

        The called side ends it with the status; the calling side only half-closes it.
        """
        state = self._streams.get(stream)
        if state is not None and state.status is None:
            state.status = status
            if not self._calls:
                self._release(stream, state, state.unconsumed)

    def reset(self, stream: int) -> None:
        """Abort a call; ignored if it is over."""
        if self._drop(stream) is not None and not self.ended:
            with suppress(h2.exceptions.StreamClosedError):  # by the peer, in what is being read
                self._h2.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)

    def _on_request(self, event: h2.events.RequestReceived) -> Iterator[Event]:
        size = sum(len(name) + len(value) for name, value in event.headers)
        total = size + sum(state.header_size for state in self._streams.values())
        self._streams[event.stream_id] = _CallState(header_size=size)
        if total > _ALL_HEADERS_LIMIT:
            reason = f"the headers of all calls exceed {_ALL_HEADERS_LIMIT} bytes"
            self.finish(event.stream_id, Status(Code.RESOURCE_EXHAUSTED, reason))
            return
        headers = _metadata(event.headers)
        yield CallStarted(event.stream_id, _first(headers, ":path"), headers)

    def _on_response(self, event: h2.events.ResponseReceived | h2.events.TrailersReceived) -> Iterator[Event]:
        """Handle response headers, which may carry an error, or trailers."""
        # A call has one status; a peer may send it in the head, and again in trailers.
        if not self._calls or event.stream_id not in self._streams:
            return
        headers = _metadata(event.headers)
        if "grpc-status" in headers or _first(headers, ":status", "200") != "200":
            self._abandon(event.stream_id)
            details = _first(headers, "grpc-status-details-bin")
            yield CallEnded(event.stream_id, _status(headers), details)

    def _on_data(self, event: h2.events.DataReceived) -> Iterator[Event]:
        state = self._streams.get(event.stream_id)
        if state is None or (state.status is not None and not self._calls):
            self._acknowledge(event.stream_id, event.flow_controlled_length)
            return
        state.unconsumed += event.flow_controlled_length
        self._release(event.stream_id, state, event.flow_controlled_length - len(event.data))
        try:
            for message in state.incoming.feed(event.data):
                yield MessageReceived(event.stream_id, message)
        except RpcError as error:
            yield self._break(event.stream_id, error.status)

    def _on_stream_ended(self, event: h2.events.StreamEnded) -> Iterator[Event]:
        state = self._streams.get(event.stream_id)
        if state is None:
            return
        if self._calls:
            yield self._break(event.stream_id, Status(Code.UNKNOWN, "the response has no status"))
        elif not state.incoming.complete:
            yield self._break(event.stream_id, Status(Code.UNKNOWN, "truncated message"))
        else:
            yield HalfClosed(event.stream_id)

    def _on_reset(self, event: h2.events.StreamReset) -> Iterator[Event]:
        state = self._drop(event.stream_id)
        if state is not None and (self._calls or state.status is None):
            yield CallEnded(event.stream_id, Status(Code.CANCELLED, "the peer aborted the call"))

    def _on_terminated(self, _: h2.events.ConnectionTerminated) -> Iterator[Event]:
        self.ended = True
        return iter(())

    def _break(self, stream: int, status: Status) -> Event:
        """End a call because of a protocol error of the peer."""
        state = self._streams[stream]
        if self._calls or state.status is not None:
            self.reset(stream)
        else:
            state.outgoing.clear()
            self.finish(stream, status)
        return CallEnded(stream, status)

    def _abandon(self, stream: int) -> None:
        """Forget a call that has its status, perhaps before all its messages were sent."""
        state = self._streams.get(stream)
        if state is not None and not state.half_closed:
            self.reset(stream)
        self._drop(stream)

    def _drop(self, stream: int) -> _CallState | None:
        """Forget a call, and return its state."""
        state = self._streams.pop(stream, None)
        if state is not None:
            self._release(stream, state, state.unconsumed)
        return state

    def _release(self, stream: int, state: _CallState, size: int) -> None:
        state.unconsumed -= size
        self._acknowledge(stream, size)

    def _acknowledge(self, stream: int, size: int) -> None:
        if size and not self.ended:
            self._h2.acknowledge_received_data(size, stream)

    def _flush(self, stream: int) -> None:
        """Pass to h2 as much as the windows allow."""
        state = self._streams[stream]
        if state.needs_head and state.outgoing:
            state.needs_head = False
            self._h2.send_headers(stream, _HEAD)
        self._send_data(stream, state.outgoing)
        if state.status is not None and not state.outgoing:
            self._finish_sending(stream, state, state.status)

    def _send_data(self, stream: int, outgoing: bytearray) -> None:
        longest = self._h2.max_outbound_frame_size
        while outgoing and (window := self._h2.local_flow_control_window(stream)) > 0:
            size = min(len(outgoing), window, longest)
            self._h2.send_data(stream, bytes(outgoing[:size]))
            del outgoing[:size]

    def _finish_sending(self, stream: int, state: _CallState, status: Status) -> None:
        if not self._calls:
            self._drop(stream)
            head = _HEAD if state.needs_head else ()
            self._h2.send_headers(stream, [*head, *_trailers(status)], end_stream=True)
        elif not state.half_closed:
            state.half_closed = True
            self._h2.end_stream(stream)


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _metadata(headers: Iterable[tuple[bytes, bytes]]) -> Metadata:
    metadata: dict[str, list[str]] = {}
    for raw_name, raw_value in headers:
        values = metadata.setdefault(raw_name.decode("latin-1").lower(), [])
        values.append(raw_value.decode(errors="surrogateescape"))
    return {name: tuple(values) for name, values in metadata.items()}


def _first(metadata: Metadata, name: str, default: str = "") -> str:
    return metadata.get(name, (default,))[0]


def _status(headers: Metadata) -> Status:
    code = _first(headers, "grpc-status")
    if not (code.isascii() and code.isdecimal() and len(code) < len("1000")):
        return Status(Code.UNKNOWN, f"the response has HTTP status {_first(headers, ':status')}")
    message = unquote_to_bytes(_first(headers, "grpc-message")).decode(errors="replace")
    return Status(int(code), message)


def _trailers(status: Status) -> Iterator[tuple[bytes, bytes]]:
    yield b"grpc-status", b"%d" % status.code
    if status.message:
        message = status.message[:_MAX_STATUS_MESSAGE].encode(errors="replace")
        yield b"grpc-message", quote(message, safe=_UNQUOTED).encode("ascii")
