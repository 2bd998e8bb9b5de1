"""The client of an engine makes requests ready, and the engine sends them.

`EngineClient.open` negotiates the dialect, adds the credentials of the registry, and sends. For a build, it
also chooses the builder, adds the client's default build arguments, and opens the build context.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from msgspec.structs import replace

from dockerproto.buildcontext.misuse import HEAD_SIZE, check_archive
from dockerproto.buildcontext.plan import BuildContext
from dockerproto.client import Client
from dockerproto.configuration import Configuration
from dockerproto.credentials.credentials import Credentials
from dockerproto.credentials.source import CallCredentials
from dockerproto.engine import Engine
from dockerproto.http.interfaces import RequestSender, Response
from dockerproto.http.uploads import SlicedUpload
from dockerproto.request.attachments import BUILDKIT_VARIABLE, parse_buildkit_variable
from dockerproto.request.build import AnyBuild, BuildKitBuild, ClassicBuild, EitherBuild
from dockerproto.request.buildkit_access import BuildKitAccess
from dockerproto.request.control_call import AnyRequest, ControlCall
from dockerproto.request.dialect import Dialect
from dockerproto.request.request import Request
from dockerproto.sources import AsyncSource
from dockerproto.timeouts import Timer
from dockerproto.transport.local_work import LocalWork
from dockerproto.transport.transport import Transport


class EngineClient(Client):
    """A client of an engine."""

    def __init__(self, configuration: Configuration, transport: Transport, sender: RequestSender) -> None:
        self.engine: Engine = Engine(
            configuration.endpoint,
            transport,
            sender,
            version=configuration.version,
            headers=configuration.headers,
            negotiation_limit=configuration.limits.reading.total,
        )
        """The engine that sends the requests."""
        super().__init__(configuration, transport, self.engine)

    @property
    def buildkit(self) -> BuildKitAccess:
        """Access to the engine's BuildKit."""
        return self.engine.buildkit

    async def open(self, request: AnyRequest, credentials: CallCredentials, work: LocalWork) -> Response:
        """Send a request; see `Client.open`."""
        if isinstance(request, ControlCall):
            from dockerproto.buildkit.control.dispatch import call_buildkit  # noqa: PLC0415  # loads h2

            return await call_buildkit(self.engine, request, work.timer)
        if not isinstance(request, Request):
            return await self._build(request, credentials, work)
        if request.body is not None:
            return await self._upload(request, request.body, work)
        dialect = await self.engine.negotiate(request, work.timer)
        if request.registry is not None:
            request = request.with_auth(await credentials.find(request.registry, work))
        return await self.engine.send(request, dialect, work.timer)

    async def _upload(self, request: Request, body: AsyncSource, work: LocalWork) -> Response:
        """Send a request with a body; raise UploadFailed before anything is sent if it cannot be opened."""
        upload = SlicedUpload(body, self.transport, work, request.on_upload)
        try:
            await upload.prepare()
            dialect = await self.engine.negotiate(request, work.timer)
            return await self.engine.send(request, dialect, work.timer, upload)
        finally:
            await upload.close()

    async def _build(self, build: AnyBuild, credentials: CallCredentials, work: LocalWork) -> Response:
        if isinstance(build, EitherBuild):
            build = await self._choose(build, work.timer)
        dialect = await self.engine.negotiate(build, work.timer)
        build = build.with_defaults(self.configuration.proxies)
        if isinstance(build, ClassicBuild):
            return await self._build_classic(build, credentials, dialect, work)
        build = replace(build, context_limit=self.configuration.context_limit)
        from dockerproto.buildkit.control.dispatch import build_with_buildkit  # noqa: PLC0415  # loads h2

        return await build_with_buildkit(self.engine, credentials, build, dialect, work)

    async def _choose(self, build: EitherBuild, timer: Timer) -> ClassicBuild | BuildKitBuild:
        """Return a build for the builder that the environment, or else the engine, prefers.

        Raises:
            BadRequest: The variable is not a boolean.
        """
        if variable := self.transport.variable(BUILDKIT_VARIABLE):
            buildkit = parse_buildkit_variable(variable)
        elif self.transport.host is None:  # sessions need one
            buildkit = False
        else:
            buildkit = (await self.engine.introduce(timer)).recommends_buildkit
        return build.buildkit if buildkit else build.classic

    async def _build_classic(
        self, build: ClassicBuild, credentials: CallCredentials, dialect: Dialect, work: LocalWork
    ) -> Response:
        body = build.body
        if isinstance(body, BuildContext):
            host = self.transport.need_host("a directory as the build context")
            body = await work.in_thread(partial(host.open_context, body, work.time_left))
            build = build.with_dockerfile(body.plan.dockerfile)
        if body is None:
            return await self.engine.send(build.request(), dialect, work.timer)
        upload = SlicedUpload(body, self.transport, work, build.on_upload)
        try:
            auths = await _find_auths(build, credentials, upload, work)
            if not isinstance(build.body, BuildContext):
                check_archive(await upload.head(HEAD_SIZE))
            await upload.prepare()
            return await self.engine.send(build.request(auths), dialect, work.timer, upload)
        finally:
            await upload.close()


async def _find_auths(
    build: ClassicBuild, credentials: CallCredentials, upload: SlicedUpload, work: LocalWork
) -> Mapping[str, Credentials]:
    """Return the credentials of a build, with those of the registries that its Dockerfile names."""
    spec = build.dockerfile
    if spec is None or not await credentials.may_find(work):
        return build.auths
    dockerfile = await upload.dockerfile(*spec.paths)
    if dockerfile is None:
        return build.auths
    registries = await work.in_thread(partial(spec.registries, dockerfile))
    found = {each: await credentials.find(each, work) for each in registries if each not in build.auths}
    return {**build.auths, **{each: auth for each, auth in found.items() if auth is not None}}
