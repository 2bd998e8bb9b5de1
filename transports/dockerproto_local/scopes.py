"""Scopes of this machine: a process and an event loop. See `dockerproto.transport.scoped` for their use."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

from msgspec import Struct

from dockerproto.transport.runtime import Task


class EventLoops(Struct, frozen=True, eq=False):
    """The event loops of a library."""

    running: Callable[[], object]
    """Return the running event loop; raise RuntimeError if none runs."""
    has_ended: Callable[[Any], bool]
    """Return True if an event loop of this process can never run again."""


class LocalScope(NamedTuple):
    """A process, and the event loop that runs in it, on a transport that has one."""

    pid: int
    loops: EventLoops | None
    loop: object

    @classmethod
    def current(cls, loops: EventLoops | None) -> LocalScope:
        """Return the scope of the caller, without `loops` its process; raise RuntimeError if no loop runs."""
        return cls(os.getpid(), loops, None if loops is None else loops.running())

    @property
    def inherited(self) -> bool:
        """True in a forked child of the process."""
        return os.getpid() != self.pid

    def in_use(self) -> bool:
        """Return True if the event loop can still run, or if a forked child runs that of its parent.

        Such a child would take its parent's events, as the two share an epoll.
        """
        if self.loops is None:
            return False
        return self.loop is self.loops.running() if self.inherited else not self.loops.has_ended(self.loop)


class ScopedTask:
    """A task that is left alone in other scopes; see `dockerproto.transport.runtime.Task`."""

    def __init__(self, task: Task, scope: Callable[[], LocalScope]) -> None:
        self._task = task
        self._scope = scope()
        self._current_scope = scope

    def cancel(self) -> None:
        """Cancel the task; in a forked child do nothing, as the task runs in the parent."""
        if not self._scope.inherited:
            self._task.cancel()

    async def wait(self) -> None:
        """Wait until the task has ended; in another scope return, as it has ended or never will."""
        if self._scope == self._current_scope():
            await self._task.wait()
