"""The servers of the Control API, as a build sees them: an engine here, a daemon in a module of its own."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from dockerproto.buildkit.control.connection import ControlConnection, open_control
from dockerproto.buildkit.session.coordinator import open_session
from dockerproto.buildkit.session.provisioning import SessionServices
from dockerproto.buildkit.session.serving import Link
from dockerproto.engine import Engine
from dockerproto.request.build import SolveBuild
from dockerproto.request.buildkit_access import BuildKitAccess
from dockerproto.request.dialect import Dialect
from dockerproto.timeouts import Timer
from dockerproto.transport.transport import Transport
from dockerproto.versions import Version


class BuildKitServer(Protocol):
    """A server of the Control API."""

    @property
    def transport(self) -> Transport:
        """Transport of its connections."""
        ...

    @property
    def access(self) -> BuildKitAccess:
        """Findings of earlier calls."""
        ...

    @property
    def version(self) -> Version:
        """API version whose parameters it has."""
        ...

    def check(self, build: SolveBuild) -> None:
        """Raise UnsupportedEngine or UnsupportedVersion for a build that it cannot do."""
        ...

    async def requires_utf8(self, timer: Timer) -> bool:
        """Return True if it rejects names of files that are not UTF-8."""
        ...

    async def open(self, timer: Timer) -> ControlConnection:
        """Return a new connection; raise DockerError."""
        ...

    async def open_session(self, name: str, services: SessionServices, timer: Timer) -> Link | None:
        """Return a session on a connection of its own; None if it has to share the one of the calls."""
        ...


class EngineServer(Struct, frozen=True):
    """An engine, in the dialect of its API."""

    engine: Engine
    dialect: Dialect

    @property
    def transport(self) -> Transport:
        """Transport of the engine."""
        return self.engine.transport

    @property
    def access(self) -> BuildKitAccess:
        """Access to its BuildKit."""
        return self.engine.buildkit

    @property
    def version(self) -> Version:
        """API version in use."""
        return self.dialect.version

    def check(self, build: SolveBuild) -> None:
        """Raise UnsupportedEngine for Podman, and UnsupportedVersion for a parameter."""
        self.engine.frame(build.request(), None, self.dialect)

    async def requires_utf8(self, timer: Timer) -> bool:
        """Return True if it rejects names of files that are not UTF-8, by its ping."""
        return (await self.engine.introduce(timer)).requires_utf8

    async def open(self, timer: Timer) -> ControlConnection:
        """Return a new connection, by the first way that the engine has."""
        return await open_control(self.engine, self.dialect, timer)

    async def open_session(self, name: str, services: SessionServices, timer: Timer) -> Link | None:
        """Return a session by ``POST /session``, None if the engine does not have that."""
        return await open_session(self.engine, name, services, self.dialect, timer)
