"""A BuildKit daemon without an engine: it speaks HTTP/2 with prior knowledge, and nothing else.

It has no sessions on connections of their own, no ping and no API version. Its worker shows what it supports,
and errors show the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from dockerproto.buildkit.control.connection import ControlConnection, HTTP2Refused, open_http2
from dockerproto.buildkit.session.provisioning import SessionServices
from dockerproto.buildkit.session.serving import Link
from dockerproto.endpoint.addresses import TCP
from dockerproto.errors import ConnectionFailed, DockerError, ProtocolViolated, TimedOut
from dockerproto.http.connecting import Target
from dockerproto.http.connection import Connections
from dockerproto.request.build import SolveBuild
from dockerproto.request.buildkit_access import BuildKitAccess, CallHeaders
from dockerproto.timeouts import Timeout, Timer
from dockerproto.transport.transport import Transport
from dockerproto.versions import NEWEST, Version

_TLS: Final = "does this port use TLS?"
_CERTIFICATE: Final = "does it accept the client's certificate?"
_CLOSED: Final = "is it a BuildKit daemon?"
_ADVICE: Final[Mapping[str, str]] = {
    "b'HTTP/1": "; is it a Docker Engine, or behind a proxy for HTTP/1.1?",
    r"b'\x15\x03": f"; {_TLS}",
}
"""Advice by the first bytes of other servers: a response, or an alert of TLS."""


class Daemon(Struct, frozen=True):
    """A daemon, as a call sees it."""

    connections: Connections
    access: BuildKitAccess

    @property
    def version(self) -> Version:
        """The newest API version: a daemon has none, and its frontend reports what it lacks."""
        return NEWEST

    @property
    def transport(self) -> Transport:
        """Transport of its connections."""
        return self.connections.transport

    def check(self, build: SolveBuild) -> None:
        """Do nothing: what a daemon lacks, it reports itself."""

    async def requires_utf8(self, timer: Timer) -> bool:  # noqa: ARG002  # an interface
        """Return True, as BuildKit since 0.18 rejects other names of files without naming the file."""
        return True

    async def open(self, timer: Timer) -> ControlConnection:
        """Return a new connection.

        Raises:
            ConnectionFailed: The daemon cannot be connected to, or hangs up.
            ProtocolViolated: It does not speak HTTP/2.
            TimedOut: It does not speak within the limit of a connection.
        """
        target, headers, greeting = self.connections.target, self.access.headers, _greeting(timer)
        connection = await self.connections.open_new(timer)
        try:
            return await open_http2(self.connections, connection, headers, greeting)
        except HTTP2Refused as refused:
            raise _explain(target, headers, refused.reason) from refused.reason
        except TimedOut as error:
            raise target.timeout_error(timer) from error

    async def open_session(self, name: str, services: SessionServices, timer: Timer) -> Link | None:  # noqa: ARG002
        """Return None: a session has to share the connection of the calls."""
        return None


def _greeting(timer: Timer) -> Timer:
    """Return the limits of the wait for the first bytes: a daemon sends them as soon as it accepts."""
    limits = Timeout(connect=None, idle=timer.timeout.connect, total=timer.check())
    return Timer(limits, timer.now)


def _explain(target: Target, headers: CallHeaders, reason: DockerError) -> DockerError:
    """Return the exception for a server that does not speak HTTP/2."""
    if isinstance(reason, ProtocolViolated):
        advice = next((advice for sign, advice in _ADVICE.items() if sign in reason.message), "")
        return ProtocolViolated(0, f"{target} is not a BuildKit daemon: {reason.message:.200}{advice}")
    if isinstance(reason.__cause__, ConnectionRefusedError):  # found out late, and explained already
        return reason
    advice = _CLOSED
    if isinstance(target.address, TCP):
        advice = f"{_CLOSED} {_TLS if headers.scheme == 'http' else _CERTIFICATE}"
    return ConnectionFailed(0, target.message(f"it closed the connection at once; {advice}"))
