"""An engine that follows a script: for everything that a real one will not do when asked to.

Rule: what is not scripted is answered with 404; no client can make it fail; when it is shut down, nothing is
left. A request is in `requests` before the first byte of its reply is sent (see `Recorded`).

    with ScriptedEngine(tmp_path) as engine:
        engine.script("POST", "/images/create", (stream_head(), chunk(b"{}"), Reset()))
"""

import os
import shutil
import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from .processes import short_directory, wait_until
from .recordings import recorded
from .replies import LAST_CHUNK, chunk, chunked, head, json_response, response, stream_head
from .steps import (
    Close,
    DontReadBody,
    Ending,
    Exchange,
    Pause,
    ReadBody,
    ReadSome,
    Reply,
    Reset,
    Step,
    UntilClosed,
    WaitFor,
    steps_of,
)
from .wire import BadRequestError, Body, Head, Wire, read_head

__all__ = [
    "LAST_CHUNK",
    "Close",
    "DontReadBody",
    "Pause",
    "ReadBody",
    "ReadSome",
    "Recorded",
    "Reply",
    "Reset",
    "ScriptedEngine",
    "Step",
    "UntilClosed",
    "WaitFor",
    "chunk",
    "chunked",
    "head",
    "json_response",
    "recorded",
    "response",
    "stream_head",
    "wait_until",
]
_LONGEST_PATH = 104  # the kernel's limit is 108 bytes on Linux, 104 on others


@dataclass(frozen=True, slots=True)
class Recorded:
    """A request that the engine got.

    It is recorded when the script starts to reply, which by default is after the body was read, and replaced
    as more of the body is read. `complete` tells whether all of it was.
    """

    method: str
    target: str  # as sent
    path: str  # without version and query, still escaped
    version: str | None  # "1.41"
    query: dict[str, list[str]]
    headers: dict[str, str]  # names in lower case
    body: bytes  # de-chunked; empty if it has more than 1 MiB
    length: int  # of the body, in bytes
    sha256: str  # of the body, in hexadecimal
    chunked: bool
    complete: bool
    connection: int  # 1 for the first one


class ScriptedEngine:
    """A server on a unix socket that runs inside the `with`; `url` is its `unix://` URL.

    `connections_opened` counts all connections, `connections_open` those that neither side has closed.
    """

    def __init__(self, directory: Path | None = None) -> None:
        """Take the directory for the socket; without one, or if its path is too long, it is one in /tmp."""
        self._wanted = directory
        self._lock = threading.Lock()
        self._scripts: dict[tuple[str, str], deque[tuple[Step, ...]]] = {}
        self._open: set[Wire] = set()
        self._threads: list[threading.Thread] = []
        self._stopping = False
        self.api_version = "1.41"
        self.requests: list[Recorded] = []
        self.connections_opened = 0

    def script(self, method: str, path: str, *replies: Reply) -> None:
        """Set the replies to a method and path (without version and query), instead of those set before.

        They are used one per request, the last one for all that follow. A reply is bytes, an action, or a
        sequence of them. The request's body is read first, unless the reply contains `ReadBody`, `ReadSome`
        or `DontReadBody`. After a reply without an end the connection serves the next request.
        """
        if not replies:
            raise ValueError("a script needs a reply")
        with self._lock:
            self._scripts[method, path] = deque(steps_of(reply) for reply in replies)

    @property
    def connections_open(self) -> int:
        """Count the connections that neither side has closed."""
        with self._lock:
            return len(self._open)

    def __enter__(self) -> Self:
        self._own = short_directory()
        wanted = (self._wanted or self._own) / f"{self._own.name}.sock"  # two engines may share a directory
        self.socket = wanted if len(os.fsencode(wanted)) < _LONGEST_PATH else self._own / "engine.sock"
        self.url = f"unix://{self.socket}"
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

    def _exchange(self, wire: Wire, request: Head, connection: int) -> bool:
        """Follow the script for one request; tell whether the connection serves another one."""
        exchange = Exchange(wire, Body(wire, request.headers))
        note = _Note(self.requests, request, exchange.body, connection)
        try:
            for step in self._steps(request):
                if not isinstance(step, ReadBody | ReadSome):
                    note.update()
                if isinstance(step, bytes):
                    wire.send(step)
                else:
                    step.perform(exchange)
            exchange.body.read()
        finally:
            note.update()
        return request.keeps_alive

    def _steps(self, request: Head) -> tuple[Step, ...]:
        key = (request.method, request.path)
        with self._lock:
            replies = self._scripts.get(key)
            if replies:
                return replies.popleft() if len(replies) > 1 else replies[0]
        if key == ("GET", "/_ping"):
            return steps_of(
                response(200, b"OK", {**self._identity(), "Content-Type": "text/plain; charset=utf-8"})
            )
        not_found = json_response({"message": "page not found"}, 404)
        return steps_of(
            not_found.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if request.method == "HEAD" else not_found
        )

    def _identity(self) -> dict[str, str]:
        return {"Api-Version": self.api_version, "Server": "Docker/20.10.24 (linux)"}


class _Note:
    """The entry of one exchange in the list of requests, kept up to date."""

    def __init__(self, requests: list[Recorded], request: Head, body: Body, connection: int) -> None:
        self._requests = requests
        self._request = request
        self._body = body
        self._connection = connection
        self._entry: Recorded | None = None

    def update(self) -> None:
        """Write the entry, unless a test has removed it since."""
        old, self._entry = self._entry, self._current()
        if old is None:
            self._requests.append(self._entry)
            return
        with suppress(IndexError):  # the test empties the list meanwhile
            for index, entry in enumerate(self._requests):
                if entry is old:
                    self._requests[index] = self._entry

    def _current(self) -> Recorded:
        request, body = self._request, self._body
        return Recorded(
            method=request.method,
            target=request.target,
            path=request.path,
            version=request.version,
            query=request.query,
            headers=request.headers,
            body=body.kept,
            length=body.length,
            sha256=body.sha256,
            chunked=body.chunked,
            complete=body.complete,
            connection=self._connection,
        )
