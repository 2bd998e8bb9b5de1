"""Caches of a build: their forms, and those that are rejected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dockerproto import Cache, InlineCache, InvalidReference, LocalCache, RegistryCache
from dockerproto.request.caches import CacheEntry, read_cache_from, read_cache_to
from dockerproto.request.layouts import LayoutReference

DIGEST = f"sha256:{'ab' * 32}"
REF = "127.0.0.1:5000/app:cache"
FULL = LocalCache(
    Path("b"),
    mode="max",
    tag="t",
    ignore_error=True,
    compression="zstd",
    compression_level=3,
    force_compression=True,
)
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
        (
            [
                InlineCache(),
                LocalCache("dir"),
                LocalCache(Path("b"), "max", "t", None, True, "zstd", 3, True),
            ],
            (
                CacheEntry("inline", {}),
                CacheEntry(
                    "local",
                    {"dest": "to-1"},
                    LayoutReference(store="local:to-1", path="dir", writable=True),
                ),
                CacheEntry(
                    "local",
                    {
                        "dest": "to-2",
                        "mode": "max",
                        "ignore-error": "true",
                        "compression": "zstd",
                        "compression-level": "3",
                        "force-compression": "true",
                    },
                    LayoutReference(store="local:to-2", path="b", tag="t", writable=True),
                ),
            ),
        ),
    ],
    ids=["none", "empty", "registry", "several", "other", "local"],
)
def test_caches_to_export(caches: Any, entries: tuple[CacheEntry, ...]) -> None:
    assert read_cache_to(caches) == entries


def test_caches_in_directories_are_exported_last() -> None:
    """Their manifest is the one that engines report."""
    entries = read_cache_to([LocalCache("a"), RegistryCache(REF), LocalCache("b"), InlineCache()])
    assert [each.type for each in entries] == ["registry", "inline", "local", "local"]
    assert [each.attributes.get("dest") for each in entries] == [None, None, "to-0", "to-2"]


@pytest.mark.parametrize(
    ("caches", "names", "entries"),
    [
        (None, (), ()),
        ("app:1", ("app:1",), ()),
        (["app:1", RegistryCache(REF)], ("app:1",), (CacheEntry("registry", {"ref": REF}),)),
        (Cache("gha"), (), (CacheEntry("gha", {}),)),
        (
            ["app:1", LocalCache("dir"), LocalCache(Path("b"), digest=DIGEST)],
            ("app:1",),
            (
                CacheEntry("local", {"src": "from-0"}, LayoutReference(store="local:from-0", path="dir")),
                CacheEntry(
                    "local",
                    {"src": "from-1"},
                    LayoutReference(store="local:from-1", path="b", digest=DIGEST),
                ),
            ),
        ),
    ],
    ids=["none", "name", "both", "other", "local"],
)
def test_caches_to_read(caches: Any, names: tuple[str, ...], entries: tuple[CacheEntry, ...]) -> None:
    assert read_cache_from(caches) == (names, entries)


@pytest.mark.parametrize(
    ("read", "caches", "error", "message"),
    [
        (read_cache_to, "app:1", TypeError, "cache_to must contain RegistryCache, LocalCache, InlineCache, "),
        (read_cache_to, 5, TypeError, "cache_to must be a cache or an iterable of caches, not int"),
        (read_cache_to, [5], TypeError, "cache_to must contain RegistryCache, LocalCache, InlineCache, "),
        (read_cache_to, RegistryCache("App"), InvalidReference, "invalid image name or id: 'App'"),
        (read_cache_to, RegistryCache("a", mode=ALL), ValueError, "mode of a cache must be 'min' or 'max'"),
        (read_cache_to, Cache("local"), ValueError, "unsupported type of cache 'local'; use LocalCache for"),
        (read_cache_to, Cache(NUMBER), TypeError, "type of a cache must be a str, not int"),
        (read_cache_to, Cache("gha", NUMBER), TypeError, "attributes of a cache must be a mapping, not int"),
        (read_cache_from, InlineCache(), ValueError, "an inline cache is read by the name of its image"),
        (read_cache_from, [5], TypeError, "cache_from must contain str, RegistryCache, LocalCache, GitHub"),
        (read_cache_from, RegistryCache("a", mode="max"), ValueError, "mode and ignore_error of a cache are"),
        (read_cache_from, LocalCache("a", mode="max"), ValueError, "mode, ignore_error and the compression"),
        (read_cache_from, LocalCache("a", tag="b", digest=DIGEST), ValueError, "a LocalCache must have a ta"),
        (read_cache_from, LocalCache("a", digest="x"), ValueError, "digest of a LocalCache must be sha256:"),
        (read_cache_from, LocalCache("a", digest=NUMBER), TypeError, "digest of a LocalCache must be a str,"),
        (read_cache_to, LocalCache(NUMBER), TypeError, "path of a LocalCache must be a str or a path object"),
        (read_cache_to, LocalCache("a", tag=""), ValueError, "a LocalCache must have a tag that is not empt"),
        (read_cache_to, LocalCache("a", tag=NUMBER), TypeError, "tag of a LocalCache must be a str, not int"),
        (read_cache_to, LocalCache("a", mode=ALL), ValueError, "mode of a cache must be 'min' or 'max'"),
        (read_cache_to, LocalCache("a", compression=ALL), ValueError, "compression of a LocalCache must be"),
        (read_cache_to, LocalCache("a", digest=DIGEST), ValueError, "digest of a cache is for cache_from, n"),
    ],
)  # fmt: skip
def test_other_caches(read: Callable[[Any], Any], caches: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^{message}" if error is not InvalidReference else message):
        read(caches)


def test_attributes_are_in_no_repr() -> None:
    cache = Cache("s3", {"secret_access_key": "hush"})
    assert repr(cache) == "Cache(type='s3')"
    assert "hush" not in repr(read_cache_to(cache))
