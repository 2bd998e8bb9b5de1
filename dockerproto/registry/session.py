"""Requests to registries: sent with access, again after a wait, and to where they are redirected.

The decisions are data: `Access` about credentials, `wait_before_retry` about waits, `resolve_location` about
redirects. This module carries them out over the connections of a transport.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Final

from dockerproto.agent import AGENT
from dockerproto.credentials.source import CallCredentials, CredentialsLike, CredentialsLookup
from dockerproto.endpoint.addresses import Address
from dockerproto.errors import ClientClosed, DockerError, ProtocolViolated, Unauthorized
from dockerproto.http.connection import Connections, HTTPResponse
from dockerproto.http.http11 import WireRequest
from dockerproto.http.log import LOG, log_exchange
from dockerproto.messages.decoding import ERROR_LIMIT
from dockerproto.redacted import Redacted, RedactedBytes
from dockerproto.registry.access import Access
from dockerproto.registry.bodies import BoundedBody, RefusalBody
from dockerproto.registry.origins import Origin, resolve_location
from dockerproto.registry.requests import RegistryRequest, redirected
from dockerproto.registry.retries import retry_after, wait_before_retry
from dockerproto.registry.tokens import TOKEN_LIMIT, parse_token
from dockerproto.timeouts import Limits, Pace, TimeoutLike, Timer, call_timeout
from dockerproto.transport.chunks import Buffer
from dockerproto.transport.local_work import LocalWork
from dockerproto.transport.transport import Transport

REDIRECTS: Final = 5
"""Number of redirects that are followed for one blob."""
ORIGINS: Final = 100
"""Number of origins whose idle connections are kept."""
_UNAUTHORIZED: Final = 401
_MISSING: Final = 404
_FIRST_REDIRECT: Final = 300
_REDIRECTIONS: Final = frozenset({301, 302, 303, 307, 308})


class RegistryConfiguration(Redacted, frozen=True, kw_only=True):
    """The configuration that a client of registries is created with."""

    _hidden = ("credentials", "route")

    route: Callable[[Origin], Address]
    """Function that returns the way to an origin, perhaps through a proxy."""
    credentials: CredentialsLike | None = None
    """Source of registry credentials; None: no lookup."""
    limits: Limits = Limits()
    """Limits of calls that have none of their own."""
    plain_http: Collection[str] | None = None
    """Registries to reach over ``http``; None for those on this machine."""


class RegistryClient:
    """A client of any number of registries; the operations of every transport run on one.

    Args:
        configuration: Its configuration.
        plain: Transport that connects without TLS.
        secure: Transport that connects with TLS.
    """

    def __init__(self, configuration: RegistryConfiguration, plain: Transport, secure: Transport) -> None:
        self.configuration: RegistryConfiguration = configuration
        """The configuration it was created with."""
        self.transport: Transport = plain
        """Transport that it runs on."""
        self._secure = secure
        self._lookup = CredentialsLookup(configuration.credentials)
        self._connections: dict[Origin, Connections] = {}
        self._access: dict[Origin, Access] = {}
        self._closed = False

    def begin(self, timeout: TimeoutLike, pace: Pace) -> Session:
        """Begin a call.

        Raises:
            ClientClosed: The client is closed.
        """
        if self._closed:
            raise ClientClosed(0, "the client is closed")
        timer = Timer(call_timeout(timeout, self.configuration.limits, pace), self.transport.now)
        return Session(self, LocalWork(self.transport, timer), self._lookup.for_call())

    def close(self) -> None:
        """Close all connections; closing again has no effect."""
        self._closed = True
        for each in list(self._connections.values()):
            each.close()

    def access(self, origin: Origin) -> Access:
        """Return the access to the registry at an origin."""
        return self._access.setdefault(origin, Access(origin))

    def connections(self, origin: Origin) -> Connections:
        """Return the connections to an origin.

        Raises:
            ClientClosed: The client is closed.
        """
        if self._closed:
            raise ClientClosed(0, "the client is closed")
        known = self._connections.get(origin)
        if known is None:
            while len(self._connections) >= ORIGINS:
                self._connections.pop(next(iter(self._connections))).retire()
            transport = self._secure if origin.tls else self.transport
            route = self.configuration.route(origin)
            known = self._connections[origin] = Connections(transport, route, peer=f"the server {origin}")
        return known


class Session:
    """The requests of one call."""

    def __init__(self, client: RegistryClient, work: LocalWork, credentials: CallCredentials) -> None:
        self.plain_http: Collection[str] | None = client.configuration.plain_http
        """Registries to reach over ``http``; None for those on this machine."""
        self.transport: Transport = client.transport
        """Transport that the client runs on."""
        self._client = client
        self._work = work
        self._credentials = credentials

    async def read(self, request: RegistryRequest, limit: int) -> tuple[Mapping[str, str], RedactedBytes]:
        """Send a request, and return the headers and the body of its response.

        Raises:
            DockerError: It fails, or the body is longer than the limit.
        """
        response = await self.open(request)
        try:
            body = BoundedBody(limit, request.subject)
            while data := RedactedBytes(await response.receive()):
                body.feed(data)
        except BaseException:
            response.close()
            raise
        return response.head.headers, RedactedBytes(body.data)

    async def open(self, request: RegistryRequest) -> HTTPResponse:
        """Send a request, and return its response, which is a success; the caller reads or closes it.

        Raises:
            DockerError: It fails.
        """
        response = await self._follow(request)
        if response.head.status < _FIRST_REDIRECT:
            return response
        raise await self._refusal(request, response)

    async def exists(self, request: RegistryRequest) -> bool:
        """Send a HEAD request; return False if its object is missing.

        Raises:
            DockerError: It fails in another way.
        """
        response = await self._follow(request)
        if response.head.status != _MISSING and response.head.status >= _FIRST_REDIRECT:
            raise await self._refusal(request, response)
        await drain(response)
        return response.head.status != _MISSING

    async def _follow(self, request: RegistryRequest) -> HTTPResponse:
        """Send a request, and again to where its response redirects, if it asks for a blob."""
        for _ in range(REDIRECTS + 1):
            response = await self._repeat(request)
            if not request.follows or response.head.status not in _REDIRECTIONS:
                return response
            await drain(response)
            location = resolve_location(response.head.headers.get("location"), request.origin)
            request = redirected(request, location)
        raise ProtocolViolated(0, f"{request.subject}: more than {REDIRECTS} redirects")

    async def _repeat(self, request: RegistryRequest) -> HTTPResponse:
        """Send a request, and again after a wait while the registry is overloaded or fails."""
        tried = 0
        while True:
            response = await self._authorize(request)
            tried += 1
            head = response.head
            wait = wait_before_retry(head.status, head.headers, tried, idempotent=request.idempotent)
            left = self._work.timer.left_of_total()
            if wait is None or request.upload is not None or (left is not None and wait >= left):
                return response
            await drain(response)
            LOG.debug("%s %s: sent again in %g s", request.method, request.subject, wait)
            await self.transport.sleep(wait)

    async def _authorize(self, request: RegistryRequest) -> HTTPResponse:
        """Send a request with access to its repository."""
        repository = request.repository
        if repository is None:
            return await self._send(request)
        access = self._client.access(repository.origin)
        response = await self._send_with(access, request)
        if response.head.status != _UNAUTHORIZED or request.upload is not None:
            return response
        header = response.head.headers.get("www-authenticate", "")
        try:
            credentials = await self._credentials.find(repository.registry, self._work)
            access.challenge(header, credentials, request.scopes)
        except Unauthorized as error:
            response.close()
            raise self._explain(error, request) from None
        except BaseException:
            response.close()
            raise
        await drain(response)
        return await self._send_with(access, request)

    async def _send_with(self, access: Access, request: RegistryRequest) -> HTTPResponse:
        now = self._work.timer.now()
        authorization = access.authorization(request.scopes)
        if (wanted := access.token_request(request.scopes, now)) is not None:
            try:
                _, data = await self.read(wanted, TOKEN_LIMIT)
            except DockerError as error:
                self._explain(error, request)
                raise
            authorization = access.keep(request.scopes, parse_token(data, now, wanted.origin))
        return await self._send(request, () if authorization is None else (("Authorization", authorization),))

    async def _send(self, request: RegistryRequest, access: tuple[tuple[str, str], ...] = ()) -> HTTPResponse:
        upload = request.upload if request.body is None else _Body(request.body)
        size = request.size if request.body is None else len(request.body)
        headers = [("Host", request.origin.host), AGENT, *request.headers, *access]
        wire = WireRequest(request.method, request.target, headers, upload, size)
        connections = self._client.connections(request.origin)
        line = f"{request.method} {request.subject} at {request.origin}"
        return await log_exchange(
            line, partial(connections.send, wire, self._work.timer), self._work.timer.now
        )

    async def _refusal(self, request: RegistryRequest, response: HTTPResponse) -> DockerError:
        """Read a response with an error status, and return its exception."""
        body = RefusalBody(response.head.status, request.subject)
        try:
            while (data := await response.receive()) and body.feed(data):
                pass
        finally:
            response.close()
        error = self._explain(body.error(), request)
        if (wait := retry_after(response.head.headers)) is not None:
            error.hint = f"the registry asks to retry after {wait:g} s"
        return error

    def _explain(self, error: DockerError, request: RegistryRequest) -> DockerError:
        """Add what helps to get access."""
        self._credentials.explain(error)
        if isinstance(error, Unauthorized) and request.repository is not None:
            registry = request.repository.registry
            known = "other credentials" if self._credentials.found else "credentials"
            error.hint = (
                f"{registry} needs {known}: pass credentials=, or log in with `docker login {registry}`"
            )
        return error


async def drain(response: HTTPResponse) -> None:
    """Read the body of a response whose head tells everything; close the connection if it is long."""
    size = 0
    try:
        while (data := await response.receive()) and size < ERROR_LIMIT:
            size += len(data)
    finally:
        response.close()


class _Body:
    """The body of a request in memory."""

    def __init__(self, data: bytes) -> None:
        self._data: Buffer = data

    async def next(self) -> Buffer:
        data, self._data = self._data, b""
        return data

    async def close(self) -> None:
        """Do nothing."""
