"""Parse the options of a build for caches, outputs and contexts, with the syntax of the Docker CLI."""

from __future__ import annotations

import csv
import re
from argparse import ArgumentTypeError, Namespace
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from dockerproto import (
    OCI,
    BuildOutput,
    Cache,
    CacheOnly,
    CacheSource,
    CacheTarget,
    DockerTar,
    GitHubCache,
    Image,
    InlineCache,
    Layout,
    LocalCache,
    NamedContext,
    RegistryCache,
    Tar,
)
from dockerproto_cli.build_options import read_output

_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}
_IMAGES: Final[Mapping[str, Image]] = {
    "image": Image(),
    "docker": Image(),
    "registry": Image(push=True),
}
"""Outputs that are images in the engine, by type."""
_ARCHIVES: Final[Mapping[str, type[OCI | DockerTar]]] = {"oci": OCI, "docker": DockerTar}
"""Outputs that are images in tars, by type."""
_COMPRESSION_FIELDS: Final = ("compression", "compression-level", "force-compression")
_IMAGE_FIELDS: Final = ("type", "name", "push", *_COMPRESSION_FIELDS)
_LOCAL_EXPORT_FIELDS: Final = ("dest", "mode", "tag", "ignore-error", *_COMPRESSION_FIELDS)
_LOCAL_IMPORT_FIELDS: Final = ("src", "tag", "digest")
_GITHUB_FIELDS: Final = ("scope", "mode", "url", "token", "version", "timeout", "ignore-error")
_UNITS: Final[Mapping[str, float]] = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
"""Seconds in the units of a time."""
_TIME: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_LAYOUT: Final = "oci-layout://"


def read_build_output(text: str) -> BuildOutput:
    """Parse an output: the path of a directory, or ``type=TYPE`` with its attributes.

    >>> read_build_output("type=registry,name=app:1,compression=zstd") == Image(
    ...     push=True, names=("app:1",), compression="zstd"
    ... )
    True

    Raises:
        ArgumentTypeError: The text is malformed.
    """
    fields = _fields(text) if "=" in text else {}
    kind = fields.get("type", "")
    if kind == "cacheonly" and len(fields) == 1:
        return CacheOnly()
    if kind in _ARCHIVES and fields.keys() == {"type", "dest"}:
        return _ARCHIVES[kind](fields["dest"])
    return _image(_IMAGES[kind], fields) if kind in _IMAGES else read_output(text)


def read_cache_to(text: str) -> CacheTarget:
    """Parse a cache to export: ``type=TYPE`` with its attributes, or an image reference.

    >>> read_cache_to("type=registry,ref=app:cache,mode=max")
    RegistryCache(ref='app:cache', mode='max', ignore_error=False)

    Raises:
        ArgumentTypeError: The text is malformed.
    """
    fields = _cache_fields(text)
    kind = fields.pop("type")
    if kind == "inline" and not fields:
        return InlineCache()
    if kind == "local":
        return _local_export(fields)
    if kind == "gha" and fields.keys() <= set(_GITHUB_FIELDS):
        return _github(fields)
    if kind == "registry" and fields.keys() <= {"ref", "mode", "ignore-error"}:
        mode: Any = fields.get("mode")  # validated by the library
        ignored = _boolean("ignore-error", fields.get("ignore-error", "false"))
        return RegistryCache(fields["ref"], mode=mode, ignore_error=ignored)
    return Cache(kind, fields)


def read_cache_from(text: str) -> CacheSource:
    """Parse a cache to read: ``type=TYPE`` with its attributes, or an image reference.

    >>> read_cache_from("type=registry,ref=app:cache"), read_cache_from("app:1")
    ('app:cache', 'app:1')

    Raises:
        ArgumentTypeError: The text is malformed.
    """
    fields = _cache_fields(text)
    kind = fields.pop("type")
    if kind == "local":
        _check_local(fields, "src", _LOCAL_IMPORT_FIELDS)
        return LocalCache(fields["src"], tag=fields.get("tag"), digest=fields.get("digest"))
    if kind == "gha" and fields.keys() <= set(_GITHUB_FIELDS):
        return _github(fields)
    return fields["ref"] if kind == "registry" and fields.keys() == {"ref"} else Cache(kind, fields)


def read_caches_from(text: str) -> list[CacheSource]:
    """Parse one cache to read, or image references separated by commas.

    Raises:
        ArgumentTypeError: The text is malformed.
    """
    return [read_cache_from(each) for each in ([text] if "=" in text else text.split(","))]


