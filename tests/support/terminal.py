"""A terminal without a window: a program runs in it, and what it shows can be looked at."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import pyte

from tests.testbed.processes import NotInTimeError, wait_until

ROOT = Path(__file__).parents[2]


def environment(**changes: str) -> dict[str, str]:
    """Return the environment of a program that is to find this source tree."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "COVERAGE"))}
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        kept.pop(name, None)
    path = os.pathsep.join((str(ROOT), str(ROOT / "transports")))
    return {**kept, "TERM": "xterm-256color", "PYTHONPATH": path, "PYTHONWARNINGS": "error", **changes}


class Terminal:
    """A terminal of some columns and lines that runs a Python program inside the `with`."""

    def __init__(
        self, *arguments: str, columns: int = 80, lines: int = 24, stdin: bytes | None = None, **changes: str
    ) -> None:
        self._stdin = stdin
        self._arguments = (sys.executable, *arguments)
        self._environment = environment(**changes)
        self._screen: Any = pyte.HistoryScreen(columns, lines, history=10_000)
        self._stream: Any = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self.raw = b""

    def __enter__(self) -> Self:
        self._master, slave = pty.openpty()
        self._set_size()
        self._process = subprocess.Popen(
            self._arguments,
            stdin=slave if self._stdin is None else subprocess.PIPE,
            stdout=slave,
            stderr=slave,
            env=self._environment,
        )
        os.close(slave)
        if self._process.stdin is not None:
            self._process.stdin.write(self._stdin or b"")
            self._process.stdin.close()
        self._reader = threading.Thread(target=self._read, name="terminal", daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reader.join()
        os.close(self._master)

    @property
    def shown(self) -> list[str]:
        """Return the lines on the screen, without those that are empty at the end."""
        with self._lock:
            lines = [line.rstrip() for line in self._screen.display]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    @property
    def all(self) -> str:
        """Return all that was ever shown and has not been drawn over."""
        with self._lock:
            past = [
                "".join(line[x].data for x in range(self._screen.columns))
                for line in self._screen.history.top
            ]
        return "\n".join(line.rstrip() for line in (*past, *self.shown))

    @property
    def text(self) -> str:
        """Return what is on the screen."""
        return "\n".join(self.shown)

    @property
    def colours(self) -> set[str]:
        """Return the colours of the characters on the screen."""
        with self._lock:
            return {
                self._screen.buffer[y][x].fg
                for y in range(self._screen.lines)
                for x in range(self._screen.columns)
            }

    @property
    def cursor_hidden(self) -> bool:
        """The cursor is hidden."""
        hidden: bool = self._screen.cursor.hidden
        return hidden

    def wait_for(self, condition: str | Callable[[str], bool]) -> None:
        """Wait until the screen has a text, or is as it should be."""

        def fulfilled(text: str) -> bool:
            return condition in text if isinstance(condition, str) else condition(text)

        try:
            wait_until(lambda: fulfilled(self.text) or not self._reader.is_alive(), timeout=60, interval=0.02)
        except NotInTimeError as error:
            raise NotInTimeError(f"{error}; it shows:\n{self.text}") from None
        assert fulfilled(self.text), self.text

    def resize(self, columns: int, lines: int) -> None:
        """Change the size."""
        with self._lock:
            self._screen.resize(lines, columns)
        self._set_size()

    def type(self, text: str) -> None:
        """Type something."""
        os.write(self._master, text.encode())

    def interrupt(self) -> None:
        """Do what Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """Wait for the end of the program, and return its exit status."""
        status = self._process.wait(60)
        self._reader.join()
        return status

    def _set_size(self) -> None:
        size = struct.pack("HHHH", self._screen.lines, self._screen.columns, 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)

    def _read(self) -> None:
        with suppress(OSError):  # the program has ended
            while data := os.read(self._master, 65536):
                with self._lock:
                    self.raw += data
                    self._stream.feed(data)
