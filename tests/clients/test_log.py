"""The log: one line for each request, retry and call of a session, at DEBUG, without secrets."""

from __future__ import annotations

import logging
import re
from typing import Any

import anyio
import pytest

from dockerproto import DockerError
from tests.buildkit.session.test_session import SECRET
from tests.clients.test_session_faults import building, until
from tests.conftest import Connect
from tests.support.calling import Speak, Speaking
from tests.testbed.base_image import context
from tests.testbed.scripted import (
    LAST_CHUNK,
    Close,
    ScriptedEngine,
    UntilClosed,
    chunk,
    chunked,
    json_response,
    stream_head,
)

pytestmark = pytest.mark.anyio

LIST = ("GET", "/images/json")
TOOK = re.compile(r" in \d+\.\d ms$")


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, logger="dockerproto")
    return caplog


def lines(log: pytest.LogCaptureFixture) -> list[str]:
    """Return the lines, without the time that a request took; all are of one level and logger."""
    assert {(each.name, each.levelno) for each in log.records} == {("dockerproto", logging.DEBUG)}
    return [TOOK.sub("", each.getMessage()) for each in log.records]


async def test_a_request_is_one_line(
    scripted: ScriptedEngine, connect: Connect, log: pytest.LogCaptureFixture
) -> None:
    scripted.script(*LIST, json_response([]), json_response({"message": "no"}, 500))
    async with connect(scripted.url) as docker:
        await docker.images.list(all=True)
        with pytest.raises(DockerError):
            await docker.images.list()
    assert lines(log) == [
        "GET /_ping: 200 on a new connection",
        "GET /v1.41/images/json?all=1: 200 on a kept connection",
        "GET /v1.41/images/json: 500 on a kept connection",
    ]
    assert all(TOOK.search(each.getMessage()) for each in log.records)


async def test_a_retry_and_a_failure_are_lines(
    scripted: ScriptedEngine, connect: Connect, log: pytest.LogCaptureFixture
) -> None:
    scripted.script(*LIST, json_response([]), Close())
    async with connect(scripted.url) as docker:
        await docker.images.list()
        log.clear()
        with pytest.raises(DockerError):
            await docker.images.list()
    assert lines(log) == [
        "GET /v1.41/images/json: sent again, as the kept connection was closed",
        "GET /v1.41/images/json: ConnectionFailed",
    ]


@pytest.mark.parametrize("transport", ["asyncio", "trio"])
async def test_a_cancelled_request_is_a_line(
    scripted: ScriptedEngine, connect: Connect, log: pytest.LogCaptureFixture
) -> None:
    scripted.script(*LIST, UntilClosed())
    async with connect(scripted.url) as docker:
        with anyio.move_on_after(0.3):
            await docker.images.list()
    assert lines(log)[-1] == "GET /v1.41/images/json: cancelled"


async def test_build_arguments_are_left_out(
    scripted: ScriptedEngine, connect: Connect, log: pytest.LogCaptureFixture
) -> None:
    scripted.script("POST", "/build", chunked(b'{"stream":"a"}\n'))
    async with connect(scripted.url) as docker:
        await docker.images.build(fileobj=context("FROM x\n"), buildargs={"TOKEN": "hush"}, tag="t")
    (line,) = [each for each in lines(log) if "/build" in each]
    assert "hush" in scripted.requests[-1].target
    assert "TOKEN" not in line
    assert "hush" not in line
    assert "t=t" in line


async def test_the_calls_of_a_session_are_lines(
    scripted: ScriptedEngine, connect: Connect, log: pytest.LogCaptureFixture
) -> None:
    answers: list[Any] = []

    def speak(speaking: Speaking) -> None:
        answers.append(speaking.ask(SECRET, b""))

    scripted.script("POST", "/session", (Speak(speak), UntilClosed()))
    scripted.script("POST", "/build", (stream_head(), chunk(b'{"stream":"a"}'), LAST_CHUNK))
    async with connect(scripted.url) as docker, building(docker, stream=True) as stream:
        await until(lambda: answers)
        assert len([message async for message in stream]) == 1
    calls = [each for each in lines(log) if each.startswith("session: ")]
    assert calls == [f"session: {SECRET}: gRPC status {answers[0][1].code:d}"]


@pytest.mark.parametrize(("version", "deprecated"), [("1.52", False), ("1.53", True), ("1.55", True)])
async def test_a_deprecated_request_is_a_line_and_works(
    scripted: ScriptedEngine, connect: Connect, log: pytest.LogCaptureFixture, version: str, deprecated: bool
) -> None:
    scripted.api_version = version
    scripted.script("POST", "/session", (Speak(), UntilClosed()))
    scripted.script("POST", "/build", chunked(b'{"stream":"a"}\n'))
    async with connect(scripted.url) as docker, building(docker, stream=True) as stream:
        assert [message async for message in stream] == [{"stream": "a"}]
    line = f"POST /v{version}/session is deprecated since API 1.53"
    assert [each for each in lines(log) if "deprecated" in each] == [line] * deprecated


async def test_nothing_is_logged_above_debug(
    scripted: ScriptedEngine, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="dockerproto")
    scripted.script(*LIST, json_response({"message": "no"}, 500))
    async with connect(scripted.url) as docker:
        with pytest.raises(DockerError):
            await docker.images.list()
    assert not caplog.records
