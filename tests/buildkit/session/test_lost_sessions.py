"""Sessions that an interrupt separates from the build that was to hold them."""

from __future__ import annotations

import gc
import threading
from typing import Any

from dockerproto.buildkit.session.coordinator import BuildSession
from dockerproto.buildkit.session.provisioning import SessionServices
from dockerproto.buildkit.session.serving import Bare, Link
from dockerproto.http.connection import Connection
from dockerproto.http.pool import Pool
from dockerproto.transport.runtime import run
from dockerproto_local.blocking import BlockingTransport
from tests.http.test_connection import TARGET, FakeStream


class Resource:
    """An attachment."""

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


class Waiting(FakeStream):
    """A connection on which the engine is silent until it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.over = threading.Event()

    async def ready(self) -> None:
        self.over.wait()
        raise ConnectionAbortedError("closed here")

    def close(self) -> None:
        super().close()
        self.over.set()


def new_session(stream: Waiting, resource: Resource) -> BuildSession:
    services = SessionServices({}, "key", resources=(resource,))
    link = Link(Connection(stream, TARGET, Pool[Connection]()), Bare(b""))
    return BuildSession(services, BlockingTransport(), link)


def test_one_that_did_not_start_releases_its_services() -> None:
    stream, resource = Waiting(), Resource()
    session = new_session(stream, resource)
    run(session.wait())
    del session
    gc.collect()
    assert (stream.closed, resource.closed) == (True, True)
    BuildSession.__new__(BuildSession)  # an interrupt came before it had anything


def test_one_that_serves_the_engine_ends() -> None:
    stream, resource = Waiting(), Resource()
    session = new_session(stream, resource)
    session.start()
    task: Any = session._task  # pyright: ignore[reportPrivateUsage]
    del session
    run(task.wait())
    assert (stream.closed, resource.closed) == (True, True)


def test_a_build_that_begins_after_its_session_has_ended_is_closed() -> None:
    resource = Resource()
    session = new_session(Waiting(), Resource())
    session.close()
    session._server.bind(resource)  # pyright: ignore[reportPrivateUsage]
    assert resource.closed
