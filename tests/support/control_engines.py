"""Scripted engines whose Control API is reached in either way, for tests that hold for both."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.calling import Speak, Speaking
from tests.support.controlling import Native
from tests.support.waiting import until
from tests.testbed.scripted import ScriptedEngine, UntilClosed

HELD: Final = UntilClosed()


def script(
    engine: ScriptedEngine,
    *steps: Any,
    session: Callable[[Speaking], None] = lambda _: None,
    end: Any = HELD,
) -> None:
    """Let an engine have connections that are switched: the scripts of the calls, and that of the session."""
    engine.api_version = "1.47"
    engine.script("POST", "/session", (Speak(session), HELD))
    engine.script("POST", "/grpc", *((each, end) for each in steps))


class Upgrading(ScriptedEngine):
    """An engine whose connections are switched by requests: one for the calls, one for the session."""

    control: Final = ("POST", "/grpc")
    newest: Final = "1.47"
    connections: Final = ("/grpc", "/session")
    """Paths of the first build, after the ping."""
    again: Final = ("/grpc", "/session")
    """Paths of another build."""
    idle: Final = 1
    """Connections that are kept, at most: that of the ping."""

    def play(
        self, *steps: Any, session: Callable[[Speaking], None] = lambda _: None, end: Any = HELD
    ) -> None:
        """Set the scripts of the calls, one for each build, and of the session."""
        script(self, *steps, session=session, end=end)


class Tunnelling(ScriptedEngine):
    """An engine without ``POST /grpc`` and ``POST /session``: one connection carries calls and session."""

    control: Final = ("PRI", "*")
    newest: Final = "1.53"
    connections: Final = ("*", "/session")
    again: Final = ("*",)
    idle: Final = 2  # and that on which the session was refused

    def play(
        self, *steps: Any, session: Callable[[Speaking], None] = lambda _: None, end: Any = HELD
    ) -> None:
        """Set the scripts, as `Upgrading.play` does."""
        self.api_version = self.newest
        self.script(*self.control, *((Native(each, session), end) for each in steps))


AnyEngine = Upgrading | Tunnelling
KINDS: Final = (Upgrading, Tunnelling)


def engines(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnyEngine]:
    """Yield an engine that plays a script, of one kind."""
    kind: type[AnyEngine] = request.param
    with kind(tmp_path) as engine:
        yield engine


async def nothing_is_left(scripted: ScriptedEngine, more: int = 0) -> None:
    """Wait until all connections are closed, except those that are kept and some more."""
    idle = scripted.idle if isinstance(scripted, KINDS) else Upgrading.idle
    await until(lambda: scripted.connections_open <= idle + more)
    assert not [each for each in threading.enumerate() if each.name == "dockerproto session"]


def paths(scripted: ScriptedEngine) -> list[str]:
    """Return the paths of all requests."""
    return [each.path for each in scripted.requests]
