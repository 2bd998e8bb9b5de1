"""Arguments of a build that mean something else in docker-py."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile

import pytest

from dockerproto import UploadFailed
from dockerproto.buildcontext.misuse import check_archive, check_directory, check_dockerfile

BOM = b"\xef\xbb\xbf"
DOCKERFILES = [
    b"FROM busybox",
    b"from busybox\n",
    b"\n\n  FROM busybox  \n",
    BOM + b"FROM busybox",
    b"FROM\tbusybox",
    b"# syntax=docker/dockerfile:1",
    b"docker/Dev.Dockerfile\nFROM busybox\n",  # the engine reports line 1
    b"ARG A",
    b"",
    b" \n",
    BOM,
]
PATHS = {
    b"Dockerfile": "'Dockerfile'",
    b"docker/Dev.Dockerfile": "'docker/Dev.Dockerfile'",
    b"../Dockerfile\n": "'../Dockerfile'",
    b"/abs/Dockerfile.dev": "'/abs/Dockerfile.dev'",
    b"C:\\Dockerfile": r"'C:\\Dockerfile'",
    b"my Dockerfile": "'my Dockerfile'",
    b"from": "'from'",
    b"Run": "'Run'",
    b"d\xff": r"'d\udcff'",
    BOM + b"Dockerfile": "'Dockerfile'",
    b"{% include 'base' %}": repr("{% include 'base' %}"),
    b"x" * 1000: f"'{'x' * 100}…'",
}


@pytest.mark.parametrize("text", DOCKERFILES)
def test_dockerfiles(text: bytes) -> None:
    check_dockerfile(text)


@pytest.mark.parametrize(("text", "shown"), PATHS.items())
def test_paths_of_dockerfiles(text: bytes, shown: str) -> None:
    with pytest.raises(ValueError) as caught:  # the whole text follows
        check_dockerfile(text)
    assert str(caught.value) == (
        f"dockerfile must be the text of a Dockerfile, not {shown}; to name a file, use path_dockerfile"
    )


@pytest.mark.parametrize(
    "url",
    [
        "https://me:secret@h/a.git",
        "http://h/context.tar",
        "HTTPS://h/a",
        "git://h/a.git#main",
        "ssh://git@h/secret",
        "git+ssh://h/a",
        "git@github.com:secret/a.git",
    ],
)
def test_urls(url: str) -> None:
    with pytest.raises(ValueError, match=r"^path must be a directory, not a URL; .* use remote$") as caught:
        check_directory(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "path", ["", ".", "/a://b", "a/https://b", "https:", "git@h", "github.com/a/b", "9://"]
)
def test_directories(path: str) -> None:
    check_directory(path)


def tar(name: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo(name))
    return file.getvalue()


ARCHIVES = [
    b"",
    tar("a"),
    tar("FROM busybox"),
    tar("# comment"),
    *(compress(tar("a")) for compress in (gzip.compress, bz2.compress, lzma.compress)),
    b"\x28\xb5\x2f\xfd zstd",
    b"neither a tar nor a Dockerfile\n",
]


@pytest.mark.parametrize("data", ARCHIVES, ids=range(len(ARCHIVES)))
def test_archives(data: bytes) -> None:
    check_archive(data[:512])


@pytest.mark.parametrize(
    "data",
    [
        b"FROM busybox",
        b"FROM busybox\nRUN true\n" * 100,
        b"\n\n# comment\nFROM a",
        b"# comment\n" * 100,
        BOM + b"ARG a=1\n",
        b"from a \\\n AS b",
        "FROM é".encode(),
        b"# " + "é".encode() * 300,
    ],
)
def test_dockerfiles_in_place_of_an_archive(data: bytes) -> None:
    with pytest.raises(
        UploadFailed, match=r"^fileobj must be a tar of the build context, not a Dockerfile; "
    ):
        check_archive(data)
