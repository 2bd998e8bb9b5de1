"""The access to BuildKit: the way to it, and what earlier calls of the client have found out."""

from __future__ import annotations

from typing import Final, Self

from dockerproto.config.headers import Headers
from dockerproto.endpoint.addresses import SSH, TCP, Endpoint, UnixSocket
from dockerproto.redacted import Redacted, RedactedText
from dockerproto.request.solve_options import Worker


class CallHeaders(Redacted, frozen=True, kw_only=True):
    """The headers of every call on a connection, except its path."""

    _hidden = ("metadata",)

    scheme: str = "http"
    """Scheme: ``https`` over TLS."""
    authority: str = "localhost"
    """Name of the server."""
    metadata: Headers = ()
    """Metadata, whose values may be secret."""


ON_THIS_MACHINE: Final = CallHeaders()
"""Headers of calls to a server that ignores its name, such as one on a socket."""


class BuildKitAccess:
    """The access to the BuildKit of an engine, or of a daemon.

    Args:
        plain: True if a connection carries any bytes to the engine.
        headers: Headers of calls on a connection without an upgrade.
        has_images: True if the worker is an engine's, which has images of its own.
    """

    def __init__(self, *, plain: bool, headers: CallHeaders, has_images: bool = True) -> None:
        self.plain: bool = plain
        """True if a connection carries any bytes to the engine, as no TLS and no path stand between."""
        self.headers: CallHeaders = headers
        """Headers of calls on a connection without an upgrade."""
        self.worker: Worker | None = None
        """Abilities of the worker; None: no build has asked for them yet."""
        self.has_images: bool = has_images
        """True if the worker is an engine's, which has images of its own."""
        self.has_sessions: bool = True
        """False once the engine did not know ``POST /session``."""
        self.refuses_http2: bool = False
        """True once the engine, or a proxy in front of it, refused HTTP/2 with prior knowledge."""

    @classmethod
    def of_engine(cls, endpoint: Endpoint, headers: Headers) -> Self:
        """Return the access to an engine's BuildKit, with custom headers that are sent with every request."""
        metadata = tuple((name.lower(), RedactedText(value)) for name, value in headers)
        return cls(plain=_is_plain(endpoint), headers=CallHeaders(metadata=metadata))

    @classmethod
    def of_daemon(cls, endpoint: Endpoint) -> Self:
        """Return the access to a daemon."""
        address = endpoint.address
        headers = ON_THIS_MACHINE
        if isinstance(address, TCP):
            headers = CallHeaders(scheme="http" if endpoint.tls is None else "https", authority=address.host)
        return cls(plain=True, headers=headers, has_images=False)


def _is_plain(endpoint: Endpoint) -> bool:
    address = endpoint.address
    if isinstance(address, TCP):
        return endpoint.tls is None and not address.prefix
    return isinstance(address, UnixSocket | SSH)
