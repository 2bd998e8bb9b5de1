"""A lock for what is better done once: nobody waits for it longer than doing it again would cost."""

from __future__ import annotations

from typing import Final

from dockerproto.timeouts import Timer
from dockerproto.transport.runtime import Lock

PATIENCE: Final = 3
"""Longest wait for the first ping of another call, in seconds: sharing it saves a request, but a thread that
was interrupted may never release the lock."""


async def acquire(lock: Lock, timer: Timer) -> bool:
    """Acquire a lock; return False if that takes longer than `PATIENCE`.

    Raises:
        TimedOut: A limit of the timer passed.
    """
    limit = timer.left("idle")
    try:
        await lock.acquire(PATIENCE if limit is None else min(limit, PATIENCE))
    except TimeoutError as error:
        if limit is not None and limit <= PATIENCE:
            raise timer.timeout_error("idle") from error
        return False
    return True