def read_context(text: str) -> tuple[str, NamedContext]:
    """Parse ``NAME=DIRECTORY``, ``NAME=URL`` or ``NAME=oci-layout://DIRECTORY[:TAG][@DIGEST]``.

    >>> read_context("lib=../lib"), read_context("base=docker-image://alpine")
    (('lib', PosixPath('../lib')), ('base', 'docker-image://alpine'))
    >>> read_context("base=oci-layout://dir:1")
    ('base', Layout(path='dir', tag='1', digest=None))

    Raises:
        ArgumentTypeError: The name or the context is missing.
    """
    name, _, value = text.partition("=")
    if not name or not value:
        raise ArgumentTypeError(f"must be NAME=DIRECTORY or NAME=URL, not {text!r}")
    if value.startswith(_LAYOUT):
        return name, _layout(value.removeprefix(_LAYOUT))
    return name, value if "://" in value or value.startswith("git@") else Path(value)


def read_annotation(text: str) -> tuple[str, str]:
    """Parse ``KEY=VALUE`` for the manifest, with or without ``manifest:`` before it.

    Raises:
        ArgumentTypeError: The text has another form.
    """
    key, equals, value = text.removeprefix("manifest:").partition("=")
    if not key or not equals or ":" in key or "[" in key:
        raise ArgumentTypeError(f"must be KEY=VALUE for the manifest, not {text!r}")
    return key, value


def read_provenance(text: str) -> str | None:
    """Parse ``mode=min``, ``mode=max`` or ``false``.

    Raises:
        ArgumentTypeError: The text has another form.
    """
    values = {"mode=min": "min", "mode=max": "max", "false": None}
    if text not in values:
        raise ArgumentTypeError(f"must be mode=min, mode=max or false, not {text!r}")
    return values[text]


def read_sbom(text: str) -> bool | str:
    """Parse ``true``, ``false`` or ``generator=IMAGE``.

    >>> read_sbom("true"), read_sbom("generator=registry.example/scanner:1")
    (True, 'registry.example/scanner:1')

    Raises:
        ArgumentTypeError: The text has another form.
    """
    if text.startswith("generator=") and "," not in text:
        return text.removeprefix("generator=")
    if text.lower() not in _BOOLEANS:
        raise ArgumentTypeError(f"must be true, false or generator=IMAGE, not {text!r}")
    return _BOOLEANS[text.lower()]


def solve_arguments(arguments: Namespace) -> dict[str, Any]:
    """Return the arguments of `build` for the options that were given."""
    platforms = separated(arguments.platform)
    several = len(platforms) > 1
    return {
        **_output_arguments(arguments.output, push=arguments.push),
        "platform": platforms[0] if len(platforms) == 1 else None,
        "platforms": platforms if several else None,
        "nocache": arguments.no_cache or separated(arguments.no_cache_filter),
        "cache_to": arguments.cache_to,
        "cache_from": [each for caches in arguments.cache_from for each in caches],
        "contexts": dict(arguments.build_context),
        "allow": separated(arguments.allow),
        "annotations": dict(arguments.annotation),
        "provenance": arguments.provenance,
        "sbom": arguments.sbom,
    }


def daemon_arguments(arguments: Namespace) -> dict[str, Any]:
    """Return the arguments of `build` on a BuildKit daemon for the options that were given.

    Raises:
        ValueError: One of them is for the classic builder.
    """
    for name, given in (("--memory", arguments.memory is not None), ("--force-rm", arguments.force_rm)):
        if given:
            raise ValueError(f"{name} needs the classic builder, not a BuildKit daemon")
    options = solve_arguments(arguments)
    del options["platform"]
    single = options.pop("output", None)
    outputs = options.get("outputs") if single is None else [single]
    nothing = None if arguments.load else CacheOnly()
    return {**options, "platforms": separated(arguments.platform) or None, "outputs": outputs or nothing}


def _output_arguments(outputs: list[BuildOutput], *, push: bool) -> dict[str, Any]:
    """Return the outputs; a single directory or tar needs nothing new of the engine."""
    if push:
        outputs = [replace(each, push=True) if isinstance(each, Image) else each for each in outputs]
        if not any(isinstance(each, Image) for each in outputs):
            outputs.append(Image(push=True))
    if len(outputs) == 1 and isinstance(outputs[0], Path | Tar):
        return {"output": outputs[0]}
    return {"outputs": outputs or None}


