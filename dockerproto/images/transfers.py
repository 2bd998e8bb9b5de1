"""Requests of transfers between an engine and a registry, which name an image and its version."""

from __future__ import annotations

from msgspec.structs import replace

from dockerproto.credentials.credentials import ANONYMOUS, AuthLike
from dockerproto.errors import InvalidReference
from dockerproto.images.local import LATEST
from dockerproto.references import Reference, path_of, repository
from dockerproto.request.parameters import NotOnPodman, Parameter, platform_json, text
from dockerproto.request.request import Request
from dockerproto.timeouts import DEFAULT, TimeoutLike
from dockerproto.versions import Version


def push_request(
    name: str,
    *,
    auth: AuthLike | None,
    tag: str | None = None,
    platform: str | None = None,
    timeout: TimeoutLike = DEFAULT,
) -> Request:
    """Return the request of a push, for the arguments of `push`."""
    reference, version = parse_name(name, tag, "name")
    if reference.digest is not None:
        raise InvalidReference(0, f"cannot push a digest: {name!r}")
    request = Request(
        method="POST",
        path=f"/images/{path_of(reference.name)}/push",
        query=(
            tag_parameter(version, "push"),
            text("platform", platform_json(platform), since=Version(1, 46)),
        ),
        auth=ANONYMOUS,  # engines up to 28.3 reject a push without this header
        timeout=timeout,
        pace="long",
    )
    return request.for_registry(reference.registry, auth, f"push {image_name(reference, version)}")


def image_name(reference: Reference, version: str | None) -> str:
    """Return the name of what is transferred; without a version, it is the whole repository."""
    return f"{reference.name}{'@' if reference.digest else ':'}{version}" if version else reference.name


def parse_name(name: str, tag: str | None, argument: str) -> tuple[Reference, str | None]:
    """Return a reference, and its tag or digest for the engine's ``tag`` parameter; None means all tags."""
    if tag and ":" in tag:
        name, tag = f"{name}@{tag}", None
    reference = repository(name, tag, argument)
    if tag != "":
        return reference, reference.digest or reference.tag or LATEST
    if reference.tag or reference.digest:
        raise ValueError(f"{argument} must not have a tag if all tags are requested: {name!r}")
    return reference, None


def tag_parameter(version: str | None, verb: str) -> Parameter:
    """Return the tag or digest as a parameter; Podman transfers no repository with all of its tags."""
    parameter = text("tag", version)
    if version is not None:
        return parameter
    return replace(parameter, for_podman=NotOnPodman(f"{verb} all tags at once"))
