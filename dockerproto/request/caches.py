"""Caches that a build reads or writes outside the engine, as data."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Final, Literal, TypeAlias, get_args

from msgspec import Struct, field

from dockerproto.arguments import strings_by_name
from dockerproto.redacted import Redacted
from dockerproto.references import parse_reference
from dockerproto.request.compression import ImageCompression, compression_attributes
from dockerproto.request.github_cache import GITHUB, GitHubCache, github_attributes
from dockerproto.request.layouts import LayoutReference, layout_reference

CacheMode: TypeAlias = Literal["min", "max"]
"""Steps whose results are exported: those of the resulting image, or all, those of other stages included."""

REGISTRY: Final = "registry"
INLINE: Final = "inline"
LOCAL: Final = "local"
_STORE: Final = "local:"
"""Beginning of the ids of content stores with caches."""


class CacheEntry(Redacted, frozen=True):
    """A cache as it is sent; the attributes may contain secrets."""

    _hidden = ("attributes",)

    type: str
    attributes: Mapping[str, str]
    layout: LayoutReference | None = None
    """Directory of a cache on this machine."""
    of_job: bool = False
    """True if the attributes lack those that a job of GitHub Actions has; see `github_cache.of_job`."""


class RegistryCache(Struct, frozen=True):
    """A cache in a registry, in a repository and tag of its own."""

    ref: str
    """Image reference of the cache."""
    mode: CacheMode | None = None
    """Steps to export; the engine's default is ``min``. Only for ``cache_to``."""
    ignore_error: bool = False
    """True if a failed export does not fail the build. Only for ``cache_to``."""


class InlineCache(Struct, frozen=True):
    """A cache in the image itself: a later build reads it with the image's name in ``cache_from``."""


class LocalCache(Struct, frozen=True):
    """A cache in a directory of this machine, which has an OCI layout; the session transfers it."""

    path: str | os.PathLike[str]
    """Path of the directory, which an export creates if it does not exist."""
    mode: CacheMode | None = None
    """Steps to export; the engine's default is ``min``. Only for ``cache_to``."""
    tag: str | None = None
    """Tag of the cache in ``index.json``; None: ``latest``."""
    digest: str | None = None
    """Digest of the cache's manifest, instead of a tag. Only for ``cache_from``."""
    ignore_error: bool = False
    """True if a failed export does not fail the build. Only for ``cache_to``."""
    compression: ImageCompression | None = None
    """Compression of new layers; the engine's default is ``gzip``. Only for ``cache_to``."""
    compression_level: int | None = None
    """Level, 0 to 9, for zstd up to 22. Only for ``cache_to``."""
    force_compression: bool = False
    """True if layers that exist are compressed anew too. Only for ``cache_to``."""


class Cache(Redacted, frozen=True):
    """A cache of any other type that the engine supports, such as ``s3``; repr() omits the attributes.

    >>> Cache("s3", {"bucket": "main"})
    Cache(type='s3')
    """

    _hidden = ("attributes",)

    type: str
    """Type of the cache."""
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])
    """Attributes, with BuildKit's names."""


CacheTarget: TypeAlias = RegistryCache | LocalCache | InlineCache | GitHubCache | Cache
"""A cache to export."""
CacheSource: TypeAlias = str | RegistryCache | LocalCache | GitHubCache | Cache
"""A cache to read; a str is the name of an image, or the reference of a cache in a registry."""


def read_cache_to(caches: CacheTarget | Iterable[CacheTarget] | None) -> tuple[CacheEntry, ...]:
    """Return the caches to export.

    >>> read_cache_to(RegistryCache("registry.example/app:cache", mode="max"))[0].attributes
    {'ref': 'registry.example/app:cache', 'mode': 'max'}

    Raises:
        InvalidReference: The reference of a cache is malformed.
        TypeError: A cache has another type.
        ValueError: The type or the mode of a cache is unsupported.
    """
    entries = [_export(number, each) for number, each in enumerate(_several("cache_to", caches))]
    # Engines report one manifest, that of the last cache; it is needed for a directory only.
    return tuple(sorted(entries, key=lambda entry: entry.layout is not None))


def read_cache_from(
    caches: CacheSource | Iterable[CacheSource] | None,
) -> tuple[tuple[str, ...], tuple[CacheEntry, ...]]:
    """Return the names of images to read caches from, and the other caches.

    Raises:
        InvalidReference: The reference of a cache is malformed.
        TypeError: A cache has another type.
        ValueError: A cache is one to export, or has options for an export.
    """
    sources = _several("cache_from", caches)
    names = tuple(each for each in sources if isinstance(each, str))
    others = enumerate(each for each in sources if not isinstance(each, str))
    return names, tuple(_import(number, each) for number, each in others)


