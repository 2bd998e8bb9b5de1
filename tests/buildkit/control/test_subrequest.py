"""A question to a frontend, without I/O: its calls, their order, and their failures."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import pytest

from dockerproto import ProtocolViolated, UnsupportedEngine
from dockerproto.buildkit.control.calls import GATEWAY, Calls
from dockerproto.buildkit.control.messages import (
    FrontendResponse,
    FrontendResult,
    ReturnRequest,
    SolveRequest,
)
from dockerproto.buildkit.control.subrequest import Subrequest
from dockerproto.buildkit.rpc.handler import Status
from dockerproto.messages.subrequests import SUBREQUEST
from tests.support.controlling import ASK, RETURN, STEP, ControlServer, details, replied
from tests.support.tracebacks import leaks

EXIT = "github.com/moby/buildkit/moby.buildkit.v1.frontend.ExitMessage+json"
REQUEST = SolveRequest(
    "ref", session="s", frontend="dockerfile.v0", frontend_attributes={"requestid": "frontend.lint"}
)


class Asking:
    """A question and the engine; `piece` is the number of bytes that arrive at once."""

    def __init__(self, *, piece: int = 2**20) -> None:
        self.calls = Calls()
        self.engine = ControlServer()
        self.asking = Subrequest(self.calls, REQUEST, question="images.check()")
        self._piece = piece
        self.carry()

    def carry(self) -> None:
        """Carry bytes in both directions until there are no more."""
        while there := self.calls.data_to_send():
            self.engine.feed(there)
            self._receive()

    def messages(self) -> list[Any]:
        """Carry what the engine replied, and return the messages that are ready."""
        self._receive()
        lines = self.asking.messages()
        self.carry()
        return [json.loads(line) for line in lines.splitlines()]

    def _receive(self) -> None:
        back = self.engine.grpc.data_to_send()
        for start in range(0, len(back), self._piece):
            self.calls.feed(back[start : start + self._piece])


@pytest.mark.parametrize("piece", [1, 7, 2**20])
def test_a_reply(piece: int) -> None:
    both = Asking(piece=piece)
    engine = both.engine
    assert engine.requests.keys() == {"Status", "Solve", ASK}
    assert (engine.solve.frontend, engine.solve.session) == ("", "s")
    assert engine.question.frontend == "dockerfile.v0"
    assert engine.question.attributes == {"requestid": "frontend.lint"}
    assert (engine.question.allow_result, engine.question.allow_result_array) == (True, True)
    assert engine.metadata[ASK]["buildkit-controlapi-buildid"] == ("ref",)
    assert (both.messages(), both.asking.over) == ([], False)

    engine.reply("Status", STEP, status=None)
    engine.reply(ASK, replied({"warnings": []}))
    assert [each["id"] for each in both.messages()] == ["moby.buildkit.trace"]
    assert engine.metadata[RETURN]["buildkit-controlapi-buildid"] == ("ref",)
    returned = ReturnRequest.decode(engine.requests[RETURN])
    assert returned.error is None
    assert FrontendResult.decode(returned.result).metadata["result.json"] == b'{"warnings": []}'
    assert (both.messages(), both.asking.solved) == ([], False)

    engine.reply(RETURN, b"")
    engine.reply("Solve", b"")
    engine.reply("Status")
    (message,) = both.messages()
    assert (message["id"], b64decode(message["aux"])) == (SUBREQUEST, b'{"warnings": []}')
    assert both.asking.over
    assert both.messages() == []


def test_a_result_goes_back_as_it_came() -> None:
    both = Asking()
    strange = FrontendResult({"result.json": b"{}"}).encode() + b"\x1a\x00\xf8\x07\x01"
    both.engine.reply(ASK, FrontendResponse(strange).encode())
    both.messages()
    assert ReturnRequest.decode(both.engine.requests[RETURN]).result == strange


def test_a_failure_of_the_frontend_is_that_of_the_question() -> None:
    both = Asking()
    both.engine.fail(ASK, 2, "target stage could not be found", details(EXIT, {"Code": 7}))
    assert both.messages() == []
    error = ReturnRequest.decode(both.engine.requests[RETURN]).error
    assert error is not None
    assert (error.code, error.message) == (2, "target stage could not be found")
    both.engine.reply(RETURN, b"")
    both.engine.reply("Solve", status=Status(2, "rpc error"))
    (message,) = both.messages()
    assert message["errorDetail"] == {"code": 7, "message": "target stage could not be found"}
    assert both.asking.over


@pytest.mark.parametrize("together", [False, True])
def test_a_build_that_never_began_is_the_failure(together: bool) -> None:
    both = Asking()
    both.engine.reply("Solve", status=Status(14, "no active session"))
    if together:
        both.engine.reply(ASK, status=Status(5, "no such job ref"))
    (message,) = both.messages()
    assert message["error"] == "no active session"
    assert both.asking.over
    assert RETURN not in both.engine.requests


@pytest.mark.parametrize(
    "message",
    [
        "unsupported request frontend.lint",
        "unsupported frontend capability moby.buildkit.frontend.subrequests",
    ],
)
def test_a_frontend_that_does_not_know_the_question(message: str) -> None:
    both = Asking()
    both.engine.reply(ASK, status=Status(2, message))
    both.messages()
    both.engine.reply("Solve", status=Status(2, message))
    with pytest.raises(UnsupportedEngine) as raised:
        both.messages()
    assert raised.value.message == (
        f"this engine does not support images.check(): {message}; a newer engine does, and so does this one "
        "if the Dockerfile begins with '# syntax=docker/dockerfile:1'"
    )


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (b"", r"^the engine replied to images\.check\(\) without a result\.json$"),
        (FrontendResponse(FrontendResult({"version": b"1"}).encode()).encode(), "without a result.json"),
        (b"\xff", "malformed|truncated"),
        (FrontendResponse(b"\xff").encode(), "malformed|truncated"),
    ],
)
def test_a_reply_of_another_form(reply: bytes, message: str) -> None:
    both = Asking()
    both.engine.reply(ASK, reply)

    def end() -> None:
        both.messages()
        both.engine.reply("Solve", b"")
        both.engine.reply("Status")
        both.messages()

    with pytest.raises(ProtocolViolated, match=message):
        end()


def test_a_build_that_ends_without_a_reply() -> None:
    both = Asking()
    both.engine.reply("Solve", b"")
    both.engine.reply("Status")
    with pytest.raises(ProtocolViolated, match=r"without a result\.json$"):
        both.messages()


def test_a_reply_that_is_too_long() -> None:
    both = Asking()
    both.engine.reply(ASK, replied(bytes(5 * 2**20)))
    both.messages()
    both.engine.reply("Solve", status=Status(2, "returned"))
    (message,) = both.messages()
    assert message["error"].startswith("a message of ")


def test_tracebacks_show_no_attributes() -> None:
    class Broken(Calls):
        """Calls, of which those of the gateway fail."""

        def begin(self, method: str, message: bytes = b"", **more: Any) -> Any:
            if more.get("service") == GATEWAY:
                raise ProtocolViolated(0, "broken")
            return super().begin(method, message, **more)

    request = SolveRequest("ref", frontend="f", frontend_attributes={"build-arg:TOKEN": "hush"})
    with pytest.raises(ProtocolViolated) as raised:
        Subrequest(Broken(), request, question="images.check()")
    assert leaks(raised.value, ["hush"]) == []
