"""Images that come and go: from and to registries, and as archives."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Literal, overload

from msgspec.structs import replace

from dockerproto.answers import archive, progress
from dockerproto.auth import ANONYMOUS, AuthLike
from dockerproto.errors import InvalidReference
from dockerproto.images.store import LATEST
from dockerproto.models import Message
from dockerproto.operation import Call, Downloaded, Reported
from dockerproto.reference import Reference, path_of, repository
from dockerproto.request import (
    AsyncSource,
    NotOnPodman,
    Parameter,
    Request,
    default_platform,
    platform_json,
    strings,
    switch,
    text,
    texts,
    upload_request,
    uploadable,
)
from dockerproto.results import ImportFold, ImportResult, PullFold, PullResult, PushFold, PushResult
from dockerproto.timeouts import DEFAULT, TimeoutLike
from dockerproto.versions import Version

_CREATE = "/images/create"


@overload
def pull(
    from_image: str,
    *,
    auth: AuthLike | None = None,
    tag: str | None = None,
    repo: str | None = None,
    platform: str | None = None,
    stream: Literal[False] = False,
    timeout: TimeoutLike = DEFAULT,
) -> Call[list[Message]]: ...
@overload
def pull(
    from_image: str,
    *,
    auth: AuthLike | None = None,
    tag: str | None = None,
    repo: str | None = None,
    platform: str | None = None,
    stream: Literal[True],
    timeout: TimeoutLike = DEFAULT,
) -> Reported[PullResult]: ...
def pull(
    from_image: str,
    *,
    auth: AuthLike | None = None,
    tag: str | None = None,
    repo: str | None = None,
    platform: str | None = None,
    stream: bool = False,
    timeout: TimeoutLike = DEFAULT,
) -> Call[list[Message]] | Reported[PullResult]:
    """Pull an image from its registry.

    Args:
        from_image: Repository, with a tag or a digest or neither, which means ``latest``.
        auth: Credentials of the registry, see `read_auth`; by default the client looks them up.
        tag: The tag, or the digest, if `from_image` has none; ``""`` means all tags.
        repo: Passed on; it means something to an import only.
        platform: ``os[/arch[/variant]]``; by default what ``DOCKER_DEFAULT_PLATFORM`` says. Since API 1.32.
        stream: Hand out the messages as they come, instead of a list of them.
        timeout: Limits of this call; unlimited by default.

    Raises:
        NotFound: The registry has no such image or tag.
        UnsupportedEngine: All tags are asked for, and it is a Podman.
        Unauthorized: The registry wants other credentials.
        DockerStreamError: The engine failed in the middle of the pull.

    Documented at https://docs.docker.com/reference/api/engine/#tag/Image/operation/ImageCreate.
    """
    reference, chosen = _chosen(from_image, tag, "from_image")
    request = Request(
        method="POST",
        path=_CREATE,
        query=(
            Parameter("fromImage", reference.name),
            _tag(chosen, "pull"),
            text("repo", repo),
            default_platform(platform),
        ),
        timeout=timeout,
        long=True,
    )
    asked = f"{reference.name}{'@' if reference.digest else ':'}{chosen}" if chosen else reference.name
    return progress(request.authorised(auth, reference.registry), stream, partial(PullFold, asked))


@overload
def push(
    name: str,
    *,
    auth: AuthLike | None = None,
    tag: str | None = None,
    platform: str | None = None,
    stream: Literal[False] = False,
    timeout: TimeoutLike = DEFAULT,
) -> Call[list[Message]]: ...
@overload
def push(
    name: str,
    *,
    auth: AuthLike | None = None,
    tag: str | None = None,
    platform: str | None = None,
    stream: Literal[True],
    timeout: TimeoutLike = DEFAULT,
) -> Reported[PushResult]: ...
def push(
    name: str,
    *,
    auth: AuthLike | None = None,
    tag: str | None = None,
    platform: str | None = None,
    stream: bool = False,
    timeout: TimeoutLike = DEFAULT,
) -> Call[list[Message]] | Reported[PushResult]:
    """Push an image to its registry.

    Args:
        name: Repository, with a tag or without, which means ``latest``.
        auth: Credentials of the registry, see `read_auth`; by default the client looks them up.
        tag: The tag, if `name` has none; ``""`` means all tags that the engine has.
        platform: Which platform of an image with several, ``os/arch[/variant]``. Since API 1.46.
        stream: Hand out the messages as they come, instead of a list of them.
        timeout: Limits of this call; unlimited by default.

    Raises:
        NotFound: The engine has no such image.
        UnsupportedEngine: All tags are asked for, and it is a Podman.
        Unauthorized: The registry wants other credentials.
        DockerStreamError: The engine failed in the middle of the push.

    Documented at https://docs.docker.com/reference/api/engine/#tag/Image/operation/ImagePush.
    """
    reference, chosen = _chosen(name, tag, "name")
    if reference.digest is not None:
        raise InvalidReference(0, f"a digest cannot be pushed: {name!r}")
    request = Request(
        method="POST",
        path=f"/images/{path_of(reference.name)}/push",
        query=(_tag(chosen, "push"), text("platform", platform_json(platform), since=Version(1, 46))),
        auth=ANONYMOUS,  # engines up to 28.3 refuse a push that says nothing of credentials
        timeout=timeout,
        long=True,
    )
    return progress(request.authorised(auth, reference.registry), stream, PushFold)


def export_image(
    name: str | Iterable[str], timeout: TimeoutLike = DEFAULT, *, platform: str | None = None
) -> Downloaded:
    """Export an image, or several in one archive, as a tar.

    Args:
        name: Reference or id, or several. Of a repository without a tag Docker exports all tags.
        timeout: Limits of this call; unlimited by default.
        platform: Which platform of images with several, ``os/arch[/variant]``. Since API 1.48.

    Returns:
        A stream of bytes, which can be read as a file too.

    Raises:
        NotFound: There is no such image.
        DockerStreamError: The engine failed in the middle of the archive.

    Documented at https://docs.docker.com/reference/api/engine/#tag/Image/operation/ImageGet.
    """
    names = strings("name", name)
    if not names:
        raise ValueError("no image to export")
    paths = [path_of(each) for each in names]
    path = f"/images/{paths[0]}/get" if len(names) == 1 else "/images/get"
    query = (
        texts("names", names if len(names) > 1 else ()),
        text("platform", platform_json(platform), since=Version(1, 48)),
    )
    return archive(Request(method="GET", path=path, query=query, timeout=timeout, long=True))


@overload
def import_image(
    data: AsyncSource,
    stream: Literal[False] = False,
    timeout: TimeoutLike = DEFAULT,
    *,
    quiet: bool = True,
    platform: str | None = None,
    on_upload: Callable[[int], None] | None = None,
) -> Call[list[Message]]: ...
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
def import_image(
    data: AsyncSource,
    stream: bool = False,
    timeout: TimeoutLike = DEFAULT,
    *,
    quiet: bool = True,
    platform: str | None = None,
    on_upload: Callable[[int], None] | None = None,
) -> Call[list[Message]] | Reported[ImportResult]:
    """Load the images of an archive, as `export_image` and ``docker save`` make them.

    Args:
        data: The archive, plain or compressed: bytes, a path, a file, an iterable, or on async clients
            an async iterable. Podman 4.3 takes plain ones only.
        stream: Hand out the messages as they come, instead of a list of them.
        timeout: Limits of this call; unlimited by default.
        quiet: Say only what was loaded, not how far each layer is.
        platform: Which platform of images with several, ``os/arch[/variant]``. Since API 1.48.
        on_upload: Called with the number of bytes of the archive that are sent so far, after each piece.

    Raises:
        BadRequest: It is no such archive.
        DockerStreamError: The engine failed in the middle.

    Documented at https://docs.docker.com/reference/api/engine/#tag/Image/operation/ImageLoad.
    """
    query = (
        switch("quiet", quiet),
        text("platform", platform_json(platform), since=Version(1, 48)),
    )
    body = uploadable("data", data)
    request = upload_request("/images/load", query, body, timeout, on_upload=on_upload)
    return progress(request, stream, ImportFold)


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
) -> Call[list[Message]]: ...
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
) -> Call[list[Message]] | Reported[ImportResult]:
    """Make an image of one layer of the tar of a root file system.

    Args:
        source: The tar, plain or compressed: bytes, a path, a file, an iterable, on async clients an
            async iterable; or the URL of one, a str with ``://``, which the engine fetches.
        repo: A name for the image, with a tag or without, which means ``latest``.
        tag: The tag, if `repo` has none.
        message: The comment in the image's history.
        changes: Instructions of a Dockerfile to apply, such as ``CMD ["sh"]``.
        platform: ``os[/arch[/variant]]``; by default what ``DOCKER_DEFAULT_PLATFORM`` says. Since API 1.32.
        stream: Hand out the messages as they come, instead of a list of them.
        timeout: Limits of this call; unlimited by default.

    Returns:
        Messages, of which the last has the image's id as its ``status``.

    Raises:
        BadRequest: A change is none that is possible, or the tar is none.
        DockerStreamError: The engine failed in the middle.

    Documented at https://docs.docker.com/reference/api/engine/#tag/Image/operation/ImageCreate.
    """
    url = source if isinstance(source, str) and "://" in source else None
    query = (
        Parameter("fromSrc", url or "-"),
        text("repo", _new_name(repo, tag)),
        text("message", message),
        texts("changes", changes),
        default_platform(platform),
    )
    body = None if url else uploadable("source", source)
    return progress(upload_request(_CREATE, query, body, timeout), stream, ImportFold)


def _chosen(name: str, tag: str | None, what: str) -> tuple[Reference, str | None]:
    """Return a reference, and its tag or digest as engines want it beside the name; None means all tags."""
    if tag and ":" in tag:
        name, tag = f"{name}@{tag}", None
    reference = repository(name, tag, what)
    if tag != "":
        return reference, reference.digest or reference.tag or LATEST
    if reference.tag or reference.digest:
        raise ValueError(f"{what} {name!r} has a tag, and all tags are asked for")
    return reference, None


def _tag(chosen: str | None, verb: str) -> Parameter:
    parameter = text("tag", chosen)
    if chosen is not None:
        return parameter
    return replace(parameter, for_podman=NotOnPodman(f"{verb} all tags at once"))


def _new_name(repo: str | None, tag: str | None) -> str | None:
    """Return a name with its tag inside, which is where every engine looks for it."""
    if repo is None:
        if tag is not None:
            raise ValueError("a tag without a repo")
        return None
    new = repository(repo, tag, "repo")
    if new.digest is not None:
        raise ValueError(f"a digest cannot be given to an image: {repo!r}")
    return f"{new.name}:{new.tag or LATEST}"
