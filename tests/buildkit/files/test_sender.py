"""The sender of files, packet by packet."""

from __future__ import annotations

import gc
import tracemalloc
from io import BytesIO

import pytest

from dockerproto import ProtocolViolated, UploadFailed
from dockerproto.buildcontext.entry import FileEntry
from dockerproto.buildkit.files.fsutil import Packet, PacketType
from dockerproto.buildkit.files.selection import Selection
from dockerproto.buildkit.files.sender import BATCH, BATCH_BYTES, CHUNK_SIZE, FileSender, file_sync
from dockerproto.buildkit.rpc.handler import BlockingStep, Code, Failed, RpcError, Status
from dockerproto.transport.file_tree import FileTree
from dockerproto.transport.host import FileReader
from tests.support.calling import Engine
from tests.support.filesync import (
    ALL,
    FIN,
    data,
    directory,
    drain,
    feed,
    file,
    link,
    packets,
    request,
    step,
    symlink,
)

END = Packet()
METHOD = "/moby.filesync.v1.FileSync/DiffCopy"


def sender(files: dict[str, bytes], selection: Selection = ALL) -> FileSender:
    return FileSender(FileTree.of(files), selection)


def names(sent: list[Packet]) -> list[str]:
    """Return the paths of the entries that were sent."""
    return [packet.stat.path for packet in sent if packet.stat is not None]


def test_a_whole_call() -> None:
    call = sender({"a": b"", "b/c": b"content"})
    announced = packets(call)
    assert names(announced) == ["a", "b", "b/c"]
    assert announced[-1] == END
    assert feed(call, request(2)) == [data(2, b"content"), data(2)]
    assert feed(call, request(0)) == [data(0)]
    call.receive(FIN.encode())
    assert drain(call) == ([FIN.encode()], Status(Code.OK))
    call.end()
    assert (call.requested, call.sent) == (2, 7)


BAD_NAMES = {
    "a file": ({"\udcff": b""}, "\udcff"),
    "a file that is not the first": ({"a": b"", "b/\udcffx": b"", "c": b""}, "b/\udcffx"),
    "a directory": ({"\udce9/a": b""}, "\udce9"),
}


@pytest.mark.parametrize(("files", "path"), BAD_NAMES.values(), ids=BAD_NAMES)
def test_names_that_are_not_utf8(files: dict[str, bytes], path: str) -> None:
    assert path in names(packets(sender(files)))
    call = FileSender(FileTree.of(files), ALL, requires_utf8=True)
    error = Packet.decode(drain_error(call))
    assert error.data.decode().startswith(f"cannot send {path!r}: BuildKit of Docker 27.4 and later requires")


def test_targets_of_symlinks_that_are_not_utf8() -> None:
    tree = FileTree()
    tree.add(symlink("s", "\udcff"))
    call = FileSender(tree, ALL, requires_utf8=True)
    assert b"cannot send 's': " in Packet.decode(drain_error(call)).data


def test_names_that_are_utf8_or_not_sent() -> None:
    tree = FileTree.of({"é": b"", "日本/a": b"", "x/\udcff": b""})
    call = FileSender(tree, Selection(exclude=("x",)), requires_utf8=True)
    assert names(packets(call)) == ["é", "日本", "日本/a"]


def drain_error(call: FileSender) -> bytes:
    """Return the only packet of a call that fails: its error."""
    following = call.next()
    assert isinstance(following, BlockingStep)
    following.done(following.run())
    message = call.next()
    assert isinstance(message, bytes)
    assert Packet.decode(message).type == PacketType.ERR
    assert failure_of(call).message.startswith("cannot send ")
    return message


def failure_of(call: FileSender) -> UploadFailed:
    """Return the failure that the engine has been told of; the call goes on until the engine ends it."""
    failed = call.next()
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, UploadFailed)
    assert call.next() is None
    assert call.receive(request(7).encode())  # is under way, and does not matter any more
    assert call.next() is None
    with pytest.raises(UploadFailed) as raised:
        call.end()
    assert raised.value is failed.error
    return failed.error


def test_an_empty_directory() -> None:
    call = sender({})
    assert packets(call) == [END]
    assert feed(call, FIN) == [FIN]


def test_several_are_requested_at_once() -> None:
    call = sender({"a": b"1", "b": b"2", "c": b"3"})
    packets(call)
    for identifier in (1, 2, 0):
        call.receive(request(identifier).encode())
    assert packets(call) == [data(1, b"2"), data(1), data(2, b"3"), data(2), data(0, b"1"), data(0)]


