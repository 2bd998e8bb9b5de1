"""TLS over any byte stream: one implementation for asyncio, trio and blocking programs.

The ssl module encrypts in memory; the transport's stream carries the bytes. So the three transports verify
certificates alike, and each still reads a response that arrived before a reset.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from dockerproto.endpoint.addresses import TLS
from dockerproto.errors import ConnectionFailed
from dockerproto.transport.chunks import Buffer, Chunk, FileRange
from dockerproto.transport.streams import ByteStream
from dockerproto_local.file_ranges import read_range
from dockerproto_local.small_files import read_regular, regular_path

T = TypeVar("T")

HTTP1: Final = "http/1.1"
"""Protocol of an engine, as ALPN names it."""
HTTP2: Final = "h2"
"""Protocol of a BuildKit daemon, as ALPN names it."""
_RECORDS: Final = 64 * 2**10


def ssl_context(tls: TLS, protocol: str = HTTP1) -> ssl.SSLContext:
    """Return an SSL context for connecting with these certificates, to speak a protocol.

    A server may choose none, as it does if it ignores ALPN.

    Raises:
        ConnectionFailed: A file cannot be read, or contains no valid certificate or key.
    """
    try:
        context = default_context(tls.ca)
        if not tls.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if tls.certificate is not None:
            _load_certificate(context, tls.certificate, tls.key or tls.certificate)
    except OSError as error:  # SSLError is an OSError too
        raise ConnectionFailed(0, f"cannot use the TLS files: {error} ({tls})") from error
    context.set_alpn_protocols([protocol])
    return context


def default_context(ca: str | None = None) -> ssl.SSLContext:
    """Return an SSL context that trusts the authorities of a PEM file, or those of the system.

    Certificates made by the recipe of https://docs.docker.com/engine/security/protect-access/ have no key
    usage extension. The Docker CLI accepts them; Python 3.13 and later do not by default, as RFC 5280
    requires the extension. Signatures, dates and names are verified all the same. Raises OSError.
    """
    context = ssl.create_default_context(cadata=None if ca is None else _read_authorities(ca))
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _read_authorities(path: str) -> str:
    text = read_regular(path).decode("ascii", "ignore")  # comments may be in another encoding
    if not text:
        raise OSError(f"{path} is empty")  # the ssl module would trust the authorities of the system instead
    return text


def _load_certificate(context: ssl.SSLContext, certificate: str, key: str) -> None:
    with regular_path(certificate) as certificate_path, regular_path(key) as key_path:
        context.load_cert_chain(certificate_path, key_path, password=_refuse_encrypted)


def _refuse_encrypted() -> bytes:
    """Raise OSError in place of asking for a password, which the ssl module would do on the terminal."""
    raise OSError("the private key is encrypted: decrypt it, or pass an ssl.SSLContext as tls")


class TLSStream(ByteStream):
    """An encrypted connection."""

    def __init__(self, stream: ByteStream, context: ssl.SSLContext, name: str) -> None:
        self._stream = stream
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self._unsent = b""
        self._ready = b""
        self._ended = False
        self._received = False
        self._error: OSError | None = None

    async def handshake(self, timeout: float | None) -> None:
        """Negotiate keys and verify the engine's certificate; raise OSError."""
        await self._retry(self._tls.do_handshake, timeout)
        await self._flush(timeout)

    async def send(self, data: Chunk, timeout: float | None) -> int:
        """Send data and return how many bytes were sent: all, or those before something arrived."""
        rest = memoryview(read_range(data) if isinstance(data, FileRange) else data).cast("B")
        while rest and await self._flush(timeout):
            rest = rest[await self._retry(partial(self._tls.write, rest[:_RECORDS]), timeout) :]
        await self._flush(timeout)
        return len(data) - len(rest)

    async def receive(self, timeout: float | None) -> bytes:
        """Return some bytes, empty at the end."""
        if self._ready:
            data, self._ready, self._received = self._ready, b"", True
            return data
        try:
            if self._error is not None:
                raise self._error
            data = await self._retry(self._read, timeout)
        except ssl.SSLError as error:
            if self._received:
                raise
            # Since TLS 1.3, servers reject a client's certificate after the handshake.
            raise ConnectionRefusedError(str(error)) from error
        self._received = True
        return data

    async def readable(self) -> bool:
        """Return True if `receive` would return or raise at once; a session ticket is not data."""
        while not (self._ready or self._ended or self._error):
            try:
                self._ready = self._read()  # first of what has arrived already: one receive may hold records
            except ssl.SSLWantReadError:
                if not await self._stream.readable():
                    return False
                await self._fill()
            except OSError as error:
                self._error = error
        return True

    async def ready(self) -> None:
        """Wait until bytes arrive, which may hold no data, or `wake` is called."""
        if not await self.readable():
            await self._stream.ready()

    def wake(self) -> None:
        """End the current wait in `ready`, or else the next one."""
        self._stream.wake()

    def hung_up(self) -> bool:
        """Return True if the peer has closed the connection, even if bytes are unread."""
        return self._stream.hung_up()

    def close(self) -> None:
        """Close the connection without a TLS alert: HTTP framing shows whether a response is complete."""
        self._stream.close()

    async def _retry(self, step: Callable[[], T], timeout: float | None) -> T:
        """Retry a step of TLS with more bytes from the engine until it completes."""
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                await self._flush(timeout)
            except ssl.SSLError:
                await self._flush(timeout)  # the alert tells the engine the reason
                raise
            self._feed(await self._stream.receive(timeout))

    def _read(self) -> bytes:
        try:
            data = self._tls.read(_RECORDS)
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            data = b""
        self._ended = not data
        return data

    async def _fill(self) -> None:
        try:
            self._feed(await self._stream.receive(None))
        except OSError as error:
            self._error = error

    def _feed(self, data: Buffer) -> None:
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
            self._ended = True

    async def _flush(self, timeout: float | None) -> bool:
        """Send the encrypted bytes; return False if something arrived before all were sent."""
        self._unsent += self._outgoing.read()
        if self._unsent:
            self._unsent = self._unsent[await self._stream.send(self._unsent, timeout) :]
        return not self._unsent
