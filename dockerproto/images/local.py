"""List, inspect, tag and delete the images that an engine has."""

from __future__ import annotations

import builtins
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final, TypedDict, Unpack

from msgspec.structs import replace

from dockerproto.arguments import strings
from dockerproto.caller import warn_caller
from dockerproto.messages.disk_usage import BuildCacheRecord, build_cache_of
from dockerproto.messages.empty_fields import (
    BUILDS_PRUNED,
    HISTORY_ENTRY,
    IMAGE_INSPECT,
    IMAGE_SUMMARY,
    IMAGES_PRUNED,
)
from dockerproto.messages.models import (
    BuildsPruned,
    DeletedImage,
    HistoryEntry,
    ImageInspect,
    ImagesPruned,
    ImageSummary,
)
from dockerproto.messages.tables import HistoryTable, ImageTable
from dockerproto.operations.disk_usage import usage_request
from dockerproto.operations.operation import Call
from dockerproto.operations.replies import converted, created, existence, json_list, json_object
from dockerproto.references import path_of, repository
from dockerproto.request.filters import Filters, encode_filters, repeated_filter
from dockerproto.request.parameters import (
    NotOnPodman,
    Parameter,
    any_parameter,
    flag,
    number,
    platform_json,
    text,
    texts,
)
from dockerproto.request.request import Request
from dockerproto.timeouts import DEFAULT, TimeoutLike
from dockerproto.versions import Version

LATEST: Final = "latest"

_SEVERAL_VALUES: Final = Version(5, 4)
"""First version of Podman, of those measured, that combines the values of a filter as Docker does."""

ListParameters = TypedDict("ListParameters", {"shared-size": bool}, total=False)
"""Parameters of `list` whose names on the wire are not Python names."""

_HINTS: Final[Mapping[str, str]] = {
    "filter": "use filters={...}",
    "name": 'use filters={"reference": ...}',
}


def list(
    *,
    filters: Filters | str | None = None,
    all: bool = False,
    digests: bool = False,
    shared_size: bool = False,
    manifests: bool = False,
    identity: bool = False,
    query: Mapping[str, object] | None = None,
    timeout: TimeoutLike = DEFAULT,
    **params: Unpack[ListParameters],
) -> Call[builtins.list[ImageSummary]]:
    """List the images of the engine, newest first.

    Args:
        filters: Conditions: ``dangling`` (bool), ``label`` (``key`` or ``key=value``), ``reference`` (a
            glob), ``before`` and ``since`` (an image), ``until`` (a time). JSON text is deprecated.
        all: Include the intermediate images of classic builds.
        digests: Request digests; every engine sends them anyway.
        shared_size: Compute ``SharedSize``. Since API 1.42.
        manifests: Include the ``Manifests`` of each image. Since API 1.47.
        identity: Include the ``Identity`` of each manifest, and the manifests. Since API 1.54.
        query: Parameters that a newer API has, by their names on the wire: str and int are sent as they
            are, bool as 1 or 0, anything else as JSON.
        timeout: Limits of this call.
        params: ``shared-size``, another spelling of `shared_size`, sent whatever the API version.

    Raises:
        NotFound: The image that a filter names does not exist.
        BadRequest: A filter is unknown or its value malformed.
        TypeError: An argument is unknown, such as ``name``: use ``filters={"reference": ...}``.
        UnsupportedEngine: A filter has several values, and the engine is Podman before 5.4.

    Documented at https://docs.docker.com/reference/api/engine/#tag/Image/operation/ImageList.
    """
    known = (
        _filters(encode_filters(filters)),
        flag("all", all),
        replace(flag("digests", digests), for_podman=None),  # Podman 4.3 to 6.1 return nothing for it
        flag("shared-size", shared_size, "shared_size", since=Version(1, 42)),
        flag("manifests", manifests, since=Version(1, 47)),
        flag("identity", identity, since=Version(1, 54)),
    )
    more = (*_wire_parameters(params), *_future_parameters(query, {each.name for each in known}))
    request = Request(method="GET", path="/images/json", query=(*known, *more), timeout=timeout)
    return json_list(request, IMAGE_SUMMARY, ImageTable)


