"""The messages of the file transfer, and their modes and links."""

from __future__ import annotations

import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerproto import ProtocolViolated
from dockerproto.buildcontext.entry import FileEntry
from dockerproto.buildkit.files.fsutil import (
    Packet,
    PacketType,
    Stat,
    decode_data,
    decode_entry,
    encode_data,
    encode_entry,
    encode_request,
    entry_to_stat,
    go_mode,
    stat_to_entry,
    unix_mode,
)
from tests.support.filesync import directory, file, link, symlink

GO_MODES = {
    0o100644: 0o644,
    0o100000: 0,
    0o104755: 1 << 23 | 0o755,
    0o102755: 1 << 22 | 0o755,
    0o041777: 1 << 31 | 1 << 20 | 0o777,
    0o047000: 1 << 31 | 1 << 23 | 1 << 22 | 1 << 20,
    0o040755: 1 << 31 | 0o755,
    0o120777: 1 << 27 | 0o777,
    0o060660: 1 << 26 | 0o660,
    0o020620: 1 << 26 | 1 << 21 | 0o620,
    0o010600: 1 << 25 | 0o600,
    0o140600: 1 << 24 | 0o600,
}


@pytest.mark.parametrize("mode", GO_MODES, ids=oct)
def test_modes_there_and_back(mode: int) -> None:
    assert go_mode(mode) == GO_MODES[mode]
    assert unix_mode(GO_MODES[mode]) == mode


def test_other_bits_of_go_say_nothing_of_a_mode() -> None:
    others = 1 << 30 | 1 << 29 | 1 << 28 | 1 << 9
    assert unix_mode(0o644 | others) == 0o100644


@pytest.mark.parametrize(
    "mode",
    [1 << 19, 1 << 21, 1 << 31 | 1 << 27, 1 << 27 | 1 << 26, 1 << 26 | 1 << 21 | 1 << 19, 0xFFFF_FFFF],
    ids=hex,
)
def test_types_that_there_are_not(mode: int) -> None:
    with pytest.raises(ProtocolViolated, match="unknown file type"):
        unix_mode(mode)


ENTRIES: list[tuple[FileEntry, Stat]] = [
    (file("a", 7, 0o640, 1_700_000_000_123_456_789), Stat("a", 0o640, 0, 0, 7, 1_700_000_000_123_456_789)),
    (directory("d/e", mtime=-1), Stat("d/e", 1 << 31 | 0o755, mod_time=-1)),
    (symlink("l", "../a"), Stat("l", 1 << 27 | 0o777, linkname="../a")),
    (link("h", "d/a"), Stat("h", 0o644, linkname="d/a")),
    (
        FileEntry(path="tty", mode=stat.S_IFCHR | 0o620, device=(4, 1)),
        Stat("tty", 1 << 26 | 1 << 21 | 0o620, devmajor=4, devminor=1),
    ),
    (file("\udcff\u00e4"), Stat("\udcff\u00e4", 0o644)),
]


@pytest.mark.parametrize(("entry", "sent"), ENTRIES, ids=lambda each: ascii(each.path))
def test_entries_there_and_back(entry: FileEntry, sent: Stat) -> None:
    assert entry_to_stat(entry) == sent
    assert stat_to_entry(Stat.decode(sent.encode())) == entry


@pytest.mark.parametrize(
    ("mtime", "sent"),
    [
        (2**63 - 1, 2**63 - 1),
        (2**63, 2**63 - 1),
        (253_402_300_800 * 10**9, 2**63 - 1),  # the year 10000
        (-(2**63), -(2**63)),
        (-(2**63) - 1, -(2**63)),
        (-62_135_596_800 * 10**9, -(2**63)),  # the year 1
    ],
)
def test_times_that_do_not_fit_become_the_nearest(mtime: int, sent: int) -> None:
    message = entry_to_stat(file("a", mtime=mtime))
    assert message.mod_time == sent
    assert Stat.decode(message.encode()).mod_time == sent


def test_owners_and_attributes_are_not_taken() -> None:
    sent = Stat("a", 0o644, 1000, 1000, xattrs={"user.x": b"\0"})
    assert stat_to_entry(Stat.decode(sent.encode())) == file("a")


def test_only_files_are_hard_links_and_only_links_have_targets() -> None:
    assert stat_to_entry(Stat("d", 1 << 31 | 0o755, linkname="x")) == directory("d")
    assert stat_to_entry(Stat("p", 1 << 25, linkname="x")) == FileEntry(path="p", mode=stat.S_IFIFO)


PACKETS = {
    "the end of the entries": (Packet(), ""),
    "an entry": (Packet(stat=Stat("a", 0o644, size=2)), "1208 0a0161 10a403 2802"),
    "a request of the first": (Packet(type=PacketType.REQ), "0801"),
    "a request": (Packet(type=PacketType.REQ, ID=300), "0801 18ac02"),
    "data": (Packet(type=PacketType.DATA, ID=1, data=b"A\n"), "0802 1801 2202410a"),
    "the end of a file": (Packet(type=PacketType.DATA), "0802"),
    "the end": (Packet(type=PacketType.FIN), "0803"),
    "an error": (Packet(type=PacketType.ERR, data=b"no"), "0804 22026e6f"),
}


