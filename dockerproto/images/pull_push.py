"""Pull images from registries and push them."""

from __future__ import annotations

from functools import partial
from typing import Final, Literal, overload

from msgspec.structs import replace

from dockerproto.credentials.credentials import ANONYMOUS, AuthLike
from dockerproto.errors import InvalidReference
from dockerproto.images.local import LATEST
from dockerproto.messages.results import (
    MessageList,
    PullReducer,
    PullResult,
    PushReducer,
    PushResult,
)
from dockerproto.operations.operation import Call, ListOrStream, Reported
from dockerproto.operations.replies import progress
from dockerproto.references import Reference, path_of, repository
from dockerproto.request.parameters import (
    NotOnPodman,
    Parameter,
    default_platform,
    platform_json,
    text,
)
from dockerproto.request.request import Request
from dockerproto.timeouts import DEFAULT, TimeoutLike
from dockerproto.versions import Version

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
    reference, version = _parse(from_image, tag, "from_image")
    request = Request(
        method="POST",
        path=CREATE,
        query=(
            Parameter("fromImage", reference.name),
            _tag(version, "pull"),
            text("repo", repo),
            default_platform(platform),
        ),
        timeout=timeout,
        pace="long",
    )
    image = _image(reference, version)
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
    reference, version = _parse(name, tag, "name")
    if reference.digest is not None:
        raise InvalidReference(0, f"cannot push a digest: {name!r}")
    request = Request(
        method="POST",
        path=f"/images/{path_of(reference.name)}/push",
        query=(_tag(version, "push"), text("platform", platform_json(platform), since=Version(1, 46))),
        auth=ANONYMOUS,  # engines up to 28.3 reject a push without this header
        timeout=timeout,
        pace="long",
    )
    request = request.for_registry(reference.registry, auth, f"push {_image(reference, version)}")
    return progress(request, stream, PushReducer)


def _image(reference: Reference, version: str | None) -> str:
    """Return the name of what is transferred; without a version, it is the whole repository."""
    return f"{reference.name}{'@' if reference.digest else ':'}{version}" if version else reference.name


def _parse(name: str, tag: str | None, argument: str) -> tuple[Reference, str | None]:
    """Return a reference, and its tag or digest for the engine's ``tag`` parameter; None means all tags."""
    if tag and ":" in tag:
        name, tag = f"{name}@{tag}", None
    reference = repository(name, tag, argument)
    if tag != "":
        return reference, reference.digest or reference.tag or LATEST
    if reference.tag or reference.digest:
        raise ValueError(f"{argument} must not have a tag if all tags are requested: {name!r}")
    return reference, None


def _tag(version: str | None, verb: str) -> Parameter:
    parameter = text("tag", version)
    if version is not None:
        return parameter
    return replace(parameter, for_podman=NotOnPodman(f"{verb} all tags at once"))
