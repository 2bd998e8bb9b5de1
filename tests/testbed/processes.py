"""Child processes of the testbed.

A child writes its output into a log file, is waited for until it answers, and is stopped by its pid. When it
does not come up, the error shows the end of its log.
"""

import os
import re
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from dockerproto_testing import engine

_CAP_SYS_ADMIN = 1 << 21  # the right to mount
_SYSTEM_DIRECTORIES = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_PORTS = range(15_000, 32_000)
"""Ports for servers of tests; connections get those from 32,768 on."""


short_directory = engine.short_directory
"""BuildKit makes sockets far below such a directory, so the path must be short."""


class NotInTimeError(AssertionError):
    """A condition did not become true in time."""


class ChildError(RuntimeError):
    """A child process did not come up; the message ends with the tail of its log."""


class Child:
    """A process with its output in a log file, which is appended to."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self.command = tuple(command)
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return the process id; a `RuntimeError` before the start and after the stop."""
        if self._process is None:
            raise RuntimeError(f"{self.command[0]} is not running")
        return self._process.pid

    def start(self, ready: Callable[[], bool], *, timeout: float = 30) -> None:
        """Start the process and wait until `ready()` is true, for at most `timeout` seconds.

        A process that ends early or is not ready in time is stopped, and `ChildError` raised.
        """
        with self.log.open("ab") as output:
            self._process = process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment(),
                start_new_session=True,
            )
        try:
            wait_until(lambda: process.poll() is not None or ready(), timeout, interval=0.05)
        except BaseException as error:
            self.stop()
            if isinstance(error, NotInTimeError):
                raise self._failure(f"was not ready after {timeout:g} s") from None
            raise
        if process.returncode is not None:
            self._process = None
            raise self._failure(f"ended with code {process.returncode} before it was ready")

    def stop(self, *, timeout: float = 30) -> None:
        """Send SIGTERM, wait, after `timeout` seconds SIGKILL; nothing if it is not running."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _failure(self, what: str) -> ChildError:
        return ChildError(f"{' '.join(self.command)}\n{what}. The end of its log:\n{tail(self.log)}")


def wait_until(predicate: Callable[[], object], timeout: float = 5, *, interval: float = 0.005) -> None:
    """Poll until `predicate()` is true; `NotInTimeError` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not predicate():
        if time.monotonic() > deadline:
            raise NotInTimeError(f"not within {timeout:g} s")
        time.sleep(interval)


def tail(log: Path, lines: int = 30) -> str:
    """Return the last lines of a log file."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def environment() -> Mapping[str, str]:
    """Return this process' environment, with the system directories in PATH, where daemons live."""
    path = os.environ.get("PATH", os.defpath)
    return {**os.environ, "PATH": os.pathsep.join((path, *_SYSTEM_DIRECTORIES))}


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody uses at this moment.

    The kernel does not give it to a connection, of which tests in other processes open many.
    """
    while True:
        port = secrets.choice(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def hindrance(*programs: str) -> str | None:
    """Return None if an engine that needs these programs can be started here, else the reason."""
    if not Path("/proc/self/mountinfo").exists():
        return "this is not Linux"
    if os.geteuid() != 0:
        return "a private engine needs root"
    effective = re.search(r"^CapEff:\s*(\w+)", Path("/proc/self/status").read_text(), re.MULTILINE)
    if effective and not int(effective[1], 16) & _CAP_SYS_ADMIN:
        return "a private engine needs the right to mount (CAP_SYS_ADMIN)"
    missing = [name for name in programs if shutil.which(name, path=environment()["PATH"]) is None]
    return f"not installed: {', '.join(missing)}" if missing else None