def test_contents_and_entries_take_turns() -> None:
    files = {f"{number:06}": b"." for number in range(3 * BATCH)}
    call = sender(files)
    first = [step(call) for _ in range(BATCH)]
    for identifier in range(BATCH):
        call.receive(request(identifier).encode())
    second = [step(call) for _ in range(BATCH)]
    third = [step(call) for _ in range(BATCH)]
    kinds = [
        {Packet.decode(each).type for each in batch if isinstance(each, bytes)}
        for batch in (first, second, third)
    ]
    assert kinds == [{PacketType.STAT}, {PacketType.DATA}, {PacketType.STAT}]
    rest = packets(call)
    assert sum(packet.type == PacketType.DATA for packet in rest) == BATCH
    assert rest.index(END) == len(rest) - 1 or rest[-1].type == PacketType.DATA


def test_contents_come_in_pieces() -> None:
    content = bytes(range(256)) * (BATCH_BYTES // 256 * 2) + b"end"
    call = sender({"a": content})
    packets(call)
    sent = feed(call, request(0))
    assert b"".join(packet.data for packet in sent) == content
    assert [len(packet.data) for packet in sent] == [CHUNK_SIZE] * (len(content) // CHUNK_SIZE) + [3, 0]


def test_the_requests_that_have_arrived_are_one_step() -> None:
    made = Engine(file_sync({"context": FileTree.of({f"{number:04}": b"." for number in range(1000)})}))
    stream = made.begin(METHOD, metadata=[("dir-name", "context")])
    made.run()
    for identifier in range(1000):
        made.grpc.send(stream, request(identifier).encode())
    steps = 0
    made.carry()
    while made.step() or made.carry():
        steps += 1
    contents = [
        packet for packet in map(Packet.decode, made.messages[stream]) if packet.type == PacketType.DATA
    ]
    assert len(contents) == 2000
    assert steps < 2 * len(contents) // BATCH + 2


def test_requests_wait_outside_once_they_fill_a_batch() -> None:
    call = sender({f"{number:04}": b"." for number in range(BATCH + 1)})
    packets(call)
    more = [call.receive(request(identifier).encode()) for identifier in range(BATCH + 1)]
    assert more == [True] * (BATCH - 1) + [False] * 2
    assert not call.receive(FIN.encode())


def test_a_step_reads_no_more_than_a_batch() -> None:
    call = sender({"a": bytes(10 * BATCH_BYTES)})
    packets(call)
    call.receive(request(0).encode())
    work = call.next()
    assert isinstance(work, BlockingStep)
    work.done(work.run())
    assert call.sent == BATCH_BYTES


class Endless(BytesIO):
    """An endless file."""

    def read(self, size: int | None = -1, /) -> bytes:
        return bytes(size or 0)


def test_the_memory_that_a_large_file_takes_is_small() -> None:
    tree = FileTree()
    tree.add(file("a", size=200 * 2**20), Endless)
    call = FileSender(tree, ALL)
    packets(call)
    call.receive(request(0).encode())
    gc.collect()
    tracemalloc.start()
    try:
        while isinstance(step(call), bytes):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert call.sent == 200 * 2**20
    assert peak < 8 * BATCH_BYTES


def test_of_what_has_grown_as_much_is_sent_as_was_announced() -> None:
    tree = FileTree()
    tree.add(file("a", size=3), Endless)
    tree.add(file("b", size=0), Endless)
    call = FileSender(tree, ALL)
    packets(call)
    assert feed(call, request(0), request(1)) == [data(0, bytes(3)), data(0), data(1)]


class Trickling(BytesIO):
    """A file that is read byte by byte, as some file systems allow."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(1, size or 0))


def test_a_small_file_is_one_packet_however_it_is_read() -> None:
    tree = FileTree()
    tree.add(file("a", size=3), lambda: Trickling(b"123"))
    call = FileSender(tree, ALL)
    packets(call)
    assert feed(call, request(0)) == [data(0, b"123"), data(0)]


def gone() -> FileReader:
    raise FileNotFoundError(2, "No such file or directory", "/ctx/a")


def short() -> FileReader:
    return BytesIO(b"12")


class Failing(BytesIO):
    """An unreadable file."""

    def read(self, size: int | None = -1, /) -> bytes:
        raise OSError(5, "Input/output error")


FAILURES = {
    "gone": (gone, "cannot read the build context: [Errno 2] No such file or directory: '/ctx/a'"),
    "shorter": (short, "'a' became shorter while it was sent: 2 instead of {} bytes"),
    "unreadable": (Failing, "cannot read the build context: [Errno 5] Input/output error"),
}


@pytest.mark.parametrize("size", [3, CHUNK_SIZE + 1], ids=["small", "large"])
@pytest.mark.parametrize("failure", FAILURES)
def test_a_file_that_changed_fails_the_build(failure: str, size: int) -> None:
    content, text = FAILURES[failure]
    message = text.format(size)
    tree = FileTree()
    tree.add(file("a", size=size), content)
    call = FileSender(tree, ALL)
    packets(call)
    call.receive(request(0).encode())
    assert Packet.decode(bytes_of(call)) == Packet(type=PacketType.ERR, data=message.encode())
    error = failure_of(call)
    assert error.message == message
    assert isinstance(error.__cause__, OSError) is (failure != "shorter")


def bytes_of(call: FileSender) -> bytes:
    """Return the next message sent."""
    message = step(call)
    assert isinstance(message, bytes)
    return message


class Unreadable(FileTree):
    """A file system that cannot be listed."""

    def names(self, path: str, /) -> list[str]:
        raise PermissionError(13, "Permission denied", f"/ctx/{path}")


def test_a_directory_that_cannot_be_read_fails_the_build() -> None:
    call = FileSender(Unreadable(), ALL)
    assert Packet.decode(bytes_of(call)).type == PacketType.ERR
    assert "Permission denied" in failure_of(call).message


@pytest.mark.parametrize("identifier", [0, 1, 2, 4, 5, 2**32 - 1])
def test_a_request_of_what_is_no_file(identifier: int) -> None:
    tree = FileTree()
    for entry in (directory("a"), symlink("b", "c"), FileEntry(path="c", mode=0o010600), file("d")):
        tree.add(entry)
    tree.add(link("e", "d"))
    call = FileSender(tree, ALL)
    assert len(packets(call)) == 6
    with pytest.raises(
        ProtocolViolated, match=f"entry {identifier}, which is not a file or was requested before"
    ):
        call.receive(request(identifier).encode())


def test_a_request_before_its_entry_and_a_second_one() -> None:
    call = sender({"a": b"1"})
    with pytest.raises(ProtocolViolated, match="entry 0"):
        call.receive(request(0).encode())
    packets(call)
    call.receive(request(0).encode())
    with pytest.raises(ProtocolViolated, match="entry 0"):
        call.receive(request(0).encode())


@pytest.mark.parametrize("packet", [Packet(), data(0, b"x"), Packet(type=5), Packet(type=-1)])
def test_packets_that_no_receiver_sends(packet: Packet) -> None:
    with pytest.raises(ProtocolViolated, match=f"unexpected packet type {packet.type} while sending files"):
        sender({}).receive(packet.encode())


def test_what_comes_after_the_end() -> None:
    call = sender({"a": b""})
    packets(call)
    feed(call, FIN)
    with pytest.raises(ProtocolViolated, match="unexpected packet type 1"):
        call.receive(request(0).encode())


def test_the_engine_leaves_early() -> None:
    call = sender({"a": b""})
    with pytest.raises(ProtocolViolated, match="before it had all"):
        call.end()


def test_the_engine_gives_up() -> None:
    call = sender({"a": b"", "b": b""})
    assert isinstance(step(call), bytes)
    call.receive(Packet(type=PacketType.ERR, data=b"context canceled").encode())
    assert drain(call) == ([], Status(Code.CANCELLED, "context canceled"))
    call.end()


class Watched(BytesIO):
    """A file that records its closing."""


def test_the_file_that_is_being_read_is_closed() -> None:
    opened = Watched(bytes(10 * BATCH_BYTES))
    tree = FileTree()
    tree.add(file("a", size=10 * BATCH_BYTES), lambda: opened)
    call = FileSender(tree, ALL)
    packets(call)
    call.receive(request(0).encode())
    step(call)
    assert not opened.closed
    call.close()
    assert opened.closed
    call.close()


def test_files_are_closed_when_they_are_sent() -> None:
    opened = Watched(b"123")
    tree = FileTree()
    tree.add(file("a", size=3), lambda: opened)
    call = FileSender(tree, ALL)
    packets(call)
    feed(call, request(0))
    assert opened.closed


def test_directories_are_served_by_name() -> None:
    services = file_sync(
        {"context": FileTree.of({"a": b"", "b": b""}), "dockerfile": FileTree.of({"Dockerfile": b""})}
    )
    for metadata, expected in (
        ({"dir-name": ("dockerfile",)}, ["Dockerfile"]),
        ({"dir-name": ("context",), "followpaths": ("b",)}, ["b"]),
        ({"dir-name": ("%63ontext",), "dir-name-encoded": ("1",)}, ["a", "b"]),
    ):
        assert names(packets(services[METHOD](metadata))) == expected


@pytest.mark.parametrize("metadata", [{}, {"dir-name": ("other",)}, {"dir-name": ()}])
def test_a_directory_that_is_not_served(metadata: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(RpcError, match="unknown directory") as raised:
        file_sync({"context": FileTree()})[METHOD](metadata)
    assert raised.value.status.code == Code.NOT_FOUND