def _export(number: int, cache: object) -> CacheEntry:
    if isinstance(cache, LocalCache):
        return _local_export(number, cache)
    if not isinstance(cache, RegistryCache | InlineCache | GitHubCache | Cache):
        raise TypeError(
            "cache_to must contain RegistryCache, LocalCache, InlineCache, GitHubCache or Cache, "
            f"not {type(cache).__name__}"
        )
    return _entry(cache)


def _import(number: int, cache: object) -> CacheEntry:
    if isinstance(cache, InlineCache):
        raise ValueError("an inline cache is read by the name of its image: cache_from='app:1'")  # noqa: TRY004  # the type is known
    if isinstance(cache, LocalCache):
        return _local_import(number, cache)
    if not isinstance(cache, RegistryCache | GitHubCache | Cache):
        raise TypeError(
            "cache_from must contain str, RegistryCache, LocalCache, GitHubCache or Cache, "
            f"not {type(cache).__name__}"
        )
    if isinstance(cache, RegistryCache | GitHubCache) and (cache.mode is not None or cache.ignore_error):
        raise ValueError(f"mode and ignore_error of a cache are for cache_to, not for cache_from: {cache!r}")
    return _entry(cache)


def _entry(cache: RegistryCache | InlineCache | GitHubCache | Cache) -> CacheEntry:
    if isinstance(cache, InlineCache):
        return CacheEntry(INLINE, {})
    if isinstance(cache, GitHubCache):
        attributes = {**github_attributes(cache), **_export_attributes(cache)}
        return CacheEntry(GITHUB, attributes, of_job=True)
    return _registry_entry(cache) if isinstance(cache, RegistryCache) else _other_entry(cache)


def _registry_entry(cache: RegistryCache) -> CacheEntry:
    parse_reference(cache.ref)
    return CacheEntry(REGISTRY, {"ref": cache.ref, **_export_attributes(cache)})


def _export_attributes(cache: RegistryCache | LocalCache | GitHubCache) -> dict[str, str]:
    if cache.mode not in (None, *get_args(CacheMode)):
        raise ValueError(f"mode of a cache must be 'min' or 'max', not {cache.mode!r}")
    mode = {} if cache.mode is None else {"mode": cache.mode}
    return {**mode, **({"ignore-error": "true"} if cache.ignore_error else {})}


def _local_export(number: int, cache: LocalCache) -> CacheEntry:
    if cache.digest is not None:
        raise ValueError(f"digest of a cache is for cache_from, not for cache_to: {cache!r}")
    identifier = f"to-{number}"
    layout = layout_reference("a LocalCache", _STORE + identifier, cache.path, cache.tag, None, writable=True)
    compression = compression_attributes(
        "a LocalCache", cache.compression, cache.compression_level, force=cache.force_compression
    )
    return CacheEntry(LOCAL, {"dest": identifier, **_export_attributes(cache), **compression}, layout)


def _local_import(number: int, cache: LocalCache) -> CacheEntry:
    if cache != LocalCache(cache.path, tag=cache.tag, digest=cache.digest):
        raise ValueError(
            "mode, ignore_error and the compression of a cache are for cache_to, "
            f"not for cache_from: {cache!r}"
        )
    identifier = f"from-{number}"
    layout = layout_reference("a LocalCache", _STORE + identifier, cache.path, cache.tag, cache.digest)
    return CacheEntry(LOCAL, {"src": identifier}, layout)


def _other_entry(cache: Cache) -> CacheEntry:
    if not isinstance(cache.type, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError(f"type of a cache must be a str, not {type(cache.type).__name__}")
    if cache.type == LOCAL:
        raise ValueError("unsupported type of cache 'local'; use LocalCache for a cache in a directory")
    return CacheEntry(cache.type, strings_by_name("attributes of a cache", cache.attributes))


def _several(argument: str, values: object) -> tuple[object, ...]:
    """Return one or more caches as a tuple; raise TypeError for something else."""
    if values is None:
        return ()
    if isinstance(values, str | RegistryCache | LocalCache | InlineCache | GitHubCache | Cache):
        return (values,)
    if not isinstance(values, Iterable):
        raise TypeError(f"{argument} must be a cache or an iterable of caches, not {type(values).__name__}")
    items: tuple[object, ...] = tuple(values)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  # checked by the caller
    return items
