"""The interface of the engine to BuildKit: builds by ``POST /build`` or the Control API, and calls of that.

``POST /build`` does what it can. The Control API does the builds that need it, and on an engine without
``POST /session`` all of them. Its modules are loaded when they are needed.
"""

from __future__ import annotations

from functools import partial

from dockerproto.buildkit.session.coordinator import Way, build_in_session
from dockerproto.credentials.source import CallCredentials
from dockerproto.engine import Engine
from dockerproto.errors import UnsupportedEngine
from dockerproto.http.interfaces import Response
from dockerproto.request.build import BuildKitBuild, SolveBuild
from dockerproto.request.control_call import ControlCall
from dockerproto.request.dialect import Dialect
from dockerproto.timeouts import Timer
from dockerproto.transport.local_work import LocalWork


async def build_with_buildkit(
    engine: Engine, credentials: CallCredentials, build: BuildKitBuild, dialect: Dialect, work: LocalWork
) -> Response:
    """Start a build with BuildKit, and return its response.

    Raises:
        DockerError: The engine cannot be connected to, or rejects the build; an attachment cannot be read.
    """
    if not (isinstance(build, SolveBuild) or engine.buildkit.has_sessions):
        build = build.for_control()
    if not isinstance(build, SolveBuild):
        otherwise = partial(_open_control_way, engine, build, dialect, work)
        return await build_in_session(engine, credentials, build, dialect, work, otherwise=otherwise)
    from dockerproto.buildkit.control.building import build_by_control  # noqa: PLC0415  # not always needed
    from dockerproto.buildkit.control.server import EngineServer  # noqa: PLC0415

    return await build_by_control(EngineServer(engine, dialect), credentials, build, work)


async def call_buildkit(engine: Engine, call: ControlCall, timer: Timer) -> Response:
    """Start a call of the Control API, and return its response.

    Raises:
        DockerError: The engine cannot be connected to.
        UnsupportedEngine: The engine is Podman.
        UnsupportedVersion: The engine has no such API.
    """
    dialect = await engine.negotiate(call, timer)
    if dialect.podman:
        raise UnsupportedEngine(0, f"Podman has no BuildKit, which {call.purpose} needs")
    from dockerproto.buildkit.control.calling import start_call  # noqa: PLC0415  # not always needed
    from dockerproto.buildkit.control.server import EngineServer  # noqa: PLC0415

    return await start_call(EngineServer(engine, dialect), call, timer)


async def _open_control_way(engine: Engine, build: BuildKitBuild, dialect: Dialect, work: LocalWork) -> Way:
    """Return the way to do a build by the Control API, on an engine without ``POST /session``."""
    from dockerproto.buildkit.control.building import open_way  # noqa: PLC0415  # rarely needed
    from dockerproto.buildkit.control.server import EngineServer  # noqa: PLC0415

    return await open_way(EngineServer(engine, dialect), build.for_control(), work)
