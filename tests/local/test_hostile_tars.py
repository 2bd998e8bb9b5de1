"""Tars of build contexts that somebody made to exhaust memory, disk, time or the parser."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dockerproto import UploadFailed
from dockerproto.buildcontext.limits import Limits
from dockerproto.buildcontext.tar_input import XZ_MEMORY
from dockerproto.buildkit.files.selection import select
from dockerproto_local.tarfiles import TarFiles
from tests.support.filesync import ALL, directory, file, symlink
from tests.support.lines_run import lines_run
from tests.support.tars import BLOCK, END, header, padded, pax, pax_record, raw_member

DEEP = "d/" * 200_000
NINES = "9" * 5000
MIB = 2**20
GIB = 2**30
FILE = raw_member(b"a", b"content")


def sparse(*records: tuple[str, str], content: bytes = b"") -> bytes:
    """Return a sparse file of a pax format."""
    return pax(*((f"GNU.sparse.{key}", value) for key, value in records)) + raw_member(b"a", content) + END


def sparse_1_0(lines: bytes, size: str = "10") -> bytes:
    """Return a sparse file of the pax format 1.0."""
    return sparse(("major", "1"), ("minor", "0"), ("realsize", size), content=padded(lines) + b"data")


def sparse_old(
    fields: bytes, *blocks: bytes, size: bytes = b"%011o\0" % 10, continues: bool = False
) -> bytes:
    """Return a sparse file of the old format, whose data has 4 bytes."""
    given = {257: b"ustar  \0", 386: fields, 482: bytes([continues]), 483: size}
    return header(b"a", b"S", 4, given) + b"".join(blocks) + padded(b"data") + END


def old_map(*numbers: int) -> bytes:
    return b"".join(b"%011o\0" % number for number in numbers)


REFUSED: dict[str, tuple[bytes, str]] = {
    "deep, by pax": (pax(("path", DEEP)) + FILE, "nested in more than 512 directories"),
    "deep, by GNU": (raw_member(b"L", DEEP.encode(), b"L") + FILE, "nested in more than 512 directories"),
    "a deep sparse file": (
        sparse(("map", "0,0"), ("size", "1"), ("name", DEEP)),
        "nested in more than 512 directories",
    ),
    "a long name": (pax(("path", "n" * 256)) + FILE, "a name has more than 255 bytes"),
    "a long path": (pax(("path", f"{'n' * 200}/" * 21)) + FILE, "the path has more than 4095 bytes"),
    "a long symlink": (
        pax(("linkpath", DEEP)) + raw_member(kind=b"2"),
        "the target of 'a' has more than 4095 bytes",
    ),
    "a long hard link": (pax(("linkpath", DEEP)) + raw_member(kind=b"1"), "nested in more than 512 dir"),
    "above the root": (pax(("path", f"../{DEEP}")) + FILE, "must not contain '..'"),
    "size of thousands of digits": (pax(("size", NINES)) + FILE, "invalid size '9999"),
    "size beyond 64 bits": (pax(("size", f"{2**63}")) + FILE, "invalid size '9223372036854775808'"),
    "negative size": (pax(("size", "-1")) + FILE, "invalid size '-1'"),
    "size that is not a number": (pax(("size", "\u0663")) + FILE, "invalid size '\u0663'"),
    "binary size": (header(size=b"\x80" + b"\xff" * 11), "invalid size "),
    "negative binary size": (header(size=b"\xff" * 12), "invalid size -1"),
    "size that is not octal": (header(size=b"8"), "damaged header at byte 0: invalid literal"),
    "large file": (header(size=b"\x80" + bytes(5) + b"\x02" + bytes(5)), "'a' has 2199023255552 bytes"),
    "file beyond the end": (header(size=MIB), "it is truncated in 'a'"),
    "endless time": (pax(("mtime", "inf")) + FILE, "invalid time 'inf'"),
    "no time": (pax(("mtime", "nan")) + FILE, "invalid time 'nan'"),
    "time with an exponent": (pax(("mtime", "1e400")) + FILE, "invalid time '1e400'"),
    "time of thousands of digits": (pax(("mtime", NINES)) + FILE, "invalid time '9999"),
    "record that is too long": (raw_member(b"p", b"99 path=b\n", b"x") + FILE, "invalid pax record after 0"),
    "record that is too short": (raw_member(b"p", b"3 path=b\n", b"x") + FILE, "invalid pax record after 0"),
    "record of no length": (raw_member(b"p", b"0 path=b\n", b"x") + FILE, "invalid pax record after 0"),
    "record without a number": (raw_member(b"p", b"path=b\n", b"x") + FILE, "invalid pax record after 0"),
    "record without an end": (
        raw_member(b"p", pax_record("mtime", "1") + b"8 path=b", b"x") + FILE,
        f"invalid pax record after {len(pax_record('mtime', '1'))} bytes",
    ),
    "record with a number of thousands of digits": (
        raw_member(b"p", NINES.encode() + b" path=b\n", b"x") + FILE,
        "invalid pax record after 0",
    ),
    "pax header of a gigabyte": (header(b"p", b"x", GIB) + FILE, "an extension header has more than 1048576"),
    "Solaris header of a gigabyte": (header(b"p", b"X", GIB) + FILE, "an extension header has more than"),
    "long name of a gigabyte": (header(b"p", b"L", GIB) + FILE, "an extension header has more than 1048576"),
    "long link of a gigabyte": (header(b"p", b"K", GIB) + FILE, "an extension header has more than 1048576"),
    "global header of a gigabyte": (header(b"p", b"g", GIB), "it is truncated"),
    "truncated pax header": (pax(("path", "b" * BLOCK))[:-BLOCK], "it is truncated"),
    "truncated long name": (raw_member(b"L", b"b" * BLOCK, b"L")[:-BLOCK], "it is truncated"),
    "nothing after a pax header": (pax(("path", "b")), "it ends after an extension header"),
    "truncated padding": (FILE[:-1], "it is truncated"),
    "wrong checksum": (header().replace(b"a", b"b"), "damaged header at byte 0: its checksum is wrong"),
    "hard link to a directory": (
        raw_member(b"d", kind=b"5") + pax(("linkpath", "d")) + raw_member(kind=b"1"),
        "'a' is a hard link to 'd', which is not a file before it",
    ),
    "hard links to each other": (
        pax(("linkpath", "b"))
        + raw_member(b"a", kind=b"1")
        + pax(("linkpath", "a"))
        + raw_member(b"b", kind=b"1"),
        "'a' is a hard link to 'b', which is not a file before it",
    ),
    "below a hard link": (
        FILE + pax(("linkpath", "a")) + raw_member(b"h", kind=b"1") + raw_member(b"h/b"),
        "'h/b' is below 'h', which is not a directory",
    ),
    "sparse, in no order": (sparse(("map", "5,1,0,1"), ("size", "10"), content=b"12"), "is not in order"),
    "sparse, longer than it": (
        sparse(("map", "0,11"), ("size", "10"), content=bytes(11)),
        "exceeds its size",
    ),
    "sparse, with too little data": (
        sparse(("map", "0,5"), ("size", "10"), content=b"1234"),
        "longer than its data",
    ),
    "sparse, without a size": (sparse(("map", "0,1"), content=b"1"), "invalid size ''"),
    "sparse, of an odd number": (
        sparse(("map", "0,1,2"), ("size", "10"), content=b"1"),
        "argument 2 is shorter",
    ),
    "sparse, of thousands of digits": (sparse(("map", f"0,{NINES}"), ("size", "10")), "invalid size '9999"),
    "sparse 1.0, without a map": (sparse_1_0(b"x" * 3 * BLOCK), "truncated or too long"),
    "sparse 1.0, with a count that is too high": (sparse_1_0(b"1000000\n0\n4\n"), "truncated or too long"),
    "sparse 1.0, with a count of thousands of digits": (
        sparse_1_0(NINES.encode() + b"\n"),
        "invalid size '9999",
    ),
    "sparse 1.0, with a negative offset": (sparse_1_0(b"1\n-1\n4\n"), "invalid size '-1'"),
    "sparse 1.0, without a size": (sparse_1_0(b"1\n0\n4\n", ""), "invalid size ''"),
    "sparse 1.0, cut": (sparse_1_0(b"1000\n" + b"0\n0\n" * 900)[: 4 * BLOCK], "truncated or too long"),
    "old sparse, negative": (sparse_old(old_map(0) + b"\xff" * 12), "is not in order, or exceeds its size"),
    "old sparse, of a negative size": (sparse_old(b"", size=b"\xff" * 12), "invalid size -1"),
    "old sparse, cut": (sparse_old(b"", continues=True)[:BLOCK], "truncated or too long"),
    "old sparse, endless": (
        sparse_old(b"", (bytes(504) + b"\1").ljust(BLOCK, b"\0") * 3000, continues=True),
        "truncated or too long",
    ),
    "gzip in gzip": (gzip.compress(gzip.compress(FILE)), "cannot read the tar"),
    "garbage after gzip": (gzip.compress(FILE + END) + b"garbage", "Not a gzipped file"),
    "garbage after xz": (lzma.compress(FILE + END) + b"garbage", "cannot read the tar"),
}


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(UploadFailed, match="cannot read the tar of the build context: ") as raised:
        TarFiles(data)
    assert message in raised.value.message
    assert len(raised.value.message) < 800


ACCEPTED: dict[str, tuple[bytes, list[Any]]] = {
    "owners and times of no interest": (
        pax(("uid", NINES), ("gid", "-1"), ("atime", "inf"), ("ctime", "x"), ("SCHILY.xattr.a", "\0\n="))
        + FILE,
        [file("a", 7, 0)],
    ),
    "an empty value": (pax(("path", ""), ("size", "")) + FILE, [file("a", 7, 0)]),
    "a time before 1970": (pax(("mtime", "-1.5")) + FILE, [file("a", 7, 0, -1_500_000_000)]),
    "a time in binary": (header(fields={136: b"\xff" * 12}), [file("a", 0, 0, -(10**9))]),
    "the finest time": (pax(("mtime", "1.0000000019")) + FILE, [file("a", 7, 0, 10**9 + 1)]),
    "a large mode": (header(fields={100: b"\x80" + b"\xff" * 7}), [file("a", 0, 0o7777)]),
    "many extension headers": (
        (pax(("path", "b" * 200)) + raw_member(b"L", b"c", b"L") + raw_member(b"K", b"c", b"K")) * 1000
        + FILE,
        [file("c", 7, 0)],
    ),
    "many global headers": (pax(("path", "b"), ("mtime", "1"), kind=b"g") * 3000 + FILE, [file("a", 7, 0)]),
    "the last of several records": (pax(("path", "b"), ("path", "c")) + FILE, [file("c", 7, 0)]),
    "a directory in the oldest format": (
        header(b"d/", b"\0", fields={257: bytes(8)}),
        [directory("d", 0)],
    ),
    "a checksum of signed bytes": (header("\u00e4".encode(), signed=True), [file("\u00e4", 0, 0)]),
    "the same member again and again": (raw_member(b"d/a") * 5000, [directory("d"), file("d/a", 0, 0)]),
    "a symlink to itself": (
        pax(("linkpath", "s")) + raw_member(b"s", kind=b"2"),
        [symlink("s", "s")],
    ),
    "the root": (raw_member(b"./", kind=b"5") + FILE, [file("a", 7, 0)]),
    "zeros after gzip": (gzip.compress(FILE + END) + bytes(10), [file("a", 7, 0)]),
    "zeros between xz streams": (lzma.compress(FILE) + bytes(2**17) + lzma.compress(END), [file("a", 7, 0)]),
    "many gzip streams": (gzip.compress(b"") * 1000 + gzip.compress(FILE), [file("a", 7, 0)]),
    "the deepest path": (
        pax(("path", "/".join(["d"] * 512))) + FILE,
        [*(directory("/".join(["d"] * depth)) for depth in range(1, 512)), file("/".join(["d"] * 512), 7, 0)],
    ),
}


@pytest.mark.parametrize(("data", "found"), ACCEPTED.values(), ids=ACCEPTED)
def test_what_is_accepted(data: bytes, found: list[Any]) -> None:
    modes = {entry.path: entry for entry in found}
    with closing(TarFiles(data)) as files:
        entries = [entry for entry in select(files, ALL) if entry is not None]
    assert [(each.path, each.size, each.mtime, each.target) for each in entries] == [
        (each.path, each.size, each.mtime, each.target) for each in found
    ]
    assert all(entry.mode >> 12 == modes[entry.path].mode >> 12 for entry in entries)


def test_a_large_mode_keeps_its_permissions() -> None:
    node = TarFiles(header(fields={100: b"\x80" + b"\xff" * 7})).look("a")
    assert node is not None
    assert node.entry.mode & 0o7777 == 0o7777


def test_hard_links_of_hard_links() -> None:
    links = (pax(("linkpath", f"{n or 'a'}")) + raw_member(b"%d" % (n + 1), kind=b"1") for n in range(2000))
    files = TarFiles(FILE + b"".join(links))
    node, last = files.look("a"), files.look("2000")
    assert node is not None
    assert last is not None
    assert (last.entry.size, last.identity) == (7, node.identity)


SPARSE: dict[str, bytes] = {
    "0.0": sparse(
        *(
            ("size", "10"),
            ("numblocks", "2"),
            ("offset", "2"),
            ("numbytes", "3"),
            ("offset", "9"),
            ("numbytes", "1"),
        ),
        content=b"data",
    ),
    "0.1": sparse(("size", "10"), ("map", "2,3,5,0,9,1"), content=b"data"),
    "1.0": sparse_1_0(b"2\n2\n3\n9\n1\n"),
    "old": sparse_old(old_map(2, 3, 9, 1)),
    "old, continued": sparse_old(
        old_map(2, 3), (old_map(9, 1, 10, 0).ljust(504, b"\0") + b"\0").ljust(BLOCK, b"\0"), continues=True
    ),
}


@pytest.mark.parametrize("data", SPARSE.values(), ids=SPARSE)
@pytest.mark.parametrize("size", [1, 4, 100])
def test_sparse_files(data: bytes, size: int) -> None:
    files = TarFiles(data)
    content = files.open("a")
    assert b"".join(iter(lambda: content.read(size), b"")) == b"\0\0dat\0\0\0\0a"


def test_a_sparse_file_with_a_long_map() -> None:
    numbers = [number for offset in range(400) for number in (offset * 1000, 1)]
    lines = "\n".join(map(str, [400, *numbers, ""])).encode()
    content = padded(lines) + b"x" * 400
    data = sparse(("major", "1"), ("minor", "0"), ("realsize", "400000"), content=content)
    opened = TarFiles(data).open("a")
    assert b"".join(iter(lambda: opened.read(7777), b"")) == (b"x" + bytes(999)) * 400


LIMITED: dict[str, tuple[Limits, bytes, str]] = {
    "members": (Limits(entries=2), b"".join(raw_member(b"%d" % n) for n in range(3)), "more than 2 entries"),
    "implied directories": (Limits(entries=3), raw_member(b"a/b/c/d"), "more than 3 entries"),
    "segments": (Limits(entries=1), SPARSE["0.1"], "more than 1 entries"),
    "paths": (
        Limits(text=5),
        raw_member(b"abc") + raw_member(b"def"),
        "paths of more than 5 characters in total",
    ),
    "targets": (Limits(text=5), pax(("linkpath", "target")) + raw_member(kind=b"2"), "paths of more than 5"),
}


@pytest.mark.parametrize(("limits", "data", "message"), LIMITED.values(), ids=LIMITED)
def test_the_number_of_members_is_limited(limits: Limits, data: bytes, message: str) -> None:
    with pytest.raises(UploadFailed, match=message):
        TarFiles(data, limits=limits)


BOMB = raw_member(b"a", bytes(5 * MIB)) + END
COMPRESSED: dict[str, Callable[[], Any]] = {
    "gzip": lambda: gzip.compress(BOMB),
    "bzip2": lambda: bz2.compress(BOMB),
    "xz": lambda: lzma.compress(BOMB),
    "many gzip streams": lambda: gzip.compress(FILE) * (5 * MIB // len(FILE)),
    "an iterable": lambda: iter([BOMB]),
    "a compressed iterable": lambda: iter([gzip.compress(BOMB)]),
    "a sparse file": lambda: sparse(("map", "0,0"), ("size", f"{5 * MIB}")),
    "several sparse files": lambda: sparse(("map", "0,1"), ("size", f"{MIB}"), content=b"x")[: -len(END)] * 5,
}


@pytest.mark.parametrize("make", COMPRESSED.values(), ids=COMPRESSED)
def test_temporary_files_are_limited(
    make: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(UploadFailed, match="takes more than 4194304 bytes, the client's context_limit"):
        TarFiles(make(), 4 * MIB)
    descriptors = (Path(each.path) for each in os.scandir("/proc/self/fd"))
    assert not any(each.readlink().is_relative_to(tmp_path) for each in descriptors if each.is_symlink())


def test_a_tar_that_is_read_in_place_is_not_limited() -> None:
    assert TarFiles(BOMB, 1).names("") == ["a"]


def with_dictionary(data: bytes, code: int) -> bytes:
    """Return an xz file whose header asks for a dictionary of another size."""
    length = 4 * (data[12] + 1)
    block = data[12:16] + bytes([code]) + data[17 : 12 + length - 4]
    return data[:12] + block + zlib.crc32(block).to_bytes(4, "little") + data[12 + length :]


def test_the_memory_of_xz_is_limited() -> None:
    data = lzma.compress(FILE + END)
    with closing(TarFiles(with_dictionary(data, 30))) as files:  # 128 MiB
        assert files.names("") == ["a"]
    assert XZ_MEMORY == 256 * MIB
    with pytest.raises(UploadFailed, match="Memory usage limit"):
        TarFiles(with_dictionary(data, 40))  # 4 GiB


def peak(data: bytes) -> int:
    """Return the memory that the members of a tar take at most, in bytes."""
    tracemalloc.start()
    try:
        TarFiles(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


GROWING: dict[str, Callable[[int], bytes]] = {
    "depth": lambda n: pax(("path", "directory/" * n + "a")) + FILE,
    "members": lambda n: b"".join(raw_member(b"%d" % each) for each in range(n)),
    "members below one directory": lambda n: b"".join(raw_member(b"d/%d" % each) for each in range(n)),
    "members after global headers": lambda n: (
        pax(*((f"key{each}", "") for each in range(n)), kind=b"g") + pax(("mtime", "1")) * n + FILE * n
    ),
    "extension headers": lambda n: pax(("path", "b")) * n + FILE,
    "unknown records": lambda n: pax(*((f"key{each}", "value") for each in range(n))) + FILE,
    "records of a sparse file": lambda n: sparse(
        ("size", "1"), *((key, "0") for _ in range(n) for key in ("offset", "numbytes"))
    ),
    "lines of a sparse file": lambda n: sparse_1_0(b"%d\n" % n + b"0\n0\n" * n),
    "hard links": lambda n: (
        FILE
        + b"".join(
            pax(("linkpath", f"{each or 'a'}")) + raw_member(b"%d" % (each + 1), kind=b"1")
            for each in range(n)
        )
    ),
}
FACTOR = 4
BOUND = 1.5
"""A tar that is `FACTOR` times as large costs at most `BOUND` times as much for each of its bytes."""


@pytest.mark.parametrize("grow", GROWING.values(), ids=GROWING)
def test_memory_and_work_are_linear(grow: Callable[[int], bytes]) -> None:
    short, long = grow(100), grow(100 * FACTOR)
    TarFiles(long)  # modules and caches
    assert peak(long) <= BOUND * FACTOR * peak(short)
    assert lines_run(lambda: TarFiles(long)) <= BOUND * FACTOR * lines_run(lambda: TarFiles(short))


def test_the_module_tarfile_reads_the_same(tmp_path: Path) -> None:
    """The forms that a well-behaved program makes, compared with the parser of the standard library."""
    (tmp_path / "holes").write_bytes(b"start")
    with (tmp_path / "holes").open("ab") as holes:
        holes.truncate(10_000)
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
            archive.add(tmp_path, "root")
            for name, size, time in (("x" * 90, 3, 7), (f"{'y' * 80}/{'z' * 90}", 700, 8)):
                info = tarfile.TarInfo(name)
                info.size, info.mtime = size, time
                archive.addfile(info, io.BytesIO(b"c" * size))
        files = TarFiles(buffer.getvalue())
        with tarfile.open(fileobj=io.BytesIO(buffer.getvalue())) as archive:
            for member in archive:
                node = files.look(member.name)
                assert node is not None
                assert (node.entry.size, node.entry.mode & 0o7777) == (member.size, member.mode)
                assert abs(node.entry.mtime - member.mtime * 10**9) < 1000  # it is a float there
                if member.isfile():
                    expected = archive.extractfile(member)
                    assert expected is not None
                    assert files.open(member.name).read(member.size) == expected.read()
