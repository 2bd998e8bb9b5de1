"""A relay before an engine, the same for all programs: it counts sent bytes, and can break connections."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Final


class Relay:
    """A socket that forwards the bytes between clients and an engine, and counts them."""

    def __init__(self, path: Path, engine: str) -> None:
        self.sent = 0
        """Bytes that clients have sent."""
        self.url: Final = f"unix://{path}"
        """URL for clients."""
        self._engine: Final = engine.removeprefix("unix://")
        self._clients: Final = set[socket.socket]()
        self._listener: Final = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(100)
        Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more clients."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def cut(self) -> None:
        """Break all connections."""
        for client in list(self._clients):
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                engine = socket.socket(socket.AF_UNIX)
                engine.connect(self._engine)
                Thread(target=self._serve, args=(client, engine), daemon=True).start()

    def _serve(self, client: socket.socket, engine: socket.socket) -> None:
        replies = Thread(target=_carry, args=(engine, client, _ignore), daemon=True)
        with client, engine:
            self._clients.add(client)
            replies.start()
            _carry(client, engine, self._count)
            replies.join()
            self._clients.discard(client)

    def _count(self, size: int) -> None:
        self.sent += size


def _ignore(_size: int) -> None:
    pass


def _carry(source: socket.socket, target: socket.socket, count: Callable[[int], None]) -> None:
    with suppress(OSError):
        while data := source.recv(2**18):
            count(len(data))
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def relayed(engine: str) -> Generator[Relay]:
    """Put a relay before an engine."""
    with tempfile.TemporaryDirectory() as directory:
        relay = Relay(Path(directory, "relay.sock"), engine)
        try:
            yield relay
        finally:
            relay.close()
