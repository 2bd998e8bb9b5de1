"""Groups of operations of a client."""

from __future__ import annotations

import dockerproto_asyncio
import dockerproto_httpx


def test_a_group_names_its_engine() -> None:
    assert repr(dockerproto_asyncio.Docker("unix:///x").images) == "<AsyncImages of Docker at unix:///x>"
    with dockerproto_httpx.Docker("unix:///x") as docker:
        assert repr(docker.images) == "<Images of Docker at unix:///x>"
