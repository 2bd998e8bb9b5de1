"""Forward ssh agents to build steps; a step may list keys and sign with them, and nothing else.

Each connection that a step makes is one call. The step's messages to the agent are parsed, and only the two
harmless requests are forwarded, so a build cannot add, remove or lock keys. Documented at
https://datatracker.ietf.org/doc/html/draft-ietf-sshm-ssh-agent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from functools import partial
from struct import Struct
from typing import Final, Protocol

from dockerproto.buildkit.files.fsutil import BytesMessage
from dockerproto.buildkit.rpc.handler import (
    OK,
    AsyncStep,
    Code,
    Handler,
    Metadata,
    RpcError,
    Services,
    Step,
    Unary,
)
from dockerproto.buildkit.session.messages import CheckAgentRequest
from dockerproto.endpoint.addresses import UnixSocket
from dockerproto.errors import ProtocolViolated
from dockerproto.transport.streams import ByteStream
from dockerproto.transport.transport import Connector

DEFAULT_ID: Final = "default"
"""Id of the agent of a mount that names none."""
_LENGTH: Final = Struct(">I")
_MAX_MESSAGE: Final = 256 * 2**10
# SSH_AGENTC_REQUEST_IDENTITIES and SSH_AGENTC_SIGN_REQUEST: list the keys, and sign.
_ALLOWED_REQUESTS: Final = (b"\x0b", b"\x0d")
_FAILURE: Final = _LENGTH.pack(1) + b"\x05"
_CHUNK: Final = 32 * 2**10
_CONNECT_SECONDS: Final = 5


def ssh(sockets: Mapping[str, str], transport: Connector) -> Services:
    """Serve agents by id and socket path."""

    def check(message: bytes) -> bytes:
        _socket_path(sockets, CheckAgentRequest.decode(message).id)
        return b""

    def forward(metadata: Metadata) -> Handler:
        path = _socket_path(sockets, metadata.get("buildkit.ssh.id", ("",))[0])
        return AgentForwarding(_UnixAgentConnection(path, transport))

    return {
        "/moby.sshforward.v1.SSH/CheckAgent": lambda _: Unary(check),
        "/moby.sshforward.v1.SSH/ForwardAgent": forward,
    }


class FrameReader:
    """Decoder of length-prefixed agent messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Take bytes."""
        self._buffer.extend(data)

    def next(self) -> bytes | None:
        """Return the next message, prefix included, or None if it is incomplete.

        Raises:
            ProtocolViolated: The message is longer than agents accept.
        """
        if len(self._buffer) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer)
        if length > _MAX_MESSAGE:
            raise ProtocolViolated(
                0, f"an ssh agent message must have at most {_MAX_MESSAGE} bytes, not {length}"
            )
        end = _LENGTH.size + length
        if len(self._buffer) < end:
            return None
        frame = bytes(self._buffer[:end])
        del self._buffer[:end]
        return frame


class AgentConnection(Protocol):
    """A connection to an agent."""

    async def send(self, data: bytes) -> None:
        """Send all of data, after connecting if necessary."""
        ...

    async def receive(self) -> bytes:
        """Return some bytes, however late they come: an agent may ask its user first. Raises OSError."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class AgentForwarding:
    """Handler of a call that forwards one connection of a step to an agent."""

    def __init__(self, agent: AgentConnection) -> None:
        self._agent = agent
        self._request_frames = FrameReader()
        self._reply_frames = FrameReader()
        self._replies = deque[bytes]()
        self._awaiting_reply = False
        self._ended = False

    def receive(self, message: bytes) -> None:
        """Take bytes of the step; calls and agent messages have independent boundaries."""
        self._request_frames.feed(BytesMessage.decode(message).data)

    def end(self) -> None:
        """Note that the step sends no more."""
        self._ended = True

    def next(self) -> Step:
        """Return the next step: a reply, or a step towards it."""
        if self._replies:
            return BytesMessage(self._replies.popleft()).encode()
        if self._awaiting_reply:
            return AsyncStep(self._agent.receive, self._on_reply)
        if (request := self._request_frames.next()) is not None:
            return self._forward(request)
        return OK if self._ended else None

    def close(self) -> None:
        """Close the connection to the agent."""
        self._agent.close()

    def _forward(self, request: bytes) -> Step:
        request_type = request[_LENGTH.size : _LENGTH.size + 1]
        if request_type not in _ALLOWED_REQUESTS:
            return BytesMessage(_FAILURE).encode()
        self._awaiting_reply = True
        return AsyncStep(partial(self._agent.send, request), lambda _: None)

    def _on_reply(self, data: bytes) -> None:
        self._reply_frames.feed(data)
        while (reply := self._reply_frames.next()) is not None:
            self._awaiting_reply = False
            self._replies.extend(reply[at : at + _CHUNK] for at in range(0, len(reply), _CHUNK))


class _UnixAgentConnection:
    """A connection to the agent that listens on a Unix socket."""

    def __init__(self, path: str, transport: Connector) -> None:
        self._address = UnixSocket(path)
        self._transport = transport
        self._stream: ByteStream | None = None
        self._closed = False

    async def send(self, data: bytes) -> None:
        if self._stream is None:
            self._stream = await self._transport.connect(self._address, _CONNECT_SECONDS)
            if self._closed:  # while it connected
                self._stream.close()
        # Nothing is received meanwhile: an agent replies only to a complete request.
        while count := await self._stream.send(data, _CONNECT_SECONDS):
            data = data[count:]

    async def receive(self) -> bytes:
        if self._stream is None:
            raise ConnectionError
        data = await self._stream.receive(None)
        if not data:
            raise ConnectionResetError(f"the ssh agent at {self._address.path} closed the connection")
        return bytes(data)

    def close(self) -> None:
        self._closed = True
        if self._stream is not None:
            self._stream.close()


def _socket_path(sockets: Mapping[str, str], name: str) -> str:
    path = sockets.get(name or DEFAULT_ID)
    if path is None:
        raise RpcError(Code.NOT_FOUND, f"unknown ssh agent {name or DEFAULT_ID!r}")
    return path