def separated(texts: Iterable[str]) -> list[str]:
    """Return the values of an option that may be repeated, and may have several, separated by commas."""
    return [each for text in texts for each in text.split(",")]


def _image(image: Image, fields: Mapping[str, str]) -> Image:
    _check_fields("an image", fields, _IMAGE_FIELDS)
    return replace(
        image,
        push=_boolean("push", fields["push"]) if "push" in fields else image.push,
        names=tuple(filter(None, fields.get("name", "").split(","))),
        **_compression(fields),
    )


def _local_export(fields: Mapping[str, str]) -> LocalCache:
    _check_local(fields, "dest", _LOCAL_EXPORT_FIELDS)
    mode: Any = fields.get("mode")  # validated by the library
    return LocalCache(
        fields["dest"],
        mode=mode,
        tag=fields.get("tag"),
        ignore_error=_boolean("ignore-error", fields.get("ignore-error", "false")),
        **_compression(fields),
    )


def _github(fields: Mapping[str, str]) -> GitHubCache:
    mode: Any = fields.get("mode")  # validated by the library
    version: Any = fields.get("version")
    version = int(version) if version in ("1", "2") else version
    return GitHubCache(
        fields.get("scope"),
        mode=mode,
        url=fields.get("url"),
        token=fields.get("token"),
        version=version,
        timeout=_seconds(fields["timeout"]) if "timeout" in fields else None,
        ignore_error=_boolean("ignore-error", fields.get("ignore-error", "false")),
    )


def _seconds(text: str) -> float:
    """Parse a time such as ``10m``.

    >>> _seconds("10m"), _seconds("1.5s")
    (600.0, 1.5)
    """
    if (match := _TIME.fullmatch(text)) is None:
        raise ArgumentTypeError(f"timeout must be a time such as 90s or 10m, not {text!r}")
    return float(match[1]) * _UNITS[match[2]]


def _layout(text: str) -> Layout:
    """Parse ``DIRECTORY[:TAG][@DIGEST]``; with a digest, the tag has no meaning."""
    rest, _, digest = text.partition("@")
    path, _, tag = rest.partition(":")
    return Layout(path, digest=digest) if digest else Layout(path, tag or None)


def _compression(fields: Mapping[str, str]) -> dict[str, Any]:
    level = fields.get("compression-level")
    if level is not None and not level.isdecimal():
        raise ArgumentTypeError(f"compression-level must be a number, not {level!r}")
    return {
        "compression": fields.get("compression"),  # validated by the library
        "compression_level": None if level is None else int(level),
        "force_compression": _boolean("force-compression", fields.get("force-compression", "false")),
    }


def _check_local(fields: Mapping[str, str], path: str, known: Iterable[str]) -> None:
    _check_fields("a cache in a directory", fields, known)
    if not fields.get(path):
        raise ArgumentTypeError(f"a cache in a directory needs {path}=DIR, as in type=local,{path}=cache")


def _check_fields(owner: str, fields: Mapping[str, str], known: Iterable[str]) -> None:
    if unknown := sorted(fields.keys() - set(known)):
        raise ArgumentTypeError(f"unknown attributes of {owner}: {', '.join(unknown)}")


def _cache_fields(text: str) -> dict[str, str]:
    fields = _fields(text) if "=" in text else {"type": "registry", "ref": text}
    if not fields.get("type"):
        raise ArgumentTypeError(f"a cache needs a type, as in type=registry,ref=NAME, not {text!r}")
    if fields["type"] == "registry" and not fields.get("ref"):
        raise ArgumentTypeError(f"a cache in a registry needs ref=NAME: {text!r}")
    return fields


def _fields(text: str) -> dict[str, str]:
    """Parse NAME=VALUE fields separated by commas; a field with a comma is quoted, as in CSV."""
    fields: dict[str, str] = {}
    for field in next(csv.reader([text]), list[str]()):
        name, equals, value = field.partition("=")
        if not name or not equals:
            raise ArgumentTypeError(f"must be NAME=VALUE, not {field!r}")
        fields[name.lower()] = value
    return fields


def _boolean(name: str, text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise ArgumentTypeError(f"{name} must be true or false, not {text!r}")
    return _BOOLEANS[text.lower()]
