"""An engine or a daemon behind a command, whose standard input and output are the connection.

For an engine at an ``ssh://`` address, the system's ssh runs the Docker CLI on the remote host, which relays
the bytes. So the user's ssh configuration, keys and agent apply, as they do for the Docker CLI.
"""

from __future__ import annotations

import select
import socket
import subprocess
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from dockerproto.redacted import Redacted, hides_frames
from dockerproto.transport.chunks import Buffer, Chunk
from dockerproto.transport.streams import ByteStream
from dockerproto_local.scopes import LocalScope

TAIL: Final = 16 * 2**10
"""Bytes kept of what a command prints on standard error: the last ones, which say why it ended."""
_ALL: Final = 2**20
"""Bytes to read at once: more than the buffer of a socket holds, so that one read takes all that is there."""


class ErrorOutput:
    """The end of what a command prints on standard error.

    A thread reads it, so the command never waits, however much it prints. `close` ends the thread, even if a
    process that it has left behind keeps its standard error open: ssh leaves one with ControlPersist.
    """

    def __init__(self) -> None:
        self.theirs: socket.socket
        self._ours, self.theirs = socket.socketpair()
        self.closed: bool = False
        """True after `close`."""
        self._tail = b""
        self._lost = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._read_all, name="dockerproto command", daemon=True)
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


class StartedCommand(Redacted, frozen=True):
    """A command that runs; its arguments may be secret."""

    _hidden = ("process",)

    connection: socket.socket
    """Socket that is connected to its standard input and output."""
    process: subprocess.Popen[bytes]
    """Process."""
    stderr: ErrorOutput
    """Output on its standard error."""
    program: str
    """Name of the program, for messages."""
    may_end: bool
    """True if its output may end as a connection does; False if that is an error, as it is for HTTP/2."""


class CommandStream(ByteStream):
    """A connection over a command; errors contain what it printed on standard error.

    Args:
        stream: The stream over its socket.
        command: The command.
    """

    def __init__(self, stream: ByteStream, command: StartedCommand) -> None:
        self._stream = stream
        self._process = command.process
        self._stderr = command.stderr
        self._may_end = command.may_end
        self._ending = f"{command.program} ended"
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
        if not (data or (self._received and self._may_end)):
            raise self._failure(self._ending)
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
        """Return True if the command has ended."""
        return self._stream.hung_up()

    def close(self) -> None:
        """Close the connection and end the command, at once; one of the parent process goes on."""
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
        except (BrokenPipeError, ConnectionResetError) as error:
            raise self._failure(self._ending) from error
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, cause: object) -> ConnectionError:
        """Return the error of the command; before the first byte, it means that it could not connect."""
        if self._stderr.closed:
            return ConnectionAbortedError(str(cause))
        text = self._stderr.text()
        return (ConnectionError if self._received else ConnectionRefusedError)(text or str(cause))


@hides_frames
def start_command(arguments: Sequence[str], *, may_end: bool) -> StartedCommand:
    """Start a command, whose output may or must not end; raise OSError."""
    stderr = ErrorOutput()
    ours, theirs = socket.socketpair()
    try:
        process = subprocess.Popen(  # noqa: S603  # the address validates them, or the program gives them
            arguments,
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
    return StartedCommand(ours, process, stderr, arguments[0], may_end)
