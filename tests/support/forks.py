"""Functions that run in a forked child of the test."""

from __future__ import annotations

import os
import pickle
import signal
import traceback
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Literal

import anyio
import anyio.to_thread

LIMIT = 60
"""Seconds after which a child is killed by default, so that a child that hangs fails its test."""


async def in_child(backend: Literal["asyncio", "trio"], function: Callable[[], Awaitable[Any]]) -> Any:
    """Run a coroutine function in an event loop of a forked child, and return its result.

    The child is forked in a worker thread, which runs no event loop.
    """
    return await anyio.to_thread.run_sync(call_in_child, on_loop(backend, function))


def on_loop(
    backend: Literal["asyncio", "trio"], function: Callable[..., Awaitable[Any]], *arguments: object
) -> Callable[[], Any]:
    """Return a function that calls a coroutine function in an event loop of its own."""
    return lambda: anyio.run(partial(function, *arguments), backend=backend)


def call_in_child(function: Callable[[], Any]) -> Any:
    """Call a function in a forked child, and return its result."""
    return begin_child(function)()


def begin_child(function: Callable[[], Any], limit: int = LIMIT) -> Callable[[], Any]:
    """Begin to call a function in a forked child; return a function that waits for its result."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        _run(function, writer, limit)
    os.close(writer)

    def finish() -> Any:
        with os.fdopen(reader, "rb") as file:
            output = file.read()
        _, status = os.waitpid(pid, 0)
        assert status == 0, f"the child ended with {status:#x}: {output.decode(errors='replace')}"
        return pickle.loads(output)

    return finish


def _run(function: Callable[[], Any], writer: int, limit: int) -> None:
    """Write the result, or else the traceback, and exit without any cleanup of the parent's objects."""
    signal.set_wakeup_fd(-1)  # it is the parent's event loop that signals are to wake
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(limit)
    status = 0
    try:
        output = pickle.dumps(function())
    except BaseException:  # noqa: BLE001  # also that of a failed assertion, which the parent raises
        output, status = traceback.format_exc().encode(), 1
    with os.fdopen(writer, "wb") as file:
        file.write(output)
    os._exit(status)
