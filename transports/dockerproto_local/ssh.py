"""An engine behind ssh: the system's ssh runs the Docker CLI on the remote host, which relays the bytes.

So the user's ssh configuration, keys and agent apply, as they do for the Docker CLI.
"""

from __future__ import annotations

import select
import socket
import subprocess
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from dockerproto.transport.chunks import Buffer, Chunk
from dockerproto.transport.streams import ByteStream
from dockerproto_local.scopes import LocalScope

TAIL: Final = 16 * 2**10
"""Bytes kept of what ssh prints on standard error: the last ones, which say why it ended."""
_ALL: Final = 2**20
"""Bytes to read at once: more than the buffer of a socket holds, so that one read takes all that is there."""


class ErrorOutput:
    """The end of what ssh prints on standard error.

    A thread reads it, so ssh never waits, however much it prints. `close` ends the thread, even if a process
    that ssh has left behind keeps its standard error open: with ControlPersist there is one.
    """

    def __init__(self) -> None:
        self.theirs: socket.socket
        self._ours, self.theirs = socket.socketpair()
        self.closed: bool = False
        """True after `close`."""
        self._tail = b""
        self._lost = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._read_all, name="dockerproto ssh", daemon=True)
        self._thread.start()

    def text(self) -> str:
        """Return the last `TAIL` bytes of what was printed until now, from the beginning of a line on."""
        self._take()
        first = self._tail.find(b"\n") + 1 if self._lost else 0
        return self._tail[first:].decode(errors="replace").strip()

    def close(self, *, inherited: bool = False) -> None:
        """End the thread, unless it is `inherited`: then it is the parent's."""
        self.closed = True
        if not inherited:
            with suppress(OSError):  # it is closed already
                self._ours.shutdown(socket.SHUT_RDWR)
            self._thread.join()
        self._ours.close()
        self.theirs.close()

    def _read_all(self) -> None:
        poll = select.poll()
        poll.register(self._ours, select.POLLIN)
        while poll.poll() and self._take():
            pass

    def _take(self) -> bool:
        """Take what has been printed; return False at the end."""
        with self._lock:
            try:
                data = self._ours.recv(_ALL, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return True
            except OSError:  # closed here
                return False
            self._tail += data
            self._lost = self._lost or len(self._tail) > TAIL
            self._tail = self._tail[-TAIL:]
        return bool(data)


class SSHStream(ByteStream):
    """A connection over an ssh process; errors contain what ssh printed on standard error."""

    def __init__(self, stream: ByteStream, process: subprocess.Popen[bytes], stderr: ErrorOutput) -> None:
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
        inherited = self._started_in.inherited
        if inherited:
            self._process.poll()  # notes that this process has no such child
        else:
            self._process.kill()
            self._process.wait()
        self._stderr.close(inherited=inherited)

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
        text = self._stderr.text()
        return (ConnectionError if self._received else ConnectionRefusedError)(text or str(cause))


def start_ssh(arguments: Sequence[str]) -> tuple[socket.socket, subprocess.Popen[bytes], ErrorOutput]:
    """Start ssh; return a socket connected to its input and output, the process, and its standard error."""
    stderr = ErrorOutput()
    ours, theirs = socket.socketpair()
    try:
        process = subprocess.Popen(  # noqa: S603  # SSH.arguments validates them
            ["ssh", *arguments],  # noqa: S607  # the ssh of the user's PATH
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=stderr.theirs.fileno(),
            start_new_session=True,  # Ctrl-C reaches this program only
        )
    except BaseException:
        ours.close()
        stderr.close()
        raise
    finally:
        theirs.close()
        stderr.theirs.close()
    return ours, process, stderr
