"""The client of a BuildKit daemon: each call has a connection of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from msgspec.structs import replace

from dockerproto.client import Client
from dockerproto.configuration import Configuration
from dockerproto.credentials.source import CallCredentials
from dockerproto.errors import UnsupportedEngine
from dockerproto.http.connection import Connections
from dockerproto.http.interfaces import Response
from dockerproto.request.build import SolveBuild
from dockerproto.request.buildkit_access import BuildKitAccess
from dockerproto.request.control_call import AnyRequest, ControlCall
from dockerproto.transport.local_work import LocalWork
from dockerproto.transport.transport import Transport

if TYPE_CHECKING:
    from dockerproto.buildkit.control.daemon import Daemon


class DaemonClient(Client):
    """A client of a BuildKit daemon."""

    kind: ClassVar[str] = "BuildKit"

    def __init__(self, configuration: Configuration, transport: Transport) -> None:
        endpoint = configuration.endpoint
        peer = f"the BuildKit daemon at {endpoint.address}"
        self._connections = Connections(transport, endpoint.address, endpoint.origin, peer=peer, daemon=True)
        self._access = BuildKitAccess.of_daemon(endpoint)
        super().__init__(configuration, transport, self._connections)

    @property
    def buildkit(self) -> BuildKitAccess:
        """Access to the daemon."""
        return self._access

    async def open(self, request: AnyRequest, credentials: CallCredentials, work: LocalWork) -> Response:
        """Send a request; see `Client.open`."""
        if isinstance(request, ControlCall):
            from dockerproto.buildkit.control.calling import start_call  # noqa: PLC0415  # loads h2

            return await start_call(self._daemon(), request, work.timer)
        if not isinstance(request, SolveBuild):
            message = f"a BuildKit daemon has no Engine API: {request.method} {request.path}"
            raise UnsupportedEngine(0, message)
        from dockerproto.buildkit.control.building import build_by_control  # noqa: PLC0415  # loads h2

        build = request.with_defaults(self.configuration.proxies)
        build = replace(build, context_limit=self.configuration.context_limit)
        return await build_by_control(self._daemon(), credentials, build, work)

    def _daemon(self) -> Daemon:
        from dockerproto.buildkit.control.daemon import Daemon  # noqa: PLC0415  # loads h2

        return Daemon(self._connections, self._access)
