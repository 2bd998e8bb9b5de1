r"""A transport that replays answers: an engine for tests, without an engine.

>>> head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
>>> image = head + b'Content-Length: 15\r\n\r\n{"Id":"sha256"}'
>>> no_images = head + b"Content-Length: 2\r\n\r\n[]"
>>> replay = Replay([image, no_images])
>>> docker = replay.docker()
>>> run(docker.images.inspect("busybox"))
{'Id': 'sha256'}
>>> replay.images().list(all=True)
[]
>>> print(replay.sent.decode())
GET /v1.41/images/busybox/json HTTP/1.1
Host: docker
User-Agent: dockerproto
<BLANKLINE>
GET /v1.41/images/json?all=1 HTTP/1.1
Host: docker
User-Agent: dockerproto
<BLANKLINE>
<BLANKLINE>
"""

# ruff: noqa: ARG002  # the protocols say what is passed

from collections.abc import Callable, Iterable
from os import PathLike
from pathlib import Path
from typing import BinaryIO, TypeVar

from dockerproto import Endpoint, Images, UnixSocket
from dockerproto.client import Client, Configuration
from dockerproto.docker import AsyncDocker
from dockerproto.endpoint.addresses import Address
from dockerproto.http.connection import Connections
from dockerproto.transport.chunks import Chunk, FileRange
from dockerproto.transport.network import run
from dockerproto.versions import Version

__all__ = ["Replay", "run"]

T = TypeVar("T")

CONFIGURATION = Configuration(
    endpoint=Endpoint(UnixSocket("/replay.sock"), "it is replayed"), version=Version(1, 41)
)


class Replay:
    """A network with nothing behind it: a `dockerproto.transport.network.Network`."""

    def __init__(self, answers: Iterable[bytes]) -> None:
        self.answers = iter(answers)
        self.sent = bytearray()

    def docker(self) -> AsyncDocker:
        """Make an async client that talks to it."""
        return AsyncDocker(CONFIGURATION, self)

    def images(self) -> Images:
        """Make the image operations of a blocking client that talks to it."""
        connections = Connections(self, CONFIGURATION.endpoint.address)
        return Images(Client(CONFIGURATION, self, connections))

    async def connect(self, address: Address, timeout: float | None) -> "Stream":
        """Connect to nothing."""
        return Stream(self)

    async def in_thread(self, function: Callable[[], T]) -> T:
        """Call a function here: there is no event loop that it could stall."""
        return function()

    def open_file(self, path: str | PathLike[str]) -> BinaryIO:
        """Open a file that is to be uploaded."""
        return Path(path).open("rb", buffering=0)

    def lock(self) -> "Lock":
        """Make a lock."""
        return Lock()

    def variable(self, name: str) -> str | None:
        """Return a variable of the environment: there is none."""

    def now(self) -> float:
        """Stop the clock, so that nothing ever times out."""
        return 0.0


class Stream:
    """A connection whose other side says what it is told to: a `dockerproto.transport.network.ByteStream`."""

    def __init__(self, replay: Replay) -> None:
        self._replay = replay
        self._closed = False

    async def send(self, data: Chunk, timeout: float | None) -> int:
        """Keep what is sent: no parts of files, as `open_file` makes none that has them."""
        assert not isinstance(data, FileRange)
        self._replay.sent += data
        return len(data)

    async def receive(self, timeout: float | None) -> bytes:
        """Hand out the next bytes, b"" when there are none left."""
        return next(self._replay.answers, b"")

    async def readable(self) -> bool:
        """Nothing comes before it is asked for."""
        return self._closed

    def close(self) -> None:
        """Close it."""
        self._closed = True


class Lock:
    """A lock that is always free, as there is one task: a `dockerproto.transport.network.Lock`."""

    async def acquire(self, timeout: float | None) -> None:
        """Take it."""

    def release(self) -> None:
        """Give it back."""
