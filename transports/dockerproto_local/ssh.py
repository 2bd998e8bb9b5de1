"""An engine behind ssh: the system's ssh runs the docker command there, which carries the bytes.

So the user's ssh configuration, keys and agent decide, as they do for the docker command.
"""

from __future__ import annotations

import socket
import subprocess
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import IO, Final

from dockerproto.transport.chunks import Buffer, Chunk
from dockerproto.transport.network import ByteStream


class SSHStream:
    """A connection over a process of ssh; what ssh complains of is in the errors."""

    def __init__(self, stream: ByteStream, process: subprocess.Popen[bytes], complaints: IO[bytes]) -> None:
        self._stream: Final = stream
        self._process: Final = process
        self._complaints: Final = complaints
        self._answered = False

    async def send(self, data: Chunk, timeout: float | None) -> int:
        """Send data; return how many bytes of it went out before something came in, all if nothing did."""
        with self._failing():
            return await self._stream.send(data, timeout)

    async def receive(self, timeout: float | None) -> Buffer:
        """Return some bytes, none at the end; they are overwritten once anything is waited for."""
        with self._failing():
            data = await self._stream.receive(timeout)
        if not (data or self._answered):
            raise self._failure("ssh ended")
        self._answered = True
        return data

    async def readable(self) -> bool:
        """Whether `receive` would return at once."""
        return await self._stream.readable()

    async def ready(self) -> None:
        """Wait until `receive` would return at once, or until `wake` is called."""
        await self._stream.ready()

    def wake(self) -> None:
        """End the wait of `ready`, or the next one."""
        self._stream.wake()

    def hung_up(self) -> bool:
        """Whether ssh has ended."""
        return self._stream.hung_up()

    def close(self) -> None:
        """Close the connection and end ssh, at once."""
        self._stream.close()
        self._process.kill()
        self._process.wait()
        self._complaints.close()

    @contextmanager
    def _failing(self) -> Generator[None]:
        try:
            yield
        except TimeoutError:
            raise
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, cause: object) -> ConnectionError:
        if self._complaints.closed:
            return ConnectionAbortedError(str(cause))
        self._complaints.seek(0)
        said = self._complaints.read().decode(errors="replace").strip()
        return ConnectionError(said or str(cause))


def start_ssh(arguments: Sequence[str]) -> tuple[socket.socket, subprocess.Popen[bytes], IO[bytes]]:
    """Start ssh; return a socket that is its input and output, the process, and what it complains of."""
    ours, theirs = socket.socketpair()
    complaints = tempfile.TemporaryFile()  # noqa: SIM115  # the stream closes it
    try:
        process = subprocess.Popen(  # noqa: S603  # the arguments are checked where they are made
            ["ssh", *arguments],  # noqa: S607  # the user's own ssh, wherever it is
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=complaints,
            start_new_session=True,  # an interrupt of the program is the program's to handle
        )
    except BaseException:
        ours.close()
        complaints.close()
        raise
    finally:
        theirs.close()
    return ours, process, complaints