@pytest.mark.parametrize(("packet", "wire"), PACKETS.values(), ids=PACKETS)
def test_packets_on_the_wire(packet: Packet, wire: str) -> None:
    assert packet.encode() == bytes.fromhex(wire)
    assert Packet.decode(bytes.fromhex(wire)) == packet


@given(st.integers(0, 2**32 - 1), st.binary(max_size=300))
def test_packets_with_data_are_encoded_as_any_packet(identifier: int, content: bytes) -> None:
    packet = Packet(type=PacketType.DATA, ID=identifier, data=content)
    assert encode_data(identifier, content) == packet.encode()
    assert decode_data(packet.encode()) == (identifier, content)


@given(st.integers(0, 2**32 - 1))
def test_requests_are_encoded_as_any_packet(identifier: int) -> None:
    assert encode_request(identifier) == Packet(type=PacketType.REQ, ID=identifier).encode()


ANY_ENTRIES = st.builds(
    FileEntry,
    path=st.text(st.characters(codec="utf-8"), min_size=1, max_size=200) | st.just("\udcff"),
    mode=st.sampled_from(list(GO_MODES)),
    size=st.integers(0, 2**50) | st.just(0),
    mtime=st.integers(-(2**65), 2**65) | st.integers(0, 2**61) | st.sampled_from([0, 1, 2**63 - 1, 2**63]),
    target=st.just("") | st.text(st.characters(codec="utf-8"), max_size=5),
    device=st.just((0, 0)) | st.tuples(st.integers(0, 99), st.integers(0, 99)),
)


@given(ANY_ENTRIES)
def test_packets_with_entries_are_encoded_as_any_packet(entry: FileEntry) -> None:
    assert encode_entry(entry) == Packet(stat=entry_to_stat(entry)).encode()


ORDINARY_ENTRIES = st.builds(
    Stat,
    path=st.text(st.characters(codec="utf-8"), min_size=1, max_size=200) | st.just("\udcff"),
    mode=st.sampled_from(list(map(go_mode, GO_MODES))),
    uid=st.integers(0, 2**32 - 1),
    gid=st.integers(0, 2**32 - 1),
    size=st.integers(0, 2**63 - 1),
    mod_time=st.integers(0, 2**63 - 1),
)


@given(ORDINARY_ENTRIES)
def test_ordinary_entries_are_decoded_as_any_packet(entry: Stat) -> None:
    assert decode_entry(Packet(stat=entry).encode()) == stat_to_entry(entry)


OTHERS = {
    "a request": "0801 1801",
    "an end": "0803",
    "nothing": "",
    "an entry without a path": "1202 1002",
    "an entry that is a link": "1206 0a0161 3a0162",
    "an entry with an attribute": "120b 0a0161 5206 0a0178 120179",
    "a negative size": "120e 0a0161 28ffffffffffffffffff01",
    "a negative time": "120e 0a0161 30ffffffffffffffffff01",
    "a large mode": "1209 0a0161 108080808020",
    "an entry with two paths": "1206 0a0161 0a0162",
    "an entry, and more": "1203 0a0161 1801",
    "a path that is too long": "1203 0a0561",
    "an entry that is too long": "1209 0a0161",
    "data of a large number": "0802 188080808010",
    "data with an entry": "0802 1203 0a0161",
    "data, and more": "0802 1801 220161 2000",
    "data that is too long": "0802 1801 220561",
    "the type at the end": "1801 220161 0802",
}


@pytest.mark.parametrize("wire", OTHERS.values(), ids=OTHERS)
def test_packets_of_another_form_are_left_to_any_packet(wire: str) -> None:
    assert decode_data(bytes.fromhex(wire)) is None
    assert decode_entry(bytes.fromhex(wire)) is None


def outcome(message: bytes) -> object:
    """Return what `Packet.decode` makes of a message, in the form of the functions for single types."""
    try:
        packet = Packet.decode(message)
        entry = None if packet.stat is None else stat_to_entry(packet.stat)
    except ProtocolViolated as error:
        return str(error)
    return (packet.ID, packet.data) if packet.type == PacketType.DATA else entry


def quick_outcome(message: bytes) -> object:
    """Return what the functions for single types make of a message; None if they leave it to others."""
    try:
        return decode_data(message) or decode_entry(message)
    except ProtocolViolated as error:
        return str(error)


PIECES = st.sampled_from([*map(bytes.fromhex, OTHERS.values()), b"\x08\x02", b"\x12\x05\x0a\x01a\x10"])


@given(st.lists(PIECES | st.binary(max_size=4), max_size=4).map(b"".join))
def test_any_bytes_are_decoded_as_any_packet_or_left_to_it(message: bytes) -> None:
    assert quick_outcome(message) in (None, outcome(message))
