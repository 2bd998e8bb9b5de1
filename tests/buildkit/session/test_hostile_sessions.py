"""Sessions with hostile engines, and engines that split their bytes anywhere; see also `fuzz_session`."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable
from itertools import accumulate
from struct import pack
from typing import Any

import pytest
from hpack import Encoder
from hypothesis import given, settings
from hypothesis import strategies as st

from dockerproto.buildkit.files.fsutil import BytesMessage, Packet
from dockerproto.buildkit.files.sender import file_sync
from dockerproto.buildkit.rpc.handler import Code
from dockerproto.buildkit.session.messages import GetSecretResponse
from dockerproto.buildkit.session.services import health, secrets
from dockerproto.buildkit.session.ssh import ssh
from dockerproto.errors import ProtocolViolated
from tests.buildkit.files.test_filesync import recorded_tree
from tests.support.calling import Engine
from tests.support.feeding import any_cuts, bytewise, cut_at
from tests.support.hostile_engine import SCENARIOS, Agent, play, seeds
from tests.support.hostile_messages import Choices
from tests.support.recorded_sessions import PREFACE, RECORDED, Answers, answers, pieces_by, sent_by

SECRET_CALL = 7
"""Stream in which the recorded engines ask for the secret."""


def replayed(engine: str, pieces: Iterable[bytes]) -> Answers:
    """Feed the bytes of a recorded engine to a session with the same services; return its replies."""
    client = answers(sent_by("client", engine)).messages
    packets = [Packet.decode(message) for stream in (1, 5) for message in client[stream]]
    first = [Packet.decode(message) for message in client[1]]
    (secret,) = client[SECRET_CALL]
    served = Engine(
        {
            **health(),
            **secrets({"x": GetSecretResponse.decode(secret).data}),
            **file_sync(
                {"dockerfile": recorded_tree(first), "context": recorded_tree(packets[len(first) :])}
            ),
        }
    )
    wire = served.hear(pieces)
    served.session.close()
    assert served.session.failure is None
    return answers(wire)


@pytest.mark.parametrize("engine", RECORDED)
class TestARecordedSession:
    def test_is_answered_as_the_docker_command_did(self, engine: str) -> None:
        ours, client = replayed(engine, pieces_by("engine", engine)), answers(sent_by("client", engine))
        assert ours.messages == client.messages
        assert ours.codes == client.codes
        assert len(ours.codes) >= 4

    def test_is_answered_alike_byte_by_byte(self, engine: str) -> None:
        assert replayed(engine, bytewise(sent_by("engine", engine))) == answers(sent_by("client", engine))

    @any_cuts
    @given(places=st.sets(st.integers(min_value=1, max_value=2000), max_size=20))
    def test_is_answered_alike_at_any_cuts(self, engine: str, places: set[int]) -> None:
        # An engine breaks calls off that are answered: these pieces stay apart.
        borders = accumulate(map(len, pieces_by("engine", engine)))
        pieces = cut_at(sent_by("engine", engine), places.union(borders))
        assert replayed(engine, pieces) == answers(sent_by("client", engine))


@pytest.mark.filterwarnings("ignore:devices, named pipes and sockets")
class TestWhateverComes:
    @pytest.mark.parametrize("scenario", range(len(SCENARIOS)))
    @given(data=st.binary(max_size=400))
    @settings(max_examples=60)
    def test_ends_each_call_and_raises_only_our_own_errors(self, scenario: int, data: bytes) -> None:
        SCENARIOS[scenario](Choices(data))

    @pytest.mark.parametrize("seed", list(seeds())[::20])
    def test_as_the_fuzzer_begins(self, seed: bytes) -> None:
        play(seed)


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    return pack(">I", len(payload))[1:] + bytes([kind, flags]) + pack(">I", stream) + payload


HEAD = [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"x"), (b":path", b"/test/Call")]
CALL = Encoder().encode(HEAD)
MANY = 4000
FLOODS = {
    "pings": frame(6, 0, 0, bytes(8)) * MANY,
    "settings": frame(4) * MANY,
    "empty data": frame(1, 4, 1, CALL) + frame(0, 0, 1) * MANY,
    "empty messages": frame(1, 4, 1, CALL) + frame(0, 0, 1, bytes(5)) * MANY,
    "windows": frame(1, 4, 1, CALL) + frame(8, 0, 1, pack(">I", 1)) * MANY,
    "unknown frames": frame(99, 0, 0, bytes(100)) * MANY,
    "calls broken off": b"".join(
        frame(1, 4, each, CALL) + frame(3, 0, each, bytes(4)) for each in range(1, MANY, 2)
    ),
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_a_flood_is_not_held(flood: bytes) -> None:
    served = Engine(health())
    served.session.feed(PREFACE + frame(4))
    tracemalloc.start()
    try:
        for at in range(0, len(flood), 4096):
            served.hear((flood[at : at + 4096],))
        assert tracemalloc.get_traced_memory()[0] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("length", [256 * 2**10 + 1, 2**32 - 1])
def test_a_message_that_is_too_long_for_an_agent_ends_in_our_own_error(length: int) -> None:
    agent: Any = Agent()  # what is used of a network
    served = Engine(ssh({"default": "/agent"}, agent))
    said = BytesMessage(pack(">I", length)).encode()
    answered, status = served.ask("/moby.sshforward.v1.SSH/ForwardAgent", said)
    reason = f"an ssh agent message must have at most 262144 bytes, not {length}"
    assert (answered, status.code, status.message) == ([], Code.UNKNOWN, reason)
    assert isinstance(served.session.failure, ProtocolViolated)
