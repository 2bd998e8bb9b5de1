"""A hostile engine, in memory, against a real directory: nothing is written outside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dockerproto import OutputFailed, ProtocolViolated
from dockerproto.buildkit.files.fsutil import BytesMessage, Packet, PacketType, Stat
from dockerproto.buildkit.files.receiver import TarReceiver, TreeReceiver, file_send
from dockerproto.buildkit.rpc.handler import OK, Code
from dockerproto_local.output_directory import OutputDirectory, create_tar
from tests.support.calling import Engine
from tests.support.feeding import bytewise
from tests.support.filesync import FIN, Seen, data, listing, request, seen

METHOD = "/moby.filesync.v1.FileSend/DiffCopy"
DIRECTORY, SYMLINK = 1 << 31 | 0o755, 1 << 27 | 0o777
END = Packet()


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Files that must stay unchanged: above the output, and at the target of a symlink in it."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/kept").write_text("kept")
    return tmp_path / "outside"


@pytest.fixture
def dist(tmp_path: Path, outside: Path) -> Path:
    """A directory that has an earlier output and a trap in it."""
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist/trap").symlink_to(outside)
    (tmp_path / "dist/stale").symlink_to(outside / "kept")
    return tmp_path / "dist"


@pytest.fixture
def attacker(dist: Path) -> Iterator[Engine]:
    made = Engine(file_send({0: lambda: TreeReceiver(OutputDirectory(dist))}))
    yield made
    made.session.close()


def entry(path: str, mode: int = 0o644, size: int = 0, target: str = "") -> Packet:
    return Packet(stat=Stat(path=path, mode=mode, size=size, linkname=target))


def file(identifier: int, content: bytes) -> list[Packet]:
    return [data(identifier, content), data(identifier)]


EVIL = b"evil"
ATTACKS: dict[str, list[Packet]] = {
    "above": [entry("../outside/kept", size=4), END, *file(0, EVIL)],
    "absolute": [entry("/etc/cron.d/evil", size=4), END, *file(0, EVIL)],
    "through a symlink of its own": [
        *(entry("a", SYMLINK, target="../outside"), entry("a/kept", size=4), END, *file(1, EVIL)),
    ],
    "through a symlink that is there": [entry("trap/kept", size=4), END, *file(0, EVIL)],
    "a symlink that becomes a directory": [entry("a", SYMLINK, target="../outside"), entry("a", DIRECTORY)],
    "a hard link to what is outside": [entry("a", target="../outside/kept")],
    "a hard link through a symlink": [entry("a", SYMLINK, target="../outside"), entry("b", target="a/kept")],
    "a hard link to what is there": [entry("a", target="stale")],
    "more than announced": [entry("a", size=1), END, *file(0, EVIL)],
    "less than announced": [entry("a", size=9), END, *file(0, EVIL)],
    "data of nothing": [END, *file(7, EVIL)],
    "a file of no end": [entry("a", size=-1), END, data(0, EVIL)],
    "finished early": [entry("a", size=4), FIN],
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_ends_the_call_and_changes_nothing(
    attacker: Engine, dist: Path, outside: Path, attack: str
) -> None:
    before = seen(dist)
    stream = attacker.begin(METHOD, *(packet.encode() for packet in ATTACKS[attack]))
    attacker.run()
    assert attacker.statuses[stream].code == Code.UNKNOWN
    assert isinstance(attacker.session.failure, OutputFailed | ProtocolViolated)
    assert attacker.statuses[stream].message == attacker.session.failure.message
    assert seen(dist) == before
    assert seen(outside) == [Seen("kept", 0o100644, b"kept")]
    assert listing(dist.parent) == ["dist", "outside"]


def test_what_is_in_the_way_is_replaced_and_not_followed(attacker: Engine, dist: Path, outside: Path) -> None:
    tree = [entry("stale", size=4), entry("trap", DIRECTORY), entry("trap/kept", size=4), END]
    stream = attacker.begin(METHOD, *(packet.encode() for packet in tree))
    attacker.run()
    assert attacker.messages[stream] == [request(0).encode(), request(2).encode()]
    for packet in (*file(0, b"new1"), *file(2, b"new2")):
        attacker.grpc.send(stream, packet.encode())
    attacker.run()
    assert attacker.messages[stream][-1] == FIN.encode()
    attacker.grpc.send(stream, FIN.encode())
    attacker.run()
    assert attacker.statuses[stream] == OK
    assert seen(dist) == [
        *(Seen("stale", 0o100644, b"new1"), Seen("trap", 0o040755), Seen("trap/kept", 0o100644, b"new2")),
    ]
    assert seen(outside) == [Seen("kept", 0o100644, b"kept")]


@pytest.mark.parametrize("how", ["lost", "reset", "an error"])
def test_a_call_that_breaks_off_leaves_no_half_files(attacker: Engine, dist: Path, how: str) -> None:
    before = seen(dist)
    size = 2**19
    stream = attacker.begin(METHOD, entry("a", size=size).encode(), END.encode())
    attacker.run()
    for _ in range(5):
        attacker.grpc.send(stream, data(0, bytes(2**16)).encode())
    attacker.run()
    assert len(seen(dist)) == len(before) + 1
    if how == "lost":
        attacker.session.close()
    elif how == "reset":
        attacker.grpc.reset(stream)
    else:
        attacker.grpc.send(stream, Packet(type=PacketType.ERR, data=b"disk on fire").encode())
    attacker.run()
    assert seen(dist) == before


def test_an_attack_byte_by_byte(dist: Path, outside: Path) -> None:
    made = Engine(file_send({0: lambda: TreeReceiver(OutputDirectory(dist))}), bytewise)
    attack = ATTACKS["through a symlink of its own"]
    stream = made.begin(METHOD, *(packet.encode() for packet in attack))
    made.run()
    assert made.statuses[stream].code == Code.UNKNOWN
    assert seen(outside) == [Seen("kept", 0o100644, b"kept")]


def test_a_tar_that_is_cut_is_not_there(tmp_path: Path) -> None:
    made = Engine(file_send({0: lambda: TarReceiver(lambda: create_tar(tmp_path / "out.tar"))}))
    cut = made.begin(METHOD, *[BytesMessage(b"x" * 2**15).encode()] * 10)
    made.grpc.finish(cut)
    made.run()
    assert made.statuses[cut].message == f"the tar output of the build is truncated after {10 * 2**15} bytes"
    assert listing(tmp_path) == []
    whole = made.begin(METHOD, BytesMessage(bytes(10240)).encode())
    made.grpc.finish(whole)
    made.run()
    assert made.statuses[whole] == OK
    assert (tmp_path / "out.tar").read_bytes() == bytes(10240)
