"""Export images into archives, load archives, and import root file systems."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from os import PathLike
from typing import Literal, overload

from msgspec.structs import replace

from dockerproto.arguments import strings
from dockerproto.images.local import LATEST
from dockerproto.images.pull_push import CREATE
from dockerproto.messages.decoding import LoadMessages
from dockerproto.messages.results import (
    ImportReducer,
    ImportResult,
    MessageList,
)
from dockerproto.operations.operation import Call, Downloaded, ListOrStream, Reported, SizeOrDownload
from dockerproto.operations.replies import archive, progress, saved
from dockerproto.references import path_of, repository
from dockerproto.request.parameters import (
    Parameter,
    default_platform,
    platform_json,
    switch,
    text,
    texts,
)
from dockerproto.request.request import Request, upload_request
from dockerproto.sources import AsyncSource, check_source
from dockerproto.timeouts import DEFAULT, TimeoutLike
from dockerproto.versions import Version


@overload
def export_image(
    name: str | Iterable[str],
    timeout: TimeoutLike = DEFAULT,
    *,
    platform: str | None = None,
    to: None = None,
) -> Downloaded: ...


@overload
def export_image(
    name: str | Iterable[str],
    timeout: TimeoutLike = DEFAULT,
    *,
    platform: str | None = None,
    to: str | PathLike[str],
) -> Call[int]: ...


@overload
def export_image(
    name: str | Iterable[str],
    timeout: TimeoutLike = DEFAULT,
    *,
    platform: str | None = None,
    to: str | PathLike[str] | None,
) -> SizeOrDownload: ...


def export_image(
    name: str | Iterable[str],
    timeout: TimeoutLike = DEFAULT,
    *,
    platform: str | None = None,
    to: str | PathLike[str] | None = None,
) -> SizeOrDownload:
    """Export an image, or several in one archive, as a tar.

    Args:
        name: Reference or id, or several. For a repository without a tag, Docker exports all tags.
        timeout: Limits of this call; unlimited by default.
        platform: The platform of multi-platform images, ``os/arch[/variant]``. Since API 1.48.
        to: Path of a file to save the archive to. The file gets its name when it is complete; a file that was
            there before is replaced then, and keeps its permissions.

    Returns:
        A stream of bytes, which can also be read as a file; with `to`, the size of the archive in bytes.

    Raises:
        NotFound: The image does not exist.
        DockerStreamError: The engine failed while it sent the archive.
        OutputFailed: The file cannot be written, or something other than a file is there.

    Documented at https://docs.docker.com/reference/api/engine/#tag/Image/operation/ImageGet.
    """
    names = strings("name", name)
    if not names:
        raise ValueError("name must name at least one image")
    paths = [path_of(each) for each in names]
    path = f"/images/{paths[0]}/get" if len(names) == 1 else "/images/get"
    query = (
        texts("names", names if len(names) > 1 else ()),
        text("platform", platform_json(platform), since=Version(1, 48)),
    )
    download = archive(Request(method="GET", path=path, query=query, timeout=timeout, pace="long"))
    return download if to is None else saved(download, to)


@overload
def import_image(
    data: AsyncSource,
    stream: Literal[False] = False,
    timeout: TimeoutLike = DEFAULT,
    *,
    quiet: bool = True,
    platform: str | None = None,
    on_upload: Callable[[int], None] | None = None,
) -> Call[MessageList[ImportResult]]: ...


@overload
def import_image(
    data: AsyncSource,
    stream: Literal[True],
    timeout: TimeoutLike = DEFAULT,
    *,
    quiet: bool = True,
    platform: str | None = None,
    on_upload: Callable[[int], None] | None = None,
) -> Reported[ImportResult]: ...


@overload
def import_image(
    data: AsyncSource,
    stream: bool,
    timeout: TimeoutLike = DEFAULT,
    *,
    quiet: bool = True,
    platform: str | None = None,
    on_upload: Callable[[int], None] | None = None,
) -> ListOrStream[ImportResult]: ...


def import_image(
    data: AsyncSource,
    stream: bool = False,
    timeout: TimeoutLike = DEFAULT,
    *,
    quiet: bool = True,
    platform: str | None = None,
    on_upload: Callable[[int], None] | None = None,
) -> ListOrStream[ImportResult]:
    """Load the images of an archive, such as those of `export_image` and ``docker save``.

    Args:
        data: The archive, plain or compressed: bytes, a path, a file, an iterable, or on async clients
            an async iterable. Podman 4.3 accepts only plain ones.
        stream: Return a stream of messages instead of a list; both have a ``result``.
        timeout: Limits of this call; unlimited by default.
        quiet: Report the names of the loaded images only, not the progress of each layer.
        platform: The platform of multi-platform images, ``os/arch[/variant]``. Since API 1.48.
        on_upload: Function that is called with the number of bytes sent so far, after each chunk of the
            archive.

    Raises:
        BadRequest: The archive is malformed or truncated.
        NotFound: Nothing was loaded: the archive has no image, or none for `platform`.
        DockerStreamError: The engine failed after it had begun to respond.

    Documented at https://docs.docker.com/reference/api/engine/#tag/Image/operation/ImageLoad.
    """
    query = (
        switch("quiet", quiet),
        text("platform", platform_json(platform), since=Version(1, 48)),
    )
    body = check_source("data", data)
    request = upload_request("/images/load", query, body, timeout, on_upload=on_upload)
    return progress(request, stream, ImportReducer, partial(LoadMessages, platform))


@overload
def import_filesystem(
    source: AsyncSource,
    *,
    repo: str | None = None,
    tag: str | None = None,
    message: str | None = None,
    changes: str | Iterable[str] = (),
    platform: str | None = None,
    stream: Literal[False] = False,
    timeout: TimeoutLike = DEFAULT,
) -> Call[MessageList[ImportResult]]: ...


@overload
def import_filesystem(
    source: AsyncSource,
    *,
    repo: str | None = None,
    tag: str | None = None,
    message: str | None = None,
    changes: str | Iterable[str] = (),
    platform: str | None = None,
    stream: Literal[True],
    timeout: TimeoutLike = DEFAULT,
) -> Reported[ImportResult]: ...


@overload
def import_filesystem(
    source: AsyncSource,
    *,
    repo: str | None = None,
    tag: str | None = None,
    message: str | None = None,
    changes: str | Iterable[str] = (),
    platform: str | None = None,
    stream: bool,
    timeout: TimeoutLike = DEFAULT,
) -> ListOrStream[ImportResult]: ...


def import_filesystem(
    source: AsyncSource,
    *,
    repo: str | None = None,
    tag: str | None = None,
    message: str | None = None,
    changes: str | Iterable[str] = (),
    platform: str | None = None,
    stream: bool = False,
    timeout: TimeoutLike = DEFAULT,
) -> ListOrStream[ImportResult]:
    """Import the tar of a root file system as an image with one layer.

    Args:
        source: The tar, plain or compressed: bytes, a path, a file, an iterable, on async clients an
            async iterable; or its URL, a str with ``://``, which the engine fetches.
        repo: A name for the image; its tag is ``latest`` by default.
        tag: The tag, if `repo` does not have one.
        message: The comment in the image's history.
        changes: Dockerfile instructions to apply, such as ``CMD ["sh"]``.
        platform: ``os[/arch[/variant]]``; by default ``$DOCKER_DEFAULT_PLATFORM``. Since API 1.32.
        stream: Return a stream of messages instead of a list; both have a ``result``.
        timeout: Limits of this call; unlimited by default.

    Returns:
        Messages; the ``status`` of the last one is the image's id.

    Raises:
        BadRequest: A change is unsupported, or the tar is malformed.
        DockerStreamError: The engine failed after it had begun to respond.

    Documented at https://docs.docker.com/reference/api/engine/#tag/Image/operation/ImageCreate.
    """
    url = source if isinstance(source, str) and "://" in source else None
    query = (
        Parameter("fromSrc", url or "-", secret=url is not None),  # URLs may contain passwords
        text("repo", _new_name(repo, tag)),
        text("message", message),
        replace(texts("changes", changes), secret=True),  # ENV may contain passwords
        default_platform(platform),
    )
    body = None if url else check_source("source", source)
    return progress(upload_request(CREATE, query, body, timeout), stream, ImportReducer)


def _new_name(repo: str | None, tag: str | None) -> str | None:
    """Return a name that includes its tag, as every engine expects it there."""
    if repo is None:
        if tag is not None:
            raise ValueError("tag must be given with repo")
        return None
    new = repository(repo, tag, "repo")
    if new.digest is not None:
        raise ValueError(f"repo must not have a digest: {repo!r}")
    return f"{new.name}:{new.tag or LATEST}"
