"""TLS over any byte stream: one implementation for asyncio, trio and blocking programs.

The ssl module encrypts in memory; the bytes travel over the stream of the transport. So the three
transports agree on what a certificate is worth, and an answer that came before a reset is read on all.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from dockerproto.endpoint.addresses import TLS
from dockerproto.errors import ConnectionFailed
from dockerproto.transport.chunks import Buffer, Chunk, FileRange
from dockerproto.transport.network import ByteStream
from dockerproto_local.file_ranges import read_part

T = TypeVar("T")

_AT_ONCE: Final = 64 * 2**10


def ssl_context(tls: TLS) -> ssl.SSLContext:
    """Return what the ssl module needs to connect with these certificates.

    Raises:
        ConnectionFailed: A file of them cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=tls.ca)
        if not tls.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if tls.certificate is not None:
            context.load_cert_chain(tls.certificate, tls.key)
    except OSError as error:  # that of the ssl module is one too
        raise ConnectionFailed(0, f"the TLS files cannot be used: {error} ({tls})") from error
    context.set_alpn_protocols(["http/1.1"])
    return context


class TLSStream:
    """An encrypted connection."""

    def __init__(self, stream: ByteStream, context: ssl.SSLContext, name: str) -> None:
        self._stream: Final = stream
        self._incoming: Final = ssl.MemoryBIO()
        self._outgoing: Final = ssl.MemoryBIO()
        self._tls: Final = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self._unsent = b""
        self._ready = b""
        self._ended = False
        self._error: OSError | None = None

    async def handshake(self, timeout: float | None) -> None:
        """Agree on keys, and check the engine's certificate; raise OSError."""
        await self._retry(self._tls.do_handshake, timeout)
        await self._flush(timeout)

    async def send(self, data: Chunk, timeout: float | None) -> int:
        """Send data; return how many bytes of it went out before something came in, all if nothing did."""
        rest = memoryview(read_part(data) if isinstance(data, FileRange) else data).cast("B")
        while rest and await self._flush(timeout):
            rest = rest[await self._retry(partial(self._tls.write, rest[:_AT_ONCE]), timeout) :]
        await self._flush(timeout)
        return len(data) - len(rest)

    async def receive(self, timeout: float | None) -> bytes:
        """Return some bytes, b"" at the end."""
        if self._ready:
            data, self._ready = self._ready, b""
            return data
        if self._error is not None:
            raise self._error
        return await self._retry(self._read, timeout)

    async def readable(self) -> bool:
        """Whether `receive` would return at once; a session ticket, say, is nothing to receive."""
        while not (self._ready or self._ended or self._error) and await self._stream.readable():
            try:
                self._feed(await self._stream.receive(None))
                self._ready = self._read()
            except ssl.SSLWantReadError:
                continue
            except OSError as error:
                self._error = error
        return bool(self._ready or self._ended or self._error)

    async def ready(self) -> None:
        """Wait until there is something to look at, or until `wake` is called."""
        if not await self.readable():
            await self._stream.ready()

    def wake(self) -> None:
        """End the wait of `ready`, or the next one."""
        self._stream.wake()

    def hung_up(self) -> bool:
        """Whether the other side has closed the connection, or lost it."""
        return self._stream.hung_up()

    def close(self) -> None:
        """Close the connection, at once: HTTP tells by itself whether an answer is complete."""
        self._stream.close()

    async def _retry(self, step: Callable[[], T], timeout: float | None) -> T:
        """Take a step of TLS, with as much from the engine as it needs."""
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                await self._flush(timeout)
            except ssl.SSLError:
                await self._flush(timeout)  # the alert that tells the engine why
                raise
            self._feed(await self._stream.receive(timeout))

    def _read(self) -> bytes:
        try:
            return self._tls.read(_AT_ONCE)
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            self._ended = True
        return b""

    def _feed(self, data: Buffer) -> None:
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
            self._ended = True

    async def _flush(self, timeout: float | None) -> bool:
        """Send what is encrypted; False if something came in before all was sent."""
        self._unsent += self._outgoing.read()
        if self._unsent:
            self._unsent = self._unsent[await self._stream.send(self._unsent, timeout) :]
        return not self._unsent
