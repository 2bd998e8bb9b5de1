"""The engine sends requests that are ready: it negotiates, recognizes Podman, frames, exchanges and pings.

A request is written in a `Dialect`, which `Engine.negotiate` returns. So nothing is sent in an API version
that the engine may lack, and nothing that Podman reads differently before Podman is recognized.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

from msgspec.structs import replace

from dockerproto.config.headers import Headers, merge_headers
from dockerproto.endpoint.addresses import Endpoint, tunnelled
from dockerproto.errors import DockerError, ProtocolViolated, UnsupportedEngine
from dockerproto.http.connecting import Target
from dockerproto.http.connection import Connections
from dockerproto.http.http11 import Upload, WireRequest
from dockerproto.http.interfaces import RequestSender, Response
from dockerproto.http.log import DEBUG, LOG, log_exchange
from dockerproto.http.patience import acquire
from dockerproto.http.pong import OF_OTHER_SERVERS, explain_pong, not_an_engine, read_pong
from dockerproto.redacted import RedactedText, prefixed
from dockerproto.request.buildkit_access import BuildKitAccess
from dockerproto.request.dialect import Dialect, SupportsDialects, podman_version
from dockerproto.request.ping import PING, PODMAN, Ping
from dockerproto.request.request import Request
from dockerproto.timeouts import Timer
from dockerproto.transport.scoped import Scoped
from dockerproto.transport.transport import Transport
from dockerproto.versions import OLDEST, Version, negotiate

R = TypeVar("R", bound=Response)

_NOT_FOUND: Final = 404


class Engine:
    """One engine, and the dialect of the API that it speaks."""

    def __init__(
        self,
        endpoint: Endpoint,
        transport: Transport,
        sender: RequestSender,
        *,
        version: Version | None = None,
        headers: Headers = (),
        negotiation_limit: float | None = None,
    ) -> None:
        self.transport = transport
        """Runtime that the transport provides."""
        self.connections: Connections = (
            sender
            if isinstance(sender, Connections) and endpoint.route == tunnelled(endpoint.route)
            else Connections(transport, tunnelled(endpoint.route), endpoint.origin)
        )
        """Connections of sessions and their builds, which no HTTP library can carry."""
        self.used: bool = False
        """True once the engine has responded, so that connections may be open."""
        self.buildkit: BuildKitAccess = BuildKitAccess.of_engine(endpoint, headers)
        """The ways to the engine's BuildKit."""
        self._sender = sender
        self._engine = Target(endpoint.address, endpoint.origin)
        self._prefix, self._host = endpoint.address.prefix, ("Host", endpoint.address.host)
        self._custom_headers = tuple((name, RedactedText(value)) for name, value in headers)
        self._usual_headers = merge_headers((self._host,), self._custom_headers)
        self._negotiation_limit = negotiation_limit
        self._negotiation = Scoped(transport, transport.lock)
        self._dialect = None if version is None else Dialect(version)
        self._ping: Ping | None = None

    @property
    def version(self) -> Version | None:
        """API version in use; None: not negotiated yet."""
        return None if self._dialect is None else self._dialect.version

    def enter_scope(self) -> None:
        """Begin a call in the process and event loop of the caller.

        Raises:
            ClientClosed: Another event loop uses the client.
            UnsupportedTransport: The caller does not run in an event loop of the transport.
        """
        self._negotiation.get()

    async def negotiate(self, request: SupportsDialects, timer: Timer) -> Dialect:
        """Return the dialect to write a request in; ping the engine if it is not known yet."""
        dialect = self._dialect
        if dialect is None or (dialect.podman is None and request.differs):
            ping = await self.introduce(timer)
            version = self.version or negotiate(ping.api_version)
            dialect = self._dialect = Dialect(version, podman_version(ping.podman))
        return dialect

    async def introduce(self, timer: Timer) -> Ping:
        """Return the response to the first ping; concurrent first calls share one ping."""
        return self._ping or await self._introduce(timer)

    async def _introduce(self, timer: Timer) -> Ping:
        if timer.timeout.total is None:
            timer = Timer(replace(timer.timeout, total=self._negotiation_limit), self.transport.now)
        lock = self._negotiation.get()
        acquired = await acquire(lock, timer)
        try:
            self._ping = self._ping or await self.ping(timer, strict=self.version is None)
        finally:
            if acquired:
                lock.release()
        return self._ping

    async def ping(self, timer: Timer, *, strict: bool = True) -> Ping:
        """Ping the engine.

        Args:
            timer: Limits of the call.
            strict: False if a response without an API version is accepted, as from some proxies.

        Raises:
            DockerError: The engine does not respond, or reports an error.
            ProtocolViolated: Something else than an engine responds.
        """
        try:
            response = await self.exchange(PING, None, Dialect(OLDEST), timer, self._sender.send)
        except ProtocolViolated as error:
            raise not_an_engine(self._engine, error.message) from error
        head, ping = response.head, Ping.of(response.head.headers)
        try:
            await read_pong(response)
        except DockerError as error:
            if error.status and ping.api_version is None and head.status in OF_OTHER_SERVERS:
                raise explain_pong(self._engine, error) from error
            raise
        if strict and ping.api_version is None:
            raise not_an_engine(self._engine, "its response to a ping has no API version")
        return ping

    async def send(
        self, request: Request, dialect: Dialect, timer: Timer, upload: Upload | None = None
    ) -> Response:
        """Send a request, with its prepared upload, and return the response once its head has arrived."""
        return await self.exchange(request, upload, dialect, timer, self._sender.send)

    async def exchange(
        self,
        request: Request,
        upload: Upload | None,
        dialect: Dialect,
        timer: Timer,
        send: Callable[[WireRequest, Timer], Awaitable[R]],
    ) -> R:
        """Write a request in a dialect, send it with `send`, and return its response.

        Raises:
            UnsupportedEngine: Podman does not serve the operation, or would ignore a part of it.
            UnsupportedVersion: The API version does not have the operation or a parameter.
        """
        message = self.frame(request, upload, dialect)
        if LOG.isEnabledFor(DEBUG):
            line = f"{request.method} {self._target(request, dialect, redact=True)}"
            if request.is_deprecated(dialect.version):
                LOG.debug("%s is deprecated since API %s", line, request.deprecated)
            response = await log_exchange(line, partial(send, message, timer), self.transport.now)
        else:
            response = await send(message, timer)
        self.used = True
        self._recognize(message, response)
        return response

    def frame(self, request: Request, upload: Upload | None, dialect: Dialect) -> WireRequest:
        """Return a request as it goes over the wire; raise as `exchange` does."""
        own = request.all_headers()
        headers = merge_headers((self._host, *own), self._custom_headers) if own else self._usual_headers
        target = prefixed(self._prefix, self._target(request, dialect))
        return WireRequest(request.method, target, headers, upload)

    def close(self) -> None:
        """Close all connections; closing again has no effect."""
        self._sender.close()
        self.connections.close()

    def _target(self, request: Request, dialect: Dialect, *, redact: bool = False) -> str:
        podman, variable = dialect.podman or None, self.transport.variable
        return request.target(dialect.version, podman=podman, environment=variable, redact=redact)

    def _recognize(self, message: WireRequest, response: Response) -> None:
        """Recognize Podman by a response; raise UnsupportedEngine if Podman lacks the operation."""
        dialect, head = self._dialect, response.head
        if dialect is None:
            return
        if "api-version" in head.headers:  # absent from the responses of a proxy, and of Podman's router
            podman = podman_version(head.headers.get(PODMAN))
            if dialect.podman != podman:
                self._dialect = Dialect(dialect.version, podman)
        elif dialect.podman and head.status == _NOT_FOUND:
            response.close()
            raise UnsupportedEngine(_NOT_FOUND, f"Podman does not serve {message.method} {message.path}")
