"""The documents of an engine as the commands need them: what an engine may leave out is None or empty."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from msgspec import Struct, field

from dockerproto import ProtocolViolated

T = TypeVar("T")


class ListedImage(Struct):
    """An image of a list."""

    id: str = field(name="Id")
    tags: list[str] | None = field(name="RepoTags", default=None)
    digests: list[str] | None = field(name="RepoDigests", default=None)
    created: float | None = field(name="Created", default=None)
    """Seconds since 1970."""
    size: float | None = field(name="Size", default=None)
    """Bytes."""


class HistoryStep(Struct):
    """A step in the history of an image."""

    id: str = field(name="Id")
    created: float | None = field(name="Created", default=None)
    """Seconds since 1970."""
    created_by: str | None = field(name="CreatedBy", default=None)
    size: float | None = field(name="Size", default=None)
    """Bytes."""
    comment: str | None = field(name="Comment", default=None)


class Found(Struct):
    """A repository found by a search; Podman's names differ from Docker's."""

    name: str
    description: str = ""
    star_count: int = 0
    is_official: bool = False
    is_automated: bool = False


class Change(Struct):
    """An effect of a deletion: a name or an image that is gone."""

    untagged: str | None = field(name="Untagged", default=None)
    deleted: str | None = field(name="Deleted", default=None)

    def __post_init__(self) -> None:
        if self.untagged is None and self.deleted is None:
            raise ValueError("neither `Untagged` nor `Deleted`")


class Pruned(Struct):
    """The result of a prune."""

    reclaimed: float = field(name="SpaceReclaimed")
    """Bytes."""
    changes: list[Change] | None = field(name="ImagesDeleted", default=None)


class UsedImage(ListedImage):
    """An image in the disk usage."""

    shared_size: float | None = field(name="SharedSize", default=None)
    """Bytes."""
    containers: int | None = field(name="Containers", default=None)
    """Number of containers that use it."""


class CacheRecord(Struct):
    """A record of the build cache."""

    id: str = field(name="ID")
    type: str = field(name="Type", default="")
    size: float | None = field(name="Size", default=None)
    """Bytes."""
    in_use: bool = field(name="InUse", default=False)
    shared: bool = field(name="Shared", default=False)


class PrunedBuilds(Struct):
    """The result of a prune of the build cache."""

    reclaimed: float = field(name="SpaceReclaimed")
    """Bytes."""
    caches: list[str] | None = field(name="CachesDeleted", default=None)


def parse_document(document: object, kind: type[T]) -> T:
    """Return a document as a struct, or as a list of structs.

    Raises:
        ProtocolViolated: A required value is missing, or a value has the wrong type.
    """
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise ProtocolViolated(0, f"the engine's response is malformed: {error}") from error
