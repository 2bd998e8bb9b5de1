"""A unix socket whose queue is full: the kernel reports EAGAIN, which is not a failure."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dockerproto import TimedOut, Timeout
from tests.conftest import Connect

pytestmark = pytest.mark.anyio

PONG = b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK"


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    """Listen for one at a time."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "engine.sock"))
        listener.listen(0)
        yield listener


@pytest.fixture
def waiting(listener: socket.socket) -> Iterator[list[socket.socket]]:
    """Fill its queue."""
    waiting: list[socket.socket] = []
    try:
        while True:
            connection = socket.socket(socket.AF_UNIX)
            connection.setblocking(False)
            waiting.append(connection)
            connection.connect(listener.getsockname())
    except BlockingIOError:
        yield waiting
    finally:
        for connection in waiting:
            connection.close()


async def test_who_waits_too_long_is_told(
    listener: socket.socket, waiting: list[socket.socket], connect: Connect
) -> None:
    async with connect(f"unix://{listener.getsockname()}") as docker:
        with pytest.raises(TimedOut, match="connect"):
            await docker.images.list(timeout=Timeout(connect=0.05))


async def test_who_waits_is_served_when_it_is_his_turn(
    listener: socket.socket, waiting: list[socket.socket], connect: Connect
) -> None:
    def serve() -> None:
        for _ in waiting[:-1]:
            listener.accept()[0].close()
        connection, _ = listener.accept()
        with connection:
            connection.recv(10_000)
            connection.sendall(PONG)

    late = threading.Timer(0.05, serve)
    async with connect(f"unix://{listener.getsockname()}") as docker:
        late.start()
        try:
            assert (await docker.ping()).api_version == "1.41"
        finally:
            late.join()
