"""Operations as data, and groups of operations of a client."""

from __future__ import annotations

import pytest

import dockerproto_asyncio
import dockerproto_httpx
from dockerproto.operations.operation import Whole
from dockerproto.request.request import Request
from dockerproto.transport.runtime import run
from tests.testbed.scripted import ScriptedEngine, UntilClosed, chunk, stream_head, wait_until


def test_a_group_names_its_engine() -> None:
    assert repr(dockerproto_asyncio.Docker("unix:///x").images) == "<AsyncImages of Docker at unix:///x>"
    with dockerproto_httpx.Docker("unix:///x") as docker:
        assert repr(docker.images) == "<Images of Docker at unix:///x>"


class Failing:
    """A decoder with a bug."""

    def feed(self, _: bytes, /) -> list[bytes]:
        raise KeyError("bug")


def test_an_exception_of_another_kind_closes_the_connection(scripted: ScriptedEngine) -> None:
    scripted.script("GET", "/x", [stream_head(), chunk(b"data"), UntilClosed()])
    whole = Whole(Request(method="GET", path="/x"), {200: lambda _: Failing()})
    with dockerproto_httpx.Docker(scripted.url) as docker:
        with pytest.raises(KeyError, match="bug"):
            run(whole.rest(docker.client))
        wait_until(lambda: scripted.connections_open == 0)
