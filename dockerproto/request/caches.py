"""Caches that a build reads or writes outside the engine, as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, TypeAlias, get_args

from msgspec import Struct, field

from dockerproto.arguments import strings_by_name
from dockerproto.redacted import Redacted
from dockerproto.references import parse_reference

CacheMode: TypeAlias = Literal["min", "max"]
"""Steps whose results are exported: those of the resulting image, or all, those of other stages included."""

REGISTRY: Final = "registry"
INLINE: Final = "inline"
_UNSUPPORTED: Final[Mapping[str, str]] = {
    "local": "a cache in a directory needs a content store in the session; use RegistryCache",
}


class CacheEntry(Redacted, frozen=True):
    """A cache as it is sent; the attributes may contain secrets."""

    _hidden = ("attributes",)

    type: str
    attributes: Mapping[str, str]


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


class Cache(Redacted, frozen=True):
    """A cache of any other type that the engine supports, such as ``gha``; repr() omits the attributes.

    >>> Cache("gha", {"scope": "main"})
    Cache(type='gha')
    """

    _hidden = ("attributes",)

    type: str
    """Type of the cache."""
    attributes: Mapping[str, str] = field(default_factory=dict[str, str])
    """Attributes, with BuildKit's names."""


CacheTarget: TypeAlias = RegistryCache | InlineCache | Cache
"""A cache to export."""
CacheSource: TypeAlias = str | RegistryCache | Cache
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
    return tuple(map(_export, _several("cache_to", caches)))


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
    return names, tuple(_import(each) for each in sources if not isinstance(each, str))


def _export(cache: object) -> CacheEntry:
    if not isinstance(cache, RegistryCache | InlineCache | Cache):
        raise TypeError(
            f"cache_to must contain RegistryCache, InlineCache or Cache, not {type(cache).__name__}"
        )
    return _entry(cache)


def _import(cache: object) -> CacheEntry:
    if isinstance(cache, InlineCache):
        raise ValueError("an inline cache is read by the name of its image: cache_from='app:1'")  # noqa: TRY004  # the type is known
    if not isinstance(cache, RegistryCache | Cache):
        raise TypeError(f"cache_from must contain str, RegistryCache or Cache, not {type(cache).__name__}")
    if isinstance(cache, RegistryCache) and cache != RegistryCache(cache.ref):
        raise ValueError(f"mode and ignore_error of a cache are for cache_to, not for cache_from: {cache!r}")
    return _entry(cache)


def _entry(cache: CacheTarget) -> CacheEntry:
    if isinstance(cache, InlineCache):
        return CacheEntry(INLINE, {})
    return _registry_entry(cache) if isinstance(cache, RegistryCache) else _other_entry(cache)


def _registry_entry(cache: RegistryCache) -> CacheEntry:
    parse_reference(cache.ref)
    if cache.mode not in (None, *get_args(CacheMode)):
        raise ValueError(f"mode of a cache must be 'min' or 'max', not {cache.mode!r}")
    mode = {} if cache.mode is None else {"mode": cache.mode}
    ignored = {"ignore-error": "true"} if cache.ignore_error else {}
    return CacheEntry(REGISTRY, {"ref": cache.ref, **mode, **ignored})


def _other_entry(cache: Cache) -> CacheEntry:
    if not isinstance(cache.type, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError(f"type of a cache must be a str, not {type(cache.type).__name__}")
    if cache.type in _UNSUPPORTED:
        raise ValueError(f"unsupported type of cache {cache.type!r}: {_UNSUPPORTED[cache.type]}")
    return CacheEntry(cache.type, strings_by_name("attributes of a cache", cache.attributes))


def _several(argument: str, values: object) -> tuple[object, ...]:
    """Return one or more caches as a tuple; raise TypeError for something else."""
    if values is None:
        return ()
    if isinstance(values, str | RegistryCache | InlineCache | Cache):
        return (values,)
    if not isinstance(values, Iterable):
        raise TypeError(f"{argument} must be a cache or an iterable of caches, not {type(values).__name__}")
    items: tuple[object, ...] = tuple(values)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  # checked by the caller
    return items
