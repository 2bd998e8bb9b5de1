"""A directory with an OCI layout: files appear in it when they are complete, and nothing leads out of it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from dockerproto_local.local_host import LocalHost
from dockerproto_local.oci_layout import OCILayout
from dockerproto_local.small_files import READ_LIMIT
from tests.support.filesync import listing
from tests.support.layouts import digest_of, index_of
from tests.support.limits import largest_file

BLOB: Final = b"content of a blob"
DIGEST: Final = digest_of(BLOB)
PATH: Final = f"blobs/{DIGEST.replace(':', '/')}"


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A path for a layout; no descriptor is left open."""
    before = listing("/proc/self/fd")
    yield tmp_path / "new/layout"
    assert listing("/proc/self/fd") == before


@pytest.fixture
def layout(root: Path) -> OCILayout:
    return OCILayout(root, create=True)


def write(layout: OCILayout, content: bytes = BLOB) -> None:
    file = layout.create(digest_of(content))
    file.write(content)
    file.commit()


def names(root: Path) -> list[str]:
    return sorted(str(each.relative_to(root)) for each in root.rglob("*") if not each.is_dir())


def test_a_blob(layout: OCILayout, root: Path) -> None:
    assert layout.size(DIGEST) is None
    file = layout.create(DIGEST)
    file.write(BLOB[:3])
    assert layout.size(DIGEST) is None
    file.write(BLOB[3:])
    file.commit()
    assert layout.size(DIGEST) == len(BLOB)
    assert names(root) == [PATH]
    with layout.open(DIGEST, 3) as reader:
        assert reader.read(100) == BLOB[3:]


def test_a_blob_that_is_discarded(layout: OCILayout, root: Path) -> None:
    file = layout.create(DIGEST)
    file.write(BLOB)
    file.discard()
    assert names(root) == []


def test_files_are_readable_as_the_umask_says(layout: OCILayout, root: Path) -> None:
    old = os.umask(0o027)
    try:
        write(layout)
        layout.update_index(lambda _: b"{}")
    finally:
        os.umask(old)
    assert {stat.S_IMODE((root / each).stat().st_mode) for each in names(root)} == {0o640}


def test_a_layout_that_exists_is_used(layout: OCILayout, root: Path) -> None:
    write(layout)
    (root / "oci-layout").write_bytes(b"kept")
    link = root.with_name("link")
    link.symlink_to(root)
    again = OCILayout(link, create=True)
    again.update_index(lambda index: index or b"{}")
    assert again.size(DIGEST) == len(BLOB)
    assert (root / "oci-layout").read_bytes() == b"kept"
    assert OCILayout(root, create=False).read_index() == b"{}"


