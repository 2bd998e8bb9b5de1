"""The headers of archives, parsed by the standard library."""

from __future__ import annotations

import io
import stat
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerproto.buildcontext.entry import FileEntry
from dockerproto.buildcontext.tar_writer import BLOCK, END, padding, tar_header

KINDS = {
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
}


def read(header: bytes) -> tarfile.TarInfo:
    """Return the parsed header; the content may be missing."""
    with tarfile.open(fileobj=io.BytesIO(header + END), mode="r:") as tar:
        member = tar.next()
    assert member is not None
    return member


def expected(entry: FileEntry) -> dict[str, object]:
    kind = tarfile.LNKTYPE if entry.hard else KINDS[stat.S_IFMT(entry.mode)]
    seconds = entry.mtime // 10**9
    return {
        "name": entry.path,
        "type": kind,
        "mode": stat.S_IMODE(entry.mode),
        "size": entry.size if kind == tarfile.REGTYPE else 0,
        "mtime": seconds,
        "linkname": entry.target,
        "device": entry.device,
        "owner": (0, 0, "", ""),
    }


def facts(member: tarfile.TarInfo) -> dict[str, object]:
    return {
        "name": member.name,
        "type": member.type,
        "mode": member.mode,
        "size": member.size,
        "mtime": member.mtime,
        "linkname": member.linkname,
        "device": (member.devmajor, member.devminor),
        "owner": (member.uid, member.gid, member.uname, member.gname),
    }


PLAIN = st.characters(codec="utf-8", exclude_characters="/\0")
NAMES = st.text(st.one_of(st.sampled_from("a. é\udcff\n="), PLAIN), min_size=1, max_size=120).filter(
    lambda name: name.strip(".") and not name.encode("utf-8", "surrogateescape").endswith(b"\0")
)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
SIZES = st.one_of(st.just(0), st.integers(8**11 - 2, 2**62), st.integers(0, 2000))


@st.composite
def entries(draw: st.DrawFn) -> FileEntry:
    kind = draw(st.sampled_from([*KINDS]))
    hard = kind == stat.S_IFREG and draw(st.booleans())
    devices = st.tuples(st.integers(0, 4095), st.integers(0, 2**20 - 1))
    return FileEntry(
        path=draw(PATHS),
        mode=kind | draw(st.integers(0, 0o7777)),
        size=draw(SIZES) if kind == stat.S_IFREG and not hard else 0,
        mtime=draw(st.one_of(st.integers(0, 2**62), st.integers(-(2**70), 2**70))),
        target=draw(PATHS) if hard or kind == stat.S_IFLNK else "",
        hard=hard,
        device=draw(devices) if kind in (stat.S_IFCHR, stat.S_IFBLK) else (0, 0),
    )


@given(entries())
def test_the_standard_library_reads_what_was_written(entry: FileEntry) -> None:
    header = tar_header(entry)
    assert len(header) % BLOCK == 0
    assert facts(read(header)) == expected(entry)


@given(st.lists(st.tuples(NAMES, st.binary(max_size=1200)), max_size=5))
def test_contents_follow_their_headers(files: list[tuple[str, bytes]]) -> None:
    archive = b"".join(
        tar_header(FileEntry(path=name, mode=stat.S_IFREG | 0o644, size=len(data)))
        + data
        + padding(len(data))
        for name, data in files
    )
    with tarfile.open(fileobj=io.BytesIO(archive + END), mode="r:") as tar:
        members = [(member.name, tar.extractfile(member)) for member in tar.getmembers()]
        assert [(name, file and file.read()) for name, file in members] == files


@pytest.mark.parametrize(
    ("path", "records"),
    [
        ("a" * 100, 0),
        ("a" * 101, 1),
        ("a" * 155 + "/" + "b" * 100, 0),
        ("a" * 156 + "/" + "b" * 100, 1),
        ("a" * 155 + "/" + "b" * 101, 1),
        ("é" * 50, 0),
        ("é" * 51, 1),
        ("/".join("abcdefghij" for _ in range(23)), 0),
    ],
)
def test_a_name_has_a_record_only_if_it_needs_one(path: str, records: int) -> None:
    header = tar_header(FileEntry(path=path, mode=stat.S_IFREG))
    assert len(header) == BLOCK * (1 + 2 * records)
    assert read(header).name == path


ENTRIES = [
    FileEntry(path="big", mode=stat.S_IFREG | 0o644, size=8**11),
    FileEntry(path="big", mode=stat.S_IFREG | 0o644, size=8**11 - 1),
    FileEntry(path="old", mode=stat.S_IFREG, mtime=-1),
    FileEntry(path="late", mode=stat.S_IFREG, mtime=8**11 * 10**9),
    FileEntry(path="link", mode=stat.S_IFLNK | 0o777, target="é" * 60),
    FileEntry(path="hard", mode=stat.S_IFREG | 0o755, target="a/" * 90 + "b", hard=True),
    FileEntry(path="null", mode=stat.S_IFCHR | 0o666, device=(1, 3)),
    FileEntry(path="\udcff" * 130, mode=stat.S_IFREG | 0o4755, mtime=8**11 * 10**9, size=8**12),
]


@pytest.mark.parametrize("entry", ENTRIES, ids=range(len(ENTRIES)))
def test_what_has_no_room_is_in_a_record(entry: FileEntry) -> None:
    assert facts(read(tar_header(entry))) == expected(entry)


def test_a_directory_may_need_a_record_for_its_slash() -> None:
    assert len(tar_header(FileEntry(path="a" * 99, mode=stat.S_IFDIR))) == BLOCK
    assert len(tar_header(FileEntry(path="a" * 100, mode=stat.S_IFDIR))) == 3 * BLOCK


def test_a_socket_has_no_header() -> None:
    with pytest.raises(ValueError, match="cannot have a file of mode 0o140644"):
        tar_header(FileEntry(path="s", mode=stat.S_IFSOCK | 0o644))
