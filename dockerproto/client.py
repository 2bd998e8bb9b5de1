"""A client of an engine, but for the transport: it negotiates the version, gates, and sends.

Every operation of every transport runs on `Client.open`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final, Protocol, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from dockerproto.buildcontext.dockerfile_spec import DOCKERFILE, DockerfileSpec
from dockerproto.buildcontext.plan import BuildContext
from dockerproto.config.headers import joined
from dockerproto.credentials.credentials import Credentials
from dockerproto.credentials.source import CredentialsLike, CredentialsLookup
from dockerproto.endpoint.addresses import Endpoint
from dockerproto.errors import ClientClosed, UnsupportedEngine
from dockerproto.http.connection import Connections
from dockerproto.http.http11 import Head, Upload, WireRequest
from dockerproto.http.uploads import SlicedUpload
from dockerproto.messages.decoding import MESSAGE_LIMIT, ErrorBody
from dockerproto.redacted import Redacted
from dockerproto.request.attachments import BUILDKIT_VARIABLE, BuildAttachments, wants_buildkit
from dockerproto.request.parameters import Parameter
from dockerproto.request.request import Request
from dockerproto.timeouts import SHORT, Timeout, Timer, call_timeout
from dockerproto.transport.transport import Transport
from dockerproto.versions import OLDEST, Version, negotiate

_OK: Final = 200
_NOT_FOUND: Final = 404
_BUILDKIT: Final = "2"
_PODMAN: Final = "libpod-api-version"
_PING: Final = Request(method="GET", path="/_ping", versioned=False)


class Response(Protocol):
    """An answer whose head has arrived."""

    @property
    def head(self) -> Head:
        """Status and headers."""
        ...

    async def receive(self) -> bytes:
        """Return the next bytes of the body, b"" at its end."""
        ...

    def close(self) -> None:
        """Close the connection at once, unless the body was read to its end."""
        ...

    async def settle(self) -> None:
        """Wait until nothing runs any more that was started for it."""
        ...

    @property
    def cause(self) -> Exception | None:
        """What went wrong here while the engine worked, and may be why it failed."""
        ...


class Sender(Protocol):
    """What exchanges messages with an engine: `Connections`, or an HTTP library."""

    async def send(self, message: WireRequest, timer: Timer) -> Response:
        """Send a message, and return its answer."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...


class Configuration(Redacted, frozen=True, kw_only=True):
    """What a client was asked to be."""

    _hidden = ("credentials", "headers", "proxies")

    endpoint: Endpoint
    """The engine."""
    version: Version | None = None
    """The API version that the program insists on; None: to be negotiated."""
    timeout: Timeout = SHORT
    """The limits of short calls."""
    message_limit: int = MESSAGE_LIMIT
    """The longest message of a stream, in bytes."""
    credentials: CredentialsLike | None = None
    """Where the credentials of registries are looked up; None: nowhere."""
    headers: tuple[tuple[str, str], ...] = ()
    """Headers for every request, beside its own."""
    proxies: Mapping[str, str] = field(default_factory=dict[str, str])
    """Arguments for every build, beside its own."""


class Ping(Struct, frozen=True):
    """What an engine's answer to a ping says of it."""

    api_version: str | None
    """The newest API version that it speaks."""
    os_type: str | None
    """What its containers run on: ``linux``, ``windows``; Podman does not say."""
    builder_version: str | None
    """The builder that it recommends, ``"1"`` classic, ``"2"`` BuildKit; None: it does not say."""
    experimental: bool
    """Whether experimental features are on."""
    server: str | None
    """Name and version of the program, ``Docker/26.1.5 (linux)``."""
    podman: str | None
    """The version of Podman's own API, if it is a Podman."""


Send: TypeAlias = Callable[[WireRequest, Timer], Awaitable[Response]]
"""What sends a message, and returns its answer."""


