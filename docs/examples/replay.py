r"""A transport that replays responses: an engine for tests, without an engine.

>>> head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
>>> image = head + b'Content-Length: 15\r\n\r\n{"Id":"sha256"}'
>>> no_images = head + b"Content-Length: 2\r\n\r\n[]"
>>> replay = Replay([image, no_images])
>>> docker = replay.docker()
>>> run(docker.images.inspect("busybox"))["Id"]
'sha256'
>>> Images(docker.client).list(all=True)
[]
>>> print(replay.sent.decode())  # doctest: +ELLIPSIS
GET /v1.41/images/busybox/json HTTP/1.1
Host: docker
User-Agent: dockerproto/...
<BLANKLINE>
GET /v1.41/images/json?all=1 HTTP/1.1
Host: docker
User-Agent: dockerproto/...
<BLANKLINE>
<BLANKLINE>
>>> run(docker.close())
"""

# ruff: noqa: ARG002  # the interfaces define the arguments

from collections.abc import Callable, Iterable
from typing import TypeVar

from dockerproto import Endpoint, Images, UnixSocket
from dockerproto.configuration import Configuration
from dockerproto.docker import AsyncDocker
from dockerproto.endpoint.addresses import Address
from dockerproto.transport.chunks import Chunk, FileRange
from dockerproto.transport.runtime import run
from dockerproto.transport.streams import ByteStream
from dockerproto.transport.transport import Transport
from dockerproto.versions import Version

__all__ = ["Images", "Replay", "run"]

T = TypeVar("T")


class Replay(Transport):
    """A transport that is not connected to anything."""

    def __init__(self, responses: Iterable[bytes]) -> None:
        self.responses = iter(responses)
        self.sent = bytearray()

    def docker(self) -> AsyncDocker:
        """Return an async client that uses this transport."""
        endpoint = Endpoint(UnixSocket("/replay.sock"), "replayed")
        return AsyncDocker(Configuration(endpoint=endpoint, version=Version(1, 41)), self)

    async def connect(self, address: Address, timeout: float | None) -> "ReplayStream":
        """Return a connection that replays."""
        return ReplayStream(self)

    async def in_thread(self, function: Callable[[], T]) -> T:
        """Call the function here: it blocks no other task."""
        return function()

    def lock(self) -> "FreeLock":
        """Return a lock."""
        return FreeLock()

    def now(self) -> float:
        """Return a constant time, so that nothing ever times out."""
        return 0.0


class ReplayStream(ByteStream):
    """A connection that keeps what is sent and replays the responses."""

    def __init__(self, replay: Replay) -> None:
        self.replay = replay
        self.closed = False

    async def send(self, data: Chunk, timeout: float | None) -> int:
        """Keep the data; there are no file ranges, as without a host there are no files."""
        assert not isinstance(data, FileRange)
        self.replay.sent += data
        return len(data)

    async def receive(self, timeout: float | None) -> bytes:
        """Return the next response, empty at the end."""
        return next(self.replay.responses, b"")

    async def readable(self) -> bool:
        """Return False while open: nothing arrives before it is received."""
        return self.closed

    def close(self) -> None:
        """Close the connection."""
        self.closed = True


class FreeLock:
    """A lock that is always free, as there is only one task."""

    async def acquire(self, timeout: float | None) -> None:
        """Acquire the lock."""

    def release(self) -> None:
        """Release the lock."""
