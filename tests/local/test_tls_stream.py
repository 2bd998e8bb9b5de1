"""TLS over a byte stream, with the other side in memory."""

from __future__ import annotations

import ssl
from contextlib import suppress

import pytest
import trustme

from dockerproto import TLS
from dockerproto.transport.chunks import Chunk, FileRange
from dockerproto.transport.runtime import run
from dockerproto.transport.streams import ByteStream
from dockerproto_local.tls import TLSStream, ssl_context


class Peer(ByteStream):
    """A byte stream whose other end speaks TLS, and says what the test says."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.ended = False
        self.closed = False
        self.said: list[str] = []

    async def send(self, data: Chunk, timeout: float | None) -> int:
        assert not isinstance(data, FileRange)
        self._incoming.write(data)
        with suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return len(data)

    async def receive(self, timeout: float | None) -> bytes:
        assert self._outgoing.pending or self.ended, "nothing would ever come"
        return self._outgoing.read()

    async def readable(self) -> bool:
        return self._outgoing.pending > 0 or self.ended

    async def ready(self) -> None:
        self.said.append("ready")

    def wake(self) -> None:
        self.said.append("wake")

    def hung_up(self) -> bool:
        return self.ended

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def connected() -> tuple[TLSStream, Peer]:
    authority = trustme.CA()
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("engine.example").configure_cert(theirs)  # pyright: ignore[reportUnknownMemberType]
    authority.configure_trust(ours)  # pyright: ignore[reportUnknownMemberType]
    peer = Peer(theirs)
    stream = TLSStream(peer, ours, "engine.example")
    run(stream.handshake(None))
    return stream, peer


def test_a_ticket_is_nothing_to_receive(connected: tuple[TLSStream, Peer]) -> None:
    stream, peer = connected
    assert run(peer.readable())  # the other side sent tickets after the handshake
    assert not run(stream.readable())
    assert not run(peer.readable())


def test_what_comes_is_readable_and_then_received(connected: tuple[TLSStream, Peer]) -> None:
    stream, peer = connected
    peer.tls.write(b"answer")
    assert run(stream.readable())
    assert run(stream.readable())
    assert run(stream.receive(None)) == b"answer"
    assert not run(stream.readable())
    peer.tls.write(b"more")
    assert run(stream.receive(None)) == b"more"


def test_records_that_arrive_together_are_all_readable(connected: tuple[TLSStream, Peer]) -> None:
    stream, peer = connected
    for record in (b"one", b"two", b"three"):
        peer.tls.write(record)
    received = list[bytes]()
    while run(stream.readable()):
        run(stream.ready())
        received.append(run(stream.receive(None)))
    assert received == [b"one", b"two", b"three"]
    assert peer.said == []


@pytest.mark.parametrize("records", [0, 1, 2])
def test_a_broken_connection_is_noticed_after_what_arrived(
    connected: tuple[TLSStream, Peer], records: int
) -> None:
    stream, peer = connected
    for _ in range(records):
        peer.tls.write(b"data")
    received = [run(stream.receive(None)) for _ in range(records)]

    async def receive(timeout: float | None) -> bytes:
        raise ConnectionResetError("reset")

    peer.ended, peer.receive = True, receive  # type: ignore[method-assign]
    assert received == [b"data"] * records
    assert run(stream.readable())
    with pytest.raises(ConnectionResetError, match="reset"):
        run(stream.receive(None))


def test_what_is_sent_arrives(connected: tuple[TLSStream, Peer]) -> None:
    stream, peer = connected
    data = bytes(range(256)) * 1000
    run(stream.send(memoryview(data), None))
    got = b""
    while len(got) < len(data):
        got += peer.tls.read(65536)
    assert got == data


@pytest.mark.parametrize("proper", [True, False])
@pytest.mark.parametrize("looked", [True, False])
def test_the_end_is_the_end(connected: tuple[TLSStream, Peer], proper: bool, looked: bool) -> None:
    stream, peer = connected
    if proper:
        with suppress(ssl.SSLWantReadError):
            peer.tls.unwrap()
    peer.ended = True
    if looked:
        assert run(stream.readable())
    assert run(stream.receive(None)) == b""
    assert run(stream.readable())


def test_garbage_is_an_error_that_is_noticed(connected: tuple[TLSStream, Peer]) -> None:
    stream, peer = connected

    async def garbage(timeout: float | None) -> bytes:
        return b"HTTP/1.1 400 Bad Request\r\n\r\n"

    async def readable() -> bool:
        return True

    peer.receive, peer.readable = garbage, readable  # type: ignore[method-assign]
    assert run(stream.readable())
    with pytest.raises(OSError, match=r"SSL|TLS"):
        run(stream.receive(None))


@pytest.mark.parametrize("looked", [True, False])
@pytest.mark.parametrize(
    ("used", "error"), [(False, ConnectionRefusedError), (True, ssl.SSLError)], ids=["new", "used"]
)
def test_a_failure_before_the_first_byte_is_a_refusal(
    connected: tuple[TLSStream, Peer], used: bool, looked: bool, error: type[OSError]
) -> None:
    stream, peer = connected
    if used:
        peer.tls.write(b"answer")
        assert not looked or run(stream.readable())
        assert run(stream.receive(None)) == b"answer"

    async def garbage(timeout: float | None) -> bytes:
        return b"HTTP/1.1 400 Bad Request\r\n\r\n"

    async def readable() -> bool:
        return True

    peer.receive, peer.readable = garbage, readable  # type: ignore[method-assign]
    assert not looked or run(stream.readable())
    with pytest.raises(OSError, match=r"SSL|TLS") as raised:
        run(stream.receive(None))
    assert isinstance(raised.value, error)


def test_what_is_asked_of_a_session_is_asked_below(connected: tuple[TLSStream, Peer]) -> None:
    stream, peer = connected
    run(stream.ready())
    stream.wake()
    assert peer.said == ["ready", "wake"]
    assert not stream.hung_up()
    peer.tls.write(b"answer")
    run(stream.ready())  # there is something, so nothing is waited for
    assert peer.said == ["ready", "wake"]
    peer.ended = True
    assert stream.hung_up()


def test_closing_closes_what_is_below(connected: tuple[TLSStream, Peer]) -> None:
    stream, peer = connected
    stream.close()
    assert peer.closed


@pytest.mark.parametrize("tls", [TLS(), TLS(verify=False)], ids=["verified", "unverified"])
def test_certificates_without_key_usage_are_accepted(tls: TLS, monkeypatch: pytest.MonkeyPatch) -> None:
    # Python 3.13 sets VERIFY_X509_STRICT by default; certificates of Docker's own recipe fail it.
    default = ssl.create_default_context()
    default.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN

    def create(*, cadata: str | None) -> ssl.SSLContext:
        assert cadata is None
        return default

    monkeypatch.setattr("ssl.create_default_context", create)
    flags = ssl_context(tls).verify_flags
    assert not flags & ssl.VERIFY_X509_STRICT
    assert flags & ssl.VERIFY_X509_PARTIAL_CHAIN
