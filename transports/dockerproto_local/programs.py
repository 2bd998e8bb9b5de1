"""Run a program to its end, with limits of its output and its time.

The output ends with the program, even if a process that it has started keeps it open. A program that exceeds
a limit is killed, and with it what it has started, unless this process has a terminal: a program may ask its
user there only from the session of its caller, which must survive.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import IO, Final, cast

from dockerproto.redacted import RedactedBytes

OUTPUT_LIMIT: Final = 2**20
"""Limit on the output in bytes; longer credentials would be useless, as engines accept 1 MiB of headers."""
_CHUNK: Final = 64 * 2**10
_LOOK_MS: Final = 100
"""Interval of checks whether the program has ended, in milliseconds; usually its output ends then, too."""


class TooMuchOutput(Exception):
    """A program printed more than `OUTPUT_LIMIT`."""


def run_program(arguments: Sequence[str], request: bytes, timeout: float) -> tuple[int, bytes]:
    """Give a program its input, and return its exit status and output. Its standard error is discarded.

    Raises:
        OSError: It cannot be started.
        TimeoutError: It has not ended within `timeout` seconds.
        TooMuchOutput: It printed more than `OUTPUT_LIMIT`.
    """
    own_session = not has_terminal()
    with subprocess.Popen(  # noqa: S603  # the caller says what to run
        arguments,
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=own_session,
    ) as process:
        try:
            return _Dialogue(process, request, time.monotonic() + timeout).finish()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL) if own_session else process.kill()


class _Dialogue:
    """The exchange with a program: the input that is not written yet, and the output so far."""

    def __init__(self, process: subprocess.Popen[bytes], request: bytes, deadline: float) -> None:
        self._process = process
        self._stdin, self._stdout = (
            cast("IO[bytes]", each) for each in (process.stdin, process.stdout)
        )  # pipes
        self._unsent = request
        self._output = bytearray()
        self._deadline = deadline
        self._poll = select.poll()
        self._poll.register(self._stdin, select.POLLOUT)
        self._poll.register(self._stdout, select.POLLIN)
        os.set_blocking(self._stdin.fileno(), False)

    def finish(self) -> tuple[int, bytes]:
        """Return the exit status and the output."""
        while self._step():
            pass
        try:
            return self._process.wait(self._left()), RedactedBytes(self._output)
        except subprocess.TimeoutExpired:  # it has closed its output
            raise TimeoutError from None

    def _step(self) -> bool:
        """Wait a moment, then write and read what is possible; return False at the end of the output."""
        if not self._left():
            raise TimeoutError
        ended = self._process.poll() is not None  # looked at first, as it may print something meanwhile
        ready = [each for each, _ in self._poll.poll(0 if ended else _LOOK_MS)]
        if not self._stdin.closed and self._stdin.fileno() in ready:
            self._write()
        return self._read() if self._stdout.fileno() in ready else not ended

    def _left(self) -> float:
        return max(0, self._deadline - time.monotonic())

    def _write(self) -> None:
        try:
            self._unsent = self._unsent[os.write(self._stdin.fileno(), self._unsent) :]
        except BrokenPipeError:  # it does not want to know
            self._unsent = b""
        if not self._unsent:
            self._poll.unregister(self._stdin)
            self._stdin.close()

    def _read(self) -> bool:
        chunk = RedactedBytes(os.read(self._stdout.fileno(), _CHUNK))
        self._output += chunk
        if len(self._output) > OUTPUT_LIMIT:
            raise TooMuchOutput
        return bool(chunk)


def has_terminal() -> bool:
    """Return True if this process has a terminal, on which a program may ask its user."""
    with suppress(OSError):
        os.close(os.open(os.ctermid(), os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
        return True
    return False
