"""An HTTP proxy that records what it is asked, and leads every request to one engine, whatever its name."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

_CHUNK = 65536
_REQUEST = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.1\r\n(.*?\r\n)?\r\n", re.DOTALL)
_ORIGIN = re.compile(rb"^http://[^/]+")


class Proxy:
    """A proxy on a port of 127.0.0.1, inside the `with`: `url` is its URL.

    Args:
        engine: Unix socket of the engine, or its port on 127.0.0.1.
        tls: Context of a server, for a proxy that is reached over TLS.
        reply: Reply to every request instead of serving it, such as a 407.
    """

    def __init__(self, engine: Path | int, *, tls: ssl.SSLContext | None = None, reply: bytes = b"") -> None:
        self.requests: list[tuple[str, str]] = []
        """Method and target of each request, as sent."""
        self.heads: list[str] = []
        """Headers of each request, one a line."""
        self.connections = 0
        """Number of connections of clients."""
        self._engine = engine
        self._tls = tls
        self._reply = reply
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"
        self._start(self._accept)
        return self

    def __exit__(self, *exception: object) -> None:
        for each in (self._listener, *self._sockets):
            with suppress(OSError):  # it is closed
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in (self._listener, *self._sockets):
            each.close()

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, name="proxy", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        for client in _accepted(self._listener):
            self.connections += 1
            self._sockets.append(client)
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError):
            if self._tls is not None:
                client = self._tls.wrap_socket(client, server_side=True)
                self._sockets.append(client)
            if not (data := client.recv(_CHUNK)):
                return
            method = self._record(data)
            if self._reply:
                client.sendall(self._reply)
                client.shutdown(socket.SHUT_RDWR)
                return
            engine = self._connect()
            self._start(_carry, engine, client)
            if method == b"CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                _carry(client, engine)
            else:
                self._forward(client, engine, data)

    def _connect(self) -> socket.socket:
        if isinstance(self._engine, int):
            engine = socket.create_connection(("127.0.0.1", self._engine))
        else:
            engine = socket.socket(socket.AF_UNIX)
            engine.connect(str(self._engine))
        self._sockets.append(engine)
        return engine

    def _forward(self, client: socket.socket, engine: socket.socket, data: bytes) -> None:
        """Send requests on in origin form; each begins with the bytes of one receive."""
        while data:
            if match := _REQUEST.match(data):
                target = _ORIGIN.sub(b"", match[2])
                data = data[: match.start(2)] + target + data[match.end(2) :]
            engine.sendall(data)
            data = client.recv(_CHUNK)
            if _REQUEST.match(data):
                self._record(data)
        _shut(engine)

    def _record(self, data: bytes) -> bytes:
        match = _REQUEST.match(data)
        if match is None:
            raise OSError("not a request")
        self.requests.append((match[1].decode(), match[2].decode()))
        self.heads.append((match[3] or b"").decode("latin-1"))
        return match[1]


def _carry(there: socket.socket, here: socket.socket) -> None:
    with suppress(OSError):
        while data := there.recv(_CHUNK):
            here.sendall(data)
    _shut(here)


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):  # it is closed
        connection.shutdown(socket.SHUT_RDWR)


def _accepted(listener: socket.socket) -> Iterator[socket.socket]:
    with suppress(OSError):  # the listener was shut down
        while True:
            yield listener.accept()[0]
