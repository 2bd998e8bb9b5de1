"""The disk usage of an engine, in one form for all API versions.

Since API 1.52 the engine computes the totals, and sends the items only on request. Before, it sends items,
and the totals are computed from them here, as the Docker CLI does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Generic, Literal, TypeAlias, TypedDict, TypeVar, cast, get_args

import msgspec
from msgspec import Struct

from dockerproto.errors import ProtocolViolated
from dockerproto.messages.empty_fields import IMAGE_SUMMARY, fill
from dockerproto.messages.models import ImageSummary

T = TypeVar("T")
Item: TypeAlias = dict[str, Any]

UsageType: TypeAlias = Literal["image", "build-cache", "container", "volume"]
"""Type of the objects that occupy space."""


class BuildCacheRecord(TypedDict, total=False):
    """A record of the build cache."""

    ID: str
    Parents: list[str]
    """Ids of the records that it depends on; always there."""
    Type: str
    """``regular``, ``source.local``, ``exec.cachemount``, ``frontend``, ``internal`` or another."""
    Description: str
    InUse: bool
    Shared: bool
    """True if an image has the same data, so that it takes no space of its own."""
    Size: int
    """Bytes."""
    CreatedAt: str
    """RFC 3339."""
    LastUsedAt: str | None
    """RFC 3339."""
    UsageCount: int


class Usage(Struct, Generic[T], frozen=True, kw_only=True):
    """The space that objects of one type occupy."""

    total: int = 0
    """Number of objects."""
    active: int = 0
    """Number of objects in use."""
    size: int = 0
    """Bytes of all objects; what several share counts once."""
    reclaimable: int = 0
    """Bytes of objects that are not in use."""
    items: tuple[T, ...] = ()
    """The objects, as the engine describes them."""


class DiskUsage(Struct, frozen=True, kw_only=True):
    """The space that the objects of an engine occupy. None: the type was not requested."""

    images: Usage[ImageSummary] | None = None
    """Images; their ``SharedSize`` and ``Containers`` are known here."""
    build_cache: Usage[BuildCacheRecord] | None = None
    """Records of the build cache."""
    containers: Usage[dict[str, Any]] | None = None
    """Containers; the size is that of their own layers."""
    volumes: Usage[dict[str, Any]] | None = None
    """Volumes."""


class _Image(Struct, rename="pascal"):
    size: int = 0
    shared_size: int = -1
    containers: int = 0


class _Container(Struct, rename="pascal"):
    size_rw: int = 0
    state: str = ""


class _VolumeUsage(Struct, rename="pascal"):
    size: int = -1
    ref_count: int = -1


class _Volume(Struct, rename="pascal"):
    usage_data: _VolumeUsage | None = None


class _Record(Struct, rename="pascal"):
    size: int = 0
    shared: bool = False
    in_use: bool = False


class _Totals(Struct, rename="pascal"):
    total_count: int = 0
    active_count: int = 0
    total_size: int = 0
    reclaimable: int = 0
    items: list[Item] | None = None


class _Document(Struct, rename="pascal"):
    layers_size: int = 0
    images: list[Item] | None = None
    build_cache: list[Item] | None = None
    containers: list[Item] | None = None
    volumes: list[Item] | None = None
    image_usage: _Totals | None = None
    build_cache_usage: _Totals | None = None
    container_usage: _Totals | None = None
    volume_usage: _Totals | None = None


def disk_usage_of(types: Iterable[UsageType], document: Mapping[str, Any]) -> DiskUsage:
    """Return the disk usage by the requested types; the engine may have sent more.

    Raises:
        ProtocolViolated: A value has the wrong type.
    """
    read = _convert(document, _Document)
    return DiskUsage(**{_FIELDS[each]: _USAGES[each](read) for each in types})


def build_cache_of(document: Mapping[str, Any]) -> list[BuildCacheRecord]:
    """Return the records of the build cache; raise ProtocolViolated."""
    return [*_build_cache_usage(_convert(document, _Document)).items]


def _image_usage(document: _Document) -> Usage[ImageSummary]:
    items = cast("list[ImageSummary]", _items(document.image_usage, document.images))  # as in a list
    fill(items, IMAGE_SUMMARY)
    if document.image_usage is not None:
        return _usage(document.image_usage, items)
    images = _convert(items, list[_Image])
    used = [each for each in images if each.containers and -1 not in (each.size, each.shared_size)]
    return Usage(
        total=len(images),
        active=sum(each.containers > 0 for each in images),
        size=document.layers_size,
        reclaimable=document.layers_size - sum(each.size - each.shared_size for each in used),
        items=tuple(items),
    )


def _build_cache_usage(document: _Document) -> Usage[BuildCacheRecord]:
    found = _items(document.build_cache_usage, document.build_cache)
    items = [cast("BuildCacheRecord", _with_parents(each)) for each in found]  # described, not checked
    if document.build_cache_usage is not None:
        return _usage(document.build_cache_usage, items)
    records = _convert(items, list[_Record])
    return Usage(
        total=len(records),
        active=sum(each.in_use for each in records),
        size=sum(each.size for each in records if not each.shared),
        reclaimable=sum(each.size for each in records if not each.shared and not each.in_use),
        items=tuple(items),
    )


def _container_usage(document: _Document) -> Usage[Item]:
    items = _items(document.container_usage, document.containers)
    if document.container_usage is not None:
        return _usage(document.container_usage, items)
    containers = _convert(items, list[_Container])
    active = [each for each in containers if each.state in ("running", "paused", "restarting")]
    size = sum(each.size_rw for each in containers)
    return Usage(
        total=len(containers),
        active=len(active),
        size=size,
        reclaimable=size - sum(each.size_rw for each in active),
        items=tuple(items),
    )


def _volume_usage(document: _Document) -> Usage[Item]:
    items = _items(document.volume_usage, document.volumes)
    if document.volume_usage is not None:
        return _usage(document.volume_usage, items)
    volumes = [each.usage_data or _VolumeUsage() for each in _convert(items, list[_Volume])]
    sized = [each for each in volumes if each.size >= 0]
    return Usage(
        total=len(volumes),
        active=sum(each.ref_count > 0 for each in volumes),
        size=sum(each.size for each in sized),
        reclaimable=sum(each.size for each in sized if each.ref_count == 0),
        items=tuple(items),
    )


_USAGES: Final[Mapping[UsageType, Callable[[_Document], Usage[Any]]]] = {
    "image": _image_usage,
    "build-cache": _build_cache_usage,
    "container": _container_usage,
    "volume": _volume_usage,
}
_FIELDS: Final[Mapping[UsageType, str]] = {
    "image": "images",
    "build-cache": "build_cache",
    "container": "containers",
    "volume": "volumes",
}
USAGE_TYPES: Final[tuple[UsageType, ...]] = get_args(UsageType)
"""All types, in the order of the Docker CLI's table."""


def _items(totals: _Totals | None, listed: list[Item] | None) -> list[Item]:
    return (listed if totals is None else totals.items) or []


def _usage(totals: _Totals, items: Iterable[T]) -> Usage[T]:
    return Usage(
        total=totals.total_count,
        active=totals.active_count,
        size=totals.total_size,
        reclaimable=totals.reclaimable,
        items=tuple(items),
    )


def _with_parents(record: Item) -> Item:
    """Return a record with the ids of its parents under one name in all versions.

    Up to API 1.41 there is only one; in some later versions the key begins with a space.
    """
    rest = {name: value for name, value in record.items() if name.strip() not in ("Parent", "Parents")}
    one = record.get("Parent")
    parents = record.get("Parents") or record.get(" Parents") or ([one] if one else [])
    return {**rest, "Parents": parents}


def _convert(value: object, kind: type[T]) -> T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ProtocolViolated(0, f"the disk usage is malformed: {error}") from error