def inspect(
    name: str, *, platform: str | None = None, manifests: bool = False, timeout: TimeoutLike = DEFAULT
) -> Call[ImageInspect]:
    """Return the engine's description of an image.

    Args:
        name: Reference, id or unambiguous prefix of an id.
        platform: The platform of a multi-platform image, ``os/arch[/variant]``. Since API 1.49.
        manifests: Include the ``Manifests``; not with `platform`. Since API 1.48.
        timeout: Limits of this call.

    Returns:
        The description; lists, texts and maps that are empty are in it whatever the engine.

    Raises:
        NotFound: The image does not exist.

    Documented at https://docs.docker.com/reference/api/engine/#tag/Image/operation/ImageInspect.
    """
    if platform is not None and manifests:
        raise ValueError("platform and manifests must not both be given")
    query = (
        text("platform", platform_json(platform), since=Version(1, 49)),
        flag("manifests", manifests, since=Version(1, 48)),
    )
    return json_object(_inspection(name, query, timeout), IMAGE_INSPECT)


def get(name: str) -> Call[ImageInspect]:
    """Call `inspect`; deprecated, as in aiodocker."""
    warn_caller("images.get() is deprecated, use images.inspect()", DeprecationWarning)
    return inspect(name)


def exists(name: str, *, timeout: TimeoutLike = DEFAULT) -> Call[bool]:
    """Return True if the engine has an image with this name or id.

    Raises:
        DockerError: The request failed for another reason than a missing image.
    """
    return existence(_inspection(name, (), timeout))


def _inspection(name: str, query: tuple[Parameter, ...], timeout: TimeoutLike) -> Request:
    return Request(method="GET", path=f"/images/{path_of(name)}/json", query=query, timeout=timeout)


def history(
    name: str, *, platform: str | None = None, timeout: TimeoutLike = DEFAULT
) -> Call[builtins.list[HistoryEntry]]:
    """Return the steps that made an image, newest first.

    Args:
        name: Reference or id.
        platform: The platform of a multi-platform image, ``os/arch[/variant]``. Since API 1.48.
        timeout: Limits of this call.

    Raises:
        NotFound: The image does not exist.

    Documented at https://docs.docker.com/reference/api/engine/#tag/Image/operation/ImageHistory.
    """
    query = (text("platform", platform_json(platform), since=Version(1, 48)),)
    path = f"/images/{path_of(name)}/history"
    request = Request(method="GET", path=path, query=query, timeout=timeout)
    return json_list(request, HISTORY_ENTRY, HistoryTable)


def tag(name: str, repo: str, *, tag: str | None = None, timeout: TimeoutLike = DEFAULT) -> Call[bool]:
    """Give an image another name; if another image has the name, it is moved.

    Args:
        name: Reference or id of the image.
        repo: The repository of the new name, with or without a tag.
        tag: The tag of the new name, if `repo` does not have one; ``latest`` by default.
        timeout: Limits of this call; by default only connecting is limited.

    Returns:
        True; every failure raises.

    Raises:
        NotFound: The image does not exist.

    Documented at https://docs.docker.com/reference/api/engine/#tag/Image/operation/ImageTag.
    """
    new = repository(repo, tag, "repo")
    if new.digest is not None:
        raise ValueError(f"repo must not have a digest: {repo!r}")
    query = (Parameter("repo", new.name), Parameter("tag", new.tag or LATEST))
    path = f"/images/{path_of(name)}/tag"
    return created(Request(method="POST", path=path, query=query, timeout=timeout, pace="changing"))


def delete(
    name: str,
    *,
    force: bool = False,
    noprune: bool = False,
    platforms: str | Iterable[str] = (),
    timeout: TimeoutLike = DEFAULT,
) -> Call[builtins.list[DeletedImage]]:
    """Remove a name of an image; with its last name, delete the image and its untagged parents.

    Args:
        name: Reference, id or unambiguous prefix of an id.
        force: Delete it even if stopped containers use it or it has other names. Podman then deletes
            the containers too.
        noprune: Keep untagged parents.
        platforms: Delete only these platforms of the image, ``os/arch[/variant]``. Since API 1.50.
        timeout: Limits of this call; by default only connecting is limited.

    Returns:
        The removed names and deleted images, in order.

    Raises:
        NotFound: The image does not exist.
        Conflict: The image is in use, or has other names.

    Documented at https://docs.docker.com/reference/api/engine/#tag/Image/operation/ImageDelete.
    """
    encoded = [each for one in strings("platforms", platforms) if (each := platform_json(one))]
    query = (
        flag("force", force),
        flag("noprune", noprune),
        texts("platforms", encoded, since=Version(1, 50)),
    )
    path = f"/images/{path_of(name)}"
    return json_list(Request(method="DELETE", path=path, query=query, timeout=timeout, pace="changing"))


