"""A relay between a client and an engine, which can cut their connections."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

from .processes import short_directory

_PIECE = 65536


class Relay:
    """A unix socket that leads to another one, inside the `with`: `socket` is its path, `url` its URL."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._directory = short_directory()
        self.socket = self._directory / "relay.sock"
        self.url = f"unix://{self.socket}"
        self._pairs: list[_Pair] = []

    def __enter__(self) -> Self:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.socket))
        self._listener.listen()
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for pair in self._pairs:
            pair.cut()
            pair.join()
        self.socket.unlink()
        self._directory.rmdir()

    def cut(self, path: str) -> int:
        """Cut the connections whose last request was for a path, in any API version; return their number."""
        found = [pair for pair in self._pairs if pair.alive and pair.path.endswith(path)]
        for pair in found:
            pair.cut()
        return len(found)

    def _accept(self) -> None:
        for client in _accepted(self._listener):
            engine = socket.socket(socket.AF_UNIX)
            engine.connect(str(self._target))
            self._pairs.append(_Pair(client, engine))


class _Pair:
    """A connection of a client, and the one to the engine that stands for it."""

    def __init__(self, client: socket.socket, engine: socket.socket) -> None:
        self.path = ""
        self._sides = client, engine
        self._threads = [
            threading.Thread(target=self._carry, args=(client, engine), kwargs={"told": True}),
            threading.Thread(target=self._carry, args=(engine, client), kwargs={"told": False}),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def alive(self) -> bool:
        """Return whether it is neither closed nor cut."""
        return any(thread.is_alive() for thread in self._threads)

    def cut(self) -> None:
        """Break both connections."""
        for side in self._sides:
            with suppress(OSError):  # it is closed
                side.shutdown(socket.SHUT_RDWR)

    def join(self) -> None:
        """Wait until nothing of it is left."""
        for thread in self._threads:
            thread.join()
        for side in self._sides:
            side.close()

    def _carry(self, there: socket.socket, here: socket.socket, *, told: bool) -> None:
        with suppress(OSError):
            while data := there.recv(_PIECE):
                if told and b" HTTP/1.1\r\n" in data:
                    self.path = data.split(b" ")[1].partition(b"?")[0].decode()
                here.sendall(data)
        self.cut()


def _accepted(listener: socket.socket) -> Iterator[socket.socket]:
    with suppress(OSError):  # which says that it was shut down
        while True:
            yield listener.accept()[0]
