"""A relay between a client and an engine, which can cut their connections."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

from .processes import short_directory

PIECE = 65536


class Relay:
    """A unix socket that leads to another one, inside the `with`: `socket` is its path, `url` its URL."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._directory = short_directory()
        self.socket = self._directory / "relay.sock"
        self.url = f"unix://{self.socket}"
        self._pairs: list[Pair] = []
        self._pairing = threading.Lock()  # bytes flow before a pair is in the list

    def __enter__(self) -> Self:
        self._listener = self._listen()
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
        self.socket.unlink(missing_ok=True)
        self._directory.rmdir()

    @property
    def open(self) -> int:
        """Return the number of connections that are open."""
        with self._pairing:
            return sum(pair.alive for pair in self._pairs)

    @property
    def connections(self) -> int:
        """Return the number of connections so far."""
        return len(self._pairs)

    def cut(self, path: str = "") -> int:
        """Cut the connections whose last request was for a path, in any API version; return their number.

        Without a path, these are all.
        """
        with self._pairing:
            found = [pair for pair in self._pairs if pair.alive and pair.path.endswith(path)]
        for pair in found:
            pair.cut()
        return len(found)

    def _listen(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.socket))
        listener.listen()
        return listener

    def _accept(self) -> None:
        for client in _accepted(self._listener):
            engine = socket.socket(socket.AF_UNIX)
            engine.connect(str(self._target))
            with self._pairing:
                self._pairs.append(self._pair(client, engine))

    def _pair(self, client: socket.socket, engine: socket.socket) -> "Pair":
        return Pair(client, engine)


class Pair:
    """A connection of a client, and the one to the engine that stands for it."""

    def __init__(self, client: socket.socket, engine: socket.socket) -> None:
        self.path = ""
        self._sides = client, engine
        self._lock = threading.Lock()
        self._running = 2
        self._threads = [
            threading.Thread(target=self._run, args=(self.carry_requests, client, engine)),
            threading.Thread(target=self._run, args=(self.carry_responses, engine, client)),
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

    def carry_requests(self, client: socket.socket, engine: socket.socket) -> None:
        """Carry what the client sends."""
        while data := client.recv(PIECE):
            if b" HTTP/1.1\r\n" in data:
                self.path = data.split(b" ")[1].partition(b"?")[0].decode()
            engine.sendall(data)

    def carry_responses(self, engine: socket.socket, client: socket.socket) -> None:
        """Carry what the engine sends."""
        while data := engine.recv(PIECE):
            client.sendall(data)

    def _run(
        self, carry: Callable[[socket.socket, socket.socket], None], one: socket.socket, other: socket.socket
    ) -> None:
        with suppress(OSError):
            carry(one, other)
        self.cut()
        with self._lock:
            self._running -= 1
            if not self._running:
                for side in self._sides:
                    side.close()


def _accepted(listener: socket.socket) -> Iterator[socket.socket]:
    with suppress(OSError):  # which says that it was shut down
        while True:
            yield listener.accept()[0]
