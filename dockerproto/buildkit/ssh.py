"""Agents of ssh for the steps of a build: they may list keys and have them sign, and nothing else.

Each connection that a step makes is one call. What the step says to the agent is read, message by message,
and only the two harmless requests are passed on; so a build cannot remove, add or lock keys. Documented at
https://datatracker.ietf.org/doc/html/draft-ietf-sshm-ssh-agent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from functools import partial
from struct import Struct
from typing import Final, Protocol

from dockerproto.buildkit.fsutil import BytesMessage
from dockerproto.buildkit.handler import (
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
from dockerproto.buildkit.messages import CheckAgentRequest
from dockerproto.endpoint.addresses import UnixSocket
from dockerproto.errors import ProtocolViolated
from dockerproto.transport.network import ByteStream, Network

DEFAULT_ID: Final = "default"
"""The agent of a mount that names none."""
_LENGTH: Final = Struct(">I")
_LONGEST: Final = 256 * 2**10
# To list the keys, and to sign.
_PASSED_ON: Final = (b"\x0b", b"\x0d")
_FAILURE: Final = _LENGTH.pack(1) + b"\x05"
_CHUNK: Final = 32 * 2**10
_CONNECT_SECONDS: Final = 5


def ssh(sockets: Mapping[str, str], network: Network) -> Services:
    """Serve agents, by id and the path of their socket."""

    def check(message: bytes) -> bytes:
        _socket(sockets, CheckAgentRequest.decode(message).id)
        return b""

    def forward(metadata: Metadata) -> Handler:
        path = _socket(sockets, metadata.get("buildkit.ssh.id", ("",))[0])
        return Forwarding(_Agent(path, network))

    return {
        "/moby.sshforward.v1.SSH/CheckAgent": lambda _: Unary(check),
        "/moby.sshforward.v1.SSH/ForwardAgent": forward,
    }


class Frames:
    """The messages of an agent's connection, each with its length before it."""

    def __init__(self) -> None:
        self._rest: Final = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take bytes, and yield the messages that they complete.

        Raises:
            ProtocolViolated: A message is longer than agents take.
        """
        self._rest.extend(data)
        while len(self._rest) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._rest)
            if length > _LONGEST:
                raise ProtocolViolated(0, f"a message of {length} bytes is too long for an ssh agent")
            end = _LENGTH.size + length
            if len(self._rest) < end:
                return
            frame = bytes(self._rest[:end])
            del self._rest[:end]
            yield frame


class Agent(Protocol):
    """A connection to an agent."""

    async def send(self, data: bytes) -> None:
        """Send all of data, to an agent that is connected to if it is not yet."""
        ...

    async def receive(self) -> bytes:
        """Return some bytes, as late as they come: an agent may ask its user first. Raises OSError."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class Forwarding:
    """A connection of a step to an agent."""

    def __init__(self, agent: Agent) -> None:
        self._agent: Final = agent
        self._asked: Final = Frames()
        self._answered: Final = Frames()
        self._requests: Final = deque[bytes]()
        self._answers: Final = deque[bytes]()
        self._waiting = False
        self._ended = False

    def receive(self, message: bytes) -> None:
        """Take bytes of the step; they are not cut where messages of the agent begin."""
        self._requests.extend(self._asked.feed(BytesMessage.decode(message).data))

    def end(self) -> None:
        """Take note that the step says no more."""
        self._ended = True

    def next(self) -> Step:
        """Return the next step: an answer, or one on the way to it."""
        if self._answers:
            return BytesMessage(self._answers.popleft()).encode()
        if self._waiting:
            return AsyncStep(self._agent.receive, self._heard)
        if self._requests:
            return self._ask(self._requests.popleft())
        return OK if self._ended else None

    def close(self) -> None:
        """Close the connection to the agent."""
        self._agent.close()

    def _ask(self, request: bytes) -> Step:
        kind = request[_LENGTH.size : _LENGTH.size + 1]
        if kind not in _PASSED_ON:
            return BytesMessage(_FAILURE).encode()
        self._waiting = True
        return AsyncStep(partial(self._agent.send, request), lambda _: None)

    def _heard(self, data: bytes) -> None:
        for answer in self._answered.feed(data):
            self._waiting = False
            self._answers.extend(answer[at : at + _CHUNK] for at in range(0, len(answer), _CHUNK))


class _Agent:
    """A connection to the agent that listens on a socket."""

    def __init__(self, path: str, network: Network) -> None:
        self._address: Final = UnixSocket(path)
        self._network: Final = network
        self._stream: ByteStream | None = None
        self._closed = False

    async def send(self, data: bytes) -> None:
        if self._stream is None:
            self._stream = await self._network.connect(self._address, _CONNECT_SECONDS)
            if self._closed:  # meanwhile
                self._stream.close()
        # An agent that speaks before it has heard all is none: what it says is then no answer.
        while sent := await self._stream.send(data, _CONNECT_SECONDS):
            data = data[sent:]

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


def _socket(sockets: Mapping[str, str], name: str) -> str:
    known = sockets.get(name or DEFAULT_ID)
    if known is None:
        raise RpcError(Code.NOT_FOUND, f"no ssh agent {name or DEFAULT_ID!r} is given to this build")
    return known
