"""Outputs of a build: an image in the engine, files in a directory or a tar, or only the cache, as data."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from msgspec import Struct

from dockerproto.arguments import strings
from dockerproto.references import HUB, parse_reference
from dockerproto.request.attachments import Output, Tar
from dockerproto.request.compression import ImageCompression, compression_attributes

_TAG: Final = "latest"


class Image(Struct, frozen=True, kw_only=True):
    """An image in the engine, which is the output unless others are given."""

    push: bool = False
    """True if the engine also pushes it, by all of its names, once it is built."""
    names: str | Sequence[str] = ()
    """More names, besides those of ``tag``."""
    compression: ImageCompression | None = None
    """Compression of new layers; the engine's default is ``gzip``."""
    compression_level: int | None = None
    """Level, 0 to 9, for zstd up to 22."""
    force_compression: bool = False
    """True if the layers of base images are compressed anew too."""
    by_digest: bool = False
    """True if the image is pushed without its tags, so that only its digest, in the result, names it."""


class OCI(Struct, frozen=True):
    """An image in a tar with an OCI layout, which may have several platforms."""

    path: str | os.PathLike[str]
    """Path of the file, which is replaced when the tar is complete."""


class DockerTar(Struct, frozen=True):
    """An image for one platform in a tar that ``images.import_image`` and ``docker load`` accept."""

    path: str | os.PathLike[str]
    """Path of the file, which is replaced when the tar is complete."""


class CacheOnly(Struct, frozen=True):
    """No output: the build only fills caches."""


ImageOutput: TypeAlias = Image | OCI | DockerTar
"""An output that is an image, so that it has names and annotations."""
BuildOutput: TypeAlias = ImageOutput | Output | CacheOnly
"""One output of a build: an image, files (the path of a directory, or a `Tar`), or `CacheOnly`."""

MOBY: Final = "moby"
"""Type of the exporter of an image into an engine."""
PUSH: Final = "push"
"""Attribute of an image that BuildKit pushes."""
BY_DIGEST: Final = "push-by-digest"
"""Attribute of an image that BuildKit pushes without a tag."""

_OUTPUTS: Final = (str, os.PathLike, Tar, Image, OCI, DockerTar, CacheOnly)
_ARCHIVES: Final[Mapping[type, str]] = {OCI: "oci", DockerTar: "docker"}
"""Types of exporters of images in tars."""


class Exporter(Struct, frozen=True):
    """An output as it is sent."""

    type: str
    attributes: Mapping[str, str]


def read_outputs(outputs: BuildOutput | Iterable[BuildOutput] | None) -> tuple[BuildOutput, ...] | None:
    """Return the outputs, None for the default.

    Raises:
        TypeError: An output has another type.
        ValueError: They contradict each other.
    """
    if outputs is None:
        return None
    if isinstance(outputs, _OUTPUTS):
        return (outputs,)
    items = tuple(outputs)
    for each in items:
        if not isinstance(each, _OUTPUTS):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
            raise TypeError(
                "outputs must contain Image, OCI, DockerTar, the path of a directory, Tar or CacheOnly, "
                f"not {type(each).__name__}"
            )
    _check_together(items)
    return items


def _check_together(outputs: tuple[BuildOutput, ...]) -> None:
    if not outputs:
        raise ValueError("outputs must not be empty; use CacheOnly() for a build without an output")
    if len(outputs) > 1 and any(isinstance(each, CacheOnly) for each in outputs):
        raise ValueError("CacheOnly must be the only one of outputs")
    images = [each for each in outputs if isinstance(each, Image)]
    if len(images) > 1:
        raise ValueError("outputs must contain at most one Image; it may have several names")
    paths = [os.path.normpath(path) for path in map(_path, outputs) if path is not None]
    if len(paths) != len(set(paths)):
        raise ValueError(f"two outputs have the same path: {paths}")


def _path(output: BuildOutput) -> str | None:
    destination = destination_of(output)
    path = destination.path if isinstance(destination, Tar) else destination
    return None if path is None else os.fspath(path)


def destination_of(output: BuildOutput) -> Output | None:
    """Return the destination of an output that is received as files or as a tar; None if it has none."""
    if isinstance(output, Image | CacheOnly):
        return None
    return Tar(output.path) if isinstance(output, OCI | DockerTar) else output


def exporter_of(output: Output) -> Exporter:
    """Return an output of files as it is sent."""
    return Exporter("tar" if isinstance(output, Tar) else "local", {})


def image_exporter(image: ImageOutput, tags: tuple[str, ...], annotations: Mapping[str, str]) -> Exporter:
    """Return an image as it is sent.

    Raises:
        InvalidReference: One of its names is malformed.
        TypeError: The level of the compression is not an int.
        ValueError: The compression is unknown; an image to push has no name.
    """
    own = strings("names of an Image", image.names) if isinstance(image, Image) else ()
    by_digest = isinstance(image, Image) and image.by_digest
    names = dict.fromkeys(map(_repository if by_digest else full_name, (*tags, *own)))
    name = {"name": ",".join(names)} if names else {}
    annotated = {f"annotation.{key}": value for key, value in annotations.items()}
    if not isinstance(image, Image):
        return Exporter(_ARCHIVES[type(image)], {**name, **annotated})
    if image.push and not names:
        raise ValueError("an Image to push needs a name: tag=...")
    if by_digest and not image.push:
        raise ValueError("by_digest of an Image needs push=True")
    # Docker's own exporter adds a tag to each name.
    return Exporter("image" if by_digest else MOBY, {**name, **_image_attributes(image), **annotated})


def pushed_names(attributes: Mapping[str, str]) -> tuple[str, ...]:
    """Return the full names, with tags, by which an exporter with these attributes pushes an image.

    >>> pushed_names({"name": "r.example/app:1,r.example/app:2", "push": "true"})
    ('r.example/app:1', 'r.example/app:2')
    """
    return tuple(attributes["name"].split(",")) if PUSH in attributes and BY_DIGEST not in attributes else ()


def full_name(name: str) -> str:
    """Return a name with its registry, repository and tag.

    >>> full_name("busybox"), full_name("team/app:1"), full_name("127.0.0.1:5000/app:1")
    ('docker.io/library/busybox:latest', 'docker.io/team/app:1', '127.0.0.1:5000/app:1')

    Raises:
        InvalidReference: The name is malformed.
        ValueError: The name has a digest.
    """
    reference = parse_reference(name)
    if reference.digest is not None:
        raise ValueError(f"the name of an image to build must not have a digest: {name!r}")
    repository = reference.name
    if reference.registry == HUB:
        path = repository.removeprefix(f"index.{HUB}/").removeprefix(f"{HUB}/")
        repository = f"{HUB}/{path}" if "/" in path else f"{HUB}/library/{path}"
    return f"{repository}:{reference.tag or _TAG}"


def _repository(name: str) -> str:
    """Return a name with its registry and repository, without the tag."""
    return full_name(name).rpartition(":")[0]


def _image_attributes(image: Image) -> dict[str, str]:
    """Return the attributes of an image, except its names."""
    compression = compression_attributes(
        "an Image", image.compression, image.compression_level, force=image.force_compression
    )
    push = {PUSH: image.push, BY_DIGEST: image.by_digest}
    return {**{name: "true" for name, value in push.items() if value}, **compression}
