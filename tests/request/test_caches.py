"""Caches of a build: their forms, and those that are rejected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dockerproto import Cache, InlineCache, InvalidReference, RegistryCache
from dockerproto.request.caches import CacheEntry, read_cache_from, read_cache_to

REF = "127.0.0.1:5000/app:cache"
ALL: Any = "all"
NUMBER: Any = 5


@pytest.mark.parametrize(
    ("caches", "entries"),
    [
        (None, ()),
        ([], ()),
        (RegistryCache(REF), (CacheEntry("registry", {"ref": REF}),)),
        (
            [RegistryCache(REF, mode="max", ignore_error=True), InlineCache()],
            (
                CacheEntry("registry", {"ref": REF, "mode": "max", "ignore-error": "true"}),
                CacheEntry("inline", {}),
            ),
        ),
        (iter([Cache("gha", {"scope": "a"})]), (CacheEntry("gha", {"scope": "a"}),)),
    ],
    ids=["none", "empty", "registry", "several", "other"],
)
def test_caches_to_export(caches: Any, entries: tuple[CacheEntry, ...]) -> None:
    assert read_cache_to(caches) == entries


@pytest.mark.parametrize(
    ("caches", "names", "entries"),
    [
        (None, (), ()),
        ("app:1", ("app:1",), ()),
        (["app:1", RegistryCache(REF)], ("app:1",), (CacheEntry("registry", {"ref": REF}),)),
        (Cache("gha"), (), (CacheEntry("gha", {}),)),
    ],
    ids=["none", "name", "both", "other"],
)
def test_caches_to_read(caches: Any, names: tuple[str, ...], entries: tuple[CacheEntry, ...]) -> None:
    assert read_cache_from(caches) == (names, entries)


@pytest.mark.parametrize(
    ("read", "caches", "error", "message"),
    [
        (read_cache_to, "app:1", TypeError, "cache_to must contain RegistryCache, InlineCache or Cache, not"),
        (read_cache_to, 5, TypeError, "cache_to must be a cache or an iterable of caches, not int"),
        (read_cache_to, [5], TypeError, "cache_to must contain RegistryCache, InlineCache or Cache, not int"),
        (read_cache_to, RegistryCache("App"), InvalidReference, "invalid image name or id: 'App'"),
        (read_cache_to, RegistryCache("a", mode=ALL), ValueError, "mode of a cache must be 'min' or 'max'"),
        (read_cache_to, Cache("local"), ValueError, "unsupported type of cache 'local': a cache in a direct"),
        (read_cache_to, Cache(NUMBER), TypeError, "type of a cache must be a str, not int"),
        (read_cache_to, Cache("gha", NUMBER), TypeError, "attributes of a cache must be a mapping, not int"),
        (read_cache_from, InlineCache(), ValueError, "an inline cache is read by the name of its image"),
        (read_cache_from, [5], TypeError, "cache_from must contain str, RegistryCache or Cache, not int"),
        (read_cache_from, RegistryCache("a", mode="max"), ValueError, "mode and ignore_error of a cache are"),
    ],
)  # fmt: skip
def test_other_caches(read: Callable[[Any], Any], caches: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{message}" if error is not InvalidReference else message):
        read(caches)


def test_attributes_are_in_no_repr() -> None:
    cache = Cache("s3", {"secret_access_key": "hush"})
    assert repr(cache) == "Cache(type='s3')"
    assert "hush" not in repr(read_cache_to(cache))
