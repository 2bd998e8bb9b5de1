"""A build by the Control API: one connection for its calls, and another for its session, or one for both.

What the engine would ignore or misunderstand is rejected first: by the API version before anything is sent,
by the abilities of its worker before anything is read or built.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from dockerproto.buildkit.control.attributes import solve_request, with_session
from dockerproto.buildkit.control.connection import ControlConnection
from dockerproto.buildkit.control.layouts import Layouts, open_layouts
from dockerproto.buildkit.control.loading import Loading, LoadingResponse, check_loader
from dockerproto.buildkit.control.messages import SolveRequest
from dockerproto.buildkit.control.reply import ControlReply
from dockerproto.buildkit.control.server import BuildKitServer
from dockerproto.buildkit.control.solve import Solve
from dockerproto.buildkit.control.subrequest import Subrequest
from dockerproto.buildkit.control.worker import worker_of
from dockerproto.buildkit.rpc.handler import Services
from dockerproto.buildkit.session.coordinator import (
    BuildSession,
    SessionResponse,
    Way,
    announcement,
    in_session,
)
from dockerproto.buildkit.session.provisioning import SessionServices
from dockerproto.buildkit.session.serving import Link
from dockerproto.credentials.source import CallCredentials
from dockerproto.errors import TimedOut
from dockerproto.http.interfaces import Response
from dockerproto.request.build import SolveBuild
from dockerproto.request.buildkit_access import BuildKitAccess
from dockerproto.request.solve_options import Worker
from dockerproto.timeouts import Timeout, Timer
from dockerproto.transport.local_work import LocalWork

LAST_REPORTS: Final = 5.0
"""Seconds to wait for the last reports of steps once the result is known, as buildx does."""
_BUILD: Final = "a build with BuildKit"


async def build_by_control(
    server: BuildKitServer, credentials: CallCredentials, build: SolveBuild, work: LocalWork
) -> Response:
    """Start a build, and return its response, which has the form of that of ``POST /build``.

    Raises:
        DockerError: The server cannot be connected to; an attachment cannot be read.
        UnsupportedEngine: The server is Podman, or lacks an option of the build.
        UnsupportedVersion: The API version lacks one.
    """
    check_loader(build.options.load, server.transport)
    server.check(build)
    build.options.check_version(server.version)
    if server.access.worker is not None:
        build.options.check_worker(server.access.worker)
    way = await open_way(server, build, work)
    return await in_session(server.transport, credentials, build, way, work)


async def open_way(server: BuildKitServer, build: SolveBuild, work: LocalWork) -> Way:
    """Connect to the Control API, and return the way to do a build by it.

    Raises:
        DockerError: The server cannot be connected to.
        UnsupportedEngine: The server lacks an option of the build.
        UnsupportedVersion: The server has no such API.
    """
    access, control = server.access, await server.open(work.timer)
    try:
        worker = access.worker = access.worker or await _find_worker(access, control, work.timer)
        build.options.check_worker(worker)
        layouts = await open_layouts(build.options, server.transport.need_host(_BUILD), work)
        build = replace(build, options=layouts.options)
        unbound = _request(server, build, worker)
        return _ByControl(server, control, build, unbound=unbound, layouts=layouts)
    except BaseException:
        control.close()
        raise


class _ByControl:
    """A build by the Control API, in a session on a connection of its own, or else in a tunnel."""

    def __init__(
        self,
        server: BuildKitServer,
        control: ControlConnection,
        build: SolveBuild,
        *,
        unbound: SolveRequest,
        layouts: Layouts,
    ) -> None:
        self._server = server
        self._control = control
        self._build = build
        self._unbound = unbound
        self._layouts = layouts
        self._timer = layouts.work.timer
        loader = build.options.load
        self._loading = None if loader is None else Loading(loader, server.transport)

    @property
    def services(self) -> Services:
        services = self._layouts.services
        return services if self._loading is None else {**services, **self._loading.services}

    async def requires_utf8(self) -> bool:
        return await self._server.requires_utf8(self._timer)

    async def link(self, name: str, services: SessionServices) -> Link:
        link = await self._server.open_session(name, services, self._timer)
        if link is not None:
            return link
        metadata = ((header.lower(), value) for header, value in announcement(name, services))
        return self._control.open_tunnel(metadata)

    async def send(self, session: BuildSession, name: str, services: SessionServices) -> Response:
        session.bind(self._control)
        request = with_session(self._unbound, name, services.dockerfile)
        started = _start(self._control, request, self._build, self._layouts)
        await self._control.send(self._timer)
        response = SessionResponse(started, session)
        return response if self._loading is None else LoadingResponse(response, self._loading, self._timer)

    def close(self) -> None:
        self._control.close()
        if self._loading is not None:
            self._loading.close()


class ControlResponse(ControlReply):
    """The response to a build, as that of ``POST /build`` would be."""

    def __init__(self, control: ControlConnection, solve: Solve, layouts: Layouts) -> None:
        super().__init__(control, layouts.work.timer)
        self._solve = solve
        self._layouts = layouts
        self._ending: Timer | None = None

    async def receive(self) -> bytes:
        """Return the next messages, b"" at the end."""
        try:
            while not (data := self._solve.messages()) and not self._solve.over:
                await self._move()
            await self._finish()
        except BaseException:
            self.close()
            raise
        if not data:
            self.close()
        return data

    async def _finish(self) -> None:
        """Finish the directories with caches, once, before the last messages."""
        exported, self._solve.exported = self._solve.exported, None
        if exported is not None:
            await self._layouts.finish(exported)

    async def _move(self) -> None:
        """Wait for the engine; once the result is known, not longer than `LAST_REPORTS`."""
        if not self._solve.solved:
            await self._control.move(self._timer)
            return
        self._ending = self._ending or Timer(Timeout(total=LAST_REPORTS), self._timer.now)
        try:
            await self._control.move(self._ending)
        except TimedOut:
            self._solve.end_reports()


async def _find_worker(access: BuildKitAccess, control: ControlConnection, timer: Timer) -> Worker:
    reply = await control.reply(control.calls.begin("ListWorkers"), timer)
    return worker_of(reply, has_images=access.has_images)


def _request(server: BuildKitServer, build: SolveBuild, worker: Worker) -> SolveRequest:
    transport = server.transport
    ref = transport.need_host(_BUILD).unique()
    return solve_request(
        build, version=server.version, environment=transport.variable, worker=worker, ref=ref
    )


def _start(
    control: ControlConnection, request: SolveRequest, build: SolveBuild, layouts: Layouts
) -> ControlResponse:
    quiet = any(each.name == "q" and each.value for each in build.query)
    solve = (
        Subrequest(control.calls, request, question=build.options.argument)
        if build.options.subrequest
        else Solve(control.calls, request, quiet=quiet)
    )
    return ControlResponse(control, solve, layouts)