class Client:
    """An engine, as operations see it."""

    def __init__(self, configuration: Configuration, network: Transport, sender: Sender) -> None:
        self.configuration: Final = configuration
        """What it was asked to be."""
        self.version: Version | None = configuration.version
        """The API version that is spoken; None: not negotiated yet."""
        self.credentials: Final = CredentialsLookup(configuration.credentials, network)
        """What the credentials of registries are looked up with."""
        self._podman: bool | None = None  # not known yet
        self._ping: Ping | None = None
        self.network: Final = network
        """The event loop, or none."""
        self.connections: Final = (
            sender
            if isinstance(sender, Connections)
            else Connections(network, configuration.endpoint.address)
        )
        """The connections of sessions and their builds, which no HTTP library carries."""
        self._sender: Final = sender
        self._host: Final = ("Host", configuration.endpoint.address.host)
        self._headers: Final = joined((self._host,), configuration.headers)  # those of most requests
        self._negotiation: Final = network.lock()
        self._closed = False

    async def open(self, request: Request) -> Response:
        """Send a request, and return as soon as the head of its answer is here.

        Raises:
            CredentialsError: The credentials that it needs cannot be looked up.
            DockerError: It cannot be sent, or not in the API version that is spoken.
        """
        if self._closed:
            raise ClientClosed(0, "the client is closed")
        timeout = call_timeout(request.timeout, self.configuration.timeout, long=request.long)
        timer = Timer(timeout, self.network.now)
        if request.for_buildkit is not None and await self._chooses_buildkit(request, timer):
            request = request.for_buildkit
        if request.buildargs is not None:
            request = replace(request, buildargs={**self.configuration.proxies, **request.buildargs})
        if request.registry is not None:
            found = await self.credentials.find(request.registry)
            request = request if found is None else replace(request, auth=found)
        if request.offer is not None:
            return await _attend()(self, request, request.offer, timer)
        if request.context is not None:
            request = await self._opened(request, request.context)
        return await self.exchange(request, timer, self._sender.send)

    async def exchange(self, request: Request, timer: Timer, send: Send) -> Response:
        """Send a request with its upload, by any means, and return its answer."""
        upload = None
        if request.body is not None:
            upload = SlicedUpload(request.body, self.network, request.on_upload)
        try:
            if upload is not None:
                request = await self._prepared(request, upload)
            message = await self.message(request, upload, timer)
            answer = await send(message, timer)
        finally:
            if upload is not None:
                await upload.close()
        self._learn(message, answer)
        return answer

    async def ping(self) -> Ping:
        """Ask the engine for a sign of life.

        Raises:
            DockerError: There is none.
        """
        return await _read_ping(await self.open(_PING))

    def close(self) -> None:
        """Close all connections; again does nothing."""
        self._closed = True
        self._sender.close()
        self.connections.close()

    async def message(self, request: Request, upload: Upload | None, timer: Timer) -> WireRequest:
        """Return a request as it goes over the wire, in the version that is negotiated."""
        spoken = self._known(request) if request.versioned else OLDEST
        if spoken is None:
            spoken = await self._negotiated(request, timer)
        address = self.configuration.endpoint.address
        own = request.all_headers()
        headers = joined((self._host, *own), self.configuration.headers) if own else self._headers
        target = request.target(spoken, podman=self._podman is True, environment=self.network.variable)
        return WireRequest(request.method, address.prefix + target, headers, upload)

    async def _prepared(self, request: Request, upload: SlicedUpload) -> Request:
        """Return a request with the credentials of the registries in its Dockerfile, and read on so far."""
        if request.recipe is not None and await self.credentials.may_find():
            request = replace(request, auths=await self._auths(request.recipe, upload, request.auths))
        await upload.prepare()
        return request

    def _learn(self, message: WireRequest, answer: Response) -> None:
        """Learn from an answer which engine it is; raise UnsupportedEngine for what a Podman has not."""
        if "api-version" in answer.head.headers:  # not in what a router says by itself
            self._podman = _PODMAN in answer.head.headers
        elif self._podman and answer.head.status == _NOT_FOUND:
            answer.close()
            path, _, _ = message.target.partition("?")
            raise UnsupportedEngine(_NOT_FOUND, f"a Podman does not serve {message.method} {path}")

    async def _opened(self, request: Request, context: BuildContext) -> Request:
        """Return a request whose context is a directory with what is sent of that."""
        host = self.network.need_host("a directory as the build context")
        source = await self.network.in_thread(partial(host.open_context, context))
        dockerfile = source.plan.dockerfile
        named = () if dockerfile == DOCKERFILE else (Parameter("dockerfile", dockerfile),)
        recipe = None if request.recipe is None else replace(request.recipe, path=dockerfile)
        return replace(request, context=None, body=source, query=(*request.query, *named), recipe=recipe)

    async def _chooses_buildkit(self, request: Request, timer: Timer) -> bool:
        """Return whether BuildKit is to be used where nothing says so: as the docker command decides.

        Raises:
            BadRequest: The variable that decides says neither.
        """
        said = self.network.variable(BUILDKIT_VARIABLE)
        if said:
            return wants_buildkit(said)
        if self.network.host is None:  # which sessions need
            return False
        await self._negotiated(request, timer)
        ping = self._ping = self._ping or await self.ping()
        return ping.builder_version == _BUILDKIT and ping.podman is None

    async def _auths(
        self, recipe: DockerfileSpec, upload: SlicedUpload, given: Mapping[str, Credentials]
    ) -> Mapping[str, Credentials]:
        """Return the credentials that a build is given, and those of the other registries that it asks."""
        for path in recipe.paths:
            if (dockerfile := await upload.dockerfile(path)) is not None:
                break
        else:
            return given
        registries = await self.network.in_thread(partial(recipe.registries, dockerfile))
        found = {each: await self.credentials.find(each) for each in registries if each not in given}
        return {**given, **{registry: each for registry, each in found.items() if each is not None}}

    async def _negotiated(self, request: Request, timer: Timer) -> Version:
        """Return the version to speak, and learn which engine it is if that matters to the request.

        Of many first calls at once, one asks.
        """
        if (known := self._known(request)) is not None:
            return known
        if timer.timeout.total is None:
            limits = replace(timer.timeout, total=self.configuration.timeout.total)
            timer = Timer(limits, self.network.now)
        try:
            await self._negotiation.acquire(timer.left("idle"))
        except TimeoutError as error:
            raise timer.passed("idle") from error
        try:
            if (known := self._known(request)) is None:
                self._ping = ping = await _read_ping(await self.exchange(_PING, timer, self._sender.send))
                known = self.version = self.version or negotiate(ping.api_version)
                self._podman = ping.podman is not None
        finally:
            self._negotiation.release()
        return known

    def _known(self, request: Request) -> Version | None:
        """Return the version to speak, None if the engine has to be asked first."""
        return None if self._podman is None and request.differs else self.version


def _attend() -> Callable[[Client, Request, BuildAttachments, Timer], Awaitable[Response]]:
    """Return the function that runs a build in a session; it and h2 are loaded by the first such build."""
    from dockerproto.buildkit.coordinator import open_in_session  # noqa: PLC0415

    return open_in_session


async def _read_ping(answer: Response) -> Ping:
    decoder = ErrorBody(answer.head.status)
    while data := await answer.receive():
        decoder.feed(data)
    if answer.head.status != _OK:
        decoder.feed(b"")
    get = answer.head.headers.get
    return Ping(
        api_version=get("api-version"),
        os_type=get("ostype"),
        builder_version=get("builder-version") or None,
        experimental=get("docker-experimental") == "true",
        server=get("server"),
        podman=get(_PODMAN),
    )
