"""A pipe between two threads, and between a step and itself: order, the end, the limit, errors."""

from __future__ import annotations

import threading

import pytest

from dockerproto.errors import ClientClosed
from dockerproto.transport.pipe import BytePipe
from dockerproto.transport.runtime import run
from dockerproto_local.blocking import BlockingTransport

BROKEN = ClientClosed(0, "broken")


@pytest.fixture
def pipe() -> BytePipe:
    return BytePipe(BlockingTransport(), 4)


async def rest(pipe: BytePipe) -> list[bytes]:
    return [chunk async for chunk in pipe]


def test_chunks_come_in_order_and_end(pipe: BytePipe) -> None:
    for chunk in (b"ab", b"c"):
        run(pipe.write(chunk))
    pipe.finish()
    assert run(rest(pipe)) == [b"ab", b"c"]
    assert run(rest(pipe)) == []


def test_a_writer_waits_for_room(pipe: BytePipe) -> None:
    """Never more than a chunk beyond the limit is in the pipe, whatever the threads do."""
    written = 0

    def write() -> None:
        nonlocal written
        for _ in range(1000):
            run(pipe.write(b"abc"))
            written += 1
        pipe.finish()

    thread = threading.Thread(target=write)
    thread.start()
    for taken in range(1000):
        assert run(anext(pipe)) == b"abc"
        assert written <= taken + 1 + 2
    assert run(rest(pipe)) == []
    thread.join()


@pytest.mark.parametrize("before", [[], [b"abcd"]], ids=["empty", "full"])
def test_both_sides_of_a_broken_pipe_raise_the_first_error(pipe: BytePipe, before: list[bytes]) -> None:
    for chunk in before:
        run(pipe.write(chunk))
    pipe.fail(BROKEN)
    pipe.fail(ClientClosed(0, "later"))
    for call in (lambda: run(pipe.write(b"x")), lambda: run(anext(pipe))):
        with pytest.raises(ClientClosed, match="broken"):
            call()


@pytest.mark.parametrize("side", ["reader", "writer"])
def test_a_side_that_waits_is_woken(pipe: BytePipe, side: str) -> None:
    caught: list[ClientClosed] = []

    def wait() -> None:
        try:
            run(pipe.write(b"x")) if side == "writer" else run(anext(pipe))
        except ClientClosed as error:
            caught.append(error)

    if side == "writer":
        run(pipe.write(b"abcd"))
    thread = threading.Thread(target=wait)
    thread.start()
    pipe.fail(BROKEN)
    thread.join()
    assert caught == [BROKEN]
