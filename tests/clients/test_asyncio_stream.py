"""Waiting on asyncio: the loop's callbacks and the timers of a connection."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from dockerproto_asyncio import _Stream  # pyright: ignore[reportPrivateUsage]  # nobody sees it happen

DATA = bytes(range(256)) * 2**14

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Counted(_Stream):
    """Counts the waits."""

    waits = 0

    async def wait(self, timeout: float | None, *, writing: bool) -> None:
        self.waits += 1
        await super().wait(timeout, writing=writing)


@contextmanager
def connected() -> Generator[tuple[Counted, socket.socket]]:
    """Return a stream on asyncio and its other side."""
    ours, theirs = socket.socketpair()
    stream = Counted(ours)
    with theirs:
        yield stream, theirs
        stream.close()


async def received(stream: Counted, timeout: float | None = None) -> bytes:
    return bytes(await stream.receive(timeout))


async def test_each_wait_is_woken_by_something_new() -> None:
    with connected() as (stream, other):
        for piece in (b"one", b"two", b"three"):
            asyncio.get_running_loop().call_later(0.01, other.send, piece)
            assert await received(stream) == piece
    assert stream.waits == len(("one", "two", "three"))


async def test_what_nobody_takes_is_not_watched() -> None:
    with connected() as (stream, other):
        asyncio.get_running_loop().call_later(0.01, other.send, b"one")
        await received(stream)
        for piece in (b"two", b"three"):
            other.send(piece)
            await asyncio.sleep(0.01)
        assert not asyncio.get_running_loop().remove_reader(stream.descriptor)
        assert [await received(stream) for _ in range(2)] == [b"two", b"three"]
        assert stream.waits == 1


async def test_an_error_that_is_met_while_nobody_waits_is_told_to_the_next() -> None:
    with connected() as (stream, other):
        asyncio.get_running_loop().call_later(0.01, other.send, b"one")
        await received(stream)
        await stream.send(b"unread", None)
        other.close()
        await asyncio.sleep(0.01)
        assert await stream.readable()
        with pytest.raises(ConnectionResetError):
            await received(stream)


@pytest.mark.parametrize(
    ("first", "then"), [(10, 0.01), (0.01, 0.02), (None, 0.01)], ids=["sooner", "later", "the first"]
)
async def test_a_wait_ends_in_its_own_time(first: float | None, then: float) -> None:
    with connected() as (stream, other):
        asyncio.get_running_loop().call_soon(other.send, b"one")
        assert await received(stream, first) == b"one"
        with pytest.raises(TimeoutError):
            await received(stream, then)
        other.send(b"two")
        assert await received(stream) == b"two"


@pytest.mark.parametrize("then", [None, 10], ids=["without a limit", "that is longer"])
async def test_the_limit_of_a_wait_is_not_that_of_the_next(then: float | None) -> None:
    with connected() as (stream, other):
        asyncio.get_running_loop().call_soon(other.send, b"one")
        assert await received(stream, 0.01) == b"one"
        asyncio.get_running_loop().call_later(0.05, other.send, b"two")
        assert await received(stream, then) == b"two"


async def test_a_limit_passes_unnoticed_when_nobody_waits() -> None:
    with connected() as (stream, other):
        asyncio.get_running_loop().call_soon(other.send, b"one")
        assert await received(stream, 0.01) == b"one"
        await asyncio.sleep(0.05)
        other.send(b"two")
        assert await received(stream) == b"two"


def test_a_stream_may_go_on_in_another_loop() -> None:
    async def sent(stream: Counted, other: socket.socket, piece: bytes) -> bytes:
        asyncio.get_running_loop().call_later(0.01, other.send, piece)
        return await received(stream, 10)

    with connected() as (stream, other):
        for piece in (b"one", b"two"):
            assert asyncio.run(sent(stream, other, piece)) == piece


async def test_a_timer_that_is_not_needed_any_more_is_cancelled() -> None:
    with connected() as (stream, other):
        asyncio.get_running_loop().call_soon(other.send, b"one")
        await received(stream, 10)
        replaced = stream._timer  # pyright: ignore[reportPrivateUsage]
        with pytest.raises(TimeoutError):
            await received(stream, 0.01)
        assert replaced is not None
        assert replaced.cancelled()


async def test_the_timer_of_a_socket_that_was_not_watched_is_cancelled() -> None:
    with connected() as (stream, other):
        asyncio.get_running_loop().call_soon(other.send, b"one")
        await received(stream, 10)
        left = stream._timer  # pyright: ignore[reportPrivateUsage]
        for piece in (b"two", b"three"):
            other.send(piece)
            await asyncio.sleep(0.01)
        assert [await received(stream, 10) for _ in range(2)] == [b"two", b"three"]
        asyncio.get_running_loop().call_soon(other.send, b"four")
        assert await received(stream, 10) == b"four"
        assert left is not None
        assert left.cancelled()


def taken(other: socket.socket, size: int, pause: float = 0) -> bytes:
    """Receive so many bytes, slowly if there is a pause."""
    got = bytearray()
    while len(got) < size:
        time.sleep(pause)
        got += other.recv(2**18)
    return bytes(got)


async def test_what_waits_is_sent_as_there_is_room() -> None:
    with connected() as (stream, other):
        sent, got = await asyncio.gather(stream.send(DATA, 10), asyncio.to_thread(taken, other, len(DATA)))
    assert (sent, got) == (len(DATA), DATA)
    assert stream.waits == 1


async def test_a_limit_begins_anew_when_something_was_sent() -> None:
    with connected() as (stream, other):
        slowly = asyncio.to_thread(taken, other, len(DATA), 0.1)
        sent, got = await asyncio.gather(stream.send(DATA, 1), slowly)
    assert (sent, got) == (len(DATA), DATA)


async def test_room_that_is_gone_again_is_waited_for() -> None:
    with connected() as (stream, other):
        sending = asyncio.create_task(stream.send(DATA, 10))
        await asyncio.sleep(0.01)
        stream._on_writable(asyncio.get_running_loop(), 10)  # pyright: ignore[reportPrivateUsage]
        assert not sending.done()
        assert await asyncio.to_thread(taken, other, len(DATA)) == DATA
        assert await sending == len(DATA)


async def test_what_breaks_while_it_waits_is_told() -> None:
    with connected() as (stream, other):
        sending = asyncio.create_task(stream.send(DATA, 10))
        await asyncio.sleep(0.01)
        other.close()
        with pytest.raises(BrokenPipeError):
            await sending
