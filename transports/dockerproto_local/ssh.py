"""An engine behind ssh: the system's ssh runs the Docker CLI on the remote host, which relays the bytes.

So the user's ssh configuration, keys and agent apply, as they do for the Docker CLI.
"""

from __future__ import annotations

import socket
import subprocess
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import IO

from dockerproto.transport.chunks import Buffer, Chunk
from dockerproto.transport.streams import ByteStream
from dockerproto_local.scopes import LocalScope


class SSHStream(ByteStream):
    """A connection over an ssh process; errors contain what ssh printed on standard error."""

    def __init__(self, stream: ByteStream, process: subprocess.Popen[bytes], stderr: IO[bytes]) -> None:
        self._stream = stream
        self._process = process
        self._stderr = stderr
        self._received = False
        self._started_in = LocalScope.current(None)

    async def send(self, data: Chunk, timeout: float | None) -> int:
        """Send data and return how many bytes were sent: all, or those before something arrived."""
        with self._convert_errors():
            return await self._stream.send(data, timeout)

    async def receive(self, timeout: float | None) -> Buffer:
        """Return some bytes, empty at the end; valid until the next wait."""
        with self._convert_errors():
            data = await self._stream.receive(timeout)
        if not (data or self._received):
            raise self._failure("ssh ended")
        self._received = True
        return data

    async def readable(self) -> bool:
        """Return True if `receive` would return or raise at once."""
        return await self._stream.readable()

    async def ready(self) -> None:
        """Wait until `receive` would return at once, or until `wake` is called."""
        await self._stream.ready()

    def wake(self) -> None:
        """End the current wait in `ready`, or else the next one."""
        self._stream.wake()

    def hung_up(self) -> bool:
        """Return True if ssh has ended."""
        return self._stream.hung_up()

    def close(self) -> None:
        """Close the connection and end ssh, at once; an ssh of the parent process goes on."""
        self._stream.close()
        if self._started_in.inherited:
            self._process.poll()  # notes that this process has no such child
        else:
            self._process.kill()
            self._process.wait()
        self._stderr.close()

    @contextmanager
    def _convert_errors(self) -> Generator[None]:
        try:
            yield
        except TimeoutError:
            raise
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, cause: object) -> ConnectionError:
        """Return the error of ssh; before the first byte, it means that ssh could not connect."""
        if self._stderr.closed:
            return ConnectionAbortedError(str(cause))
        self._stderr.seek(0)
        text = self._stderr.read().decode(errors="replace").strip()
        return (ConnectionError if self._received else ConnectionRefusedError)(text or str(cause))


def start_ssh(arguments: Sequence[str]) -> tuple[socket.socket, subprocess.Popen[bytes], IO[bytes]]:
    """Start ssh; return a socket connected to its input and output, the process, and its standard error."""
    ours, theirs = socket.socketpair()
    stderr = tempfile.TemporaryFile()  # noqa: SIM115  # the stream closes it
    try:
        process = subprocess.Popen(  # noqa: S603  # SSH.arguments validates them
            ["ssh", *arguments],  # noqa: S607  # the ssh of the user's PATH
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=stderr,
            start_new_session=True,  # Ctrl-C reaches this program only
        )
    except BaseException:
        ours.close()
        stderr.close()
        raise
    finally:
        theirs.close()
    return ours, process, stderr
