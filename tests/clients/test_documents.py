"""Documents without an end, and long ones, on every client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from dockerproto import ProtocolViolated
from dockerproto.messages import decoding
from dockerproto_testing.replies import chunk, json_response, stream_head
from dockerproto_testing.steps import UntilClosed
from tests.conftest import Connect
from tests.testbed.scripted import ScriptedEngine

pytestmark = pytest.mark.anyio

CALLS: dict[str, tuple[str, Callable[[Any], Awaitable[Any]]]] = {
    "list": ("/images/json", lambda docker: docker.images.list()),
    "inspect": ("/images/x/json", lambda docker: docker.images.inspect("x")),
    "history": ("/images/x/history", lambda docker: docker.images.history("x")),
    "search": ("/images/search", lambda docker: docker.images.search("x")),
    "distribution": ("/distribution/x/json", lambda docker: docker.images.distribution("x")),
    "version": ("/version", lambda docker: docker.version()),
}


@pytest.mark.parametrize("name", CALLS)
async def test_a_document_without_an_end_is_rejected(
    scripted: ScriptedEngine, connect: Connect, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "DOCUMENT_LIMIT", 100_000)
    path, call = CALLS[name]
    scripted.script("GET", path, [stream_head(), *[chunk(b'{"a":[' + b"1," * 5_000)] * 11, UntilClosed()])
    async with connect(scripted.url, message_limit=1000) as docker:
        with pytest.raises(ProtocolViolated, match="the response is longer than the limit of 100000 bytes"):
            await call(docker)


async def test_a_higher_limit_of_messages_is_that_of_documents_too(
    scripted: ScriptedEngine, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "DOCUMENT_LIMIT", 1000)
    images = [{"Id": "x" * 2000}]
    scripted.script("GET", "/images/json", json_response(images))
    async with connect(scripted.url, message_limit=3000) as docker:
        assert [each["Id"] for each in await docker.images.list()] == ["x" * 2000]
