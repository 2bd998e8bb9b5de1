"""Pull images from registries and push them."""

from __future__ import annotations

from functools import partial
from typing import Final, Literal, overload

from dockerproto.credentials.credentials import AuthLike
from dockerproto.images.transfers import image_name, parse_name, push_request, tag_parameter
from dockerproto.messages.results import (
    MessageList,
    PullReducer,
    PullResult,
    PushReducer,
    PushResult,
)
from dockerproto.operations.operation import Call, ListOrStream, Reported
from dockerproto.operations.replies import progress
from dockerproto.request.parameters import (
    Parameter,
    default_platform,
    text,
)
from dockerproto.request.request import Request
from dockerproto.timeouts import DEFAULT, TimeoutLike

CREATE: Final = "/images/create"


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
) -> Call[MessageList[PullResult]]: ...
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
@overload
def pull(
    from_image: str,
    *,
    auth: AuthLike | None = None,
    tag: str | None = None,
    repo: str | None = None,
    platform: str | None = None,
    stream: bool,
    timeout: TimeoutLike = DEFAULT,
) -> ListOrStream[PullResult]: ...
def pull(
    from_image: str,
    *,
    auth: AuthLike | None = None,
    tag: str | None = None,
    repo: str | None = None,
    platform: str | None = None,
    stream: bool = False,
    timeout: TimeoutLike = DEFAULT,
) -> ListOrStream[PullResult]:
    """Pull an image from its registry.

    Args:
        from_image: Repository, with a tag or a digest; the tag is ``latest`` by default.
        auth: Credentials of the registry, see `read_auth`; by default the client looks them up.
        tag: The tag or the digest, if `from_image` does not have one; ``""`` means all tags.
        repo: Passed to the engine, which uses it only when it imports.
        platform: ``os[/arch[/variant]]``; by default ``$DOCKER_DEFAULT_PLATFORM``. Since API 1.32.
        stream: Return a stream of messages instead of a list; both have a ``result``.
        timeout: Limits of this call; unlimited by default.

    Raises:
        NotFound: The image or tag does not exist.
        UnsupportedEngine: `tag` is ``""`` and the engine is Podman.
        Unauthorized: The registry requires other credentials.
        DockerStreamError: The engine failed while it pulled.

    Documented at https://docs.docker.com/reference/api/engine/#tag/Image/operation/ImageCreate.
    """
    reference, version = parse_name(from_image, tag, "from_image")
    request = Request(
        method="POST",
        path=CREATE,
        query=(
            Parameter("fromImage", reference.name),
            tag_parameter(version, "pull"),
            text("repo", repo),
            default_platform(platform),
        ),
        timeout=timeout,
        pace="long",
    )
    image = image_name(reference, version)
    request = request.for_registry(reference.registry, auth, f"pull {image}")
    return progress(request, stream, partial(PullReducer, image))


@overload
def push(
    name: str,
    *,
    auth: AuthLike | None = None,
    tag: str | None = None,
    platform: str | None = None,
    stream: Literal[False] = False,
    timeout: TimeoutLike = DEFAULT,
) -> Call[MessageList[PushResult]]: ...
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
@overload
def push(
    name: str,
    *,
    auth: AuthLike | None = None,
    tag: str | None = None,
    platform: str | None = None,
    stream: bool,
    timeout: TimeoutLike = DEFAULT,
) -> ListOrStream[PushResult]: ...
def push(
    name: str,
    *,
    auth: AuthLike | None = None,
    tag: str | None = None,
    platform: str | None = None,
    stream: bool = False,
    timeout: TimeoutLike = DEFAULT,
) -> ListOrStream[PushResult]:
    """Push an image to its registry.

    Args:
        name: Repository, with or without a tag; the tag is ``latest`` by default.
        auth: Credentials of the registry, see `read_auth`; by default the client looks them up.
        tag: The tag, if `name` does not have one; ``""`` means all tags that the engine has.
        platform: The platform of a multi-platform image, ``os/arch[/variant]``. Since API 1.46.
        stream: Return a stream of messages instead of a list; both have a ``result``.
        timeout: Limits of this call; unlimited by default.

    Raises:
        NotFound: The engine does not have the image.
        UnsupportedEngine: `tag` is ``""`` and the engine is Podman.
        Unauthorized: The registry requires other credentials.
        DockerStreamError: The engine failed while it pushed.

    Documented at https://docs.docker.com/reference/api/engine/#tag/Image/operation/ImagePush.
    """
    request = push_request(name, auth=auth, tag=tag, platform=platform, timeout=timeout)
    return progress(request, stream, PushReducer)
