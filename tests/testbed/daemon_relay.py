"""A relay that makes the BuildKit of an engine look like a BuildKit daemon.

Each connection is switched at the engine by ``POST /grpc`` before the client sends anything: from then on the
bytes are the same as those of a daemon, which speaks HTTP/2 with prior knowledge and nothing else. Anything
but HTTP/2 is answered as the engine's own HTTP/2 server does: it hangs up.

A client reaches it by its unix socket, by a port, by TLS on a port, or by a command whose standard streams
lead to the socket, as those of ``buildctl dial-stdio`` do.

It differs from a real buildkitd:

- Workers: the engine has one, with the id and the labels of Docker's, such as ``host-gateway-ip``; without
  containerd's store it has no label of a snapshotter. A daemon may have two: one for OCI, one for containerd.
- Exporters: the engine has ``moby`` too, and puts every image into its own store, where its API lists it; a
  daemon keeps images of the exporter ``image`` where only other builds find them.
- The caches ``s3`` and ``azblob`` are missing.
- Versions: Debian's engines report ``v0.0.0+unknown`` for their BuildKit, and 26.1 is BuildKit 0.13.
- Entitlements: the engine grants ``network.host``, a daemon only if its configuration says so.
- Networks: an engine without a bridge has none for steps, unless they ask for that of the host.
- TLS: the relay's, not Go's. It requires a client's certificate, as a daemon with ``--tlscacert`` does. A
  daemon that knows none of the client's protocols breaks the handshake; the relay chooses none.
- HTTP/2: Go's ``net/http2`` speaks, not that of Go's gRPC, so limits and pings differ.
"""

from __future__ import annotations

import shlex
import socket
import ssl
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from . import dial_stdio
from .certificates import Certificates
from .relay import PIECE, Pair, Relay
from .without_upgrades import SWITCH

PROGRAMS: Final = ("docker", "podman", "kubectl", "ssh")
"""Programs that clients run to reach a daemon."""
_SWITCHED: Final = b"HTTP/1.1 101 "


class DaemonRelay(Relay):
    """The relay, inside the `with`: `url` is its address, as BUILDKIT_HOST has it.

    Args:
        target: Unix socket of the engine.
        port: True for a port of 127.0.0.1 instead of the unix socket.
        tls: Certificates for TLS on a port; clients need one of the same authority.
        protocols: Protocols that it chooses from in the handshake of TLS; empty: it ignores those of clients.
    """

    def __init__(
        self,
        target: Path,
        *,
        port: bool = False,
        tls: Certificates | None = None,
        protocols: Sequence[str] = ("h2",),
    ) -> None:
        super().__init__(target)
        self._port = port or tls is not None
        self._context = None if tls is None else _server_context(tls, protocols)

    @property
    def command(self) -> list[str]:
        """Return a command that reaches it by standard streams, if it is on the unix socket."""
        return [sys.executable, "-I", "-S", str(dial_stdio.__file__), str(self.socket)]

    def install(self, directory: Path, record: Path) -> None:
        """Write programs named as `PROGRAMS` into a directory, which run `command`.

        Each run adds a line to the record: the name and the arguments, as a JSON list.
        """
        for name in PROGRAMS:
            command = shlex.join([*self.command, str(record), name])
            program = directory / name
            program.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
            program.chmod(0o755)

    def _listen(self) -> socket.socket:
        if not self._port:
            return super()._listen()
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        return listener

    def _pair(self, client: socket.socket, engine: socket.socket) -> Pair:
        switch(engine)
        if self._port:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _Bare(client, engine) if self._context is None else _Encrypted(client, engine, self._context)


class _Bare(Pair):
    """A connection of a client without TLS, and the one to the engine."""

    def carry_requests(self, client: socket.socket, engine: socket.socket) -> None:
        """Carry what the client sends, whatever it looks like: a file may contain a request of HTTP/1.1."""
        while data := client.recv(PIECE):
            engine.sendall(data)


class _Encrypted(Pair):
    """A connection of a client by TLS, and the one to the engine."""

    def __init__(self, client: socket.socket, engine: socket.socket, context: ssl.SSLContext) -> None:
        self._received, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._received, self._outgoing, server_side=True)
        self._using_tls = threading.Lock()
        self._shaken = threading.Event()
        super().__init__(client, engine)

    def cut(self) -> None:
        """Break both connections."""
        self._shaken.set()
        super().cut()

    def carry_requests(self, client: socket.socket, engine: socket.socket) -> None:
        """Carry what the client sends, decrypted."""
        self._drive(client, self._tls.do_handshake)
        self._shaken.set()
        while data := self._drive(client, self._tls.read, PIECE):
            engine.sendall(data)

    def carry_responses(self, engine: socket.socket, client: socket.socket) -> None:
        """Carry what the engine sends, encrypted."""
        self._shaken.wait()
        while data := engine.recv(PIECE):
            with self._using_tls:
                self._tls.write(data)
                client.sendall(self._outgoing.read())

    def _drive(self, client: socket.socket, step: Any, *arguments: Any) -> Any:
        """Do a step of TLS that may need bytes of the client, and return what it does; b"" at the end."""
        while True:
            with self._using_tls:
                try:
                    return step(*arguments)
                except ssl.SSLWantReadError:
                    pass
                except ssl.SSLZeroReturnError:
                    return b""
                finally:
                    with suppress(OSError):  # the client hung up, which the next receive tells
                        client.sendall(self._outgoing.read())
            if not (data := client.recv(PIECE)):
                return b""
            with self._using_tls:
                self._received.write(data)


def switch(engine: socket.socket) -> None:
    """Let the engine speak HTTP/2 on a connection."""
    engine.sendall(SWITCH)
    head = b""
    while not head.endswith(b"\r\n\r\n") and (byte := engine.recv(1)):
        head += byte
    if not head.startswith(_SWITCHED):
        raise RuntimeError(f"the engine does not switch to HTTP/2: {head!r}")


def _server_context(certificates: Certificates, protocols: Sequence[str]) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates.ca)
    context.load_cert_chain(certificates.certificate, certificates.key)
    context.verify_mode = ssl.CERT_REQUIRED
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context
