"""An engine that follows a script: for all that a real one does not do on request.

Rule: a request without a script gets 404; no client can make the engine fail; when it is stopped, no thread,
socket or file of it is left. A request is in `requests` before the first byte of its reply is sent.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Self

from dockerproto_testing.received import ReceivedRequest, Record
from dockerproto_testing.replies import json_response, response
from dockerproto_testing.scripts import End, Reply, Script, check_path
from dockerproto_testing.steps import Ending, Exchange, ReadBody, ReadSome, Step
from dockerproto_testing.wire import BadRequestError, Body, RequestHead, Wire, read_head

_LONGEST_PATH: Final = 104  # the kernel's limit is 108 bytes on Linux, 104 on others
_LONGEST_TMPDIR: Final = 10
_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
_NOT_FOUND: Final = json_response({"message": "page not found"}, 404)


class ScriptedEngine:
    """A server on a unix socket that gives the replies of a test, inside the ``with``.

    It answers ``/_ping`` by itself, and a request without a reply with 404.

    Args:
        directory: Directory of the socket; without one, or if its path is too long, a temporary one.
        api_version: The API version that it reports, 1.24 to 1.55.
    """

    def __init__(self, directory: Path | None = None, *, api_version: str = "1.41") -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._scripts: dict[tuple[str, str], Script] = {}
        self._open: set[Wire] = set()
        self._threads: list[threading.Thread] = []
        self._stopping = False
        self.api_version: str = api_version
        """The API version that it reports."""
        self.requests: list[ReceivedRequest] = []
        """The requests that it has received, pings included."""
        self.connections_opened: int = 0
        """Number of connections that clients have opened."""

    def on(
        self,
        method: str,
        path: str,
        *,
        status: int | None = None,
        json: object = None,
        messages: Iterable[Mapping[str, Any]] | None = None,
        body: bytes | None = None,
        error: str = "",
        headers: Mapping[str, str] = _NO_HEADERS,
        end: End = "complete",
    ) -> None:
        """Add a reply to a method and path.

        Several replies are used in turn, one for each request; the last one also serves all that follow.

        Args:
            method: The method: ``GET``, ``POST``, ``DELETE``, ``HEAD``.
            path: The path, without API version and query, escaped as the client sends it.
            status: The status; 200 by default, 500 for an error without messages.
            json: Document to send.
            messages: Messages of an operation with progress, sent as a stream.
            body: Bytes to send.
            error: Message of an error: in the stream after the messages, else in place of the document.
            headers: More headers.
            end: ``complete``; without the last bytes: ``cut`` closes the connection, ``reset`` breaks it,
                ``hang`` leaves it open until the client closes it. With nothing else, nothing is sent.

        Raises:
            ValueError: The arguments contradict each other, or the path cannot be that of a request.
        """
        reply = Reply(
            status=status, json=json, messages=messages, body=body, error=error, headers=headers, end=end
        )
        steps = reply.steps()
        with self._lock:
            self._scripts.setdefault((method, check_path(path)), Script()).add(steps)

    def received(self, method: str, path: str) -> list[ReceivedRequest]:
        """Return the requests with this method and path."""
        return [each for each in tuple(self.requests) if (each.method, each.path) == (method, path)]

    @property
    def connections_open(self) -> int:
        """Number of connections that neither side has closed."""
        with self._lock:
            return len(self._open)

    def __enter__(self) -> Self:
        self._own = short_directory()
        wanted = (self._directory or self._own) / f"{self._own.name}.sock"  # two may share a directory
        self.socket: Path = wanted if len(os.fsencode(wanted)) < _LONGEST_PATH else self._own / "engine.sock"
        """Path of its socket."""
        self.url: str = f"unix://{self.socket}"
        """URL to pass to ``Docker()``."""
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.socket))
        self._listener.listen(128)
        self._accepting = self._thread(self._accept)
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopping = True
        with socket.socket(socket.AF_UNIX) as waker:
            waker.connect(str(self.socket))  # or accept() waits for ever
            self._accepting.join()
        self._listener.close()
        with self._lock:
            for wire in self._open:
                wire.interrupt()
        for thread in self._threads:
            thread.join()
        self.socket.unlink()
        shutil.rmtree(self._own)

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._stopping:
                connection.close()
                return
            wire = Wire(connection)
            with self._lock:
                self._open.add(wire)
                self.connections_opened += 1
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            self._threads.append(self._thread(self._serve, wire, self.connections_opened))

    def _thread(self, target: Callable[..., None], *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=target, args=arguments, name="scripted engine", daemon=True)
        thread.start()
        return thread

    def _serve(self, wire: Wire, connection: int) -> None:
        reset = False
        try:
            while (request := read_head(wire)) and self._exchange(wire, request, connection):
                pass
        except Ending as ending:
            reset = ending.reset
        except BadRequestError as error:
            with suppress(OSError):
                wire.send(json_response({"message": str(error)}, 400))
        except OSError:
            pass  # the client is gone, as it may be at any time
        finally:
            with self._lock:
                self._open.discard(wire)
            wire.reset() if reset else wire.close()

    def _exchange(self, wire: Wire, request: RequestHead, connection: int) -> bool:
        """Follow the script for one request; return True if the connection serves another one."""
        exchange = Exchange(wire, Body(wire, request.headers))
        record = Record(self.requests, request, exchange.body, connection)
        try:
            for step in self._steps(request):
                if not isinstance(step, ReadBody | ReadSome):
                    record.update()
                if isinstance(step, bytes):
                    wire.send(step)
                else:
                    step.perform(exchange)
            exchange.body.read()
        finally:
            record.update()
        return request.keeps_alive

    def _steps(self, request: RequestHead) -> Sequence[Step]:
        key = (request.method, request.path)
        with self._lock:
            if script := self._scripts.get(key):
                return script.next()
        if key == ("GET", "/_ping"):
            return ReadBody(), response(200, b"OK", self._identity())
        without_body = _NOT_FOUND.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        return ReadBody(), without_body if request.method == "HEAD" else _NOT_FOUND

    def _identity(self) -> dict[str, str]:
        return {
            "Api-Version": self.api_version,
            "Server": "Docker/20.10.24 (linux)",
            "Content-Type": "text/plain; charset=utf-8",
        }


def short_directory() -> Path:
    """Create a directory for sockets: their paths are limited to 107 bytes, a test's directory is not.

    It is in TMPDIR if that is short, such as /dev/shm.
    """
    parent = tempfile.gettempdir()
    return Path(
        tempfile.mkdtemp(prefix="dockerproto-", dir=parent if len(parent) < _LONGEST_TMPDIR else "/tmp")  # noqa: S108  # a path of any test would be too long
    )
