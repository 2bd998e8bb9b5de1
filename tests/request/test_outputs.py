"""Outputs of a build: their forms, and those that are rejected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dockerproto import OCI, CacheOnly, DockerTar, Image, InvalidReference, Tar
from dockerproto.request.outputs import (
    Exporter,
    exporter_of,
    full_name,
    image_exporter,
    pushed_names,
    read_outputs,
)

UNTYPED: Any = "zip"
TRUE: Any = True


@pytest.mark.parametrize(
    ("outputs", "read"),
    [
        (None, None),
        ("dist", ("dist",)),
        (Path("dist"), (Path("dist"),)),
        (CacheOnly(), (CacheOnly(),)),
        (iter(["dist", Tar("a.tar"), Image()]), ("dist", Tar("a.tar"), Image())),
    ],
    ids=["none", "str", "path", "cache", "several"],
)
def test_outputs(outputs: Any, read: Any) -> None:
    assert read_outputs(outputs) == read


@pytest.mark.parametrize(
    ("outputs", "error", "message"),
    [
        (["dist", 5], TypeError, "outputs must contain Image, OCI, DockerTar, the path of a direct"),
        ([], ValueError, "outputs must not be empty; use CacheOnly"),
        ([CacheOnly(), "dist"], ValueError, "CacheOnly must be the only one of outputs"),
        ([Image(), Image()], ValueError, "outputs must contain at most one Image"),
        (["a/b", Path("a/../a/b")], ValueError, "two outputs have the same path"),
        ([OCI("a"), DockerTar("a")], ValueError, "two outputs have the same path"),
        ([Tar("a"), "a"], ValueError, "two outputs have the same path"),
    ],
)  # fmt: skip
def test_other_outputs(outputs: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{message}"):
        read_outputs(outputs)


def test_exporters_of_files() -> None:
    assert exporter_of("dist") == Exporter("local", {})
    assert exporter_of(Tar("a.tar")) == Exporter("tar", {})


@pytest.mark.parametrize(
    ("image", "tags", "attributes"),
    [
        (Image(), (), {}),
        (Image(names="b"), ("a:1", "b"), {"name": "docker.io/library/a:1,docker.io/library/b:latest"}),
        (Image(push=True), ("a",), {"name": "docker.io/library/a:latest", "push": "true"}),
        (
            Image(compression="zstd", compression_level=3, force_compression=True),
            (),
            {"compression": "zstd", "compression-level": "3", "force-compression": "true"},
        ),
    ],
    ids=["plain", "names", "push", "compression"],
)
def test_exporters_of_images(image: Image, tags: tuple[str, ...], attributes: dict[str, str]) -> None:
    assert image_exporter(image, tags, {}) == Exporter("moby", attributes)
    annotated = image_exporter(image, tags, {"org.example": "x"})
    assert annotated.attributes == {**attributes, "annotation.org.example": "x"}


def test_an_image_that_is_pushed_by_digest() -> None:
    exporter = image_exporter(Image(push=True, by_digest=True, names="r.example:5000/b"), ("a:1", "a:2"), {})
    names = "docker.io/library/a,r.example:5000/b"
    pushed = {"name": names, "push": "true", "push-by-digest": "true"}
    assert exporter == Exporter("image", pushed)
    assert pushed_names(exporter.attributes) == ()


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (Image(by_digest=True), ValueError, "by_digest of an Image needs push=True"),
        (Image(names="A"), InvalidReference, "invalid image name"),
        (Image(names=f"a@sha256:{'0' * 64}"), ValueError, "the name of an image to build must not have a di"),
        (Image(push=True), ValueError, "an Image to push needs a name: tag=..."),
        (Image(compression=UNTYPED), ValueError, "compression of an Image must be one of uncompressed, gzip"),
        (Image(compression_level=UNTYPED), TypeError, "compression_level must be an int, not str"),
        (Image(compression_level=TRUE), TypeError, "compression_level must be an int, not bool"),
    ],
)
def test_images_that_are_rejected(image: Image, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        image_exporter(image, (), {})


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("index.docker.io/a/b", "docker.io/a/b:latest"),
        ("docker.io/a", "docker.io/library/a:latest"),
        ("localhost/a:2", "localhost/a:2"),
    ],
)
def test_full_names(name: str, full: str) -> None:
    assert full_name(name) == full
