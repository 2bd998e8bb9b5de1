"""Interim responses on every client."""

from __future__ import annotations

import pytest

from dockerproto import ProtocolViolated
from tests.conftest import Connect
from tests.testbed.scripted import ScriptedEngine, head, json_response

pytestmark = pytest.mark.anyio

LIST = ("GET", "/images/json")


async def test_a_flood_of_interim_responses_is_rejected(scripted: ScriptedEngine, connect: Connect) -> None:
    scripted.script(*LIST, head(103, {"Link": "x"}) * 20 + json_response([]), json_response([]))
    async with connect(scripted.url) as docker:
        with pytest.raises(ProtocolViolated, match="more than 16 interim responses"):
            await docker.images.list()
        assert await docker.images.list() == []
