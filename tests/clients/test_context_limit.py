"""Tars for BuildKit that are unpacked or copied here: `context_limit`, and members that are refused."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from dockerproto import UploadFailed
from tests.conftest import Connect
from tests.support.facade import Transport
from tests.support.tars import END, pax, raw_member
from tests.testbed.scripted import ScriptedEngine

LARGE = raw_member(b"Dockerfile", bytes(5000)) + END
FORMS: dict[str, Callable[[bytes], Any]] = {
    "gzip": gzip.compress,
    "an iterable": lambda data: iter([data[:1000], data[1000:]]),
}

pytestmark = pytest.mark.anyio


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), 1000):
        yield data[at : at + 1000]


@pytest.mark.parametrize("make", FORMS.values(), ids=FORMS)
async def test_a_tar_that_takes_too_much(
    scripted: ScriptedEngine, connect: Connect, make: Callable[[bytes], Any]
) -> None:
    async with connect(scripted.url, context_limit=4000) as docker:
        with pytest.raises(UploadFailed, match="takes more than 4000 bytes, the client's context_limit"):
            await docker.images.build(fileobj=make(LARGE), builder="buildkit")
    assert {each.path for each in scripted.requests} <= {"/_ping"}


@pytest.mark.parametrize("transport", ["asyncio", "trio"])
async def test_an_async_iterable_that_takes_too_much(
    scripted: ScriptedEngine, connect: Connect, transport: Transport
) -> None:
    async with connect(scripted.url, context_limit=4000) as docker:
        for data in (LARGE, gzip.compress(LARGE)):
            with pytest.raises(UploadFailed, match="takes more than 4000 bytes, the client's context_limit"):
                await docker.images.build(fileobj=pieces(data), builder="buildkit")


async def test_a_member_that_is_too_deep(scripted: ScriptedEngine, connect: Connect) -> None:
    data = pax(("path", "d/" * 200_000)) + raw_member() + END
    async with connect(scripted.url) as docker:
        with pytest.raises(UploadFailed, match="nested in more than 512 directories") as raised:
            await docker.images.build(fileobj=data, builder="buildkit")
    assert len(raised.value.message) < 500
