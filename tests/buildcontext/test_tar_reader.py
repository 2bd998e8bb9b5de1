"""Find one file of a tar, in every form of tar; in malformed ones nothing is found."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dockerproto.buildcontext.tar_reader import READ_LIMIT, BytesFile, find_file

CONTENT = b"FROM busybox\n"
LONG = "a" * 120
Format: TypeAlias = Literal[0, 1, 2]
FORMATS: dict[str, Format] = {
    "ustar": tarfile.USTAR_FORMAT,
    "gnu": tarfile.GNU_FORMAT,
    "pax": tarfile.PAX_FORMAT,
}
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "gzip in two": lambda data: gzip.compress(data[:700]) + gzip.compress(data[700:]),
}


def tar(*entries: tuple[str, bytes, bytes], form: Format = 1, **fields: str) -> bytes:
    """Return a tar; for a link, the content is its target."""
    archive = b""
    for path, text, kind in entries:
        link = kind in (tarfile.SYMTYPE, tarfile.LNKTYPE)
        content = b"" if link else text
        info = tarfile.TarInfo(path)
        info.type, info.size, info.linkname = kind, len(content), text.decode() if link else ""
        info.pax_headers = fields
        archive += info.tobuf(form) + content + bytes(-len(content) % 512)
    return archive + bytes(1024)


def files(*paths: str) -> list[tuple[str, bytes, bytes]]:
    """Return entries of files that contain their own path."""
    return [(path, path.encode(), tarfile.REGTYPE) for path in paths]


def found(archive: bytes, path: str = "Dockerfile") -> bytes | None:
    """Return the file found, in memory and in a file that does not begin with the archive."""
    in_memory = find_file(BytesFile(memoryview(archive)), path)
    file = io.BytesIO(b"before" + archive)
    file.seek(6)
    assert find_file(file, path) == in_memory
    return in_memory


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("compress", COMPRESSIONS.values(), ids=COMPRESSIONS)
def test_every_form(form: Format, compress: Callable[[bytes], bytes]) -> None:
    large = ("large", bytes(100_001), tarfile.REGTYPE)
    archive = compress(tar(large, *files("a/Dockerfile", "Dockerfile", f"{LONG}/b"), form=form))
    assert found(archive) == b"Dockerfile"
    assert found(archive, f"{LONG}/b") == f"{LONG}/b".encode()
    assert found(archive, "Dockerfile2") is None


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize(
    "path", [f"{LONG}/{LONG[:99]}", "\u00fc/\u2603", "\u00fc" * 60 + "/x", "a b=c", "\udcff"], ids=ascii
)
def test_every_path(form: Format, path: str) -> None:
    info = tarfile.TarInfo(path)
    info.size = len(CONTENT)
    buffer = info.tobuf(form, errors="surrogateescape")
    assert found(buffer + CONTENT.ljust(512, b"\0") + bytes(1024), path) == CONTENT


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("Dockerfile", "./Dockerfile"),
        ("./Dockerfile", "Dockerfile"),
        ("/Dockerfile", "/Dockerfile"),
        ("a/../Dockerfile", "b/..//Dockerfile"),
        ("//a/./b", "a/b"),
        ("../a", "a"),
    ],
)
def test_paths_that_are_one(written: str, asked: str) -> None:
    assert found(tar(*files("Dockerfiles", written)), asked) == written.encode()


def test_the_first_of_several() -> None:
    assert found(tar(*((name, name.encode() + b"1", b"0") for name in ("x", "y")), *files("x", "y"))) is None
    assert found(tar(("x", b"1", b"0"), ("x", b"2", b"0")), "x") == b"1"


LINKS: dict[str, tuple[list[tuple[str, bytes, bytes]], bytes | None]] = {
    "beside it": ([*files("x"), ("Dockerfile", b"x", b"2")], b"x"),
    "after it": ([("Dockerfile", b"a/x", b"2"), *files("a/x")], b"a/x"),
    "to another": ([("Dockerfile", b"a/x", b"2"), ("a/x", b"../y", b"2"), *files("y", "a/y")], b"y"),
    "from the root": ([("Dockerfile", b"/a/x", b"2"), *files("a/x")], b"a/x"),
    "out of the context": ([("Dockerfile", b"../../x", b"2"), *files("x")], b"x"),
    "to nothing": ([("Dockerfile", b"x", b"2")], None),
    "to itself": ([("Dockerfile", b"Dockerfile", b"2")], None),
    "to each other": ([("Dockerfile", b"x", b"2"), ("x", b"Dockerfile", b"2")], None),
    "to a long name": ([("Dockerfile", LONG.encode(), b"2"), *files(LONG)], LONG.encode()),
    "hard": ([*files("a/x"), ("Dockerfile", b"a/x", b"1")], b"a/x"),
    "hard, in a directory": ([*files("x", "a/x"), ("a/Dockerfile", b"x", b"1")], None),
}


@pytest.mark.parametrize(("entries", "content"), LINKS.values(), ids=LINKS)
@pytest.mark.parametrize("form", ["gnu", "pax"])
def test_links_are_followed(
    entries: list[tuple[str, bytes, bytes]], content: bytes | None, form: str
) -> None:
    assert found(tar(*entries, form=FORMATS[form])) == content


def test_a_hard_link_is_of_the_root() -> None:
    assert found(tar(*files("x", "a/x"), ("a/b", b"x", b"1")), "a/b") == b"x"


@pytest.mark.parametrize("kind", [tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, b"S", b"?"])
def test_what_is_no_file(kind: bytes) -> None:
    assert found(tar(("Dockerfile", b"", kind))) is None
    assert found(tar(("a", b"", kind), *files("Dockerfile"))) == b"Dockerfile"


def test_a_directory_that_has_a_size() -> None:
    header = bytearray(tar(("a", b"", tarfile.DIRTYPE))[:512])
    header[124:136] = b"00000001000\0"
    header[148:156] = b"%06o\0 " % (sum(header) - sum(header[148:156]) + 256)
    assert found(bytes(header) + tar(*files("Dockerfile"))) == b"Dockerfile"


def test_a_large_file_is_cut() -> None:
    archive = tar(("Dockerfile", b"x" * (READ_LIMIT + 1), b"0"))
    assert found(archive) == b"x" * READ_LIMIT


def test_records_of_a_pax_header() -> None:
    header = tar(("a", b"", b"0"), form=tarfile.PAX_FORMAT, path="b", size="3", comment="x\ny=z")[:-1024]
    archive = header + b"abc".ljust(512, b"\0") + tar(*files("a"))
    assert found(archive, "b") == b"abc"
    assert found(archive, "a") == b"a"


def with_size(field: bytes) -> bytes:
    header = bytearray(tar(*files("Dockerfile")))
    header[124:136] = field.ljust(12, b"\0")
    header[148:156] = b"%06o\0 " % (sum(header[:512]) - sum(header[148:156]) + 256)
    return bytes(header)


@pytest.mark.parametrize(
    ("field", "content"),
    [
        (b"3", b"Doc"),
        (b" 0000003 ", b"Doc"),
        (b"\x80" + bytes(10) + b"\x03", b"Doc"),
        (b"", b""),
        (b"9", None),
        (b"x", None),
        (b"-1", None),
        (b"\xff" * 12, None),
        (b"\x80" + b"\xff" * 11, None),
        (b"7" * 11, b"Dockerfile"),
    ],
)
def test_sizes(field: bytes, content: bytes | None) -> None:
    result = found(with_size(field))
    assert (result and result.rstrip(b"\0")) == content


def test_a_size_in_a_pax_header_that_is_none() -> None:
    archive = tar(("x", b"", b"0"), form=tarfile.PAX_FORMAT, size="x")
    assert found(archive[:-1024] + tar(*files("Dockerfile"))) is None


NONE: dict[str, bytes] = {
    "nothing": b"",
    "zeros": bytes(10_240),
    "text": b"FROM busybox\n" * 100,
    "a wrong checksum": tar(*files("Dockerfile")).replace(b"Dockerfile", b"dockerfilE"),
    "half a header": tar(*files("Dockerfile"))[:300],
    "after the end": tar() + tar(*files("Dockerfile")),
    "gzip of nothing": gzip.compress(b""),
    "half a gzip": gzip.compress(tar(("a", bytes(range(256)) * 40, b"0"), *files("Dockerfile")))[:300],
    "a broken gzip": gzip.compress(tar(("a", b"a" * 9999, b"0")))[:-8] + b"12345678",
    "invalid gzip": b"\x1f\x8b" + b"x" * 1000,
    "invalid bzip2": b"BZh9" + b"x" * 1000,
    "invalid xz": b"\xfd7zXZ\0" + b"x" * 1000,
    "zstd": b"\x28\xb5\x2f\xfd" + b"x" * 1000,
}


@pytest.mark.parametrize("archive", NONE.values(), ids=NONE)
def test_what_is_no_tar(archive: bytes) -> None:
    assert found(archive) is None


def test_a_text() -> None:
    text: Any = io.StringIO("FROM busybox\n")
    assert find_file(text, "Dockerfile") is None


ARCHIVE = tar(*files("a", LONG), ("Dockerfile", b"a", b"2"), form=tarfile.PAX_FORMAT)


@given(st.data())
def test_what_is_damaged_is_no_error(data: st.DataObject) -> None:
    archive = bytearray(ARCHIVE)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(archive) - 1))
        piece = data.draw(st.binary(max_size=20))
        archive[start : start + len(piece)] = piece
    compress = data.draw(st.sampled_from([*COMPRESSIONS.values()]))
    cut = data.draw(st.integers(0, len(archive)))
    content = found(compress(bytes(archive[:cut])))
    assert content is None or len(content) <= len(archive)


class Counting(io.BytesIO):
    """A file that counts the bytes read from it."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(size)
        self.count += len(piece)
        return piece


