"""Waits of the blocking transport, while another thread closes the socket and its number is used again."""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from dockerproto.transport.runtime import run
from dockerproto_local import blocking, stream
from dockerproto_local.blocking import BlockingTransport
from dockerproto_local.stream import SocketStream


def in_thread(function: Callable[[], object]) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


@pytest.fixture
def connection() -> Iterator[SocketStream]:
    """A connection whose peer is silent."""
    ours, theirs = socket.socketpair()
    with theirs:
        opened = run(BlockingTransport().dial(ours, None))
        yield opened
        opened.close()


@pytest.fixture
def other() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Another connection of the program, and its peer."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def reuse(
    connection: SocketStream, other: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Close the connection in another thread just before it is polled; its number is the other one's then."""

    def close() -> None:
        connection.close()
        os.dup2(other[0].fileno(), connection.descriptor)

    class Poll:
        def __init__(self) -> None:
            self._poll = select.poll()

        def register(self, descriptor: int, events: int) -> None:
            if connection.socket.fileno() >= 0:
                in_thread(close)
            self._poll.register(descriptor, events)

        def poll(self, timeout: float) -> list[tuple[int, int]]:
            return self._poll.poll(timeout)

    constants = {name: value for name, value in vars(select).items() if name.startswith("POLL")}
    for module in (blocking, stream):
        monkeypatch.setattr(module, "select", SimpleNamespace(poll=Poll, **constants))
    monkeypatch.setattr(blocking, "_POLL_INTERVAL_MS", 10)
    yield
    os.close(connection.descriptor)


@pytest.mark.parametrize("other_is_readable", [False, True])
@pytest.mark.usefixtures("reuse")
def test_a_wait_ends_when_the_descriptor_is_another_file(
    connection: SocketStream, other: tuple[socket.socket, socket.socket], other_is_readable: bool
) -> None:
    if other_is_readable:
        other[1].send(b"x")
    with pytest.raises(ConnectionAbortedError, match="closed here"):
        run(connection.receive(2))
    assert other_is_readable is bool(select.select([other[0]], [], [], 0)[0])


@pytest.mark.usefixtures("reuse")
def test_that_another_connection_was_closed_means_nothing(
    connection: SocketStream, other: tuple[socket.socket, socket.socket]
) -> None:
    other[1].close()
    assert not connection.hung_up()


def test_a_signal_wakes_a_thread_once() -> None:
    signal = BlockingTransport().signal()
    in_thread(signal.set)
    run(signal.wait(None))
    with pytest.raises(TimeoutError):
        run(signal.wait(0.001))


def test_a_mutex_is_taken_again_by_its_thread_only() -> None:
    mutex = BlockingTransport().mutex()
    order: list[str] = []

    def enter() -> None:
        with mutex:
            order.append("other")

    thread = threading.Thread(target=enter)
    with mutex, mutex:
        thread.start()
        order.append("first")
    thread.join()
    assert order == ["first", "other"]
