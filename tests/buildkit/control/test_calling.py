"""The start of a call on a connection that has ended."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from dockerproto.buildkit.control.calling import start_call
from dockerproto.buildkit.control.messages import Empty
from dockerproto.errors import ConnectionFailed
from dockerproto.request.control_call import ControlCall
from dockerproto.timeouts import UNLIMITED, Timer
from dockerproto.transport.runtime import run


def test_a_call_that_cannot_start_closes_its_connection() -> None:
    closed: list[bool] = []

    def begin(*_: object, **__: object) -> None:
        raise ConnectionFailed(0, "the engine has ended the connection")

    async def open_connection(_: Timer) -> Any:
        return SimpleNamespace(calls=SimpleNamespace(begin=begin), close=lambda: closed.append(True))

    server: Any = SimpleNamespace(open=open_connection)
    call = ControlCall(name="Info", message=Empty(), purpose="a test")
    with pytest.raises(ConnectionFailed):
        run(start_call(server, call, Timer(UNLIMITED, lambda: 0.0)))
    assert closed == [True]
