"""Error responses whose bodies do not end: the beginning is raised, and the connection closed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dockerproto import NotFound, ServerError
from dockerproto.messages.decoding import ERROR_LIMIT
from tests.conftest import Connect
from tests.support.waiting import until
from tests.testbed.scripted import ScriptedEngine, Step, UntilClosed, chunk, head, stream_head

pytestmark = pytest.mark.anyio

PULL = ("POST", "/images/create")

BODIES: dict[str, list[Step]] = {
    "chunked": [stream_head(500), chunk(b"x" * 100_000), UntilClosed()],
    "many chunks": [stream_head(500), *[chunk(b"x" * 999)] * 100, UntilClosed()],
    "content-length": [head(500, {"Content-Length": str(10**12)}), b"x" * 100_000, UntilClosed()],
    "until close": [head(500, {"Connection": "close"}), b"x" * 100_000, UntilClosed()],
}
CALLS: dict[str, tuple[tuple[str, str], Callable[[Any], Any]]] = {
    "ping": (("GET", "/_ping"), lambda docker: docker.ping()),
    "list": (("GET", "/images/json"), lambda docker: docker.images.list(timeout=None)),
    "pull": (PULL, lambda docker: docker.images.pull("a")),
    "stream": (PULL, lambda docker: docker.images.pull("a", stream=True).__aenter__()),
    "download": (("GET", "/images/a/get"), lambda docker: docker.images.export_image("a").__aenter__()),
    "upload": (("POST", "/images/load"), lambda docker: docker.images.import_image(b"x" * 1_000_000)),
    "session": (
        ("POST", "/session"),
        lambda docker: docker.images.build(dockerfile="FROM a", builder="buildkit"),
    ),
}


@pytest.mark.parametrize(
    ("form", "operation"),
    [*[(form, "pull") for form in BODIES], *[("chunked", each) for each in CALLS]],
)
async def test_the_beginning_is_raised(
    scripted: ScriptedEngine, connect: Connect, form: str, operation: str
) -> None:
    request, send = CALLS[operation]
    scripted.script(*request, BODIES[form])
    async with connect(scripted.url) as docker:
        with pytest.raises(ServerError) as raised:
            await send(docker)
        assert (raised.value.status, raised.value.message) == (500, "x" * ERROR_LIMIT)
        await until(lambda: scripted.connections_open == scripted.connections_opened - 1)


async def test_an_image_is_not_missing_for_an_endless_error(
    scripted: ScriptedEngine, connect: Connect
) -> None:
    error = b'{"message":"No such image: a"}'.ljust(ERROR_LIMIT)
    scripted.script("GET", "/images/a/json", [stream_head(404), chunk(error), UntilClosed()])
    async with connect(scripted.url) as docker:
        with pytest.raises(NotFound, match=r"^\[404\] No such image: a$"):
            await docker.images.exists("a")
