"""Cancellation at a wait: drive a coroutine, and cancel it when it suspends for the n-th time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from itertools import count
from typing import Any

import trio


class Driven:
    """An awaitable that runs a coroutine, and calls a function when it suspends for the n-th time."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], on_wait: Callable[[int], object]) -> None:
        self._coroutine = coroutine
        self._on_wait = on_wait

    def __await__(self) -> Generator[Any, Any, None]:
        resume: Callable[[], Any] = partial(self._coroutine.send, None)
        for wait in count(1):
            try:
                awaited = resume()
            except StopIteration:
                return
            self._on_wait(wait)
            try:
                resume = partial(self._coroutine.send, (yield awaited))
            except BaseException as error:  # noqa: BLE001  # whatever it is, the coroutine gets it
                resume = partial(self._coroutine.throw, error)


async def cancel_on_asyncio(coroutine: Coroutine[Any, Any, None], wait: int, *, again: bool) -> bool:
    """Run a coroutine in a task that is cancelled at a wait; return True if it got there.

    Args:
        coroutine: The coroutine.
        wait: Number of the wait, from 1.
        again: True to cancel the task at each later wait too.
    """
    reached = False

    def on_wait(number: int) -> None:
        nonlocal reached
        if number == wait or (again and number > wait):
            reached = True
            task.cancel()

    async def main() -> None:
        await Driven(coroutine, on_wait)

    task = asyncio.create_task(main())
    await asyncio.wait((task,))
    if not task.cancelled():
        task.result()
    return reached


async def cancel_on_trio(coroutine: Coroutine[Any, Any, None], wait: int) -> bool:
    """Run a coroutine in a scope that is cancelled at a wait, and stays so; return True if it got there."""
    with trio.CancelScope() as scope:
        await Driven(coroutine, lambda number: scope.cancel() if number == wait else None)
    return scope.cancel_called