def test_contents_are_not_read() -> None:
    file = Counting(tar(("large", bytes(10_000_000), b"0"), *files("Dockerfile")))
    assert find_file(file, "Dockerfile") == b"Dockerfile"
    assert file.count < 10_000


def test_no_more_is_unpacked_than_is_needed() -> None:
    noise = b"".join(bytes([each * 7919 % 251]) for each in range(300_000))
    file = Counting(gzip.compress(tar(*files("Dockerfile"), ("large", noise * 9, b"0")), 0))
    assert find_file(file, "Dockerfile") == b"Dockerfile"
    assert file.count < 300_000


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_the_bytes_that_are_decompressed_are_limited(compress: Callable[[bytes], bytes]) -> None:
    archive = compress(tar(("large", bytes(500_000), b"0"), *files("Dockerfile")))
    assert find_file(io.BytesIO(archive), "Dockerfile", 600_000) == b"Dockerfile"
    assert find_file(io.BytesIO(archive), "Dockerfile", 400_000) is None


def test_the_limit_holds_for_all_links_together() -> None:
    archive = tar(("large", bytes(500_000), b"0"), ("Dockerfile", b"x", b"2"), *files("x"))
    assert find_file(io.BytesIO(gzip.compress(archive)), "Dockerfile", 1_100_000) == b"x"
    assert find_file(io.BytesIO(gzip.compress(archive)), "Dockerfile", 900_000) is None
    assert find_file(io.BytesIO(archive), "Dockerfile", 0) == b"x"


class Short(io.BytesIO):
    """A file whose read() returns less than was asked for."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 0, 100))


def test_a_file_that_gives_little_at_a_time(tmp_path: Path) -> None:
    archive = tar(("a", bytes(1000), b"0"), ("Dockerfile", CONTENT * 100, b"0"))
    assert find_file(Short(archive), "Dockerfile") == CONTENT * 100
    assert find_file(Short(gzip.compress(archive)), "Dockerfile") == CONTENT * 100
