"""The fuzzer: a short run of each target, and the faults that it finds without help."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
from h2.events import Event
from h2.exceptions import H2Error

from dockerproto.buildcontext import tar_members
from dockerproto.buildkit.rpc.grpc import CallStarted
from dockerproto.buildkit.rpc.http2 import HTTP2Connection
from dockerproto.buildkit.session.session import Session
from dockerproto.errors import ProtocolViolated
from dockerproto.messages import decoding
from tests.fuzz import texts
from tests.fuzz.oracles import Excess
from tests.fuzz.runner import TARGETS, play, play_cases

SEED: Final = 1
CASES: Final = {
    "builds": 40,
    "documents": 60,
    "floods": 12,
    "sessions": 6,
    "tars": 10,
    "texts": 60,
    "tunnels": 30,
}
"""Cases of a short run."""
ENOUGH: Final = 300
"""Cases within which each of the faults is found."""

Patch = Callable[[pytest.MonkeyPatch], None]


@pytest.mark.filterwarnings("ignore:devices, named pipes and sockets")
@pytest.mark.parametrize("target", TARGETS)
def test_a_short_run_finds_nothing(target: str) -> None:
    play_cases(target, SEED, CASES[target])


def documents_without_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(decoding.Document):
        def __init__(self, limit: int) -> None:
            super().__init__(limit)
            self._limit = 2**40

    monkeypatch.setattr(decoding, "Document", Endless)


def chunks_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def keep(messages: Any, rest: bytes) -> None:
        messages._size += len(rest)
        messages._pending.append(rest)

    monkeypatch.setattr(decoding.Messages, "_keep", keep)


def paths_of_any_depth(monkeypatch: pytest.MonkeyPatch) -> None:
    def accept(_: object, __: object) -> None:
        """Return no fault."""

    monkeypatch.setattr(tar_members, "path_fault", accept)


def calls_that_wait_for_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    on_call: Any = vars(Session)["_on_call"]

    def keep(session: Any, event: CallStarted) -> None:
        on_call(session, event)
        if event.stream in session._calls:
            session.turns = [*getattr(session, "turns", ()), session._calls[event.stream]]

    monkeypatch.setattr(Session, "_on_call", keep)


def connections_without_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    def receive(connection: HTTP2Connection, data: bytes) -> list[Event]:
        try:
            return connection.receive_data(data)
        except H2Error as error:
            raise ProtocolViolated(0, str(error)) from error

    monkeypatch.setattr(HTTP2Connection, "receive", receive)


def a_quadratic_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    found = (*texts.patterns()[:20], texts.quadratic())
    monkeypatch.setattr(texts, "patterns", lambda: found)


FAULTS: Final[dict[str, tuple[str, Patch]]] = {
    "documents without an end": ("documents", documents_without_a_limit),
    "short chunks": ("documents", chunks_kept_apart),
    "deep tars": ("tars", paths_of_any_depth),
    "rapid reset": ("floods", calls_that_wait_for_their_turn),
    "other floods": ("floods", connections_without_limits),
    "quadratic patterns": ("texts", a_quadratic_pattern),
}


@pytest.mark.parametrize(("target", "fault"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_found(target: str, fault: Patch, monkeypatch: pytest.MonkeyPatch) -> None:
    fault(monkeypatch)
    with pytest.raises(Excess) as raised:
        play_cases(target, SEED, ENOUGH)
    (note,) = raised.value.__notes__
    case = note.rpartition(" ")[2]
    with pytest.raises(Excess):
        play(target, *map(int, case.split(":")[1:]))
