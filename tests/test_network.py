"""Coroutines that are run without an event loop."""

from __future__ import annotations

import asyncio
import inspect
import socket
from collections.abc import Generator

import pytest

from dockerproto.network import run
from dockerproto_asyncio import _expire, _Stream  # pyright: ignore[reportPrivateUsage]  # nobody sees it happen


async def answer(value: object) -> object:
    return value


@pytest.mark.parametrize("value", [None, 42, [], StopIteration(1)], ids=repr)
def test_what_a_coroutine_returns(value: object) -> None:
    assert run(answer(value)) is value


def test_coroutines_within_coroutines() -> None:
    async def outer() -> list[object]:
        return [await answer(number) for number in range(100)]

    assert run(outer()) == list(range(100))


@pytest.mark.parametrize(
    "error",
    [ValueError("x"), KeyboardInterrupt(), GeneratorExit(), StopAsyncIteration()],
    ids=lambda error: type(error).__name__,
)
def test_what_a_coroutine_raises(error: BaseException) -> None:
    async def fail() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        run(fail())
    assert caught.value is error


class Pause:
    """Waits for an event loop."""

    def __await__(self) -> Generator[None, None, None]:
        yield


def test_a_coroutine_that_waits_is_closed() -> None:
    ended: list[str] = []

    async def wait() -> None:
        try:
            await Pause()
        finally:
            ended.append("closed")

    coroutine = wait()
    with pytest.raises(RuntimeError, match=r"^a blocking transport waited for an event loop$"):
        run(coroutine)
    assert ended == ["closed"]
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED


def test_no_event_loop_is_there() -> None:
    async def running() -> bool:
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        return True

    assert run(running())


def test_a_wait_that_is_over_does_not_expire() -> None:
    async def over() -> bool:
        waiter = asyncio.get_running_loop().create_future()
        waiter.set_result(None)
        _expire(waiter)
        return waiter.result() is None

    assert asyncio.run(over())


class Counted(_Stream):
    """Counts the waits."""

    waits = 0

    async def wait(self, timeout: float | None, *, writing: bool) -> None:
        self.waits += 1
        await super().wait(timeout, writing=writing)


def test_on_asyncio_each_wait_is_woken_by_something_new() -> None:
    async def received() -> tuple[list[bytes], int]:
        ours, theirs = socket.socketpair()
        stream, pieces = Counted(ours), list[bytes]()
        with theirs:
            for piece in (b"one", b"two", b"three"):
                asyncio.get_running_loop().call_later(0.01, theirs.send, piece)
                pieces.append(bytes(await stream.receive(None)))
            stream.close()
            await asyncio.sleep(0)
        return pieces, stream.waits

    assert asyncio.run(received()) == ([b"one", b"two", b"three"], 3)


def test_on_asyncio_what_nobody_waits_for_is_not_watched() -> None:
    async def turns() -> tuple[int, bytes]:
        ours, theirs = socket.socketpair()
        stream, loop = _Stream(ours), asyncio.get_running_loop()
        with theirs:
            loop.call_soon(theirs.send, b"one")
            await stream.receive(None)
            theirs.send(b"two")
            await asyncio.sleep(0.01)
            rest = loop.remove_reader(ours.fileno()), bytes(await stream.receive(None))
            stream.close()
            await asyncio.sleep(0)
        return rest

    assert asyncio.run(turns()) == (False, b"two")
