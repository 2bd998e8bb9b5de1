"""A connection over a command whose pipes fail."""

from __future__ import annotations

import os
import subprocess

import pytest

from dockerproto.transport.chunks import Chunk
from dockerproto.transport.runtime import run
from dockerproto.transport.streams import ByteStream
from dockerproto_local.commands import CommandStream, ErrorOutput, StartedCommand
from tests.support.forks import call_in_child


class Failing(ByteStream):
    """A byte stream that fails in one way."""

    def __init__(self, error: OSError) -> None:
        self._error = error
        self.closed = False
        self.said: list[str] = []

    async def send(self, data: Chunk, timeout: float | None) -> int:
        raise self._error

    async def receive(self, timeout: float | None) -> bytes:
        raise self._error

    async def readable(self) -> bool:
        return True

    async def ready(self) -> None:
        self.said.append("ready")

    def wake(self) -> None:
        self.said.append("wake")

    def hung_up(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


def over(below: Failing, complaint: bytes = b"", *, may_end: bool = True) -> CommandStream:
    complaints = ErrorOutput()
    complaints.theirs.sendall(complaint)
    process = subprocess.Popen(["sleep", "60"])
    command = StartedCommand(complaints.theirs, process, complaints, "ssh", may_end)
    return CommandStream(below, command)


def test_what_ssh_complains_of_is_the_error() -> None:
    stream = over(Failing(BrokenPipeError("gone")), b"Permission denied (publickey).\r\n")
    for call in (stream.send(b"x", None), stream.receive(None)):
        with pytest.raises(ConnectionError, match=r"^Permission denied \(publickey\)\.$"):
            run(call)
    stream.close()


def test_without_a_complaint_it_is_the_failure() -> None:
    below = Failing(OSError("gone"))
    stream = over(below)
    with pytest.raises(ConnectionError, match=r"^gone$"):
        run(stream.receive(None))
    assert run(stream.readable())
    stream.close()
    assert below.closed
    with pytest.raises(ConnectionError, match=r"^gone$"):
        run(stream.receive(None))
    stream.close()


class Ended(Failing):
    """A byte stream that is at its end."""

    async def receive(self, timeout: float | None) -> bytes:
        return b""


def test_an_end_before_the_first_byte_names_the_program() -> None:
    stream = over(Ended(OSError("gone")))
    with pytest.raises(ConnectionRefusedError, match=r"^ssh ended$"):
        run(stream.receive(None))
    stream.close()


class EndingLate(Failing):
    """A byte stream that ends after one byte."""

    async def receive(self, timeout: float | None) -> bytes:
        data = b"" if self.said else b"x"
        self.said.append("received")
        return data


def test_a_later_end_is_an_error_only_where_it_must_not_be() -> None:
    stream = over(EndingLate(OSError("gone")))
    assert [run(stream.receive(None)) for _ in range(2)] == [b"x", b""]
    stream.close()
    stream = over(EndingLate(OSError("gone")), b"pod evicted\n", may_end=False)
    assert run(stream.receive(None)) == b"x"
    with pytest.raises(ConnectionError, match=r"^pod evicted$"):
        run(stream.receive(None))
    stream.close()


@pytest.mark.parametrize("error", [BrokenPipeError, ConnectionResetError])
def test_a_broken_pipe_names_the_program(error: type[OSError]) -> None:
    stream = over(Failing(error("gone")))
    with pytest.raises(ConnectionRefusedError, match=r"^ssh ended$"):
        run(stream.send(b"x", None))
    stream.close()


def test_what_is_asked_of_a_session_is_asked_below() -> None:
    below = Failing(OSError("gone"))
    stream = over(below)
    run(stream.ready())
    stream.wake()
    assert below.said == ["ready", "wake"]
    assert not stream.hung_up()
    stream.close()
    assert stream.hung_up()


def test_a_wait_that_is_too_long_is_just_that() -> None:
    stream = over(Failing(TimeoutError("late")))
    with pytest.raises(TimeoutError, match="late"):
        run(stream.receive(None))
    stream.close()


def test_a_forked_child_leaves_the_ssh_of_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    complaints = ErrorOutput()
    process = subprocess.Popen(["sleep", "60"], stderr=complaints.theirs.fileno())
    command = StartedCommand(complaints.theirs, process, complaints, "ssh", may_end=True)
    stream = CommandStream(Failing(OSError("gone")), command)
    complaints.theirs.close()

    def child() -> int | None:
        stream.close()
        return process.returncode  # known, so that Popen does not warn

    assert call_in_child(child) == 0
    assert process.poll() is None
    with monkeypatch.context() as other:
        other.setattr(os, "getpid", lambda: 1)
        stream.close()
    assert process.poll() is None
    stream.close()
    assert process.poll() is not None