def prune(*, filters: Filters | None = None, timeout: TimeoutLike = DEFAULT) -> Call[ImagesPruned]:
    """Delete images that are not in use.

    Args:
        filters: Conditions: ``dangling`` (bool; True, the default, selects only images without a name),
            ``until`` (a time), ``label`` and ``label!``.
        timeout: Limits of this call.

    Raises:
        Conflict: Another prune is running.
        UnsupportedEngine: Several labels are given and the engine is Podman before 5.4, which deletes images
            that have any of them.

    Since API 1.25.
    Documented at https://docs.docker.com/reference/api/engine/#tag/Image/operation/ImagePrune.
    """
    query = (_filters(encode_filters(filters)),)
    return json_object(
        Request(
            method="POST",
            path="/images/prune",
            query=query,
            since=Version(1, 25),
            timeout=timeout,
            pace="long",
        ),
        IMAGES_PRUNED,
    )


def prune_builds(
    *,
    reserved_space: int | None = None,
    max_used_space: int | None = None,
    min_free_space: int | None = None,
    all_builds: bool | None = None,
    filters: Filters | None = None,
    timeout: TimeoutLike = DEFAULT,
) -> Call[BuildsPruned]:
    """Delete build cache.

    Args:
        reserved_space: Bytes of cache to keep. Before API 1.48 it is sent as ``keep-storage``.
        max_used_space: Limit on the cache in bytes. Since API 1.48.
        min_free_space: Bytes of the disk that should be free afterwards. Since API 1.48.
        all_builds: Delete all unused cache, not only dangling cache.
        filters: Conditions: ``until``, ``id``, ``parent``, ``type``, ``description``, ``inuse``,
            ``shared``, ``private``; the last three expect an empty list.
        timeout: Limits of this call.

    Raises:
        UnsupportedVersion: The engine does not support a parameter.
        UnsupportedEngine: The engine is Podman, which does not have a build cache.

    Since API 1.31.
    Documented at https://docs.docker.com/reference/api/engine/#tag/Image/operation/BuildPrune.
    """
    sizes = Version(1, 48)
    query = (
        number("reserved-space", reserved_space, "reserved_space", since=sizes, formerly="keep-storage"),
        number("max-used-space", max_used_space, "max_used_space", since=sizes),
        number("min-free-space", min_free_space, "min_free_space", since=sizes),
        flag("all", False if all_builds is None else all_builds, "all_builds"),
        text("filters", encode_filters(filters)),
    )
    return json_object(
        Request(
            method="POST",
            path="/build/prune",
            query=query,
            since=Version(1, 31),
            timeout=timeout,
            pace="long",
        ),
        BUILDS_PRUNED,
    )


def build_cache(*, timeout: TimeoutLike = DEFAULT) -> Call[builtins.list[BuildCacheRecord]]:
    """List the records of the build cache, which `prune_builds` deletes.

    Args:
        timeout: Limits of this call; unlimited by default, as engines before API 1.42 compute the whole disk
            usage for it.

    Raises:
        ServerError: Another disk usage operation is running, on Docker before 23.

    Since API 1.25. Podman has no build cache of this kind; its list is empty.
    Documented at https://docs.docker.com/reference/api/engine/#tag/System/operation/SystemDataUsage.
    """
    return converted(usage_request(("build-cache",), timeout), build_cache_of)


def _wire_parameters(params: Mapping[str, object]) -> Iterator[Parameter]:
    """Yield the parameters of `list` that are given by their names on the wire."""
    for name, value in params.items():
        if name not in ListParameters.__annotations__:
            hint = _HINTS.get(name, f"a parameter of a newer API goes into query={{{name!r}: ...}}")
            raise TypeError(f"images.list() got an unexpected keyword argument {name!r}; {hint}")
        yield any_parameter(name, value)


def _future_parameters(query: Mapping[str, object] | None, known: Collection[str]) -> Iterator[Parameter]:
    """Yield the parameters of `query`, none of which may be known to the operation."""
    if query is not None and not isinstance(query, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without types
        raise TypeError(f"query must be a mapping, not {type(query).__name__}")
    for name, value in (query or {}).items():
        if name in known:
            raise ValueError(f"query must not contain {name!r}; use the keyword argument")
        yield any_parameter(name, value)


def _filters(encoded: str | None) -> Parameter:
    """Return the parameter for encoded filters."""
    # Podman 4.3 uses only one of several values when it lists, and deletes images that match any of them;
    # 5.4, the next one that was measured, does as Docker does.
    parameter = text("filters", encoded)
    if encoded is None or (name := repeated_filter(encoded)) is None:
        return parameter
    return replace(
        parameter, for_podman=NotOnPodman(f"combine values of the filter {name!r}", _SEVERAL_VALUES)
    )
