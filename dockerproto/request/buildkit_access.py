"""The access to an engine's BuildKit: the way to it, and what earlier builds of the client have found out."""

from __future__ import annotations

from dockerproto.config.headers import Headers
from dockerproto.endpoint.addresses import SSH, TCP, Endpoint, UnixSocket
from dockerproto.redacted import RedactedText
from dockerproto.request.solve_options import Worker


class BuildKitAccess:
    """The access to an engine's BuildKit.

    Args:
        endpoint: The engine.
        headers: Custom headers, sent with every request.
    """

    def __init__(self, endpoint: Endpoint, headers: Headers) -> None:
        self.plain: bool = _is_plain(endpoint)
        """True if a connection carries any bytes to the engine, as no TLS and no path stand between."""
        self.metadata: Headers = tuple((name.lower(), RedactedText(value)) for name, value in headers)
        """The custom headers as metadata of calls; their values may be secret."""
        self.worker: Worker | None = None
        """Abilities of the worker; None: no build has asked for them yet."""
        self.has_sessions: bool = True
        """False once the engine did not know ``POST /session``."""
        self.refuses_http2: bool = False
        """True once the engine, or a proxy in front of it, refused HTTP/2 with prior knowledge."""


def _is_plain(endpoint: Endpoint) -> bool:
    address = endpoint.address
    if isinstance(address, TCP):
        return endpoint.tls is None and not address.prefix
    return isinstance(address, UnixSocket | SSH)
