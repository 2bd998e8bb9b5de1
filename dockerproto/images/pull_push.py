"""Images that come and go: from and to registries, and as archives."""

from __future__ import annotations

from functools import partial
from typing import Final, Literal, overload

from msgspec.structs import replace

from dockerproto.credentials.credentials import ANONYMOUS, AuthLike
from dockerproto.errors import InvalidReference
from dockerproto.images.local import LATEST
from dockerproto.messages.models import Message
from dockerproto.messages.results import (
    PullReducer,
    PullResult,
    PushReducer,
    PushResult,
)
from dockerproto.operations.operation import Call, Reported
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
        path=CREATE,
        query=(
            Parameter("fromImage", reference.name),
            _tag(chosen, "pull"),
            text("repo", repo),
            default_platform(platform),
        ),
        timeout=timeout,
        pace="long",
    )
    asked = f"{reference.name}{'@' if reference.digest else ':'}{chosen}" if chosen else reference.name
    return progress(request.authorised(auth, reference.registry), stream, partial(PullReducer, asked))


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
        pace="long",
    )
    return progress(request.authorised(auth, reference.registry), stream, PushReducer)


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
