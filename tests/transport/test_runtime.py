"""Coroutines that are run without an event loop."""

from __future__ import annotations

import asyncio
import inspect
import weakref
from collections.abc import Generator

import pytest

from dockerproto.transport.runtime import run


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


class Resource:
    """Something that is closed when nothing refers to it."""


def test_an_interrupt_that_is_kept_keeps_no_local_variable() -> None:
    made = list[weakref.ref[Resource]]()

    def fail(resource: Resource) -> None:
        made.append(weakref.ref(resource))
        raise ValueError

    async def work() -> None:
        resource = Resource()
        try:
            fail(resource)
        except ValueError:
            raise KeyboardInterrupt from None

    with pytest.raises(KeyboardInterrupt) as kept:
        run(work())
    assert isinstance(kept.value.__context__, ValueError)
    assert made[0]() is None


def test_what_the_caller_was_handling_is_left_alone() -> None:
    async def work() -> None:
        raise KeyboardInterrupt

    def fail() -> None:
        resource = Resource()
        raise ValueError(id(resource))

    with pytest.raises(KeyboardInterrupt) as kept:
        try:
            fail()
        except ValueError:
            run(work())
    context = kept.value.__context__
    assert context is not None
    assert context.__traceback__ is not None
    assert context.__traceback__.tb_next is not None
    assert "resource" in context.__traceback__.tb_next.tb_frame.f_locals
