"""A build by the Control API, without I/O: reports and results become the messages of ``POST /build``."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import pytest

from dockerproto import ConnectionFailed, ProtocolViolated, ServerError
from dockerproto.buildkit.control.calls import Calls
from dockerproto.buildkit.control.messages import SolveRequest
from dockerproto.buildkit.control.solve import Solve
from dockerproto.buildkit.rpc.handler import Code, Status
from dockerproto.messages.exported import EXPORTED
from tests.support.controlling import IMAGE, STEP, ControlServer, details, solved
from tests.support.tracebacks import leaks

EXIT = "github.com/moby/buildkit/moby.buildkit.v1.frontend.ExitMessage+json"
FAILED = Status(2, "process failed")


class Both:
    """A build and the engine; `piece` is the number of bytes that arrive at once."""

    def __init__(self, *, quiet: bool = False, piece: int = 2**20) -> None:
        self.calls = Calls()
        self.engine = ControlServer()
        self.solve = Solve(self.calls, SolveRequest("ref"), quiet=quiet)
        self._piece = piece
        self.carry()

    def carry(self) -> None:
        """Carry bytes in both directions until there are no more."""
        while there := self.calls.data_to_send():
            self.engine.feed(there)
            back = self.engine.grpc.data_to_send()
            for start in range(0, len(back), self._piece):
                self.calls.feed(back[start : start + self._piece])

    def answer(self, data: bytes = b"") -> None:
        """Carry what the engine replied; `data` stands for more bytes of it."""
        self.calls.feed(self.engine.grpc.data_to_send() + data)
        self.carry()

    def exchange(self) -> bytes:
        """Carry bytes until the engine has no more that it may send; return them."""
        received = b""
        self.engine.feed(self.calls.data_to_send())
        while data := self.engine.grpc.data_to_send():
            received += data
            self.calls.feed(data)
            self.engine.feed(self.calls.data_to_send())
        return received

    def messages(self) -> list[Any]:
        """Return the messages that are ready."""
        return [json.loads(line) for line in self.solve.messages().splitlines()]


def test_a_build() -> None:
    both = Both()
    assert both.engine.requests.keys() == {"Status", "Solve"}
    assert (both.messages(), both.solve.over) == ([], False)
    both.engine.reply("Status", STEP, status=None)
    both.answer()
    (trace,) = both.messages()
    assert (trace["id"], b64decode(trace["aux"])) == ("moby.buildkit.trace", STEP)
    both.engine.reply("Solve", solved())
    both.answer()
    assert (both.messages(), both.solve.solved, both.solve.over) == ([], True, False)
    both.engine.reply("Status", STEP)
    both.answer()
    (trace, exported, image) = both.messages()
    assert exported == {"id": EXPORTED, "aux": {"containerimage.digest": IMAGE}}
    assert image == {"id": "moby.image.id", "aux": {"ID": IMAGE}}
    assert both.solve.over
    assert both.messages() == []


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_bytes_may_be_cut_anywhere(piece: int) -> None:
    both = Both(piece=piece)
    both.engine.reply("Status", STEP, STEP)
    both.engine.reply("Solve", solved())
    data = both.engine.grpc.data_to_send()
    for start in range(0, len(data), piece):
        both.calls.feed(data[start : start + piece])
    assert len(both.messages()) == 4


def test_a_quiet_build_reports_the_result_only() -> None:
    both = Both(quiet=True)
    both.engine.reply("Status", STEP)
    both.engine.reply("Solve", solved({}))
    both.answer()
    assert both.messages() == [{"id": EXPORTED, "aux": {}}]


def test_empty_reports_are_no_messages() -> None:
    both = Both()
    both.engine.reply("Status", *[b""] * 1000, status=None)
    both.answer()
    assert both.messages() == []


def test_texts_that_are_not_utf8_are_readable() -> None:
    both = Both()
    both.engine.reply("Status")
    both.engine.reply("Solve", solved({"a": "\udcff"}))
    both.answer()
    assert both.messages() == [{"id": EXPORTED, "aux": {"a": "�"}}]


@pytest.mark.parametrize(
    ("detail", "code"),
    [
        (details(EXIT, {"Code": 7}), 7),
        (details(EXIT, {"Code": 0}), None),
        (details(EXIT, {"Code": "7"}), None),
        (details(EXIT, {"Code": 10**30}), None),
        (details(EXIT, [7]), None),
        (details(EXIT, b"\xff{"), None),
        (details(EXIT, b""), None),
        (details("github.com/moby/buildkit/errdefs.Vertex+json", {"Code": 7}), None),
        ("é", None),
        ("AAAA", None),
        ("", None),
    ],
)
def test_a_failure(detail: str, code: int | None) -> None:
    both = Both()
    both.engine.reply("Status", STEP)
    both.engine.fail("Solve", 2, "process failed", detail)
    both.answer()
    (_, error) = both.messages()
    expected = {"message": "process failed"} if code is None else {"code": code, "message": "process failed"}
    assert error == {"error": "process failed", "errorDetail": expected}
    assert both.solve.over


def test_a_failure_without_a_message() -> None:
    both = Both()
    both.engine.reply("Status")
    both.engine.reply("Solve", status=Status(13))
    both.answer()
    (error,) = both.messages()
    assert error["error"] == "the build failed with gRPC status 13"


def test_a_build_that_never_began_has_no_reports() -> None:
    both = Both()
    both.engine.reply("Solve", status=FAILED)
    both.answer()
    (error,) = both.messages()
    assert (error["error"], both.solve.over) == ("process failed", True)


def test_the_last_reports_of_a_failed_build_are_awaited() -> None:
    both = Both()
    both.engine.reply("Status", STEP, status=None)
    both.engine.reply("Solve", status=FAILED)
    both.answer()
    assert (len(both.messages()), both.solve.over) == (1, False)
    both.engine.reply("Status", STEP)
    both.answer()
    assert (len(both.messages()), both.solve.over) == (2, True)


def test_reports_that_do_not_end_are_left() -> None:
    both = Both()
    both.engine.reply("Status", STEP, status=None)
    both.engine.reply("Solve", solved())
    both.answer()
    assert (len(both.messages()), both.solve.over) == (1, False)
    both.solve.end_reports()
    assert (len(both.messages()), both.solve.over) == (2, True)


@pytest.mark.parametrize("reports", [(), (STEP,)], ids=["none", "some"])
def test_reports_that_fail(reports: tuple[bytes, ...]) -> None:
    """An engine may have forgotten a build that was over at once, but must not lose its reports."""
    both = Both()
    both.engine.reply("Status", *reports, status=Status(2, "no such job"))
    both.engine.reply("Solve", solved())
    both.answer()
    last = both.messages()[-1]
    assert ("error" in last) == bool(reports)


def test_a_result_that_is_malformed() -> None:
    both = Both()
    both.engine.reply("Status")
    both.engine.reply("Solve", b"\xff")
    both.answer()
    with pytest.raises(ProtocolViolated):
        both.solve.messages()


def test_two_results() -> None:
    both = Both()
    both.engine.reply("Solve", solved(), solved(), status=None)
    with pytest.raises(ProtocolViolated, match=r"^the engine replied twice to Solve of BuildKit$"):
        both.answer()


def test_no_result() -> None:
    both = Both()
    both.engine.reply("Status")
    both.engine.reply("Solve")
    both.answer()
    with pytest.raises(ProtocolViolated, match=r"^the engine ended Solve of BuildKit without a reply$"):
        both.solve.messages()


def test_a_call_that_fails() -> None:
    both = Both()
    call = both.calls.begin("ListWorkers")
    both.carry()
    both.engine.reply("ListWorkers", status=Status(Code.UNIMPLEMENTED, "unknown method"))
    both.answer()
    with pytest.raises(ServerError, match=r"^ListWorkers of BuildKit failed: unknown method$"):
        both.calls.reply(call)


def test_a_status_in_the_headers_and_again_in_the_trailers() -> None:
    both = Both()
    connection: Any = vars(both.engine.grpc)["_h2"]
    connection.send_headers(3, [(b":status", b"200"), (b"grpc-status", b"2"), (b"grpc-message", b"first")])
    connection.send_headers(3, [(b"grpc-status", b"3"), (b"grpc-message", b"second")], end_stream=True)
    both.calls.feed(connection.data_to_send())
    (error,) = both.messages()
    assert error["error"] == "first"


def test_a_request_that_cannot_be_encoded_shows_no_secret() -> None:
    request = SolveRequest("ref", frontend_attributes={"build-arg:TOKEN": "hush\ud800"})
    with pytest.raises(ValueError, match="surrogate") as raised:
        Solve(Calls(), request, quiet=False)
    assert leaks(raised.value, ["hush"]) == []


GOAWAY = b"\0\0\x08\7\0\0\0\0\0" + bytes(8)


@pytest.mark.parametrize("data", [GOAWAY, None], ids=["GOAWAY", "end"])
def test_a_connection_that_ends(data: bytes | None) -> None:
    both = Both()
    with pytest.raises(ConnectionFailed, match=r"^the engine closed the connection of the build$"):
        both.answer(data) if data else both.calls.feed(b"")


def test_a_connection_that_ends_after_its_calls() -> None:
    both = Both()
    both.engine.reply("Status", STEP)
    both.engine.reply("Solve", solved())
    both.answer(GOAWAY)
    assert len(both.messages()) == 3


def test_unread_reports_hold_the_engine_up() -> None:
    both = Both()
    report = b"\x7a\x80\x80\x40" + bytes(2**20)  # an unknown field
    both.engine.reply("Status", *[report] * 16, status=None)
    assert len(both.exchange()) < 6 * 2**20
    assert len(both.messages()) == 4
    assert both.exchange()
    assert len(both.messages()) >= 4
