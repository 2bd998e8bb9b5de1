"""Tars as the file system of a build context."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import stat
import tarfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from dockerproto import UploadFailed
from dockerproto.buildcontext.entry import FileEntry
from dockerproto.buildkit.files.selection import select
from dockerproto.sources import Source
from dockerproto_local.tarfiles import TarFiles
from tests.support.filesync import ALL, directory, file, link, symlink

LONG = "long/" * 40 + "\u00e4" * 100


def member(name: str, content: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def tar(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    file = BytesIO()
    with tarfile.open(
        fileobj=file, mode="w", format=form, encoding="utf-8", errors="surrogateescape"
    ) as archive:
        for info, content in members:
            archive.addfile(info, BytesIO(content))
    return file.getvalue()


def entries(files: TarFiles) -> list[FileEntry]:
    return [entry for entry in select(files, ALL) if entry is not None]


def read(files: TarFiles, path: str) -> bytes:
    opened = files.open(path)
    try:
        return b"".join(iter(lambda: opened.read(1000), b""))
    finally:
        opened.close()


SMALL = tar(member("./"), member("./b/a", b"content", mode=0o640), member("c"))


FORMS: dict[str, Callable[[bytes, Path], Source]] = {
    "bytes": lambda data, _: data,
    "bytearray": lambda data, _: bytearray(data),
    "memoryview": lambda data, _: memoryview(data),
    "a path": lambda data, path: written(path, data),
    "a text": lambda data, path: str(written(path, data)),
    "a file": lambda data, _: BytesIO(data),
    "a file that cannot seek": lambda data, _: Stream(data),
    "what has no more than read": lambda data, _: Reader(data),
    "a list": lambda data, _: [data[:100], b"", data[100:]],
    "a generator": lambda data, _: (data[at : at + 1000] for at in range(0, len(data), 1000)),
}


def written(path: Path, data: bytes) -> Path:
    (path / "context.tar").write_bytes(data)
    return path / "context.tar"


class Stream(BytesIO):
    """A file that is not seekable."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise AssertionError

    tell = seek


class Reader:
    """A minimal file object."""

    def __init__(self, data: bytes) -> None:
        self._data = BytesIO(data)

    def read(self, size: int, /) -> bytes:
        return self._data.read(size)


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "gzip in two parts": lambda data: gzip.compress(data[:700]) + gzip.compress(data[700:]),
}


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("form", FORMS)
def test_any_source_in_any_compression(tmp_path: Path, form: str, compression: str) -> None:
    files = TarFiles(FORMS[form](COMPRESSIONS[compression](SMALL), tmp_path))
    assert entries(files) == [directory("b"), file("b/a", 7, 0o640), file("c")]
    assert read(files, "b/a") == b"content"
    files.close()
    files.close()


def test_a_file_is_read_from_where_it_is_and_stays_open() -> None:
    source = BytesIO(b"something else" + SMALL)
    source.seek(14)
    files = TarFiles(source)
    assert read(files, "b/a") == b"content"
    files.close()
    assert not source.closed


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_what_a_tar_has(form: int) -> None:
    data = tar(
        member("z", b"z", mode=0o104755, mtime=7),
        member("/absolute"),
        member(LONG, b"deep"),
        member("\udcff"),
        member("s", type=tarfile.SYMTYPE, linkname="../\udcff/x"),
        member("h", type=tarfile.LNKTYPE, linkname="./z"),
        member("p", type=tarfile.FIFOTYPE, mode=0o600),
        member("c", type=tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o600),
        member("b", type=tarfile.BLKTYPE, devmajor=8, devminor=1, mode=0o600),
        member("d", type=tarfile.DIRTYPE, mode=0o1777),
        form=form,
    )
    files = TarFiles(data)
    found = entries(files)
    assert [entry.path for entry in found if not entry.path.startswith("long")] == [
        *("absolute", "b", "c", "d", "h", "p", "s", "z", "\udcff"),
    ]
    by_path = {entry.path: entry for entry in found}
    assert by_path["h"] == file("h", 1, 0o4755, 7 * 10**9)
    assert by_path["z"].hard
    assert by_path["z"].target == "h"
    assert by_path["s"].target == "../\udcff/x"
    assert by_path["d"] == directory("d", 0o1777)
    assert by_path["c"] == FileEntry(path="c", mode=stat.S_IFCHR | 0o600, device=(1, 3))
    assert by_path["b"].device == (8, 1)
    assert by_path["p"].mode == stat.S_IFIFO | 0o600
    assert (read(files, LONG), read(files, "h"), read(files, "z")) == (b"deep", b"z", b"z")


def test_times_are_of_nanoseconds_where_the_tar_has_them() -> None:
    (entry,) = entries(TarFiles(tar(member("a", mtime=1.5))))
    assert entry.mtime == 1_500_000_000


def test_of_two_members_the_last_counts() -> None:
    files = TarFiles(
        tar(member("a", b"old"), member("h", type=tarfile.LNKTYPE, linkname="a"), member("./a", b"newer"))
    )
    assert entries(files) == [file("a", 5), file("h", 3)]
    assert (read(files, "a"), read(files, "h")) == (b"newer", b"old")


