"""The base of clients: of an engine, or of a BuildKit daemon."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from typing import ClassVar, Protocol

from dockerproto.configuration import Configuration
from dockerproto.credentials.source import CallCredentials, CredentialsLookup
from dockerproto.errors import ClientClosed
from dockerproto.http.interfaces import Response
from dockerproto.request.buildkit_access import BuildKitAccess
from dockerproto.request.control_call import AnyRequest
from dockerproto.timeouts import Pace, TimeoutLike, Timer, call_timeout
from dockerproto.transport.local_work import LocalWork
from dockerproto.transport.transport import Transport


class Peer(Protocol):
    """The connections to an engine or a daemon."""

    @property
    def used(self) -> bool:
        """True once connections may be open."""
        ...

    def enter_scope(self) -> None:
        """Begin a call in the process and event loop of the caller; raise DockerError."""
        ...

    def close(self) -> None:
        """Close all connections; closing again has no effect."""
        ...


class Client(ABC):
    """A client; the operations of every transport run on one."""

    kind: ClassVar[str] = "Docker"
    """Name of the class that a program has created, for messages."""

    def __init__(self, configuration: Configuration, transport: Transport, peer: Peer) -> None:
        self.configuration = configuration
        """The configuration it was created with."""
        self.credentials: CredentialsLookup = CredentialsLookup(configuration.credentials)
        """Lookup of registry credentials."""
        self.transport = transport
        """Transport that it runs on."""
        self._peer = peer
        self._closed = False

    def __repr__(self) -> str:
        return f"<{self.kind} at {self.configuration.endpoint.address} ({self.transport.name})>"

    def __del__(self) -> None:
        if getattr(self, "_closed", True) or not self._peer.used:
            return
        # The configuration was made by the call that made the client: see `AsyncStream`.
        warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=1, source=self.configuration)
        self.close()

    @property
    @abstractmethod
    def buildkit(self) -> BuildKitAccess:
        """Access to BuildKit."""

    @property
    def closed(self) -> bool:
        """True once the client is closed, and with it all its connections and streams."""
        return self._closed

    @abstractmethod
    async def open(self, request: AnyRequest, credentials: CallCredentials, work: LocalWork) -> Response:
        """Send a request, and return its response once the head has arrived.

        Args:
            request: The request.
            credentials: The lookups of this call, from `CredentialsLookup.for_call`.
            work: The work of the call that the request belongs to, from `begin`.

        Raises:
            CredentialsError: Its credentials cannot be looked up.
            DockerError: It cannot be sent at all, or not in the API version in use.
        """

    def close(self) -> None:
        """Close all connections; closing again has no effect."""
        self._peer.close()
        self._closed = True  # last, so that an interrupted close is made up for when the client is collected

    def begin(self, timeout: TimeoutLike, pace: Pace) -> LocalWork:
        """Begin a call: return its work on this machine, with its timer.

        Raises:
            ClientClosed: The client is closed, or another event loop uses it.
            UnsupportedTransport: The caller does not run in an event loop of the transport.
        """
        if self._closed:
            raise ClientClosed(0, "the client is closed")
        self._peer.enter_scope()
        timer = Timer(call_timeout(timeout, self.configuration.limits, pace), self.transport.now)
        return LocalWork(self.transport, timer)
