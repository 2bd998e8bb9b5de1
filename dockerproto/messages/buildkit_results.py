"""The facts that BuildKit reports about itself: its workers, its cache, and the builds that it did."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from dockerproto.redacted import Redacted


class BuildKitVersion(Struct, frozen=True):
    """A version of BuildKit; Debian's engines report ``v0.0.0+unknown``."""

    package: str
    """Go package that it was built from, such as ``github.com/moby/buildkit``."""
    version: str
    """Version, such as ``v0.32.2``."""
    revision: str
    """Commit that it was built from."""


class CachePolicy(Struct, frozen=True):
    """A rule by which a worker deletes cache by itself; the first ones are applied first."""

    all: bool
    """True if it also applies to internal records, and those of frontends."""
    filters: tuple[str, ...]
    """Filters of the records that it applies to; any of them suffices."""
    keep_duration: float
    """Seconds for which unused records are kept; 0: any time."""
    reserved_space: int
    """Bytes of cache that are always kept."""
    max_used_space: int
    """Limit on the cache in bytes; 0: none, or the version of BuildKit has no such limit."""
    min_free_space: int
    """Bytes of the disk that should be free; 0: none, or the version of BuildKit has no such limit."""


class BuildKitWorker(Struct, frozen=True):
    """A worker, which runs the steps of builds."""

    id: str
    """Id, which is ``moby`` on Docker 20.10."""
    labels: Mapping[str, str]
    """Labels, such as ``org.mobyproject.buildkit.worker.snapshotter``; Docker 20.10 has none."""
    platforms: tuple[str, ...]
    """Platforms that it builds for, natively first, as ``os/arch[/variant]``."""
    version: BuildKitVersion | None
    """Version of BuildKit; None: not reported.

    Docker 20.10 does not report it, nor does 28.5 with the containerd image store.
    """
    policies: tuple[CachePolicy, ...]
    """Rules by which it deletes cache by itself."""


class CacheRecord(Struct, frozen=True):
    """A record of the build cache."""

    id: str
    """Id."""
    size: int
    """Size in bytes, without that of its parents."""
    type: str
    """Type: ``regular``, ``internal``, ``frontend``, ``source.local``, ``source.git.checkout`` or
    ``exec.cachemount``; empty where BuildKit does not report it, as in a prune.
    """
    description: str
    """The step that made it, such as ``mount / from exec /bin/sh -c make``."""
    in_use: bool
    """True if a build is using it; it cannot be deleted now."""
    mutable: bool
    """True if it is not finished, such as a cache mount."""
    shared: bool
    """True if an image, or something else outside the cache, needs it; deleting it frees no space."""
    parents: tuple[str, ...]
    """Ids of the records that it is based on."""
    created: datetime | None
    """Time at which it was made, in UTC; None: not reported."""
    last_used: datetime | None
    """Time of its last use, in UTC; None: never."""
    usage_count: int
    """Number of its uses."""


class CachePruned(Struct, frozen=True):
    """The result of a prune of the build cache."""

    count: int
    """Number of records that were deleted."""
    size: int
    """Size of the records that were deleted, in bytes."""


class BuildRecord(Redacted, frozen=True):
    """A build, in the history of BuildKit."""

    _hidden = ("attributes",)

    ref: str
    """Id of the build."""
    frontend: str
    """Frontend, such as ``dockerfile.v0``; empty if the client called it itself, as buildx does."""
    attributes: Mapping[str, str]
    """Attributes of the frontend, such as ``target``; those of build arguments may be secret."""
    created: datetime | None
    """Time at which it began, in UTC."""
    completed: datetime | None
    """Time at which it ended, in UTC; None: it is running."""
    error: str | None
    """Message of its failure; None: it succeeded, or is running."""
    exported: Mapping[str, str]
    """Facts about its outputs, such as ``containerimage.digest``."""
    total_steps: int
    """Number of its steps. This and the next three are 0 where BuildKit does not report them."""
    completed_steps: int
    """Number of steps that are completed."""
    cached_steps: int
    """Number of steps that were taken from the cache."""
    warnings: int
    """Number of its warnings."""
    pinned: bool
    """True if it stays in the history until it is deleted."""
