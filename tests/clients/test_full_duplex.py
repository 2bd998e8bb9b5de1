"""Engines that answer while a request is sent to them, and do not read on until they are heard."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from dockerproto import BadRequest, ProtocolViolated, Timeout
from dockerproto.http.connection import AHEAD_LIMIT
from dockerproto.transport.chunks import Chunk
from dockerproto.transport.runtime import run
from dockerproto_local.blocking import BlockingTransport
from tests.conftest import Connect
from tests.local.test_tls_stream import Peer, connected
from tests.support.facade import Transport
from tests.testbed.scripted import (
    LAST_CHUNK,
    Close,
    DontReadBody,
    ReadBody,
    ReadSome,
    ScriptedEngine,
    Step,
    UntilClosed,
    chunk,
    json_response,
    stream_head,
)

__all__ = ["connected"]

LOAD = ("POST", "/images/load")
SIZE = 8_000_000
PATIENT = Timeout(idle=20)
"""A deadlock is an error, and not the end of all tests."""
LINE = b'{"stream":"%s"}\n' % (b"x" * 1000)
BLOCK = chunk(LINE * 1000)


def before(*steps: Step) -> list[Step]:
    """Take some of the request, answer several MiB that the client has to take, then take the rest."""
    return [*steps, stream_head(), *[BLOCK] * 5, ReadBody(), chunk(LINE), LAST_CHUNK]


@pytest.mark.anyio
@pytest.mark.parametrize("first", [DontReadBody(), ReadSome(1), ReadSome(SIZE // 2)], ids=repr)
async def test_what_comes_while_a_piece_is_blocked_is_read(
    scripted: ScriptedEngine, connect: Connect, first: Step
) -> None:
    scripted.script(*LOAD, before(first))
    async with connect(scripted.url) as docker:
        messages = await docker.images.import_image(bytes(SIZE), timeout=PATIENT)
        assert len(messages) == 5001
        assert (scripted.requests[-1].length, scripted.requests[-1].complete) == (SIZE, True)
        await docker.ping()
        assert scripted.connections_opened == 1


@pytest.mark.anyio
async def test_the_last_piece_may_be_blocked_too(scripted: ScriptedEngine, connect: Connect) -> None:
    scripted.script(*LOAD, before(ReadSome(SIZE - 300_000)))
    async with connect(scripted.url) as docker:
        assert len(await docker.images.import_image(bytes(SIZE), timeout=PATIENT)) == 5001


@pytest.mark.anyio
async def test_a_stream_of_pieces_meets_it_too(
    scripted: ScriptedEngine, connect: Connect, transport: Transport
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(8):
            yield bytes(SIZE // 8)

    scripted.script(*LOAD, before(DontReadBody()))
    source: Any = [bytes(SIZE // 8)] * 8 if transport == "httpx" else pieces()
    async with connect(scripted.url) as docker:
        assert len(await docker.images.import_image(source, timeout=PATIENT)) == 5001


@pytest.mark.anyio
async def test_a_refusal_while_a_piece_is_blocked_ends_the_upload(
    scripted: ScriptedEngine, connect: Connect
) -> None:
    refusal = json_response({"message": "bad parameter"}, 400)
    scripted.script(*LOAD, [DontReadBody(), refusal, UntilClosed()])
    async with connect(scripted.url) as docker:
        with pytest.raises(BadRequest, match="bad parameter"):
            await docker.images.import_image(bytes(SIZE), timeout=PATIENT)


@pytest.mark.anyio
async def test_an_answer_that_is_too_far_ahead_is_refused(scripted: ScriptedEngine, connect: Connect) -> None:
    blocks = [BLOCK] * (AHEAD_LIMIT // len(BLOCK) + 1)
    scripted.script(*LOAD, [DontReadBody(), stream_head(), *blocks, Close()])
    async with connect(scripted.url) as docker:
        with pytest.raises(ProtocolViolated, match="before the request was read"):
            await docker.images.import_image(bytes(SIZE), timeout=PATIENT)


class Narrow:
    """A TLS peer that takes nothing while it has something to say."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._send = peer.send

    async def send(self, data: Chunk, timeout: float | None) -> int:
        return 0 if await self._peer.readable() else await self._send(data, timeout)


def test_over_tls_what_is_encrypted_waits_too(connected: tuple[Any, Peer]) -> None:
    stream, peer = connected
    assert not run(stream.readable())  # the tickets are read
    peer.send = Narrow(peer).send  # type: ignore[method-assign]
    peer.tls.write(b"first")
    data = bytes(range(256)) * 1000
    sent = run(stream.send(data, None))
    assert 0 < sent < len(data)
    assert run(stream.send(data[sent:], None)) == 0
    assert run(stream.readable())
    assert run(stream.receive(None)) == b"first"
    peer.tls.write(b"second")
    assert run(stream.receive(None)) == b"second"
    assert run(stream.send(data[sent:], None)) == len(data) - sent
    got = b""
    while len(got) < len(data):
        got += peer.tls.read(65536)
    assert got == data


def test_over_tls_the_rest_goes_out_before_an_answer_is_waited_for(connected: tuple[Any, Peer]) -> None:
    stream, peer = connected
    assert not run(stream.readable())
    peer.send = Narrow(peer).send  # type: ignore[method-assign]
    peer.tls.write(b"first")
    assert run(stream.send(b"request", None)) == 7
    with pytest.raises(ssl.SSLWantReadError):
        peer.tls.read(100)
    assert run(stream.receive(None)) == b"first"
    answer: Callable[[float | None], Coroutine[Any, Any, bytes]] = peer.receive

    async def receive(timeout: float | None) -> bytes:
        assert peer.tls.read(100) == b"request"
        peer.tls.write(b"second")
        return await answer(timeout)

    peer.receive = receive  # type: ignore[method-assign]
    assert run(stream.receive(None)) == b"second"


def test_a_socket_that_was_closed_is_not_waited_for() -> None:
    ours, theirs = socket.socketpair()
    stream = run(BlockingTransport().dial(ours, None))
    with theirs:
        for _ in range(18):  # so many that an event loop would get its turn
            theirs.sendall(bytes(60_000))
            assert run(stream.receive(None))
    stream.close()
    stream.close()
    assert run(stream.readable())
    for _ in range(2):
        with pytest.raises(OSError, match=r"closed here|file descriptor"):
            run(stream.receive(None))
