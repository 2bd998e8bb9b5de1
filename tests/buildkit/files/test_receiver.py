"""The receivers of a build's output, packet by packet, with correct and with hostile engines."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from itertools import chain
from typing import Any

import pytest

from dockerproto import DockerError, OutputFailed, ProtocolViolated
from dockerproto.buildcontext.entry import FileEntry
from dockerproto.buildcontext.limits import Limits
from dockerproto.buildkit.files.fsutil import BytesMessage, Packet, PacketType, Stat, entry_to_stat
from dockerproto.buildkit.files.receiver import (
    BATCH,
    BATCH_BYTES,
    SMALL,
    WINDOW,
    TarReceiver,
    TreeReceiver,
    file_send,
)
from dockerproto.buildkit.files.validation import EntryValidator
from dockerproto.buildkit.rpc.handler import OK, Code, Status
from tests.support.filesync import (
    FIN,
    MemoryFile,
    MemoryOutput,
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


def sent(entry: FileEntry | Stat) -> Packet:
    return Packet(stat=entry if isinstance(entry, Stat) else entry_to_stat(entry))


@pytest.fixture
def output() -> MemoryOutput:
    return MemoryOutput()


@pytest.fixture
def call(output: MemoryOutput) -> TreeReceiver:
    return TreeReceiver(output)


def test_a_whole_call(call: TreeReceiver, output: MemoryOutput) -> None:
    assert packets(call) == []
    assert feed(call, sent(directory("d", 0o555)), sent(file("d/a", 3))) == [request(1)]
    assert feed(call, sent(link("d/h", "d/a")), sent(file("e", 0)), sent(symlink("f", "/etc"))) == [
        request(3)
    ]
    assert feed(call, END, data(3), data(1, b"12"), data(1, b"3")) == []
    assert feed(call, data(1)) == [FIN]
    call.receive(FIN.encode())
    assert drain(call) == ([], OK)
    call.end()
    call.close()
    assert output.done == [
        *("prepare", "directory d", "symlink f", "file e", "file d/a", "link d/h", "settle d"),
    ]
    assert output.contents == {"d/a": b"123", "e": b""}
    assert output.entries["d"] == directory("d", 0o555)
    assert (call.files, call.bytes, call.skipped, output.closed) == (2, 3, [], True)


def test_a_tree_without_entries(call: TreeReceiver, output: MemoryOutput) -> None:
    assert feed(call, END) == [FIN]
    assert output.done == ["prepare"]


def test_files_may_come_piece_by_piece_by_turns(call: TreeReceiver, output: MemoryOutput) -> None:
    asked = feed(call, sent(file("a", 2)), sent(file("b", 2)), END)
    assert asked == [request(0), request(1)]
    assert feed(call, data(0, b"1"), data(1, b"3"), data(0, b"2"), data(1, b"4"), data(1), data(0)) == [FIN]
    assert output.contents == {"a": b"12", "b": b"34"}


def test_large_files_are_written_while_they_come_by_turns(call: TreeReceiver, output: MemoryOutput) -> None:
    feed(call, sent(file("a", SMALL + 1)), sent(file("b", SMALL + 1)), END)
    content = bytes(SMALL)
    assert feed(call, data(0, content), data(1, b"3"), data(0, b"2"), data(1, content), data(1)) == []
    assert feed(call, data(0)) == [FIN]
    assert output.contents == {"a": content + b"2", "b": b"3" + content}


def test_a_small_file_is_not_begun_before_it_is_complete(call: TreeReceiver, output: MemoryOutput) -> None:
    feed(call, sent(file("a", SMALL)), sent(file("b", SMALL + 1)), data(0, bytes(SMALL)), data(1, b"."))
    feed(call, *(sent(directory(f"d{number:03}")) for number in range(2 * BATCH)))
    assert "directory d000" in output.done
    assert output.names == ["b"]


def test_directories_are_settled_from_within(call: TreeReceiver, output: MemoryOutput) -> None:
    feed(call, *map(sent, map(directory, ("a", "a/b", "a/b/c", "a/d", "e"))), END)
    assert [each for each in output.done if each.startswith("settle")] == [
        *("settle e", "settle a/d", "settle a/b/c", "settle a/b", "settle a"),
    ]


def test_no_more_files_are_asked_for_at_once_than_may_be_open(call: TreeReceiver) -> None:
    asked = feed(call, *(sent(file(f"{number:04}", 1)) for number in range(3 * WINDOW)), END)
    assert asked == [request(number) for number in range(WINDOW)]
    half = range(WINDOW // 2)
    *few, last = ([data(number, b"."), data(number)] for number in half)
    assert feed(call, *chain(*few)) == []
    assert feed(call, *last) == [request(WINDOW + number) for number in half]


def test_packets_are_taken_until_there_is_a_batch_to_write(call: TreeReceiver) -> None:
    first = 1  # the destination is prepared
    more = [call.receive(sent(directory(f"{number:04}")).encode()) for number in range(first, BATCH + first)]
    assert more == [True] * (BATCH - first - 1) + [False] * (first + 1)


def test_chunks_of_a_tar_are_taken_until_there_is_a_batch_to_write() -> None:
    tar = TarReceiver(lambda: MemoryOutput().create(file("out.tar")))
    chunk = BytesMessage(bytes(BATCH_BYTES // 4)).encode()
    assert [tar.receive(chunk) for _ in range(4)] == [True, True, True, False]


def test_what_is_no_file_directory_or_link_is_skipped(call: TreeReceiver, output: MemoryOutput) -> None:
    kinds = {"b": stat.S_IFBLK, "c": stat.S_IFCHR, "p": stat.S_IFIFO, "s": stat.S_IFSOCK}
    entries = [FileEntry(path=path, mode=kind | 0o600, device=(1, 3)) for path, kind in kinds.items()]
    linked = Stat("t", 1 << 25, linkname="p")
    assert feed(call, *map(sent, entries), sent(linked), END) == [FIN]
    assert call.skipped == ["b", "c", "p", "s", "t"]
    with pytest.warns(UserWarning, match=r"are not created: 'b', 'c', 'p', 's', 't'$"):
        call.receive(FIN.encode())
    assert drain(call) == ([], OK)
    assert output.done == ["prepare"]


def test_a_warning_names_a_few_of_what_is_skipped(call: TreeReceiver) -> None:
    feed(call, *(sent(FileEntry(path=f"{number:02}", mode=stat.S_IFIFO)) for number in range(12)), END)
    with pytest.warns(UserWarning, match=r"'00', '01', '02', '03', '04' and 7 more$"):
        call.receive(FIN.encode())


def test_what_was_received_is_written_before_much_of_it_is_in_memory(
    call: TreeReceiver, output: MemoryOutput
) -> None:
    pieces = 100
    feed(call, sent(file("a", pieces * 2**15)))
    held = 0
    for number in range(pieces):
        feed(call, data(0, bytes(2**15)))
        written = len(output.parts["a"].content) if "a" in output.parts else 0
        held = max(held, (number + 1) * 2**15 - written)
    assert held < BATCH_BYTES


GOOD = [file("a"), directory("b"), file("b/c"), directory("b/d"), symlink("l", "b")]
LONG = "n" * 255
BAD: dict[str, tuple[Sequence[FileEntry | Stat], str]] = {
    "the root": ([directory("")], "the path is not clean"),
    "dot": ([directory(".")], "the path is not clean"),
    "above": ([file("..")], "the path is not clean"),
    "below above": ([directory("a"), file("a/../../x")], "the path is not clean"),
    "above and back": ([file("../dist/x")], "the path is not clean"),
    "absolute": ([file("/etc/passwd")], "the path is not clean"),
    "two slashes": ([directory("a"), file("a//b")], "the path is not clean"),
    "a slash at the end": ([directory("a/")], "the path is not clean"),
    "a dot within": ([directory("a"), file("a/./b")], "the path is not clean"),
    "a NUL": ([file("a\0b")], "the path is not clean"),
    "a long name": ([file(LONG + "n")], "a name has more than 255 bytes"),
    "a long name in bytes": ([file("\u00e4" * 128)], "a name has more than 255 bytes"),
    "a long path": ([file("/".join([LONG] * 17))], "the path has more than 4095 bytes"),
    "deep": ([file("/".join("d" * 513))], "nested in more than 512 directories"),
    "twice": ([file("a"), file("a")], "repeated or out of order"),
    "a directory twice": ([directory("a"), file("a/b"), directory("a")], "repeated or out of order"),
    "out of order": ([file("b"), file("a")], "repeated or out of order"),
    "out of order, within": ([directory("a"), file("a/b"), file("a/a")], "out of order"),
    "back in a directory": ([directory("a"), file("a-b"), file("a/c")], "out of order"),
    "order of bytes": ([file("\U00010000"), file("\uffff")], "out of order"),
    "no directory": ([file("a/b")], "its directory was not sent before it"),
    "in a file": ([file("a"), file("a/b")], "its directory was not sent before it"),
    "in a symlink": ([symlink("a", "/etc"), file("a/passwd")], "its directory was not sent before it"),
    "in a pipe": (
        [FileEntry(path="a", mode=stat.S_IFIFO), file("a/b")],
        "its directory was not sent before it",
    ),
    "a directory is left out": ([directory("a"), file("a/b/c")], "its directory was not sent before it"),
    "a directory that begins alike": ([directory("a"), file("ab/c")], "its directory was not sent before it"),
    "linked to what was not sent": ([link("a", "/etc/passwd")], "its target '/etc/passwd' was not sent"),
    "linked above": ([link("a", "../secret")], "was not sent as a file before it"),
    "linked to a later one": ([link("a", "b")], "was not sent as a file before it"),
    "linked to itself": ([link("a", "a")], "was not sent as a file before it"),
    "linked to a directory": ([directory("a"), link("b", "a")], "was not sent as a file before it"),
    "linked to a symlink": ([symlink("a", "/x"), link("b", "a")], "was not sent as a file before it"),
    "linked to a link": ([file("a"), link("b", "a"), link("c", "b")], "was not sent as a file"),
    "linked by another way": ([directory("a"), file("a/b"), link("c", "a/../a/b")], "was not sent"),
    "an empty symlink": ([Stat("a", 1 << 27)], "invalid symlink target"),
    "a NUL in a symlink": ([symlink("a", "b\0c")], "invalid symlink target"),
    "a long symlink": ([symlink("a", "x" * 4096)], "invalid symlink target"),
    "a negative size": ([file("a", -1)], "its size is -1 bytes, the limit 1099511627776"),
    "a giant": ([file("a", 2**62)], "its size is 4611686018427387904 bytes"),
}


@pytest.mark.parametrize(("entries", "why"), BAD.values(), ids=BAD)
def test_hostile_entries_are_refused(
    call: TreeReceiver, output: MemoryOutput, entries: Sequence[FileEntry | Stat], why: str
) -> None:
    *before, last = map(sent, entries)
    feed(call, *before)
    with pytest.raises(OutputFailed, match="in the build output: ") as raised:
        call.receive(last.encode())
    assert why in raised.value.message
    assert len(raised.value.message) < 800
    call.close()
    assert output.contents == {}
    assert output.closed


def test_entries_that_are_good_are_not_refused() -> None:
    validator = EntryValidator()
    for entry in (*GOOD, directory("m"), link("m/h", "a"), symlink("n", "../../outside"), file("\udcff")):
        validator.check(entry)


def test_names_and_paths_may_be_as_long_as_systems_have_them() -> None:
    validator = EntryValidator()
    for depth in range(1, 16):
        validator.check(directory("/".join([LONG] * depth)))
    validator.check(file("/".join([LONG] * 15 + ["n" * 254])))


def test_the_number_of_entries_is_limited() -> None:
    validator = EntryValidator(Limits(entries=2))
    validator.check(file("a"))
    validator.check(file("b"))
    with pytest.raises(OutputFailed, match="more than 2 entries"):
        validator.check(file("c"))


def test_the_length_of_all_paths_is_limited() -> None:
    validator = EntryValidator(Limits(text=4))
    validator.check(file("a"))
    validator.check(symlink("b", "cc"))
    with pytest.raises(OutputFailed, match="has paths of more than 4 characters"):
        validator.check(file("c"))


WRONG: dict[str, tuple[list[Packet], type[DockerError], str]] = {
    "data that nobody asked for": (
        [data(0, b"x")],
        ProtocolViolated,
        "data for entry 0, which was not requested",
    ),
    "data of a directory": ([sent(directory("a")), data(0)], ProtocolViolated, "data for entry 0"),
    "data of a link": (
        [sent(file("a")), sent(link("b", "a")), data(1)],
        ProtocolViolated,
        "data for entry 1",
    ),
    "data after the end": (
        [sent(file("a", 1)), data(0, b"."), data(0), data(0)],
        ProtocolViolated,
        "entry 0",
    ),
    "more data": (
        [sent(file("a", 1)), data(0, b"..")],
        OutputFailed,
        "'a' in the build output does not have the announced",
    ),
    "more data, later": (
        [sent(file("a", 1)), data(0, b"."), data(0, b".")],
        OutputFailed,
        "the announced 1 bytes",
    ),
    "less data": ([sent(file("a", 2)), data(0, b"."), data(0)], OutputFailed, "the announced 2 bytes"),
    "no data": ([sent(file("a", 2)), data(0)], OutputFailed, "the announced 2 bytes"),
    "an entry after the last": ([END, sent(file("a"))], ProtocolViolated, "after the end of the entries"),
    "two ends": ([sent(file("a")), END, END], ProtocolViolated, "after the end of the entries"),
    "finished at once": ([FIN], ProtocolViolated, "finished before it had sent all"),
    "finished before the contents": (
        [sent(file("a")), END, FIN],
        ProtocolViolated,
        "finished before it had sent all files",
    ),
    "a request": ([request(0)], ProtocolViolated, "unexpected packet type 1 while receiving files"),
    "no packet that there is": ([Packet(type=9)], ProtocolViolated, "unexpected packet type 9"),
    "something after the end": ([END, FIN, END], ProtocolViolated, "unexpected packet type 0"),
    "no type that there is": ([sent(Stat("a", 1 << 19))], ProtocolViolated, "unknown file type"),
}


@pytest.mark.parametrize(("wrong", "kind", "message"), WRONG.values(), ids=WRONG)
def test_packets_that_no_sender_sends(
    call: TreeReceiver, output: MemoryOutput, wrong: list[Packet], kind: type[DockerError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        feed(call, *wrong)
    call.close()
    assert output.parts == {}


def test_the_engine_leaves_early(call: TreeReceiver) -> None:
    feed(call, END)
    with pytest.raises(ProtocolViolated, match="before it had sent all"):
        call.end()


def test_the_engine_gives_up(call: TreeReceiver, output: MemoryOutput) -> None:
    feed(call, sent(file("a", BATCH_BYTES + 1)), data(0, bytes(BATCH_BYTES)))
    assert output.parts
    call.receive(Packet(type=PacketType.ERR, data=b"disk \xff").encode())
    assert drain(call) == ([], Status(Code.CANCELLED, "disk \ufffd"))
    call.close()
    call.close()
    assert output.names == []


class Full(MemoryFile):
    """A file on a full disk, from which nothing can be removed either."""

    def write(self, data: bytes, /) -> None:
        raise OSError(28, "No space left on device")

    def discard(self) -> None:
        super().discard()
        raise OSError(30, "Read-only file system")


def test_what_cannot_be_written(output: MemoryOutput, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.filesync.MemoryFile", Full)
    call = TreeReceiver(output)
    with pytest.raises(
        OutputFailed, match=r"cannot write the build output: .*No space left on device"
    ) as raised:
        feed(call, sent(file("a", BATCH_BYTES)), data(0, bytes(BATCH_BYTES)))
    assert isinstance(raised.value.__cause__, OSError)
    call.close()
    assert output.parts == {}
    assert output.closed


def tar_receiver(output: MemoryOutput) -> TarReceiver:
    return TarReceiver(lambda: output.create(file("out.tar")))


def receive(call: TarReceiver, *pieces: bytes) -> None:
    for piece in pieces:
        call.receive(BytesMessage(piece).encode())
        assert step(call) is None


TARS: dict[str, list[bytes]] = {
    "nothing but its end": [bytes(1024)],
    "in pieces": [b"x" * 512, *[bytes(100)] * 10, bytes(24)],
    "large": [b"x" * 2**18, b"x" * 2**18, bytes(10240)],
    "with an empty piece": [b"x" * 512, b"", bytes(1024), b""],
}


@pytest.mark.parametrize("pieces", TARS.values(), ids=TARS)
def test_a_tar(output: MemoryOutput, pieces: list[bytes]) -> None:
    call = tar_receiver(output)
    receive(call, *pieces)
    assert output.contents == {}
    call.end()
    assert drain(call) == ([], OK)
    call.close()
    assert output.contents == {"out.tar": b"".join(pieces)}


CUT: dict[str, list[bytes]] = {
    "nothing": [],
    "half an end": [b"x" * 512, bytes(512)],
    "no end": [b"x" * 2**19],
    "no whole block": [b"x" * 511, bytes(1024)],
    "something after the end": [bytes(1024), b"x" * 512],
}


@pytest.mark.parametrize("pieces", CUT.values(), ids=CUT)
def test_a_tar_that_is_cut_is_no_output(output: MemoryOutput, pieces: list[bytes]) -> None:
    call = tar_receiver(output)
    receive(call, *pieces)
    with pytest.raises(OutputFailed, match=f"is truncated after {sum(map(len, pieces))} bytes"):
        call.end()
    call.close()
    assert output.names == []


def test_a_tar_that_is_broken_off_is_removed(output: MemoryOutput) -> None:
    call = tar_receiver(output)
    receive(call, bytes(2**19))
    assert output.parts
    call.close()
    assert output.names == []


def test_a_tar_that_cannot_be_made() -> None:
    def create() -> Any:
        raise FileNotFoundError(2, "No such file or directory", "dist/out.tar")

    call = TarReceiver(create)
    call.receive(BytesMessage(bytes(BATCH_BYTES)).encode())
    with pytest.raises(OutputFailed, match=r"No such file or directory: 'dist/out\.tar'"):
        step(call)
    call.close()


def test_a_receiver_is_served(call: TreeReceiver) -> None:
    assert file_send({0: lambda: call})["/moby.filesync.v1.FileSend/DiffCopy"]({}) is call
