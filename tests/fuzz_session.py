"""Sessions with engines that say anything: only the library's own errors come of it, and memory is bounded.

Run as ``python -m tests.fuzz_session SECONDS [SEED]`` for as long as you like; a few are among the tests.
"""

from __future__ import annotations

import re
import resource
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from hyperframe.frame import FRAMES
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from dockerproto.auth import Credentials
from dockerproto.buildkit.filesystem import Tree
from dockerproto.buildkit.fsutil import BytesMessage, Packet, Stat
from dockerproto.buildkit.grpc import GRPC
from dockerproto.buildkit.handler import Handler, Services, Unary
from dockerproto.buildkit.messages import CheckAgentRequest, CredentialsRequest, GetSecretRequest
from dockerproto.buildkit.receiver import TarReceiver, TreeReceiver, file_send
from dockerproto.buildkit.sender import file_sync
from dockerproto.buildkit.services import auth, health, secrets
from dockerproto.buildkit.ssh import Forwarding
from dockerproto.errors import DockerError, ProtocolViolated
from dockerproto.tree import Entry
from tests.calling import Engine
from tests.filesync import MemoryFile, MemoryOutput

FORWARD, SEND = "/moby.sshforward.v1.SSH/ForwardAgent", "/moby.filesync.v1.FileSend/DiffCopy"
STEPS = 2000
MEBIBYTE = 2**20


class Echo:
    """An agent that answers with what it was asked, or not at all."""

    def __init__(self) -> None:
        self._asked: list[bytes] = []

    async def send(self, data: bytes) -> None:
        self._asked.append(data)

    async def receive(self) -> bytes | None:
        return self._asked.pop() if self._asked else None

    def close(self) -> None:
        self._asked.clear()


def services(*, tar: bool) -> Services:
    """Return all that is served, over files and agents in memory."""
    tree = Tree.of({"Dockerfile": b"FROM scratch\n", "a/b": bytes(100_000), "a/c": b""})
    output = MemoryOutput()
    file = MemoryFile(output, Entry(path="tar", mode=0o100644))
    output.parts["tar"] = file

    async def find(registry: str) -> Credentials | None:
        return Credentials(username=registry, password="pw") if registry else None

    async def check(message: bytes) -> bytes:
        return CheckAgentRequest.decode(message).id.encode(errors="replace")

    def receive() -> Handler:
        return TarReceiver(lambda: file) if tar else TreeReceiver(output)

    return {
        **health(),
        **auth(find),
        **secrets({"": b"", "token": bytes(1000)}),
        **file_sync({"context": tree, "dockerfile": tree}),
        **file_send(receive),
        FORWARD: lambda _: Forwarding(Echo()),
        "/moby.sshforward.v1.SSH/CheckAgent": lambda _: Unary(check),
    }


PATHS = st.sampled_from([*services(tar=False), "/unknown/Method"])
KNOWN = ["context", "dockerfile", "token", "Dockerfile", "a/*", "!a", "../a", "1"]
TEXTS = st.text(max_size=8) | st.sampled_from(KNOWN)
VALUES = TEXTS.map(lambda text: re.sub(r"[\n\r\0]", "", text).strip())
NAMES = st.sampled_from(
    ["dir-name", "followpaths", "exclude-patterns", "include-patterns", "followpaths-encoded", "x"]
)
STATS = st.builds(
    Stat,
    path=TEXTS,
    mode=st.sampled_from([0o644, 1 << 31 | 0o755, 1 << 27 | 0o777]) | st.integers(0, 2**32 - 1),
    size=st.integers(-1, 200),
    linkname=TEXTS,
)
PACKETS = st.builds(
    Packet, type=st.integers(-1, 5), stat=st.none() | STATS, ID=st.integers(0, 5), data=st.binary(max_size=9)
)
PIECES = st.binary(max_size=40) | st.sampled_from([b"\0\0\0\1\x0b", b"\0\0\0\1\x13", bytes(1024)])
MESSAGES = st.one_of(
    st.binary(max_size=50),
    PACKETS,
    st.builds(BytesMessage, PIECES),
    st.builds(GetSecretRequest, TEXTS),
    st.builds(CredentialsRequest, TEXTS),
).map(lambda message: message if isinstance(message, bytes) else message.encode())
CALLS = st.tuples(
    PATHS,
    st.lists(st.tuples(NAMES, VALUES), max_size=4),
    st.lists(MESSAGES, max_size=6),
    st.sampled_from(["finish", "leave", "reset"]),
)


def framed(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    """Return a frame of HTTP/2, which need not be one."""
    return len(body).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + body


RAW = st.builds(
    framed,
    st.sampled_from([*FRAMES, 200]),
    st.integers(0, 255),
    st.integers(0, 9),
    st.binary(max_size=40),
)
# What is done to the bytes of an engine that errs: where, what is put there, and instead of how many.
DAMAGE = st.tuples(st.integers(0, 3000), st.binary(max_size=4) | RAW, st.integers(0, 4))
DAMAGES = st.lists(DAMAGE, max_size=3)

EXAMPLES = given(st.lists(CALLS, max_size=5), DAMAGES, st.integers(0, 3000), st.booleans())

Call: TypeAlias = tuple[str, list[tuple[str, str]], list[bytes], str]
Damage: TypeAlias = tuple[int, bytes, int]


def spoken(calls: Sequence[Call]) -> bytes:
    """Return what an engine says that calls, without waiting for any answer."""
    engine = GRPC(calls=True)
    said = engine.take()
    for path, metadata, messages, end in calls:
        stream = engine.call(path, metadata)
        for message in messages:
            engine.send(stream, message)
        if end == "finish":
            engine.finish(stream)
        said += engine.take()
        if end == "reset":
            engine.reset(stream)
            said += engine.take()
    return said


def listen(said: bytes, cut: int, *, tar: bool) -> None:
    """Feed a session, and do what it asks for."""
    served = Engine(services(tar=tar))
    with suppress(ProtocolViolated):
        for piece in (said[:cut], said[cut:]):
            served.session.feed(piece)
            for _ in range(STEPS):
                if not served.step():
                    break
            sent = served.session.take()
            assert len(sent) < MEBIBYTE
    assert isinstance(served.session.failure, DockerError | ValueError | UnicodeError | None)
    served.session.close()


def session(calls: list[Call], damages: list[Damage], cut: int, tar: bool) -> None:
    """Listen to an engine that errs."""
    said = spoken(calls)
    for place, instead, count in damages:
        said = said[:place] + instead + said[place + count :]
    listen(said, cut, tar=tar)


def resident() -> int:
    """Return the most memory that this process had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(seconds: float, number: int) -> None:
    """Go on for some seconds; any failure is shown with the example, and ends it."""
    everything: Any = list(HealthCheck)
    patient = settings(
        max_examples=2000,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=everything,
    )
    end, rounds, before = time.monotonic() + seconds, 0, 0
    while time.monotonic() < end:

        def listened(calls: list[Call], damages: list[Damage], cut: int, tar: bool) -> None:
            session(calls, damages, cut, tar)

        seed(number + rounds)(patient(EXAMPLES(listened)))()
        rounds += 1
        before = before or resident()
    print(f"{rounds * 2000} sessions; memory grew by {(resident() - before) / MEBIBYTE:.1f} MiB")  # noqa: T201


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns())
