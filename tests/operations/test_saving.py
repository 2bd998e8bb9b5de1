"""A file to save to: a thread that comes late, after the file was abandoned."""

from __future__ import annotations

from dockerproto.operations.saving import SavedFile
from dockerproto.timeouts import Timeout, Timer
from dockerproto.transport.host import FileWriter
from dockerproto.transport.local_work import LocalWork
from dockerproto.transport.runtime import run
from dockerproto_local.blocking import BlockingTransport


def test_a_thread_that_begins_late_creates_nothing() -> None:
    transport, created = BlockingTransport(), list[str]()

    def create() -> FileWriter:
        created.append("a file")
        raise OSError

    file = SavedFile("a.tar", create, transport, LocalWork(transport, Timer(Timeout(), transport.now)))
    run(file.abandon())
    run(file.open())
    assert created == []