def test_a_directory_may_come_after_what_is_in_it() -> None:
    files = TarFiles(tar(member("a/b"), member("a/", type=tarfile.DIRTYPE, mode=0o700, mtime=1)))
    assert entries(files) == [directory("a", 0o700, 10**9), file("a/b")]


def test_links_to_each_other() -> None:
    files = TarFiles(tar(member("b", b"1"), member("a", type=tarfile.LNKTYPE, linkname="b")))
    assert entries(files) == [file("a", 1), link("b", "a")]


def test_a_sparse_file(tmp_path: Path) -> None:
    # As `tar --sparse` of version 1.0 writes it: a map of its data, then the data.
    info, content = member("GNUSparseFile.0/a", b"1\n4096\n3\n".ljust(512, b"\0") + b"end".ljust(512, b"\0"))
    info.size = 512 + 3
    info.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "a",
        "GNU.sparse.realsize": "4099",
    }
    files = TarFiles(tar((info, content)))
    assert entries(files) == [file("a", 4099)]
    assert read(files, "a") == bytes(4096) + b"end"


BAD: dict[str, tuple[bytes, str]] = {
    "no tar": (b"no tar" * 100, "cannot read the tar of the build context: "),
    "nothing": (b"", "it is empty"),
    "short": (b"no tar", "cannot read the tar of the build context: "),
    "above": (tar(member("a/../../b")), "'a/../../b' must not contain '..'"),
    "linked above": (tar(member("a", type=tarfile.LNKTYPE, linkname="../b")), "'../b' must not contain"),
    "linked to nothing": (
        tar(member("a", type=tarfile.LNKTYPE, linkname="b")),
        "which is not a file before it",
    ),
    "linked to nothing at all": (tar(member("a", type=tarfile.LNKTYPE)), "which is not a file before it"),
    "below a file": (tar(member("a"), member("a/b")), "'a/b' is below 'a', which is not a directory"),
    "below a symlink": (
        tar(member("a", type=tarfile.SYMTYPE, linkname="/etc"), member("a/b")),
        "which is not a directory",
    ),
    "cut in a file": (tar(member("a", bytes(5000)))[:4000], "it is truncated in 'a'"),
    "cut in a header": (tar(member("a"))[:300], "cannot read the tar"),
    "cut in a later header": (tar(member("a"), member("b"))[:700], "cannot read the tar"),
    "damaged": (
        tar(member("a"))[:512] + b"x" * 512 + tar(member("b")),
        "damaged header at byte 512",
    ),
    "cut gzip": (gzip.compress(SMALL)[:-10], "end-of-stream marker"),
    "damaged gzip": (gzip.compress(SMALL)[:20] + bytes(100), "cannot read the tar"),
    "cut xz": (lzma.compress(SMALL)[:-20], "end-of-stream marker"),
    "damaged xz": (lzma.compress(SMALL)[:30] + bytes(100), "cannot read the tar"),
    "cut bzip2": (bz2.compress(SMALL)[:-10], "end-of-stream marker"),
    "damaged bzip2": (bz2.compress(SMALL)[:30] + bytes(100), "cannot read the tar"),
    "endless time": (tar(member("a", pax_headers={"mtime": "inf"})), "invalid time 'inf'"),
    "no time": (tar(member("a", pax_headers={"mtime": "nan"})), "invalid time 'nan'"),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(100), "Zstandard compression is not supported"),
}


@pytest.mark.parametrize(("data", "message"), BAD.values(), ids=BAD)
def test_what_cannot_be_unpacked(data: bytes, message: str) -> None:
    with pytest.raises(UploadFailed, match="cannot read the tar of the build context") as raised:
        TarFiles(data)
    assert message in raised.value.message
    assert raised.value.__cause__ is not None


def test_a_tar_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UploadFailed, match="No such file"):
        TarFiles(tmp_path / "missing.tar")


def test_a_tar_in_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_bytes, args=(tar(member("a", b"content")),))
    writer.start()
    files = TarFiles(pipe)
    writer.join()
    assert read(files, "a") == b"content"
    files.close()


def test_an_exception_of_the_programs_own() -> None:
    def pieces() -> Iterator[bytes]:
        yield SMALL[:100]
        raise RuntimeError("its own")

    with pytest.raises(RuntimeError, match="its own"):
        TarFiles(pieces())


def test_a_tar_that_is_cut_while_it_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, tar(member("a", bytes(1_000_000))))  # more than Python buffers, 128 KiB in 3.14
    files = TarFiles(path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(OSError, match="is truncated in 'a'"):
        read(files, "a")
    files.close()


def test_two_members_are_read_at_once() -> None:
    files = TarFiles(tar(member("a", b"12"), member("b", b"34")))
    first, second = files.open("a"), files.open("b")
    assert [each.read(1) for each in (first, second, first, second, first)] == [b"1", b"3", b"2", b"4", b""]


def test_a_symlink_is_not_followed() -> None:
    files = TarFiles(tar(member("s", type=tarfile.SYMTYPE, linkname="a", mode=0o777)))
    assert entries(files) == [symlink("s", "a")]