def test_a_relative_path_stays_where_it_was(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root.mkdir(parents=True)
    monkeypatch.chdir(root)
    layout = OCILayout("here", create=True)
    monkeypatch.chdir(root.parent)
    write(layout)
    assert (root / "here" / PATH).exists()


def test_a_layout_that_does_not_exist(root: Path) -> None:
    with pytest.raises(FileNotFoundError):
        OCILayout(root, create=False)
    assert not root.exists()
    root.mkdir(parents=True)
    layout = LocalHost().layout(str(root), create=False)
    assert (layout.read_index(), layout.size(DIGEST)) == (None, None)
    assert names(root) == []


def test_a_layout_that_cannot_be_made(root: Path) -> None:
    root.parent.mkdir()
    root.touch()
    for create in (False, True):
        with pytest.raises(OSError, match="layout"):
            OCILayout(root, create=create)


class TestTheIndex:
    def test_is_replaced(self, layout: OCILayout, root: Path) -> None:
        assert layout.read_index() is None
        layout.update_index(lambda index: repr(index).encode())
        layout.update_index(lambda index: b"after " + (index or b""))
        assert layout.read_index() == b"after None"
        assert json.loads((root / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
        assert names(root) == ["index.json", "oci-layout"]

    def test_has_all_updates_made_at_once(self, layout: OCILayout) -> None:
        def add(number: int) -> None:
            layout.update_index(lambda index: (index or b"") + bytes([number]))

        with ThreadPoolExecutor() as threads:
            for _ in threads.map(add, range(40)):
                pass
        assert sorted(layout.read_index() or b"") == list(range(40))

    def test_is_updated_without_locks(self, layout: OCILayout, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(fcntl, "flock", refuse)
        layout.update_index(lambda _: b"{}")
        assert layout.read_index() == b"{}"

    def test_stays_if_the_update_fails(self, layout: OCILayout, root: Path) -> None:
        layout.update_index(lambda _: b"{}")

        def fail(_: bytes | None) -> bytes:
            raise ValueError("malformed")

        with pytest.raises(ValueError, match="malformed"):
            layout.update_index(fail)
        with largest_file(10), pytest.raises(OSError, match=r"index\.json"):
            layout.update_index(lambda _: bytes(100))
        assert layout.read_index() == b"{}"
        assert names(root) == ["index.json", "oci-layout"]

    def test_has_a_limit(self, layout: OCILayout, root: Path) -> None:
        with (root / "index.json").open("wb") as file:
            file.truncate(READ_LIMIT + 1)
        with pytest.raises(OSError, match="Larger than"):
            layout.read_index()
        with pytest.raises(OSError, match="Larger than"):
            layout.update_index(lambda _: b"{}")

    def test_must_be_a_file(self, layout: OCILayout, root: Path) -> None:
        os.mkfifo(root / "index.json")
        with pytest.raises(OSError, match="Not a regular file"):
            layout.read_index()


class TestSymlinks:
    """A layout may be somebody else's: a symlink in it must not lead out."""

    @pytest.fixture
    def outside(self, root: Path, layout: OCILayout) -> Path:
        outside = root.with_name("outside")
        (outside / "sha256").mkdir(parents=True)
        (outside / PATH.removeprefix("blobs/")).write_bytes(BLOB)
        (outside / "index.json").write_bytes(index_of())
        return outside

    def test_of_a_blob(self, layout: OCILayout, root: Path, outside: Path) -> None:
        (root / PATH).symlink_to(outside / PATH.removeprefix("blobs/"))
        assert layout.size(DIGEST) is None
        with pytest.raises(OSError, match="Too many levels of symbolic links"):
            layout.open(DIGEST, 0)
        write(layout)  # which replaces the symlink
        assert not (root / PATH).is_symlink()
        assert listing(outside / "sha256") == [DIGEST.removeprefix("sha256:")]

    @pytest.mark.parametrize("directory", ["blobs", "blobs/sha256"])
    def test_of_a_directory(self, layout: OCILayout, root: Path, outside: Path, directory: str) -> None:
        if directory == "blobs":
            (root / "blobs/sha256").rmdir()
        (root / directory).rmdir()
        (root / directory).symlink_to(outside if directory == "blobs" else outside / "sha256")
        with pytest.raises(OSError, match="Too many levels of symbolic links"):
            layout.size(DIGEST)
        with pytest.raises(OSError, match="Too many levels of symbolic links"):
            layout.open(DIGEST, 0)
        with pytest.raises(OSError, match="Too many levels of symbolic links"):
            layout.create(DIGEST)
        OCILayout(root, create=True)
        assert listing(outside) == ["index.json", "sha256"]

    def test_of_the_index(self, layout: OCILayout, root: Path, outside: Path) -> None:
        (root / "index.json").symlink_to(outside / "index.json")
        with pytest.raises(OSError, match="Too many levels of symbolic links"):
            layout.read_index()
        with pytest.raises(OSError, match="Too many levels of symbolic links"):
            layout.update_index(lambda _: b"{}")
        assert (outside / "index.json").read_bytes() == index_of()

    def test_of_the_version(self, layout: OCILayout, root: Path, outside: Path) -> None:
        (root / "oci-layout").symlink_to(outside / "new")
        layout.update_index(lambda _: b"{}")
        assert listing(outside) == ["index.json", "sha256"]
